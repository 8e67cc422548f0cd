//! `POST …/videos` as OpenAI defined it, with what other vendors' models take besides; the product's own form.

use super::{Failure, Film, Job, MEDIA_TYPE, Place, Request, Status, VideoMaking, read_seconds};
use crate::Dialect;
use crate::canonical::Source;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, Half, Upstream, UsagePlace, Whole};
use crate::image::Size;
use crate::json::{Object, Raw, Text};
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};

/// What callers speak.
pub(crate) static FORMAT: Format = Format {
    name: "videos",
    framing: Framing::Sse,
    code: Code::Video(Whole::<VideoMaking> {
        read_request,
        write_request,
        read_reply,
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// OpenAI itself: ids are its own.
pub(crate) static OPENAI: Format = Format {
    name: "openai_videos",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Video(Half::<VideoMaking> { write_request, read_reply })),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new();
    request.prompt = Some(fields::required_text(fields::object("", root)?, "prompt")?);
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "prompt" => {}
            "input_reference" => request.image = Some(read_reference(&name, value)?),
            "seconds" => request.seconds = Some(read_seconds(&name, value)?),
            "size" => request.size = Some(Size::read(fields::text(&name, value)?)),
            "aspect_ratio" => request.aspect_ratio = Some(fields::text(&name, value)?),
            "resolution" => request.resolution = Some(fields::text(&name, value)?),
            "negative_prompt" => request.negative_prompt = Some(fields::text(&name, value)?),
            "n" => request.count = Some(fields::number(&name, value)?),
            "seed" => request.seed = Some(fields::number(&name, value)?),
            "video_uri" => request.film = Some(fields::text(&name, value)?),
            "audio" => {
                fields::boolean(&name, value)?;
                request.audio = Some(value);
            }
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.extra.push((name, value)),
        }
    }
    Ok(request)
}

/// An address, a `data:` URL, or an object with one of them or with the id of a file.
fn read_reference<'a>(name: &str, value: Raw<'a>) -> Result<Source<'a>, Error> {
    if let Some(url) = value.as_text() {
        return Ok(Source::from_url(url));
    }
    if let Some(id) = fields::lenient_text(value, "file_id") {
        return Ok(Source::FileId(id));
    }
    let url = fields::lenient_text(value, "image_url");
    url.map(Source::from_url)
        .ok_or_else(|| fields::wrong_type(name, "a URL, or an object with image_url or file_id"))
}

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    Request::note_provider(options, notes);
    let mut body = Object::new(out);
    body.str("model", options.model);
    body.text("prompt", request.prompt()?);
    match &request.image {
        Some(Source::FileId(id)) => body.object("input_reference").text("file_id", id),
        _ => {
            if let Some(url) = request.image_url(Dialect::OpenAiVideos)? {
                body.object("input_reference").text("image_url", &url);
            }
        }
    }
    if let Some(seconds) = request.seconds {
        body.str("seconds", &seconds.to_string());
    }
    body.text_if("size", request.size.as_ref().map(Size::spelt).as_ref());
    request.note(notes, &["negative_prompt", "aspect_ratio", "resolution", "n", "seed", "audio"]);
    if request.film.is_some() {
        notes.drop("video_uri");
    }
    request.extra.iter().for_each(|(name, value)| body.raw(name, *value));
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Job<'a>, Error> {
    let text = |name| fields::lenient_text(root, name);
    let number = |name| root.member(name).and_then(|value: Raw<'a>| value.as_u64());
    let films =
        root.member("videos").into_iter().flat_map(|films| films.elements()).filter_map(read_film);
    Ok(Job {
        id: fields::required_text(root, "id")?,
        status: text("status").map_or(Status::Queued, |status| read_status(&status.plain())),
        model: text("model"),
        created: number("created_at"),
        completed: number("completed_at"),
        expires: number("expires_at"),
        progress: root.member("progress"),
        prompt: text("prompt"),
        seconds: text("seconds"),
        size: text("size"),
        remixed_from: text("remixed_from_video_id"),
        failure: root.member("error").map(|error| Failure {
            code: fields::lenient_text(error, "code").unwrap_or_default(),
            message: fields::lenient_text(error, "message").unwrap_or_default(),
        }),
        films: films.collect(),
    })
}

fn read_status(status: &str) -> Status {
    match status {
        "completed" => Status::Completed,
        "in_progress" => Status::InProgress,
        "failed" | "cancelled" => Status::Failed,
        _ => Status::Queued,
    }
}

fn read_film<'a>(film: Raw<'a>) -> Option<Film<'a>> {
    let text = |name| fields::lenient_text(film, name);
    let place = text("url").map(Place::Url).or_else(|| text("base64").map(Place::Base64))?;
    Some(Film { place, media_type: text("content_type") })
}

fn write_reply(job: &Job<'_>, options: &ReplyOptions<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut object = Object::new(out);
    object.str("id", &job.public_id(options));
    object.str("object", "video");
    object.u64("created_at", job.created.unwrap_or(options.created));
    object.str("status", job.status.name());
    match (options.model, &job.model) {
        (_, Some(model)) => object.text("model", model),
        (Some(model), None) => object.str("model", model),
        (None, None) => {}
    }
    object.raw_if("progress", job.progress);
    let number = |object: &mut Object<'_>, name: &str, value: Option<u64>| {
        if let Some(value) = value {
            object.u64(name, value);
        }
    };
    number(&mut object, "completed_at", job.completed);
    number(&mut object, "expires_at", job.expires);
    object.text_if("prompt", job.prompt.as_ref());
    object.text_if("seconds", job.seconds.as_ref());
    object.text_if("size", job.size.as_ref());
    object.text_if("remixed_from_video_id", job.remixed_from.as_ref());
    if let Some(failure) = &job.failure {
        let mut error = object.object("error");
        error.text("code", &failure.code);
        error.text("message", &failure.message);
    }
    write_films(&job.films, &mut object);
    object.members(options.trailer);
    Ok(())
}

fn write_films(films: &[Film<'_>], object: &mut Object<'_>) {
    if films.is_empty() {
        return;
    }
    let mut list = object.array("videos");
    for film in films {
        let mut element = list.object();
        match &film.place {
            Place::Url(url) => {
                element.str("type", "url");
                element.text("url", url);
            }
            Place::Base64(data) => {
                element.str("type", "base64");
                element.text("base64", data);
            }
        }
        element.text("content_type", film.media_type.as_ref().unwrap_or(&Text::from(MEDIA_TYPE)));
    }
}
