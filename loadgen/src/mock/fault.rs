//! What may go wrong with a reply, written as one line of options:
//! `status=429,retry-after=2` or `disconnect=mid-stream:3/rst`. The README lists every option.

use std::fmt;
use std::time::Duration;

use super::args::parse_duration;
use super::limits::{
    CHUNKS_MAX, HEADER_FILL_BYTES_MAX, INFORMATIONAL_MAX, REPLY_BYTES_MAX, RETRY_AFTER_MAX,
};

/// Everything a fault line asks for; the default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fault {
    /// Answer with this status (200-599) in the provider's error shape.
    pub(crate) status: Option<u16>,
    /// The error code (OpenAI) or error type (Anthropic) of that answer.
    pub(crate) code: Option<String>,
    pub(crate) retry_after: Option<RetryAfter>,
    pub(crate) body: Option<BodyFault>,
    pub(crate) disconnect: Option<Disconnect>,
    pub(crate) stall: Option<Place>,
    /// Bytes that are not HTTP, in place of any reply.
    pub(crate) garbage: bool,
    /// Wait before the head, in place of the configured latency.
    pub(crate) delay: Option<Duration>,
    /// Wait between the head and the first byte of the body.
    pub(crate) slow_first_byte: Option<Duration>,
    /// An error under status 200 after this many events.
    pub(crate) error_in_stream: Option<usize>,
    pub(crate) encoding: Option<Encoding>,
    /// Write in pieces of this many bytes with a short pause after each.
    pub(crate) split_bytes: Option<usize>,
    /// Write everything at once.
    pub(crate) coalesce: bool,
    pub(crate) framing: Option<Framing>,
    pub(crate) trailers: bool,
    /// Informational (1xx) heads before the final one.
    pub(crate) informational: usize,
    /// A header of this many bytes.
    pub(crate) header_bytes: usize,
    /// A second response nobody asked for, this long after the first.
    pub(crate) extra_response: Option<Duration>,
    /// Announce `Connection: close` and close.
    pub(crate) close: bool,
    /// Close this long after the reply without having announced it.
    pub(crate) close_silently: Option<Duration>,
    pub(crate) http10: bool,
    pub(crate) reply_bytes: Option<usize>,
    pub(crate) chunks: Option<usize>,
    pub(crate) gap: Option<Duration>,
    pub(crate) usage: Option<UsageFault>,
}

/// The header that tells when to come back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RetryAfter {
    /// `retry-after: SECONDS`
    Seconds(u64),
    /// `retry-after: HTTP-date`, this many seconds from now.
    DateInSeconds(u64),
    /// `retry-after-ms: MILLISECONDS`
    Milliseconds(u64),
}

/// A body other than the provider's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BodyFault {
    Empty,
    Html,
    Text(String),
}

/// Where a reply stops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    BeforeHead,
    AfterHead,
    MidBody,
    /// After this many events of a stream.
    MidStream(usize),
}

/// How a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Farewell {
    /// An orderly end of stream.
    Fin,
    /// A reset.
    Rst,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Disconnect {
    pub(crate) place: Place,
    pub(crate) farewell: Farewell,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
}

/// How the end of the body is told, rightly or wrongly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    UntilClose,
    TwoLengths,
    LengthAndChunked,
    BadChunk,
}

/// What the reply says it cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum UsageFault {
    /// No usage at all.
    Missing,
    /// These numbers.
    Tokens(Tokens),
}

/// Token counts of one exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tokens {
    /// All input tokens, cached ones included.
    pub(crate) prompt: u64,
    /// All output tokens, reasoning included.
    pub(crate) completion: u64,
    /// Input read from a cache.
    pub(crate) cached: u64,
    /// Input written to a cache.
    pub(crate) cache_written: u64,
    /// Output spent on reasoning.
    pub(crate) reasoning: u64,
}

/// Why a fault line could not be read.
#[derive(Debug, PartialEq)]
pub(crate) struct FaultError(String);

