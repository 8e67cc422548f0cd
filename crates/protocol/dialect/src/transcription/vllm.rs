//! The streams of vLLM's transcriptions, which are chunks as of a chat. All else is OpenAI's.

use memchr::memmem::Finder;

use super::Transcribing;
use super::openai::{read_reply, write_request};
use crate::canonical::Usage;
use crate::error::Error;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::{Cursor, Index};
use crate::media::stream::Emit;
use crate::media::{Media, MediaEvent, ProviderSide, ReadMedia};
use crate::openai_chat;
use crate::relayed;

pub(crate) static FORMAT: Format = Format {
    name: "vllm_transcription",
    framing: Framing::Sse,
    code: Code::Transcription(Media::<Transcribing> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply,
            stream_reader: Some(|_| Box::new(StreamReader::default())),
        }),
    }),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::outermost("usage", || Finder::new("\"usage\""), relayed::read_usage),
    event_class: relayed::event_class,
};

/// Reads `transcription.chunk`.
#[derive(Debug, Default)]
struct StreamReader {
    is_finished: bool,
    index: Index,
}

impl ReadMedia for StreamReader {
    fn read(&mut self, _: Option<&str>, data: &[u8], emit: Emit<'_>) -> Result<(), Error> {
        let root = fields::object("", self.index.read(data)?)?;
        let choices = root.member("choices");
        for choice in choices.into_iter().flat_map(|choices| choices.elements()) {
            let delta = choice.member("delta");
            let text = delta.and_then(|delta| fields::lenient_text(delta, "content"));
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                emit(MediaEvent::Text(text))?;
            }
            self.is_finished |= choice.member("finish_reason").is_some();
        }
        let mut usage = Usage::default();
        if let Some(counts) = root.member("usage") {
            relayed::read_usage(&mut Cursor::new(counts.text().as_bytes()), &mut usage);
        }
        if usage.reported { emit(MediaEvent::Usage(usage)) } else { Ok(()) }
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}
