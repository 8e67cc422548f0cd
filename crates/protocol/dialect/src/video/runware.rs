//! `videoInference` of Runware: a list with one task in it, done later.

use super::{Failure, Film, Job, Request, Status, VideoMaking};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, Half, Upstream, UsagePlace};
use crate::image::{Size, runware};
use crate::json::{Array, Raw, Text};
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "runware_videos",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Video(Half::<VideoMaking> { write_request, read_reply })),
    errors: runware::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

const TARGET: Dialect = Dialect::RunwareVideos;

/// Pixels of a film that nobody gave a size.
const SIZE: (u64, u64) = (1920, 1080);

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    Request::note_provider(options, notes);
    let mut tasks = Array::new(out);
    let mut task = tasks.object();
    task.str("taskType", "videoInference");
    task.str("taskUUID", &runware::task_id(options));
    task.str("model", options.model);
    task.str("deliveryMethod", "async");
    task.text_if("positivePrompt", request.prompt.as_ref());
    task.text_if("negativePrompt", request.negative_prompt.as_ref());
    let (width, height) = match &request.size {
        Some(Size::Pixels { width, height }) => (*width, *height),
        Some(Size::Word(_)) | None => SIZE,
    };
    task.u64("width", width);
    task.u64("height", height);
    if let Some(seconds) = request.seconds {
        task.u64("duration", seconds);
    }
    task.raw_if("seed", request.seed);
    task.raw_if("numberResults", request.count);
    if let Some(url) = request.image_url(TARGET)? {
        let mut inputs = task.object("inputs");
        let mut frames = inputs.array("frameImages");
        let mut frame = frames.object();
        frame.text("image", &url);
        frame.str("frame", "first");
    }
    if request.film.is_some() {
        return Err(Error::at("video_uri", What::Inexpressible(TARGET)));
    }
    request.note(notes, &["aspect_ratio", "resolution", "audio"]);
    for (name, value) in request.rest.iter().chain(&request.extra) {
        task.raw(name, *value);
    }
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Job<'a>, Error> {
    let list = |name| root.member(name).and_then(|list: Raw<'a>| list.elements().next());
    let (task, error) = (list("data"), list("errors"));
    let first = task.or(error).ok_or_else(|| Error::at("data", What::Missing))?;
    let text = |name| fields::lenient_text(first, name);
    let failure = error.map(|error| Failure {
        code: fields::lenient_text(error, "code").unwrap_or_default(),
        message: fields::lenient_text(error, "message").unwrap_or_default(),
    });
    let url = text("videoURL");
    Ok(Job {
        id: fields::required_text(first, "taskUUID")?,
        status: match (text("status").as_ref().map(Text::plain).as_deref(), failure.is_some()) {
            (_, true) | (Some("error"), _) => Status::Failed,
            (Some("success"), _) => Status::Completed,
            (_, _) if url.is_some() => Status::Completed,
            (Some("processing"), _) => Status::InProgress,
            (_, _) => Status::Queued,
        },
        failure,
        films: url.map(Film::at).into_iter().collect(),
        ..Job::default()
    })
}
