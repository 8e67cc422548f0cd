//! `:generateContent` of Google's models, asked to write a recording down.

use super::{Reply, Request, Transcribing, Wanted};
use crate::Dialect;
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Code, Format, Framing};
use crate::gemini::{self, media_parts};
use crate::json::{Index, Object, Text};
use crate::media::stream::Emit;
use crate::media::{Answer, Content, Media, MediaEvent, ProviderSide, ReadMedia, Written};
use crate::options::{Notes, RequestOptions};
use crate::speech::gemini::report;

pub(crate) static FORMAT: Format = Format {
    name: "gemini_transcription",
    framing: Framing::Sse,
    code: Code::Transcription(Media::<Transcribing> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply,
            stream_reader: Some(|_| Box::new(StreamReader::default())),
        }),
    }),
    errors: gemini::ERRORS,
    usage: gemini::usage_place(),
    event_class: gemini::event_class,
};

/// What the model is told where the caller says nothing.
const PROMPT_DEFAULT: &str = "Generate a transcript of the speech.";

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    // The model writes text, and guesses at times.
    if !matches!(request.format, Wanted::Json | Wanted::Text) {
        return Err(Error::at(
            "response_format",
            What::Inexpressible(Dialect::GeminiTranscription),
        ));
    }
    let mut body = Object::new(written.json());
    {
        let mut contents = body.array("contents");
        let mut content = contents.object();
        content.str("role", "user");
        let mut parts = content.array("parts");
        parts.object().text("text", &prompt(request));
        write_recording(request, parts.object());
    }
    if let Some(temperature) = request.temperature {
        body.object("generationConfig").raw("temperature", temperature);
    }
    for (name, value) in &request.rest {
        if options.pass_extra || name == "safetySettings" {
            body.raw(name, *value);
        } else {
            notes.drop(name);
        }
    }
    request.note(notes, &["timestamp_granularities"]);
    request.note_format(notes);
    Ok(())
}

fn prompt<'a>(request: &Request<'a>) -> Text<'a> {
    let prompt = request.prompt.clone().unwrap_or_else(|| PROMPT_DEFAULT.into());
    match &request.language {
        None => prompt,
        Some(language) => {
            format!("{} The language of the speech is {}.", prompt.plain(), language.plain()).into()
        }
    }
}

fn write_recording(request: &Request<'_>, mut part: Object<'_>) {
    let media_type = request.file.media_type();
    let media_type = match media_type.as_deref() {
        // Google has another name for it.
        Some("audio/mpeg") | None => "audio/mp3",
        Some(media_type) => media_type,
    };
    match (&request.file.content, request.file.base64()) {
        (Content::Url(url), _) => {
            let mut file = part.object("fileData");
            file.str("mimeType", media_type);
            file.text("fileUri", url);
        }
        (_, data) => {
            let mut inline = part.object("inlineData");
            inline.str("mimeType", media_type);
            inline.text_if("data", data.as_ref());
        }
    }
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let root = answer.json()?;
    let mut texts = media_parts::texts(root);
    let Some(first) = texts.next() else {
        return Err(Error::at("candidates", What::Invalid("there is no text in the reply")));
    };
    let more: String = texts.map(Text::into_plain).collect();
    let text = if more.is_empty() { first } else { format!("{}{more}", first.plain()).into() };
    Ok(Reply { text, usage: media_parts::usage(root), ..Reply::default() })
}

/// Reads pieces of the answer.
#[derive(Debug, Default)]
struct StreamReader {
    is_finished: bool,
    index: Index,
}

impl ReadMedia for StreamReader {
    fn read(&mut self, _: Option<&str>, data: &[u8], emit: Emit<'_>) -> Result<(), Error> {
        let root = fields::object("", self.index.read(data)?)?;
        for text in media_parts::texts(root) {
            emit(MediaEvent::Text(text))?;
        }
        self.is_finished |= media_parts::is_last(root);
        report(root, emit)
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}
