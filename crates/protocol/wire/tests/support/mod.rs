//! Plays bytes that arrive in pieces against the readers and tells what they made of them, as
//! text. Whatever the cuts, the text must be the same.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::fmt::{self, Write};

use http::Method;
use wire::{
    BodyLength, BodyReader, ChunkedReader, EventStreamReader, HeadError, HeadLimits, Progress,
    RequestHead, ResponseHead, SseReader,
};

/// One of the streams the crate reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// What a caller sends on one connection.
    Requests,
    /// What an upstream sends on one connection, always asked with `GET`.
    Responses,
    /// One chunked body and what follows it.
    Chunked,
    /// Server-sent events.
    Sse,
    /// AWS event stream messages.
    AwsMessages,
}

impl Stream {
    /// What is read of `bytes` if they arrive in pieces that end at `cuts` and at their end.
    pub(crate) fn read(self, bytes: &[u8], cuts: &[usize]) -> String {
        match self {
            Self::Requests => messages(&mut Requests::default(), bytes, cuts),
            Self::Responses => messages(&mut Responses::default(), bytes, cuts),
            Self::Chunked => chunked(bytes, cuts),
            Self::Sse => events(bytes, cuts),
            Self::AwsMessages => event_stream(bytes, cuts),
        }
    }
}

/// Small enough for fuzzed input to reach.
const LIMITS: HeadLimits = HeadLimits { bytes_max: 2048, headers_max: 32 };
const EVENT_BYTES_MAX: usize = 1024;

/// One side of a connection.
trait Side {
    fn parse(&mut self, buf: &[u8]) -> Result<Progress, HeadError>;
    fn len(&self) -> usize;
    fn body(&self) -> BodyLength;
    fn describe(&self, buf: &[u8], out: &mut String) -> fmt::Result;
}

fn messages(side: &mut impl Side, bytes: &[u8], cuts: &[usize]) -> String {
    let mut out = String::new();
    let mut body = None;
    let mut payload = Vec::new();
    let mut start = 0;
    for arrived in cuts.iter().copied().chain([bytes.len()]) {
        loop {
            let buf = &bytes[start..arrived];
            let Some(reader) = &mut body else {
                match side.parse(buf) {
                    Err(error) => return out + &format!("refused: {error:?}: {error}\n"),
                    Ok(Progress::Partial) => break,
                    Ok(Progress::Complete) => {
                        side.describe(buf, &mut out).unwrap();
                        start += side.len();
                        body = Some(BodyReader::new(side.body()));
                    }
                }
                continue;
            };
            let step = match reader.next(buf) {
                Ok(step) => step,
                Err(error) => {
                    write_payload(&payload, &mut out);
                    return out + &format!("refused: {error:?}: {error}\n");
                }
            };
            assert!(step.data.end <= step.consumed && step.consumed <= buf.len());
            assert!(step.is_end || step.consumed > 0 || buf.is_empty(), "a step must advance");
            assert_eq!(step.is_end, reader.is_complete());
            payload.extend_from_slice(&buf[step.data]);
            start += step.consumed;
            if step.is_end {
                write_payload(&payload, &mut out);
                payload.clear();
                body = None;
            } else if start == arrived {
                break;
            }
        }
    }
    match body {
        None if start == bytes.len() => out + "end\n",
        None => out + "unfinished head\n",
        Some(reader) => {
            write_payload(&payload, &mut out);
            out + &format!("closed: {:?}\n", reader.close())
        }
    }
}

fn write_payload(payload: &[u8], out: &mut String) {
    out.push_str(&format!("body: {} bytes \"{}\"\n\n", payload.len(), payload.escape_ascii()));
}

fn write_headers<'b>(
    headers: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    out: &mut String,
) -> fmt::Result {
    for (name, value) in headers {
        writeln!(out, "  {}: {}", String::from_utf8_lossy(name), value.escape_ascii())?;
    }
    Ok(())
}

#[derive(Default)]
struct Requests(RequestHead);

