//! The opening handshake (RFC 6455 §4): the caller's, the one with the provider, and the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use net::Buffer;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use wire::{RequestHead, ResponseHead};

use crate::reject::{Kind, Reject};
use crate::reply_head::push_header;

/// What a server appends to the key before it hashes it (RFC 6455 §1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a key: 16 random ones in base64.
const KEY_BYTES: usize = 24;

/// The only version there is.
const VERSION: &[u8] = b"13";

/// Browsers cannot send headers, so OpenAI takes the key as the name of a protocol.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// Names of protocols that say something about the caller's own account.
const ACCOUNT_PROTOCOLS: [&str; 3] = [KEY_PROTOCOL, "openai-organization.", "openai-project."];

/// A caller's handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handshake<'b> {
    key: &'b [u8],
    /// The protocols it offers, as it wrote them.
    protocols: &'b str,
}

impl<'b> Handshake<'b> {
    /// Reads it from a request's head.
    pub(super) fn read(head: &RequestHead, bytes: &'b [u8]) -> Result<Self, Reject> {
        let wants_websocket = head.upgrade(bytes).is_some_and(|protocols| {
            let mut names = protocols.split(|byte| *byte == b',');
            names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"websocket"))
        });
        if !wants_websocket {
            return Err(refused("this route is for WebSockets: connect with `upgrade: websocket`"));
        }
        if head.header(bytes, "sec-websocket-version") != Some(VERSION) {
            return Err(refused("`sec-websocket-version` has to be 13"));
        }
        let key = head.header(bytes, "sec-websocket-key").unwrap_or_default();
        let is_key = key.len() == KEY_BYTES && STANDARD.decode(key).is_ok();
        if !is_key {
            return Err(refused("`sec-websocket-key` has to be 16 bytes in base64"));
        }
        let protocols = head.header(bytes, "sec-websocket-protocol").unwrap_or_default();
        let protocols = std::str::from_utf8(protocols)
            .map_err(|_| refused("`sec-websocket-protocol` is not UTF-8"))?;
        Ok(Self { key, protocols })
    }

    /// The key among the protocols.
    pub(super) fn api_key(&self) -> Option<&'b str> {
        self.names().find_map(|name| name.strip_prefix(KEY_PROTOCOL)).filter(|key| !key.is_empty())
    }

    /// The protocols that are the provider's business.
    fn offered(&self) -> impl Iterator<Item = &'b str> {
        let is_account =
            |name: &&str| ACCOUNT_PROTOCOLS.iter().any(|prefix| name.starts_with(prefix));
        self.names().filter(move |name| !is_account(name))
    }

    fn names(&self) -> impl Iterator<Item = &'b str> {
        self.protocols.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// Writes the lines by which the same is asked of a provider. Extensions are not offered: frames
    /// have to be readable on the way.
    pub(super) fn write_request_lines(&self, out: &mut Buffer) {
        out.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n");
        push_header(out, "sec-websocket-version", VERSION);
        push_header(out, "sec-websocket-key", self.key);
        let offered: Vec<&str> = self.offered().collect();
        if !offered.is_empty() {
            push_header(out, "sec-websocket-protocol", offered.join(", ").as_bytes());
        }
    }

    /// Refuses a provider's 101 that is no answer to [`Self::write_request_lines`].
    pub(super) fn check_answer(&self, head: &ResponseHead, bytes: &[u8]) -> Result<(), Reject> {
        let protocol = head.header(bytes, "sec-websocket-protocol");
        let is_offered = |name: &[u8]| self.offered().any(|offered| offered.as_bytes() == name);
        let problem =
            if head.header(bytes, "sec-websocket-accept") != Some(self.accept().as_bytes()) {
                "its `sec-websocket-accept` is wrong"
            } else if head.header(bytes, "sec-websocket-extensions").is_some() {
                "it uses an extension that nobody offered"
            } else if !protocol.is_none_or(is_offered) {
                "it chose a protocol that nobody offered"
            } else {
                return Ok(());
            };
        let message = format!("the provider's handshake makes no sense: {problem}");
        Err(Reject::new(Kind::BadReply, message))
    }

    /// Writes the beginning of the answer, up to where header lines may follow. `chosen` is the
    /// provider's protocol; a browser that offered some takes no answer without one.
    pub(super) fn write_answer(&self, chosen: Option<&[u8]>, out: &mut Buffer) {
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        out.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n");
        push_header(out, "sec-websocket-accept", self.accept().as_bytes());
        let first = || self.offered().next().map(str::as_bytes);
        if let Some(protocol) = chosen.or_else(first) {
            push_header(out, "sec-websocket-protocol", protocol);
        }
    }

    fn accept(&self) -> String {
        let hashed = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[self.key, KEY_SUFFIX].concat());
        STANDARD.encode(hashed)
    }
}

