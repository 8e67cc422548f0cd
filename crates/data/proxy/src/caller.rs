//! Stage 3 and its headers: who calls, and what the call says about itself outside the body.

use std::ops::Range;
use std::sync::Arc;

use snapshot::{Snapshot, VirtualKey};
use wire::RequestHead;

use crate::reject::{Kind, Reject};

/// Values start with this when they are virtual keys, in any case.
const VIRTUAL_KEY_PREFIX: &str = "sk-bf-";

/// Positions of the request headers the pipeline reads, found in one pass.
#[derive(Debug, Default)]
pub(crate) struct CallerHeaders {
    authorization: Option<Range<usize>>,
    x_api_key: Option<Range<usize>>,
    x_goog_api_key: Option<Range<usize>>,
    api_key: Option<Range<usize>>,
    virtual_key: Option<Range<usize>>,
    key_name: Option<Range<usize>>,
    key_id: Option<Range<usize>>,
    direct_key: Option<Range<usize>>,
    raw_request: Option<Range<usize>>,
    raw_response: Option<Range<usize>>,
    pass_extra: Option<Range<usize>>,
    server_timing: Option<Range<usize>>,
    pub(crate) content_encoding: Option<Range<usize>>,
    /// Some header starts with `x-bf-eh-`.
    pub(crate) has_forwarded: bool,
    /// Some header starts with `anthropic-`.
    pub(crate) has_anthropic: bool,
}

impl CallerHeaders {
    /// Reads the head in `bytes`. Of a header that is repeated the first counts.
    pub(crate) fn read(head: &RequestHead, bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for (name, value) in head.headers(bytes) {
            let start = value.as_ptr() as usize - bytes.as_ptr() as usize;
            found.take(name, start..start + value.len());
        }
        found
    }

    fn take(&mut self, name: &str, at: Range<usize>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let slot = match name.len() {
            7 if is("x-bf-vk") => &mut self.virtual_key,
            7 if is("api-key") => &mut self.api_key,
            9 if is("x-api-key") => &mut self.x_api_key,
            12 if is("x-bf-api-key") => &mut self.key_name,
            13 if is("authorization") => &mut self.authorization,
            14 if is("x-goog-api-key") => &mut self.x_goog_api_key,
            15 if is("x-bf-api-key-id") => &mut self.key_id,
            15 if is("x-bf-direct-key") => &mut self.direct_key,
            16 if is("content-encoding") => &mut self.content_encoding,
            18 if is("x-bf-server-timing") => &mut self.server_timing,
            26 if is("x-bf-send-back-raw-request") => &mut self.raw_request,
            27 if is("x-bf-send-back-raw-response") => &mut self.raw_response,
            29 if is("x-bf-passthrough-extra-params") => &mut self.pass_extra,
            _ => return self.note_prefix(name),
        };
        slot.get_or_insert(at);
    }

    fn note_prefix(&mut self, name: &str) {
        let starts = |prefix: &str| {
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        self.has_forwarded |= starts("x-bf-eh-");
        self.has_anthropic |= starts("anthropic-");
    }

    /// A key pinned by id or, failing that, by name. Blank counts as absent.
    pub(crate) fn pin<'b>(&self, bytes: &'b [u8]) -> Option<Pin<'b>> {
        let text = |at: &Option<Range<usize>>| {
            at.clone().and_then(|at| text(bytes, at)).map(str::trim).filter(|text| !text.is_empty())
        };
        text(&self.key_id).map(Pin::Id).or_else(|| text(&self.key_name).map(Pin::Name))
    }

    /// `x-bf-passthrough-extra-params: true`.
    pub(crate) fn passes_extra(&self, bytes: &[u8]) -> bool {
        self.switch(&self.pass_extra, bytes) == Some(true)
    }

    /// `x-bf-send-back-raw-request`, where it holds a boolean.
    pub(crate) fn raw_request(&self, bytes: &[u8]) -> Option<bool> {
        self.switch(&self.raw_request, bytes)
    }

    /// `x-bf-send-back-raw-response`, where it holds a boolean.
    pub(crate) fn raw_response(&self, bytes: &[u8]) -> Option<bool> {
        self.switch(&self.raw_response, bytes)
    }

    /// `x-bf-server-timing: true` asks for our stages in `Server-Timing`.
    pub(crate) fn wants_timing(&self, bytes: &[u8]) -> bool {
        self.switch(&self.server_timing, bytes) == Some(true)
    }

    /// The caller's own provider key, when it asks for it to be used.
    pub(crate) fn direct_key<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        if self.switch(&self.direct_key, bytes) != Some(true) {
            return None;
        }
        [
            self.bearer(bytes),
            self.named(&self.x_api_key, bytes),
            self.named(&self.x_goog_api_key, bytes),
        ]
        .into_iter()
        .flatten()
        .find(|key| !key.is_empty() && !is_virtual_key(key))
    }

    fn switch(&self, at: &Option<Range<usize>>, bytes: &[u8]) -> Option<bool> {
        match self.named(at, bytes)?.trim() {
            "true" | "True" | "TRUE" | "t" | "T" | "1" => Some(true),
            "false" | "False" | "FALSE" | "f" | "F" | "0" => Some(false),
            _ => None,
        }
    }

    fn named<'b>(&self, at: &Option<Range<usize>>, bytes: &'b [u8]) -> Option<&'b str> {
        text(bytes, at.clone()?)
    }

    fn bearer<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        let value = self.named(&self.authorization, bytes)?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The virtual key of the request, wherever a client may put it.
    fn virtual_key<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        let dedicated = self.named(&self.virtual_key, bytes).map(str::trim);
        let others = [
            self.bearer(bytes),
            self.named(&self.x_api_key, bytes),
            self.named(&self.x_goog_api_key, bytes),
            self.named(&self.api_key, bytes),
        ];
        dedicated
            .filter(|value| !value.is_empty())
            .or_else(|| others.into_iter().flatten().find(|value| is_virtual_key(value)))
    }
}

