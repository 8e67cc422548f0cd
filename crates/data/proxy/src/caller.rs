//! Stage 3 and its headers: who calls, and what the call says about itself outside the body.

use std::sync::Arc;

use snapshot::{Snapshot, VirtualKey};
use wire::RequestHead;

use crate::reject::{Kind, Reject};

/// Values start with this when they are virtual keys, in any case.
const VIRTUAL_KEY_PREFIX: &str = "sk-bf-";

/// Tokens of Anthropic's subscriptions start with this.
const SUBSCRIPTION_PREFIX: &str = "sk-ant-oat";

/// What Claude Code calls itself in a terminal, in a program and in an editor.
const CLAUDE_CODE: &[&str] = &["claude-cli", "claude-code", "claude-vscode"];

/// Where a header's value stands in the head; nowhere by default. No value of interest is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    start: u32,
    end: u32,
}

impl Place {
    /// Where `part`, a slice of `bytes`, stands in it.
    fn of(part: &[u8], bytes: &[u8]) -> Self {
        let start = (part.as_ptr().addr() - bytes.as_ptr().addr()) as u32;
        Self { start, end: start + part.len() as u32 }
    }

    /// The header was there, with a value.
    pub(crate) fn is_some(self) -> bool {
        self.end > self.start
    }

    /// The value, in the head that it was found in.
    pub(crate) fn value(self, bytes: &[u8]) -> Option<&[u8]> {
        bytes.get(self.start as usize..self.end as usize).filter(|value| !value.is_empty())
    }

    /// The value, if it is UTF-8.
    pub(crate) fn text(self, bytes: &[u8]) -> Option<&str> {
        std::str::from_utf8(self.value(bytes)?).ok()
    }
}

/// Positions of the request headers the pipeline reads, found in one pass.
#[derive(Debug, Default)]
pub(crate) struct CallerHeaders {
    authorization: Place,
    x_api_key: Place,
    x_goog_api_key: Place,
    api_key: Place,
    dedicated_key: Place,
    /// The virtual key, wherever it was found.
    virtual_key: Place,
    key_name: Place,
    key_id: Place,
    direct_key: Place,
    raw_request: Place,
    raw_response: Place,
    pass_extra: Place,
    server_timing: Place,
    pub(crate) user_agent: Place,
    pub(crate) model_provider: Place,
    pub(crate) content_encoding: Place,
    pub(crate) origin: Place,
    pub(crate) forwarded_proto: Place,
    pub(crate) requested_headers: Place,
    /// Some header starts with `x-bf-eh-`.
    pub(crate) has_forwarded: bool,
    /// Some header starts with `anthropic-`.
    pub(crate) has_anthropic: bool,
}

impl CallerHeaders {
    /// Reads the head in `bytes`. Of a header that is repeated the first with a value counts.
    pub(crate) fn read(head: &RequestHead, bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for (name, value) in head.headers(bytes) {
            found.take(name, Place::of(value, bytes));
        }
        found.note_virtual_key(bytes);
        found
    }

    fn note_virtual_key(&mut self, bytes: &[u8]) {
        let found = self.find_virtual_key(bytes);
        self.virtual_key =
            found.map_or_else(Place::default, |key| Place::of(key.as_bytes(), bytes));
    }