/// Whether a header of that name is part of a handshake, whichever side's.
pub(super) fn is_handshake(name: &[u8]) -> bool {
    const PREFIX: &[u8] = b"sec-websocket-";
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

#[cold]
fn refused(message: &'static str) -> Reject {
    Reject::new(Kind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use wire::HeadLimits;

    use super::*;

    const PLAIN: &str = "connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn read(lines: &str, check: impl FnOnce(Result<Handshake<'_>, Reject>)) {
        let bytes = format!("GET /v1/realtime HTTP/1.1\r\nhost: a\r\n{lines}\r\n").into_bytes();
        let mut head = RequestHead::new();
        head.parse(&bytes, &HeadLimits::default()).unwrap();
        check(Handshake::read(&head, &bytes));
    }

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        read(PLAIN, |handshake| {
            assert_eq!(handshake.unwrap().accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        });
    }

    #[test]
    fn whatever_is_missing_is_refused() {
        for line in PLAIN.split_inclusive("\r\n") {
            read(&PLAIN.replace(line, ""), |handshake| {
                assert_eq!(handshake.unwrap_err().kind, Kind::Malformed, "without {line}");
            });
        }
        for (from, to) in [("13", "8"), ("WebSocket", "h2c"), ("ZQ==", "Z==="), ("ZQ==", "")] {
            read(&PLAIN.replace(from, to), |handshake| assert!(handshake.is_err(), "{to}"));
        }
    }

    #[test]
    fn what_is_the_callers_own_stays_here() {
        let protocols = "sec-websocket-protocol: realtime, openai-insecure-api-key.sk-1, \
                         openai-project.p, openai-beta.realtime-v1\r\n";
        read(&format!("{PLAIN}{protocols}"), |handshake| {
            let handshake = handshake.unwrap();
            assert_eq!(handshake.api_key(), Some("sk-1"));
            let mut asked = Buffer::new();
            handshake.write_request_lines(&mut asked);
            let asked = String::from_utf8(asked.as_slice().to_vec()).unwrap();
            assert!(asked.contains("protocol: realtime, openai-beta.realtime-v1\r\n"), "{asked}");
            assert!(!asked.contains("sk-1"), "{asked}");
            let mut answer = Buffer::new();
            handshake.write_answer(None, &mut answer);
            let answer = String::from_utf8(answer.as_slice().to_vec()).unwrap();
            assert!(answer.ends_with("sec-websocket-protocol: realtime\r\n"), "{answer}");
        });
    }

    #[test]
    fn an_answer_to_something_else_is_refused() {
        const GOOD: &str = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        let is_taken = |lines: &str| {
            let bytes = format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n").into_bytes();
            let mut head = ResponseHead::new();
            head.parse(&bytes, &HeadLimits::default()).unwrap();
            let offer = "sec-websocket-protocol: realtime\r\n";
            let mut taken = false;
            read(&format!("{PLAIN}{offer}"), |handshake| {
                taken = handshake.unwrap().check_answer(&head, &bytes).is_ok();
            });
            taken
        };
        assert!(is_taken(GOOD));
        assert!(is_taken(&format!("{GOOD}sec-websocket-protocol: realtime\r\n")));
        assert!(!is_taken(""));
        assert!(!is_taken("sec-websocket-accept: c3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(!is_taken(&format!("{GOOD}sec-websocket-protocol: other\r\n")));
        assert!(!is_taken(&format!("{GOOD}sec-websocket-extensions: permessage-deflate\r\n")));
    }
}
