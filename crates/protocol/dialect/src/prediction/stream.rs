//! Reading the events of a prediction while it is made, or the one event that a prediction is which was waited for.

use super::is_failed;
use super::reply::read_reply;
use crate::canonical::{Delta, Event, PartKind, Start, Stop};
use crate::error::{Error, What};
use crate::error_shape::read_stream_error_at;
use crate::format::{Emit, ReadStream};
use crate::json::Raw;
use crate::openai_chat::error::read_object;

/// Reads events.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    has_started: bool,
    is_done: bool,
}

impl ReadStream for StreamReader {
    fn read<'a>(
        &mut self,
        event: Option<&str>,
        data: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        match event {
            Some("output") => self.output(data, emit),
            Some("done") => self.end(data, emit),
            Some("error") => self.fail(data, emit),
            Some(_) => Ok(()),
            None if is_failed(data.text().as_bytes()) => self.fail(data, emit),
            None => self.whole(data, emit),
        }
    }

    fn is_finished(&self) -> bool {
        self.is_done
    }

    fn is_text(&self, event: Option<&str>) -> bool {
        matches!(event, Some("output" | "logs"))
    }
}

impl StreamReader {
    fn start(&mut self, emit: Emit<'_, '_>) -> Result<(), Error> {
        match std::mem::replace(&mut self.has_started, true) {
            true => Ok(()),
            false => emit(Event::Start(Start::default())),
        }
    }

    fn output<'a>(&mut self, text: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        self.start(emit)?;
        match text.as_text().filter(|text| !text.is_empty()) {
            Some(text) => emit(Event::Delta(0, Delta::Text(text))),
            None => Ok(()),
        }
    }

    /// `{"reason": ""}`, or why it did not come to its end.
    fn end<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let reason = data.member("reason").and_then(|reason| reason.as_str()).unwrap_or_default();
        if matches!(&*reason, "error" | "canceled") {
            return Err(Error::at(
                "reason",
                What::Invalid("the prediction did not come to its end"),
            ));
        }
        self.is_done = true;
        self.start(emit)?;
        emit(Event::Stop(0, Stop::EndTurn, None))?;
        emit(Event::Done)
    }

    fn fail<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        self.is_done = true;
        emit(Event::Error(read_stream_error_at(data, read_object)))
    }

    fn whole<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let reply = read_reply(data)?;
        self.is_done = true;
        emit(Event::Start(Start { id: reply.id, model: reply.model, created: reply.created }))?;
        for part in reply.choices.into_iter().flat_map(|choice| choice.parts) {
            if let PartKind::Text { text, .. } = part.kind {
                emit(Event::Delta(0, Delta::Text(text)))?;
            }
        }
        emit(Event::Stop(0, Stop::EndTurn, None))?;
        if reply.usage.reported {
            emit(Event::Usage(reply.usage))?;
        }
        emit(Event::Done)
    }
}
