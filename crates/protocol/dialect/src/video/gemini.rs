//! `:predictLongRunning` of Google's Veo models, and the operations that become of it.

use super::{Failure, Film, Job, MEDIA_TYPE, Place, Request, Status, VideoMaking, read_seconds};
use crate::Dialect;
use crate::canonical::Source;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::gemini;
use crate::image::Size;
use crate::json::{Object, Raw, Text};
use crate::ollama_chat::timestamp::read_timestamp;
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "gemini_videos",
    framing: Framing::Sse,
    code: Code::Video(Whole::<VideoMaking> {
        read_request,
        write_request,
        read_reply,
        write_reply,
    }),
    errors: gemini::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

const TARGET: Dialect = Dialect::GeminiVideos;

/// Members of `parameters` that other vendors have no word for.
const OWN_PARAMETERS: &[&str] = &[
    "compressionQuality",
    "enhancePrompt",
    "numberOfVideos",
    "personGeneration",
    "resizeMode",
    "storageUri",
];

/// Members of an instance of that kind.
const OWN_INSTANCE: &[&str] = &["lastFrame", "referenceImages"];

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new();
    let instances = fields::required(fields::object("", root)?, "instances")?;
    let mut instances = fields::array("instances", instances)?.elements();
    let (Some(instance), None) = (instances.next(), instances.next()) else {
        return Err(Error::at("instances", What::Invalid("must hold one instance")));
    };
    read_instance(instance, &mut request)
        .map_err(|error| error.in_element(0).in_member("instances"))?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "instances" => {}
            "parameters" => read_parameters(fields::object(&name, value)?, &mut request)
                .map_err(|error| error.in_member("parameters"))?,
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.extra.push((name, value)),
        }
    }
    Ok(request)
}

fn read_instance<'a>(instance: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    for (name, value) in instance.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "prompt" => request.prompt = Some(fields::text(&name, value)?),
            "image" => request.image = Some(read_image(value).map_err(|it| it.in_member("image"))?),
            "video" => {
                request.film =
                    fields::lenient_text(value, "uri").or(fields::lenient_text(value, "gcsUri"));
                if request.film.is_none() {
                    return Err(Error::at("video.uri", What::Missing));
                }
            }
            _ => request.rest.push((name, value)),
        }
    }
    Ok(())
}

fn read_image<'a>(image: Raw<'a>) -> Result<Source<'a>, Error> {
    let text = |name| fields::lenient_text(image, name);
    match (text("bytesBase64Encoded"), text("gcsUri")) {
        (Some(data), _) => Ok(Source::Base64 {
            media_type: text("mimeType").unwrap_or_else(|| "image/png".into()),
            data,
        }),
        (None, Some(url)) => Ok(Source::Url(url)),
        (None, None) => Err(Error::at("bytesBase64Encoded", What::Missing)),
    }
}

fn read_parameters<'a>(parameters: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    for (name, value) in parameters.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "aspectRatio" => request.aspect_ratio = Some(fields::text(&name, value)?),
            "durationSeconds" => request.seconds = Some(read_seconds(&name, value)?),
            "negativePrompt" => request.negative_prompt = Some(fields::text(&name, value)?),
            "resolution" => request.resolution = Some(fields::text(&name, value)?),
            "sampleCount" => request.count = Some(fields::number(&name, value)?),
            "seed" => request.seed = Some(fields::number(&name, value)?),
            "generateAudio" => request.audio = Some(value),
            _ => request.rest.push((name, value)),
        }
    }
    Ok(())
}

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    Request::note_provider(options, notes);
    let mut body = Object::new(out);
    {
        let mut instances = body.array("instances");
        let mut instance = instances.object();
        instance.text_if("prompt", request.prompt.as_ref());
        if let Some(image) = &request.image {
            write_image(image, instance.object("image"))?;
        }
        if let Some(film) = &request.film {
            instance.object("video").text("uri", film);
        }
        // Callers of other dialects name these as they are named here.
        for (name, value) in request.rest.iter().chain(&request.extra) {
            if OWN_INSTANCE.contains(&&**name) {
                instance.raw(name, *value);
            }
        }
    }
    write_parameters(request, notes, body.object("parameters"));
    Ok(())
}

fn write_image(image: &Source<'_>, mut object: Object<'_>) -> Result<(), Error> {
    match image {
        Source::Base64 { media_type, data } => {
            object.text("bytesBase64Encoded", data);
            object.text("mimeType", media_type);
        }
        Source::Url(url) if url.plain().starts_with("gs://") => {
            object.text("gcsUri", url);
            object.str("mimeType", "image/png");
        }
        Source::Url(_) | Source::FileId(_) | Source::Plain(_) | Source::Parts(_) => {
            return Err(Error::at("input_reference", What::Inexpressible(TARGET)));
        }
    }
    Ok(())
}