impl fmt::Display for FaultError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Every option name, for telling a fault line from a model name.
const NAMES: &[&str] = &[
    "status",
    "code",
    "retry-after",
    "retry-after-ms",
    "body",
    "disconnect",
    "stall",
    "garbage",
    "delay",
    "slow-first-byte",
    "error-in-stream",
    "gzip",
    "deflate",
    "split",
    "coalesce",
    "length",
    "chunked",
    "no-length",
    "two-lengths",
    "cl+te",
    "bad-chunk",
    "trailers",
    "1xx",
    "early-eof",
    "header-bytes",
    "extra-response-after",
    "close",
    "close-silently",
    "http10",
    "bytes",
    "chunks",
    "gap",
    "usage",
];

impl Fault {
    /// Reads a fault line. Options are separated by commas; `body=` takes the rest of the line.
    pub(crate) fn parse(line: &str) -> Result<Self, FaultError> {
        let mut fault = Self::default();
        let mut rest = line.trim();
        while !rest.is_empty() {
            let (option, after) = next_option(rest);
            let (name, value) = split_option(option);
            fault.set(name, value)?;
            rest = after;
        }
        Ok(fault)
    }

    /// Splits `gpt-4o@status=429` into the model and its fault line. A model name may contain `@`
    /// itself, so what follows counts only if it starts with the name of an option.
    pub(crate) fn split_model(model: &str) -> (&str, Option<&str>) {
        let starts_with_option = |line: &str| {
            let (name, _) = split_option(next_option(line).0);
            NAMES.contains(&name)
        };
        match model.split_once('@') {
            Some((name, line)) if starts_with_option(line) => (name, Some(line)),
            _ => (model, None),
        }
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), FaultError> {
        let option = Opt { name, value };
        match name {
            "status" => self.status = Some(option.status()?),
            "code" => self.code = Some(option.text()?.to_owned()),
            "retry-after" => self.retry_after = Some(option.retry_after()?),
            "retry-after-ms" => {
                self.retry_after = Some(RetryAfter::Milliseconds(option.number()?));
            }
            "body" => self.body = Some(BodyFault::new(option.text()?)),
            "disconnect" => self.disconnect = Some(option.disconnect()?),
            "early-eof" => self.disconnect = Some(option.flag(Disconnect::EARLY_EOF)?),
            "stall" => self.stall = Some(option.place(option.text()?)?),
            "garbage" => self.garbage = option.flag(true)?,
            "delay" => self.delay = Some(option.duration()?),
            "slow-first-byte" => self.slow_first_byte = Some(option.duration()?),
            "error-in-stream" => self.error_in_stream = Some(option.count(CHUNKS_MAX)?),
            "gzip" => self.encoding = Some(option.flag(Encoding::Gzip)?),
            "deflate" => self.encoding = Some(option.flag(Encoding::Deflate)?),
            "split" => self.split_bytes = Some(option.count(REPLY_BYTES_MAX)?.max(1)),
            "coalesce" => self.coalesce = option.flag(true)?,
            "length" => self.framing = Some(option.flag(Framing::Length)?),
            "chunked" => self.framing = Some(option.flag(Framing::Chunked)?),
            "no-length" => self.framing = Some(option.flag(Framing::UntilClose)?),
            "two-lengths" => self.framing = Some(option.flag(Framing::TwoLengths)?),
            "cl+te" => self.framing = Some(option.flag(Framing::LengthAndChunked)?),
            "bad-chunk" => self.framing = Some(option.flag(Framing::BadChunk)?),
            "trailers" => {
                self.trailers = option.flag(true)?;
                self.framing = Some(Framing::Chunked);
            }
            "1xx" => self.informational = option.count(INFORMATIONAL_MAX)?,
            "header-bytes" => self.header_bytes = option.count(HEADER_FILL_BYTES_MAX)?,
            "extra-response-after" => self.extra_response = Some(option.duration_or_none()?),
            "close" => self.close = option.flag(true)?,
            "close-silently" => self.close_silently = Some(option.duration_or_none()?),
            "http10" => self.http10 = option.flag(true)?,
            "bytes" => self.reply_bytes = Some(option.count(REPLY_BYTES_MAX)?),
            "chunks" => self.chunks = Some(option.count(CHUNKS_MAX)?.max(1)),
            "gap" => self.gap = Some(option.duration()?),
            "usage" => self.usage = Some(option.usage()?),
            _ => return Err(FaultError(format!("unknown fault option {name:?}"))),
        }
        Ok(())
    }
}

