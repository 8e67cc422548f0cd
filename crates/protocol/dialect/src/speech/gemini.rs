//! `:generateContent` of Google's models that speak: a prompt to samples.

use super::openai::refuse_format;
use super::{Reply, Request, Sound, Speaking, Voice, wav};
use crate::Dialect;
use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Code, Format, Framing};
use crate::gemini::{self, media_parts};
use crate::json::{Index, Object, Raw, Text};
use crate::media::stream::Emit;
use crate::media::{Answer, Media, MediaEvent, ProviderSide, ReadMedia, Written};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "gemini_speech",
    framing: Framing::Sse,
    code: Code::Speech(Media::<Speaking> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply,
            stream_reader: Some(|options| Box::new(StreamReader::new(options))),
        }),
    }),
    errors: gemini::ERRORS,
    usage: gemini::usage_place(),
    event_class: gemini::event_class,
};

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    // The models give samples; a file can be made of them, but nothing that has to be encoded.
    if !["", "wav", "pcm"].contains(&&*request.format()) {
        return Err(refuse_format(Dialect::GeminiSpeech));
    }
    let mut body = Object::new(written.json());
    {
        let mut contents = body.array("contents");
        let mut content = contents.object();
        content.str("role", "user");
        let mut parts = content.array("parts");
        parts.object().text("text", &prompt(request));
    }
    {
        let mut config = body.object("generationConfig");
        config.array("responseModalities").text(&"AUDIO".into());
        write_speech_config(request, config.object("speechConfig"));
    }
    request.note(notes, &["speed", "with_timestamps"]);
    request.write_rest(&["safetySettings"], options, notes, &mut body);
    request.note_format(notes);
    Ok(())
}

/// These models take directions as a sentence in front of what they are to say.
fn prompt<'a>(request: &Request<'a>) -> Text<'a> {
    match &request.instructions {
        None => request.input.clone(),
        Some(instructions) => {
            let instructions = instructions.plain();
            let instructions = instructions.trim_end().trim_end_matches([':', '.']);
            format!("{instructions}: {}", request.input.plain()).into()
        }
    }
}

fn write_speech_config(request: &Request<'_>, mut config: Object<'_>) {
    match &request.voice {
        Voice::One(voice) => write_voice(voice, &mut config),
        Voice::Several(speakers) => {
            let mut several = config.object("multiSpeakerVoiceConfig");
            let mut configs = several.array("speakerVoiceConfigs");
            for (speaker, voice) in speakers {
                let mut config = configs.object();
                config.text("speaker", speaker);
                write_voice(voice, &mut config);
            }
        }
    }
    config.text_if("languageCode", request.language.as_ref());
}

fn write_voice(voice: &Text<'_>, config: &mut Object<'_>) {
    config.object("voiceConfig").object("prebuiltVoiceConfig").text("voiceName", voice);
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let root = answer.json()?;
    let (media_type, data) = media_parts::inline(root)
        .next()
        .ok_or_else(|| Error::at("candidates", What::Invalid("there is no sound in the reply")))?;
    let mut reply = Reply::new(Sound::Base64(data), media_type.into_plain());
    reply.usage = media_parts::usage(root);
    Ok(reply)
}

/// Reads pieces of samples. A caller that wants a file gets its header first.
#[derive(Debug)]
struct StreamReader {
    wants_header: bool,
    is_finished: bool,
    index: Index,
}

impl StreamReader {
    fn new(options: &ReplyOptions<'_>) -> Self {
        let wants_header = options.notes.reply_format.as_deref().is_none_or(|it| it == "wav");
        Self { wants_header, is_finished: false, index: Index::new() }
    }
}

impl ReadMedia for StreamReader {
    fn read(&mut self, _: Option<&str>, data: &[u8], emit: Emit<'_>) -> Result<(), Error> {
        let root = self.index.read(data)?;
        fields::object("", root)?;
        for (media_type, sound) in media_parts::inline(root) {
            let rate = wav::rate_of_samples(&media_type.plain());
            if let Some(rate) = rate.filter(|_| std::mem::take(&mut self.wants_header)) {
                emit(MediaEvent::Bytes(&wav::open_header(rate)))?;
            }
            emit(MediaEvent::Base64(sound))?;
        }
        self.is_finished |= media_parts::is_last(root);
        report(root, emit)
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

/// Hands on what the event says was used.
pub(crate) fn report(root: Raw<'_>, emit: Emit<'_>) -> Result<(), Error> {
    let usage: Usage = media_parts::usage(root);
    if usage.reported { emit(MediaEvent::Usage(usage)) } else { Ok(()) }
}
