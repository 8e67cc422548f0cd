//! Tasks of Runway. What a film is made from decides which path it is asked for at.

use super::{Failure, Film, Job, Request, Status, VideoMaking};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, Half, Upstream, UsagePlace};
use crate::image::Size;
use crate::json::{Object, Raw, Text};
use crate::ollama_chat::timestamp::read_timestamp;
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "runway_videos",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Video(Half::<VideoMaking> { write_request, read_reply })),
    // `{"error": "text"}`, which is one of the shapes there.
    errors: openai_chat::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

const TARGET: Dialect = Dialect::RunwayVideos;

/// What is filmed when nobody says it: lying, as a ratio of pixels.
const RATIO: &str = "1280:720";

/// Shortest films of the two families of models, in seconds.
const VEO_SECONDS: u64 = 4;
const GEN_SECONDS: u64 = 2;

/// The model that changes films.
const FILM_MODEL: &str = "gen4_aleph";

/// Callers' names of members, and the vendor's.
const RENAMED: &[(&str, &str)] =
    &[("reference_images", "referenceImages"), ("content_moderation", "contentModeration")];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    Request::note_provider(options, notes);
    let model = options.model;
    if request.film.is_some() && model != FILM_MODEL {
        return Err(Error::at("video_uri", What::Inexpressible(TARGET)));
    }
    notes.path = Some(match (&request.film, &request.image) {
        (Some(_), _) => "/v1/video_to_video",
        (None, Some(_)) => "/v1/image_to_video",
        (None, None) => "/v1/text_to_video",
    });
    let (is_veo, is_gen) = (model.starts_with("veo"), model.starts_with("gen"));
    let mut body = Object::new(out);
    body.str("model", model);
    body.text_if("promptText", request.prompt.as_ref());
    body.text_if("promptImage", request.image_url(TARGET)?.as_ref());
    body.text_if("videoUri", request.film.as_ref());
    body.str("ratio", &ratio(request));
    let shortest = if is_veo { Some(VEO_SECONDS) } else { is_gen.then_some(GEN_SECONDS) };
    if let Some(seconds) = request.seconds.or(shortest) {
        body.u64("duration", seconds);
    }
    if is_veo {
        body.raw_if("audio", request.audio);
    } else {
        request.note(notes, &["audio"]);
    }
    if is_gen {
        body.raw_if("seed", request.seed);
    } else {
        request.note(notes, &["seed"]);
    }
    request.note(notes, &["negative_prompt", "resolution", "n"]);
    for (name, value) in request.rest.iter().chain(&request.extra) {
        let own = RENAMED.iter().find(|(theirs, _)| theirs == name);
        body.raw(own.map_or(name, |(_, own)| own), *value);
    }
    Ok(())
}

fn ratio(request: &Request<'_>) -> String {
    match (&request.size, &request.aspect_ratio) {
        (Some(Size::Pixels { width, height }), _) => format!("{width}:{height}"),
        (_, Some(ratio)) => ratio.plain().into_owned(),
        (_, None) => RATIO.to_owned(),
    }
}

/// Reads a task; of one that was just begun there is only the id.
fn read_reply<'a>(root: Raw<'a>) -> Result<Job<'a>, Error> {
    let text = |name| fields::lenient_text(root, name);
    let status = text("status").unwrap_or_default();
    let created = text("createdAt").or_else(|| text("created_at"));
    let urls = root.member("output");
    Ok(Job {
        id: fields::required_text(root, "id")?,
        status: match &*status.plain() {
            "RUNNING" => Status::InProgress,
            "SUCCEEDED" => Status::Completed,
            "FAILED" | "CANCELLED" => Status::Failed,
            _ => Status::Queued,
        },
        created: created.and_then(|time| read_timestamp(&time.plain())),
        failure: matches!(&*status.plain(), "FAILED" | "CANCELLED").then(|| Failure {
            code: text("failureCode").unwrap_or_else(|| status.clone()),
            message: text("failure").unwrap_or_else(|| Text::from("the task did not succeed")),
        }),
        films: urls
            .iter()
            .flat_map(|urls| urls.elements())
            .filter_map(|url| url.as_text().map(Film::at))
            .collect(),
        ..Job::default()
    })
}
