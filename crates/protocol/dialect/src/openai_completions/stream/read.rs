//! Reading the chunks of a text completion.

use crate::canonical::{Delta, Event, Start, Usage};
use crate::error::{Error, What};
use crate::error_shape::read_stream_error_at;
use crate::fields;
use crate::format::{Emit, ReadStream};
use crate::json::{Cursor, Raw};
use crate::openai_chat::error::read_object;
use crate::openai_chat::{
    CHOICES_MAX, chunk_usage, is_bare_error, read_usage, stop_of_finish_reason,
};

/// Reads chunks.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    has_started: bool,
    is_done: bool,
    /// Of each answer, whether it has stopped.
    stopped: Vec<bool>,
    usage: Usage,
}

impl ReadStream for StreamReader {
    fn read<'a>(
        &mut self,
        event: Option<&str>,
        chunk: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        if event == Some("error") || chunk.member("error").is_some() || is_bare_error(chunk) {
            self.is_done = true;
            return emit(Event::Error(read_stream_error_at(chunk, read_object)));
        }
        for choice in chunk.member("choices").iter().flat_map(|choices| choices.elements()) {
            if !std::mem::replace(&mut self.has_started, true) {
                emit(Event::Start(Start {
                    id: fields::lenient_text(chunk, "id").filter(|id| !id.is_empty()),
                    model: fields::lenient_text(chunk, "model").filter(|model| !model.is_empty()),
                    created: chunk.member("created").and_then(|created| created.as_u64()),
                }))?;
            }
            self.choice(choice, emit)?;
        }
        if let Some(usage) = chunk_usage(chunk) {
            read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut self.usage);
            emit(Event::Usage(self.usage))?;
        }
        Ok(())
    }

    fn done(&mut self) {
        self.is_done = true;
    }

    fn is_finished(&self) -> bool {
        self.is_done || self.stopped.iter().any(|has_stopped| *has_stopped)
    }
}

impl StreamReader {
    fn choice<'a>(&mut self, choice: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let number = choice.member("index").and_then(|index| index.as_u64()).unwrap_or(0) as usize;
        if number >= CHOICES_MAX {
            return Err(Error::at("choices[].index", What::Invalid("is too large")));
        }
        if self.stopped.len() <= number {
            self.stopped.resize(number + 1, false);
        }
        let text = fields::lenient_text(choice, "text").filter(|text| !text.is_empty());
        if let Some(text) = text {
            emit(Event::Delta(number as u32, Delta::Text(text)))?;
        }
        let reason =
            fields::lenient_text(choice, "finish_reason").filter(|reason| !reason.is_empty());
        match reason {
            Some(reason) if !std::mem::replace(&mut self.stopped[number], true) => {
                emit(Event::Stop(number as u32, stop_of_finish_reason(reason), None))
            }
            _ => Ok(()),
        }
    }
}