/// A key the caller insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin<'b> {
    /// By id.
    Id(&'b str),
    /// By name.
    Name(&'b str),
}

fn text(bytes: &[u8], at: Range<usize>) -> Option<&str> {
    std::str::from_utf8(bytes.get(at)?).ok()
}

fn is_virtual_key(value: &str) -> bool {
    let prefix = value.get(..VIRTUAL_KEY_PREFIX.len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(VIRTUAL_KEY_PREFIX))
}

/// Finds the caller's virtual key and refuses callers without one where that is demanded.
pub(crate) fn identify<'s>(
    snapshot: &'s Snapshot,
    headers: &CallerHeaders,
    bytes: &[u8],
) -> Result<Option<&'s Arc<VirtualKey>>, Reject> {
    let value = headers.virtual_key(bytes);
    match value.map(|value| snapshot.virtual_key(value)) {
        Some(Some(key)) if key.is_active => Ok(Some(key)),
        Some(Some(_)) => Err(Reject::new(Kind::AccessBlocked, "Virtual key is inactive")),
        _ if snapshot.client.enforce_auth => Err(key_required()),
        // A key that was revoked must not turn into no key at all.
        Some(None) => Err(Reject::new(Kind::AccessNotFound, "Virtual key not found")),
        None => Ok(None),
    }
}

#[cold]
fn key_required() -> Reject {
    let message = "virtual key is required. Provide a virtual key via the x-bf-vk header.";
    Reject::new(Kind::Unauthenticated, message)
}

/// Refuses a request that lacks one of `client.required_headers`, or has another value where one
/// is demanded.
pub(crate) fn require_headers(
    snapshot: &Snapshot,
    head: &RequestHead,
    bytes: &[u8],
) -> Result<(), Reject> {
    let required = &snapshot.client.required_headers;
    let missing: Vec<&str> = required
        .iter()
        .filter(|required| head.header(bytes, &required.name).is_none())
        .map(|required| &*required.name)
        .collect();
    if !missing.is_empty() {
        let message = format!("missing required headers: {}", missing.join(", "));
        return Err(Reject::new(Kind::HeadersMissing, message));
    }
    let differs = required.iter().find(|required| {
        let shown = head.header(bytes, &required.name).unwrap_or_default();
        !required.value.admits(shown)
    });
    match differs {
        None => Ok(()),
        Some(required) => {
            let message = format!("invalid required header value: {}", required.name);
            Err(Reject::new(Kind::HeadersMissing, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::HeadLimits;

    use super::*;

    fn headers(lines: &str) -> (CallerHeaders, Vec<u8>) {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes();
        let mut head = RequestHead::new();
        head.parse(&bytes, &HeadLimits::default()).unwrap();
        (CallerHeaders::read(&head, &bytes), bytes)
    }

    #[test]
    fn a_virtual_key_is_found_wherever_sdks_put_keys() {
        for line in [
            "x-bf-vk: sk-bf-1",
            "Authorization: Bearer sk-bf-1",
            "authorization: bearer  sk-bf-1",
            "X-Api-Key: sk-bf-1",
            "x-goog-api-key: sk-bf-1",
            "api-key: sk-bf-1",
        ] {
            let (headers, bytes) = headers(&format!("{line}\r\n"));
            assert_eq!(headers.virtual_key(&bytes), Some("sk-bf-1"), "{line}");
        }
    }

    #[test]
    fn dummy_keys_of_sdks_mean_nothing() {
        let (headers, bytes) = headers("Authorization: Bearer sk-dummy\r\nx-api-key: dummy\r\n");
        assert_eq!(headers.virtual_key(&bytes), None);
        assert_eq!(headers.direct_key(&bytes), None);
    }

    #[test]
    fn a_direct_key_needs_its_switch_and_is_no_virtual_key() {
        let lines =
            "x-bf-direct-key: true\r\nAuthorization: Bearer sk-bf-1\r\nx-api-key: sk-own\r\n";
        let (headers, bytes) = headers(lines);
        assert_eq!(headers.direct_key(&bytes), Some("sk-own"));
    }

    #[test]
    fn a_pin_by_id_wins_and_blanks_are_ignored() {
        let (found, bytes) = headers("x-bf-api-key: name\r\nx-bf-api-key-id:  \r\n");
        assert_eq!(found.pin(&bytes), Some(Pin::Name("name")));
        let (found, bytes) = headers("x-bf-api-key: name\r\nx-bf-api-key-id: id\r\n");
        assert_eq!(found.pin(&bytes), Some(Pin::Id("id")));
    }
}