fn write_parameters(request: &Request<'_>, notes: &mut Notes, mut parameters: Object<'_>) {
    parameters.text_if("aspectRatio", aspect_ratio(request).as_ref());
    if let Some(seconds) = request.seconds {
        parameters.u64("durationSeconds", seconds);
    }
    parameters.text_if("negativePrompt", request.negative_prompt.as_ref());
    parameters.text_if("resolution", request.resolution.as_ref());
    parameters.raw_if("sampleCount", request.count);
    parameters.raw_if("seed", request.seed);
    parameters.raw_if("generateAudio", request.audio);
    for (name, value) in request.rest.iter().chain(&request.extra) {
        if OWN_PARAMETERS.contains(&&**name) {
            parameters.raw(name, *value);
        } else if !OWN_INSTANCE.contains(&&**name) {
            notes.drop(name);
        }
    }
}

/// The models film lying or standing.
fn aspect_ratio<'a>(request: &Request<'a>) -> Option<Text<'a>> {
    match (&request.aspect_ratio, &request.size) {
        (Some(ratio), _) => Some(ratio.clone()),
        (None, Some(Size::Pixels { width, height })) => {
            Some(if width < height { "9:16" } else { "16:9" }.into())
        }
        (None, _) => None,
    }
}

/// Reads an operation.
fn read_reply<'a>(root: Raw<'a>) -> Result<Job<'a>, Error> {
    let is_done = root.member("done").and_then(|done| done.as_bool()) == Some(true);
    let (metadata, answer) = (root.member("metadata"), root.member("response"));
    let films: Vec<Film<'a>> = answer.iter().flat_map(|answer| films(*answer)).collect();
    let failure = root.member("error").map(failed).or_else(|| answer.and_then(filtered));
    let time = |name| {
        metadata.and_then(|it| it.member(name)?.as_str()).and_then(|time| read_timestamp(&time))
    };
    Ok(Job {
        id: fields::required_text(root, "name")?,
        status: match (is_done, failure.is_some() && films.is_empty()) {
            (_, true) => Status::Failed,
            (true, false) => Status::Completed,
            (false, false) => Status::InProgress,
        },
        created: time("createTime"),
        completed: time("updateTime").filter(|_| is_done),
        progress: metadata.and_then(|it| it.member("progress")),
        failure,
        films,
        ..Job::default()
    })
}

fn failed<'a>(error: Raw<'a>) -> Failure<'a> {
    Failure {
        code: fields::lenient_text(error, "status")
            .unwrap_or_else(|| "video_generation_failed".into()),
        message: fields::lenient_text(error, "message").unwrap_or_default(),
    }
}

/// What a filter withheld.
fn filtered<'a>(answer: Raw<'a>) -> Option<Failure<'a>> {
    let places = [answer.member("generateVideoResponse"), Some(answer)];
    let answer = places.into_iter().flatten().find(|it| it.member(FILTERED).is_some())?;
    let count = answer.member(FILTERED)?.as_u64()?;
    let reasons = answer.member("raiMediaFilteredReasons");
    let reason = reasons.and_then(|reasons| reasons.elements().next()?.as_text());
    (count > 0).then(|| Failure {
        code: "content_filtered".into(),
        message: reason.unwrap_or_else(|| "a filter withheld the video".into()),
    })
}

const FILTERED: &str = "raiMediaFilteredCount";

/// The films of an operation that is done, in one of the places where versions of the API put them.
fn films<'a>(answer: Raw<'a>) -> Vec<Film<'a>> {
    let samples =
        answer.member("generateVideoResponse").and_then(|it| it.member("generatedSamples"));
    let lists = [samples, answer.member("generatedVideos"), answer.member("videos")];
    let elements = lists.into_iter().flatten().flat_map(|list| list.elements());
    elements.filter_map(|element| film(element.member("video").unwrap_or(element))).collect()
}

fn film<'a>(film: Raw<'a>) -> Option<Film<'a>> {
    let text = |name| fields::lenient_text(film, name);
    let url = text("uri").or_else(|| text("gcsUri")).map(Place::Url);
    let bytes = || text("bytesBase64Encoded").or_else(|| text("encodedVideo")).map(Place::Base64);
    Some(Film {
        place: url.or_else(bytes)?,
        media_type: text("mimeType").or_else(|| text("encoding")),
    })
}

fn write_reply(job: &Job<'_>, options: &ReplyOptions<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut object = Object::new(out);
    let own = job.model.as_ref().map(Text::plain).unwrap_or_default();
    let model = options.model.unwrap_or(&own);
    object.str("name", &format!("models/{model}/operations/{}", job.public_id(options)));
    let is_done = matches!(job.status, Status::Completed | Status::Failed);
    object.bool("done", is_done);
    if let Some(failure) = &job.failure {
        let mut error = object.object("error");
        // The number of an error without one in Google's list.
        error.u64("code", 2);
        error.text("message", &failure.message);
    } else if is_done {
        let mut answer = object.object("response");
        let mut inner = answer.object("generateVideoResponse");
        let mut samples = inner.array("generatedSamples");
        for film in &job.films {
            let mut sample = samples.object();
            let mut video = sample.object("video");
            match &film.place {
                Place::Url(url) => video.text("uri", url),
                Place::Base64(data) => video.text("encodedVideo", data),
            }
            video.text("encoding", film.media_type.as_ref().unwrap_or(&Text::from(MEDIA_TYPE)));
        }
    }
    Ok(())
}