impl BodyFault {
    fn new(text: &str) -> Self {
        match text {
            "empty" => Self::Empty,
            "html" => Self::Html,
            text => Self::Text(text.to_owned()),
        }
    }
}

impl Disconnect {
    const EARLY_EOF: Self = Self { place: Place::MidBody, farewell: Farewell::Fin };
}

/// Splits the first option off a line.
fn next_option(line: &str) -> (&str, &str) {
    if line.starts_with("body=") {
        return (line, "");
    }
    match line.split_once(',') {
        Some((option, rest)) => (option.trim(), rest.trim_start()),
        None => (line.trim(), ""),
    }
}

/// Splits `name=value` or `name:value`.
fn split_option(option: &str) -> (&str, Option<&str>) {
    match option.find(['=', ':']).and_then(|at| option.split_at_checked(at)) {
        Some((name, value)) => (name, value.get(1..)),
        None => (option, None),
    }
}

/// One option as it was written, with the readings a value can have.
#[derive(Clone, Copy)]
struct Opt<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> Opt<'a> {
    fn wrong(&self, expected: &str) -> FaultError {
        let value = self.value.unwrap_or("nothing");
        FaultError(format!("fault option {} needs {expected}, not {value:?}", self.name))
    }

    fn flag<T>(&self, meaning: T) -> Result<T, FaultError> {
        match self.value {
            None => Ok(meaning),
            Some(_) => Err(self.wrong("no value")),
        }
    }

    fn text(&self) -> Result<&'a str, FaultError> {
        self.value.ok_or_else(|| self.wrong("a value"))
    }

    fn number(&self) -> Result<u64, FaultError> {
        self.text()?.parse().map_err(|_| self.wrong("a number"))
    }

    fn count(&self, max: usize) -> Result<usize, FaultError> {
        match self.text()?.parse() {
            Ok(count) if count <= max => Ok(count),
            _ => Err(self.wrong(&format!("a number up to {max}"))),
        }
    }

    fn status(&self) -> Result<u16, FaultError> {
        match self.text()?.parse() {
            Ok(status) if (200..=599).contains(&status) => Ok(status),
            _ => Err(self.wrong("a status from 200 to 599")),
        }
    }

    fn duration(&self) -> Result<Duration, FaultError> {
        parse_duration(self.text()?).map_err(|_| self.wrong("a time such as 20 (ms) or 1.5s"))
    }

    fn duration_or_none(&self) -> Result<Duration, FaultError> {
        match self.value {
            None => Ok(Duration::ZERO),
            Some(_) => self.duration(),
        }
    }

    fn retry_after(&self) -> Result<RetryAfter, FaultError> {
        let text = self.text()?;
        let number = |text: &str| match text.parse() {
            Ok(number) if number <= RETRY_AFTER_MAX => Ok(number),
            _ => Err(self.wrong("2, date+2 or 500ms")),
        };
        if let Some(seconds) = text.strip_prefix("date+") {
            number(seconds).map(RetryAfter::DateInSeconds)
        } else if let Some(milliseconds) = text.strip_suffix("ms") {
            number(milliseconds).map(RetryAfter::Milliseconds)
        } else {
            number(text).map(RetryAfter::Seconds)
        }
    }

    fn disconnect(&self) -> Result<Disconnect, FaultError> {
        let text = self.text()?;
        let (place, farewell) = match text.split_once('/') {
            None | Some((_, "fin")) => (text.trim_end_matches("/fin"), Farewell::Fin),
            Some((place, "rst")) => (place, Farewell::Rst),
            Some(_) => return Err(self.wrong("a place, then /fin or /rst")),
        };
        Ok(Disconnect { place: self.place(place)?, farewell })
    }

    fn place(&self, text: &str) -> Result<Place, FaultError> {
        let wrong = || self.wrong("before-head, after-head, mid-body or mid-stream:N");
        match text {
            "before-head" => Ok(Place::BeforeHead),
            "after-head" => Ok(Place::AfterHead),
            "mid-body" => Ok(Place::MidBody),
            other => {
                let events = other.strip_prefix("mid-stream:").ok_or_else(wrong)?;
                events.parse().map(Place::MidStream).map_err(|_| wrong())
            }
        }
    }

    /// `none`, or `PROMPT:COMPLETION[:CACHED[:REASONING[:CACHE_WRITTEN]]]`.
    fn usage(&self) -> Result<UsageFault, FaultError> {
        let text = self.text()?;
        if text == "none" {
            return Ok(UsageFault::Missing);
        }
        let mut numbers = [0; 5];
        let mut fields = text.split(':');
        for (number, field) in numbers.iter_mut().zip(&mut fields) {
            *number = field.parse().map_err(|_| self.wrong("none or PROMPT:COMPLETION"))?;
        }
        if fields.next().is_some() {
            return Err(self.wrong("at most five numbers"));
        }
        let [prompt, completion, cached, reasoning, cache_written] = numbers;
        let tokens = Tokens { prompt, completion, cached, cache_written, reasoning };
        Ok(UsageFault::Tokens(tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_sets_each_option_it_names() {
        let fault = Fault::parse("status=429, retry-after=2,close").unwrap();
        let expected = Fault {
            status: Some(429),
            retry_after: Some(RetryAfter::Seconds(2)),
            close: true,
            ..Fault::default()
        };
        assert_eq!(fault, expected);
    }

    #[test]
    fn every_known_name_is_an_option() {
        for name in NAMES {
            let readings = ["", "=1", "=before-head", "=200"].map(|value| format!("{name}{value}"));
            assert!(readings.iter().any(|line| Fault::parse(line).is_ok()), "{name}");
        }
    }

    #[test]
    fn body_takes_the_rest_of_the_line() {
        let fault = Fault::parse("status=500,body={\"a\":1,\"b\":2}").unwrap();
        assert_eq!(fault.body, Some(BodyFault::Text("{\"a\":1,\"b\":2}".to_owned())));
    }

    #[test]
    fn a_place_can_name_its_event_and_its_farewell() {
        let place = Place::MidStream(3);
        let rst = Fault::parse("disconnect=mid-stream:3/rst").unwrap().disconnect;
        assert_eq!(rst, Some(Disconnect { place, farewell: Farewell::Rst }));
        let fin = Fault::parse("disconnect=mid-stream:3/fin").unwrap().disconnect;
        assert_eq!(fin, Some(Disconnect { place, farewell: Farewell::Fin }));
        assert_eq!(Fault::parse("error-in-stream:0").unwrap().error_in_stream, Some(0));
    }

    #[test]
    fn retry_after_has_three_forms() {
        let read = |line| Fault::parse(line).unwrap().retry_after.unwrap();
        assert_eq!(read("retry-after=date+3"), RetryAfter::DateInSeconds(3));
        assert_eq!(read("retry-after=250ms"), RetryAfter::Milliseconds(250));
        assert_eq!(read("retry-after-ms=250"), RetryAfter::Milliseconds(250));
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in ["statsu=500", "status=99", "status", "gzip=1", "stall=never", "usage=1:x"] {
            assert!(Fault::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn only_a_known_option_makes_a_model_suffix() {
        assert_eq!(Fault::split_model("gpt@status=1,x"), ("gpt", Some("status=1,x")));
        assert_eq!(Fault::split_model("gpt@usage=1:2"), ("gpt", Some("usage=1:2")));
        assert_eq!(Fault::split_model("claude@20240101"), ("claude@20240101", None));
        assert_eq!(Fault::split_model("@cf/meta/llama"), ("@cf/meta/llama", None));
    }
}