    fn take(&mut self, name: &[u8], at: Place) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let slot = match name.len() {
            6 if is("origin") => &mut self.origin,
            7 if is("x-bf-vk") => &mut self.dedicated_key,
            7 if is("api-key") => &mut self.api_key,
            9 if is("x-api-key") => &mut self.x_api_key,
            10 if is("user-agent") => &mut self.user_agent,
            12 if is("x-bf-api-key") => &mut self.key_name,
            13 if is("authorization") => &mut self.authorization,
            14 if is("x-goog-api-key") => &mut self.x_goog_api_key,
            15 if is("x-bf-api-key-id") => &mut self.key_id,
            15 if is("x-bf-direct-key") => &mut self.direct_key,
            16 if is("x-model-provider") => &mut self.model_provider,
            16 if is("content-encoding") => &mut self.content_encoding,
            17 if is("x-forwarded-proto") => &mut self.forwarded_proto,
            18 if is("x-bf-server-timing") => &mut self.server_timing,
            26 if is("x-bf-send-back-raw-request") => &mut self.raw_request,
            27 if is("x-bf-send-back-raw-response") => &mut self.raw_response,
            29 if is("x-bf-passthrough-extra-params") => &mut self.pass_extra,
            30 if is("access-control-request-headers") => &mut self.requested_headers,
            _ => return self.note_prefix(name),
        };
        if !slot.is_some() {
            *slot = at;
        }
    }

    fn note_prefix(&mut self, name: &[u8]) {
        let starts = |prefix: &str| {
            let start = name.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        self.has_forwarded |= starts("x-bf-eh-");
        self.has_anthropic |= starts("anthropic-");
    }

    /// Takes a key that stands elsewhere in the head, `bytes`, for one in a header of its own, unless
    /// there is a key in one.
    pub(crate) fn offer_key(&mut self, key: &str, bytes: &[u8]) {
        let known = [self.authorization, self.x_api_key, self.api_key, self.dedicated_key];
        if !known.into_iter().any(Place::is_some) {
            self.x_api_key = Place::of(key.as_bytes(), bytes);
            self.note_virtual_key(bytes);
        }
    }

    /// What the caller shows of itself, whatever it is worth.
    pub(crate) fn credential<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let shown = [self.dedicated_key, self.authorization, self.x_api_key, self.api_key];
        shown.into_iter().chain([self.x_goog_api_key]).find_map(|at| at.value(bytes))
    }

    /// A key pinned by id or, failing that, by name. Blank counts as absent.
    pub(crate) fn pin<'b>(&self, bytes: &'b [u8]) -> Option<Pin<'b>> {
        let text = |at: Place| at.text(bytes).map(str::trim).filter(|text| !text.is_empty());
        text(self.key_id).map(Pin::Id).or_else(|| text(self.key_name).map(Pin::Name))
    }

    /// `x-bf-passthrough-extra-params: true`.
    pub(crate) fn passes_extra(&self, bytes: &[u8]) -> bool {
        Self::switch(self.pass_extra, bytes) == Some(true)
    }

    /// `x-bf-send-back-raw-request`, where it holds a boolean.
    pub(crate) fn raw_request(&self, bytes: &[u8]) -> Option<bool> {
        Self::switch(self.raw_request, bytes)
    }

    /// `x-bf-send-back-raw-response`, where it holds a boolean.
    pub(crate) fn raw_response(&self, bytes: &[u8]) -> Option<bool> {
        Self::switch(self.raw_response, bytes)
    }

    /// `x-bf-server-timing: true` asks for our stages in `Server-Timing`.
    pub(crate) fn wants_timing(&self, bytes: &[u8]) -> bool {
        Self::switch(self.server_timing, bytes) == Some(true)
    }

    /// The caller's own provider key, when it asks for it to be used.
    pub(crate) fn direct_key<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        if Self::switch(self.direct_key, bytes) != Some(true) {
            return None;
        }
        [self.bearer(bytes), self.x_api_key.text(bytes), self.x_goog_api_key.text(bytes)]
            .into_iter()
            .flatten()
            .find(|key| !key.is_empty() && !is_virtual_key(key))
    }

    /// The token of a subscription that Claude Code brings instead of a key.
    pub(crate) fn subscription<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        let token = self.bearer(bytes).filter(|token| token.starts_with(SUBSCRIPTION_PREFIX))?;
        (self.is_claude_code(bytes) && !self.x_api_key.is_some()).then_some(token)
    }

    /// The client calls itself Claude Code, by one of its names.
    pub(crate) fn is_claude_code(&self, bytes: &[u8]) -> bool {
        let agent = self.user_agent.value(bytes).unwrap_or_default();
        CLAUDE_CODE.iter().any(|name| memchr::memmem::find(agent, name.as_bytes()).is_some())
    }

    fn switch(at: Place, bytes: &[u8]) -> Option<bool> {
        match at.text(bytes)?.trim() {
            "true" | "True" | "TRUE" | "t" | "T" | "1" => Some(true),
            "false" | "False" | "FALSE" | "f" | "F" | "0" => Some(false),
            _ => None,
        }
    }

    /// The token of `Authorization: Bearer`.
    pub(crate) fn bearer<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        let value = self.authorization.text(bytes)?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The virtual key of the request, if there is one.
    fn virtual_key<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        self.virtual_key.text(bytes)
    }

    /// Looks for a virtual key wherever a client may put it.
    fn find_virtual_key<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        let dedicated = self.dedicated_key.text(bytes).map(str::trim);
        let others = [
            self.bearer(bytes),
            self.x_api_key.text(bytes),
            self.x_goog_api_key.text(bytes),
            self.api_key.text(bytes),
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
    fn a_subscription_is_claude_codes_alone() {
        let token = "Authorization: Bearer sk-ant-oat01-x\r\n";
        let agent = "User-Agent: claude-cli/2.1.0 (external, cli)\r\n";
        let (found, bytes) = headers(&format!("{agent}{token}"));
        assert_eq!(found.subscription(&bytes), Some("sk-ant-oat01-x"));
        for lines in [
            token.to_owned(),
            format!("{agent}Authorization: Bearer sk-ant-api03-x\r\n"),
            format!("{agent}{token}x-api-key: k\r\n"),
        ] {
            let (found, bytes) = headers(&lines);
            assert_eq!(found.subscription(&bytes), None, "{lines}");
        }
    }

    #[test]
    fn a_pin_by_id_wins_and_blanks_are_ignored() {
        let (found, bytes) = headers("x-bf-api-key: name\r\nx-bf-api-key-id:  \r\n");
        assert_eq!(found.pin(&bytes), Some(Pin::Name("name")));
        let (found, bytes) = headers("x-bf-api-key: name\r\nx-bf-api-key-id: id\r\n");
        assert_eq!(found.pin(&bytes), Some(Pin::Id("id")));
    }
}
