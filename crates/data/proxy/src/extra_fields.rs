//! `extra_fields`: what the gateway says about itself inside a reply's body.

use std::time::Duration;

use dialect::Operation;
use net::Buffer;

use crate::json::{push_member, push_number, push_string};

/// What is told about a request that reached a provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routed<'r> {
    pub(crate) operation: Operation,
    pub(crate) provider: &'r str,
    /// Model as the caller named it, without provider.
    pub(crate) model: &'r str,
    /// Model id on the wire.
    pub(crate) resolved_model: &'r str,
    /// Name of the key, where there is one.
    pub(crate) key: Option<&'r str>,
    /// Set when a fallback served: provider and model of the primary.
    pub(crate) primary: Option<(&'r str, &'r str)>,
}

/// What stands between latency and chunk index, and what behind them.
const CHUNK_INDEX: &[u8] = b",\"chunk_index\":";
const END: &[u8] = b"}";

/// The member for one request; latency and chunk index are filled in per reply or chunk.
#[derive(Debug)]
pub(crate) struct ExtraFields {
    /// `"extra_fields":{…,"latency":`
    before_latency: Buffer,
}

impl ExtraFields {
    /// Renders what stays the same over a reply.
    pub(crate) fn new(routed: &Routed<'_>) -> Self {
        let mut out = Buffer::with_capacity(512);
        out.extend_from_slice(b"\"extra_fields\":{");
        push_routed(&mut out, routed);
        out.extend_from_slice(b",\"latency\":");
        Self { before_latency: out }
    }

    /// The same in as little memory as it needs.
    pub(crate) fn compact(self) -> Self {
        Self { before_latency: Buffer::from(self.before_latency.as_slice().to_vec()) }
    }

    /// Shows a body as it was sent or received, under `name`.
    pub(crate) fn with_raw(self, name: &str, raw: Option<&[u8]>) -> Self {
        const OPEN: &[u8] = b"\"extra_fields\":{";
        let Some(raw) = raw else { return self };
        let mut out = Buffer::with_capacity(self.before_latency.len() + raw.len() + 64);
        out.extend_from_slice(OPEN);
        push_string(&mut out, name);
        out.extend_from_slice(b":");
        if sonic_rs::from_slice::<sonic_rs::LazyValue<'_>>(raw).is_ok() {
            out.extend_from_slice(raw.trim_ascii());
        } else {
            push_string(&mut out, &String::from_utf8_lossy(raw));
        }
        out.extend_from_slice(b",");
        out.extend_from_slice(self.before_latency.as_slice().get(OPEN.len()..).unwrap_or_default());
        Self { before_latency: out }
    }

    /// Writes `"extra_fields":{…}`. `latency`: of the whole reply, or since the last chunk.
    pub(crate) fn write(&self, latency: Duration, chunk_index: u64, out: &mut Buffer) {
        out.extend_from_slice(self.before_latency.as_slice());
        push_number(out, latency.as_millis() as u64);
        out.extend_from_slice(CHUNK_INDEX);
        push_number(out, chunk_index);
        out.extend_from_slice(END);
    }

    /// How many bytes [`Self::write`] writes.
    pub(crate) fn len(&self, latency: Duration, chunk_index: u64) -> usize {
        let digits = |number: u64| itoa::Buffer::new().format(number).len();
        let numbers = digits(latency.as_millis() as u64) + digits(chunk_index);
        self.before_latency.len() + CHUNK_INDEX.len() + numbers + END.len()
    }

    /// The same for a writer that collects into a vector.
    pub(crate) fn write_vec(&self, latency: Duration, chunk_index: u64, out: &mut Vec<u8>) {
        let mut number = itoa::Buffer::new();
        out.extend_from_slice(self.before_latency.as_slice());
        out.extend_from_slice(number.format(latency.as_millis() as u64).as_bytes());
        out.extend_from_slice(CHUNK_INDEX);
        out.extend_from_slice(number.format(chunk_index).as_bytes());
        out.extend_from_slice(END);
    }
}

/// The members that replies and errors share, without braces.
pub(crate) fn push_routed(out: &mut Buffer, routed: &Routed<'_>) {
    push_member(out, "\"request_type\":", routed.operation.name());
    push_member(out, ",\"routing_info\":{\"provider\":", routed.provider);
    push_member(out, ",\"model\":", routed.model);
    if let Some(key) = routed.key {
        push_member(out, ",\"key\":", key);
    }
    if routed.resolved_model != routed.model {
        push_member(out, ",\"resolved_key_alias\":{\"model_id\":", routed.resolved_model);
        out.extend_from_slice(b"}");
    }
    if let Some((provider, model)) = routed.primary {
        push_member(out, ",\"is_fallback\":true,\"primary_provider\":", provider);
        push_member(out, ",\"primary_model\":", model);
    }
    push_member(out, "},\"provider\":", routed.provider);
    push_member(out, ",\"original_model_requested\":", routed.model);
    push_member(out, ",\"resolved_model_used\":", routed.resolved_model);
}

#[cfg(test)]
mod tests {
    use sonic_rs::{JsonValueTrait, Value};

    use super::*;

    #[test]
    fn raw_bodies_are_shown_as_json_or_as_text() {
        let routed = Routed {
            operation: Operation::ChatCompletion,
            provider: "p",
            model: "m",
            resolved_model: "m",
            key: None,
            primary: None,
        };
        let fields = ExtraFields::new(&routed)
            .with_raw("raw_request", Some(b"{\"a\":1}"))
            .with_raw("raw_response", Some(b"<html>"));
        let mut out = Vec::new();
        fields.write_vec(Duration::ZERO, 0, &mut out);
        let text = format!("{{{}}}", String::from_utf8(out).unwrap());
        let json: Value = sonic_rs::from_str(&text).unwrap();
        assert_eq!(json["extra_fields"]["raw_request"]["a"].as_u64(), Some(1));
        assert_eq!(json["extra_fields"]["raw_response"].as_str(), Some("<html>"));
    }

    #[test]
    fn a_fallback_names_its_primary() {
        let fields = ExtraFields::new(&Routed {
            operation: Operation::ChatCompletion,
            provider: "anthropic",
            model: "fast",
            resolved_model: "claude-haiku",
            key: Some("key \"one\""),
            primary: Some(("openai", "gpt-4o")),
        });
        let mut out = Vec::new();
        fields.write_vec(Duration::from_millis(1234), 7, &mut out);
        let json: Value =
            sonic_rs::from_str(&format!("{{{}}}", String::from_utf8(out).unwrap())).unwrap();
        let extra = &json["extra_fields"];
        assert_eq!(extra["latency"].as_u64(), Some(1234));
        assert_eq!(extra["chunk_index"].as_u64(), Some(7));
        assert_eq!(extra["routing_info"]["key"].as_str(), Some("key \"one\""));
        assert_eq!(
            extra["routing_info"]["resolved_key_alias"]["model_id"].as_str(),
            Some("claude-haiku")
        );
        assert_eq!(extra["routing_info"]["primary_model"].as_str(), Some("gpt-4o"));
        assert_eq!(extra["resolved_model_used"].as_str(), Some("claude-haiku"));
    }
}