impl Side for Requests {
    fn parse(&mut self, buf: &[u8]) -> Result<Progress, HeadError> {
        self.0.parse(buf, &LIMITS)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn body(&self) -> BodyLength {
        self.0.body()
    }

    fn describe(&self, buf: &[u8], out: &mut String) -> fmt::Result {
        let head = &self.0;
        writeln!(out, "{} {} {:?}", head.method(), head.target(buf), head.version())?;
        writeln!(out, "path {:?} query {:?}", head.path(buf), head.query(buf))?;
        writeln!(out, "host {:?} {:?}", head.host(buf), head.body())?;
        let upgrade = head.upgrade(buf).map(<[u8]>::escape_ascii).map(|value| value.to_string());
        writeln!(
            out,
            "keeps_alive {} expects_continue {} upgrade {upgrade:?}",
            head.keeps_alive(),
            head.expects_continue()
        )?;
        for (name, _) in head.headers(buf) {
            let first = head.headers(buf).find(|(other, _)| other.eq_ignore_ascii_case(name));
            let name = std::str::from_utf8(name).unwrap();
            assert_eq!(head.header(buf, name), first.map(|(_, value)| value));
        }
        write_headers(head.headers(buf), out)
    }
}

#[derive(Default)]
struct Responses(ResponseHead);

impl Side for Responses {
    fn parse(&mut self, buf: &[u8]) -> Result<Progress, HeadError> {
        self.0.parse(buf, &LIMITS)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn body(&self) -> BodyLength {
        self.0.body(&Method::GET)
    }

    fn describe(&self, buf: &[u8], out: &mut String) -> fmt::Result {
        let head = &self.0;
        writeln!(out, "{} {:?} {:?}", head.status(), head.version(), self.body())?;
        writeln!(
            out,
            "keeps_alive {} is_informational {}",
            head.keeps_alive(),
            head.is_informational()
        )?;
        write_headers(head.headers(buf), out)
    }
}

fn chunked(bytes: &[u8], cuts: &[usize]) -> String {
    let mut reader = ChunkedReader::new();
    let mut payload = Vec::new();
    let mut start = 0;
    for arrived in cuts.iter().copied().chain([bytes.len()]) {
        while start < arrived {
            let step = match reader.next(&bytes[start..arrived]) {
                Ok(step) => step,
                Err(error) => {
                    let payload = payload.escape_ascii();
                    return format!("\"{payload}\"\nrefused: {error:?}: {error}\n");
                }
            };
            assert!(step.consumed > 0 || step.is_end, "a step must advance");
            payload.extend_from_slice(&bytes[start..arrived][step.data]);
            start += step.consumed;
            if step.is_end {
                let payload = payload.escape_ascii();
                let behind = bytes[start..].escape_ascii();
                return format!("\"{payload}\"\nend, then \"{behind}\"\n");
            }
        }
    }
    format!("\"{}\"\nunfinished\n", payload.escape_ascii())
}

fn events(bytes: &[u8], cuts: &[usize]) -> String {
    let mut reader = SseReader::with_limit(EVENT_BYTES_MAX);
    let mut out = String::new();
    let mut start = 0;
    for arrived in cuts.iter().copied().chain([bytes.len()]) {
        let mut rest = &bytes[start..arrived];
        start = arrived;
        loop {
            match reader.next(&mut rest) {
                Err(error) => return out + &format!("refused: {error:?}: {error}\n"),
                Ok(None) => break,
                Ok(Some(event)) => write_event(&event, &mut out).unwrap(),
            }
        }
        assert!(rest.is_empty(), "all of the input must have been read");
    }
    if let Some(event) = reader.finish() {
        out.push_str("unfinished ");
        write_event(&event, &mut out).unwrap();
    }
    out
}

fn write_event(event: &wire::Event<'_>, out: &mut String) -> fmt::Result {
    // The bytes alone must give the same event again, unless they begin with a byte order mark of
    // their own or a line is missing at the end.
    if !event.raw.starts_with(b"\xEF\xBB\xBF") {
        let mut again = SseReader::new();
        let mut rest = event.raw;
        let repeated = again.next(&mut rest).unwrap().map(|event| event.data.to_vec());
        let repeated = repeated.or_else(|| again.finish().map(|event| event.data.to_vec()));
        assert_eq!(repeated.as_deref(), Some(event.data));
    }
    writeln!(out, "event {:?}", event.event)?;
    writeln!(out, "  data \"{}\"", event.data.escape_ascii())?;
    if let Some(id) = event.id {
        writeln!(out, "  id \"{}\"", id.escape_ascii())?;
    }
    if let Some(retry_ms) = event.retry_ms {
        writeln!(out, "  retry {retry_ms} ms")?;
    }
    Ok(())
}

fn event_stream(bytes: &[u8], cuts: &[usize]) -> String {
    let mut reader = EventStreamReader::with_limit(EVENT_BYTES_MAX);
    let mut out = String::new();
    let mut start = 0;
    for arrived in cuts.iter().copied().chain([bytes.len()]) {
        let mut rest = &bytes[start..arrived];
        start = arrived;
        loop {
            match reader.next(&mut rest) {
                Err(error) => return out + &format!("refused: {error:?}: {error}\n"),
                Ok(None) => break,
                Ok(Some(message)) => write_event_message(&message, &mut out).unwrap(),
            }
        }
        assert!(rest.is_empty(), "all of the input must have been read");
    }
    out.push_str(if reader.is_inside_message() { "unfinished\n" } else { "end\n" });
    out
}

fn write_event_message(message: &wire::EventStreamMessage<'_>, out: &mut String) -> fmt::Result {
    writeln!(out, "{:?} {:?}", message.message_type, message.name())?;
    if let Some(text) = message.error_message {
        writeln!(out, "  error {text:?}")?;
    }
    writeln!(out, "  {:?} \"{}\"", message.content_type, message.payload.escape_ascii())
}
