//! Predictions that film.

use super::{ERRORS, FAILED, event_class, time, usage_place, write_version};
use crate::Dialect;
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Code, Format, Framing, Half, Upstream};
use crate::json::{Object, Raw, Text};
use crate::options::{Notes, RequestOptions};
use crate::video::{Failure, Film, Job, Request, Status, VideoMaking};

pub(crate) static FORMAT: Format = Format {
    name: "replicate_video",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Video(Half::<VideoMaking> { write_request, read_reply })),
    errors: ERRORS,
    usage: usage_place(),
    event_class,
};

const TARGET: Dialect = Dialect::ReplicateVideo;

/// The maker whose models take the picture, and the length, under other names.
const OPENAI_MODELS: &str = "openai/";

/// Members that say where the outcome is to be sent: they are about the job, and no inputs.
const JOB_MEMBERS: &[&str] = &["webhook", "webhook_events_filter"];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    Request::note_provider(options, notes);
    let is_openai = options.model.starts_with(OPENAI_MODELS);
    let mut body = Object::new(out);
    write_version(options.model, &mut body);
    let members = || request.rest.iter().chain(&request.extra);
    for (name, value) in members().filter(|(name, _)| JOB_MEMBERS.contains(&&**name)) {
        body.raw(name, *value);
    }
    let mut input = body.object("input");
    input.text("prompt", request.prompt()?);
    let image = if is_openai { "input_reference" } else { "image" };
    input.text_if(image, request.image_url(TARGET)?.as_ref());
    if let Some(seconds) = request.seconds {
        input.u64(if is_openai { "seconds" } else { "duration" }, seconds);
    }
    input.text_if("size", request.size.as_ref().map(|size| size.spelt()).as_ref());
    input.text_if("aspect_ratio", request.aspect_ratio.as_ref());
    input.text_if("resolution", request.resolution.as_ref());
    input.text_if("negative_prompt", request.negative_prompt.as_ref());
    input.raw_if("seed", request.seed);
    input.raw_if("generate_audio", request.audio);
    input.text_if("video", request.film.as_ref());
    request.note(notes, &["n"]);
    for (name, value) in members().filter(|(name, _)| !JOB_MEMBERS.contains(&&**name)) {
        input.raw(name, *value);
    }
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Job<'a>, Error> {
    let status = fields::required_text(root, "status")?.into_plain();
    let is_failed = FAILED.contains(&&*status);
    Ok(Job {
        id: fields::required_text(root, "id")?,
        status: match &*status {
            "processing" => Status::InProgress,
            "succeeded" => Status::Completed,
            _ if is_failed => Status::Failed,
            _ => Status::Queued,
        },
        model: fields::lenient_text(root, "model").filter(|model| !model.is_empty()),
        created: time(root, "created_at"),
        completed: time(root, "completed_at"),
        failure: is_failed.then(|| Failure {
            code: Text::from(status.into_owned()),
            message: fields::lenient_text(root, "error")
                .unwrap_or_else(|| "the prediction did not succeed".into()),
        }),
        films: films(root)?,
        ..Job::default()
    })
}

/// One address, or a list of them; none while there is nothing.
fn films<'a>(root: Raw<'a>) -> Result<Vec<Film<'a>>, Error> {
    let Some(output) = root.member("output") else { return Ok(Vec::new()) };
    match output.as_text() {
        Some(url) => Ok(vec![Film::at(url)]),
        None => fields::each("output", output, |_, url| match url.as_text() {
            Some(url) => Ok(Film::at(url)),
            None => Err(Error::new(What::WrongType("a string"))),
        }),
    }
}
