//! A text completion that comes in pieces.

use super::reply::{reason_of_stop, stop_of_reason};
use crate::anthropic_messages::{read_error_object, write_stream_error};
use crate::canonical::{Delta, Event, Start, Stop};
use crate::error::Error;
use crate::error_shape::read_stream_error_at;
use crate::fields;
use crate::format::{Emit, ReadStream, Trailer, WriteStream};
use crate::json::{Object, Raw, Text};
use crate::options::ReplyOptions;
use crate::sse;

/// Reads pieces.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    has_started: bool,
    is_finished: bool,
}

impl ReadStream for StreamReader {
    fn read<'a>(
        &mut self,
        event: Option<&str>,
        piece: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if self.is_finished {
            return Ok(());
        }
        if event == Some("error") || piece.member("error").is_some() {
            self.is_finished = true;
            return emit(Event::Error(read_stream_error_at(piece, read_error_object)));
        }
        let Some(text) = fields::lenient_text(piece, "completion") else { return Ok(()) };
        if !std::mem::replace(&mut self.has_started, true) {
            emit(Event::Start(Start {
                id: fields::lenient_text(piece, "id").filter(|id| !id.is_empty()),
                model: fields::lenient_text(piece, "model").filter(|model| !model.is_empty()),
                created: None,
            }))?;
        }
        if !text.is_empty() {
            emit(Event::Delta(0, Delta::Text(text)))?;
        }
        match fields::lenient_text(piece, "stop_reason").filter(|reason| !reason.is_empty()) {
            Some(reason) => {
                self.is_finished = true;
                emit(Event::Stop(0, stop_of_reason(&reason), None))
            }
            None => Ok(()),
        }
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

/// Writes pieces.
#[derive(Debug)]
pub(super) struct StreamWriter {
    id: String,
    model: Option<String>,
    stop: Option<&'static str>,
    is_ended: bool,
}

impl StreamWriter {
    pub(super) fn new(options: &ReplyOptions<'_>) -> Self {
        Self {
            id: options.id.to_owned(),
            model: options.model.map(str::to_owned),
            stop: None,
            is_ended: false,
        }
    }

    fn piece(&self, text: &Text<'_>, reason: Option<&str>, out: &mut Vec<u8>) {
        sse::frame(Some("completion"), out, |out| {
            let mut object = Object::new(out);
            object.str("type", "completion");
            object.str("id", &self.id);
            object.text("completion", text);
            match reason {
                Some(reason) => object.str("stop_reason", reason),
                None => object.null("stop_reason"),
            }
            object.str("model", self.model.as_deref().unwrap_or_default());
            object.null("stop");
        });
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_ended, true) {
            let reason = self.stop.unwrap_or(reason_of_stop(&Stop::EndTurn));
            self.piece(&Text::default(), Some(reason), out);
        }
    }
}

impl WriteStream for StreamWriter {
    fn write(&mut self, event: Event<'_>, _: Trailer<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        match event {
            Event::Start(start) => {
                if let Some(id) = start.id {
                    self.id = id.into_plain().into_owned();
                }
                if self.model.is_none() {
                    self.model = start.model.map(|model| model.into_plain().into_owned());
                }
            }
            // There is one answer, and only text has a place here.
            Event::Delta(0, Delta::Text(text) | Delta::Refusal(text)) => {
                self.piece(&text, None, out);
            }
            Event::Stop(0, stop, _) => self.stop = Some(reason_of_stop(&stop)),
            Event::Delta(..) | Event::Stop(..) | Event::Usage(_) => {}
            Event::Error(error) => {
                self.is_ended = true;
                write_stream_error(&error, out);
            }
            Event::Done => self.finish(out),
        }
        Ok(())
    }

    fn end(&mut self, _: Trailer<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.finish(out);
        Ok(())
    }
}
