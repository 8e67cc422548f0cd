//! The `usage` object. Its `input_tokens` leave out what the prompt cache had a part in.

use crate::canonical::Usage;
use crate::json::{Cursor, Object};
use crate::openai_chat::read_cache_creation;

/// Takes over what a `usage` object reports. A stream reports twice: the prompt at its start, the answer at its end.
/// `None`: it is no object, or broken, and what was read does not count.
pub(crate) fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut uncached =
        into.input.saturating_sub(into.cached_read.saturating_add(into.cached_write));
    usage.object(|name, value| {
        match name {
            b"input_tokens" => Usage::set(&mut uncached, value.count()?),
            b"output_tokens" => Usage::set(&mut into.output, value.count()?),
            b"cache_read_input_tokens" => Usage::set(&mut into.cached_read, value.count()?),
            b"cache_creation_input_tokens" => Usage::set(&mut into.cached_write, value.count()?),
            b"cache_creation" => read_cache_creation(value, into)?,
            b"output_tokens_details" => value.object_or_skip(|name, value| {
                match name {
                    b"thinking_tokens" => Usage::set(&mut into.reasoning, value.count()?),
                    _ => drop(value.value()?),
                }
                Some(())
            })?,
            b"server_tool_use" => value.object_or_skip(|name, value| {
                match name {
                    b"web_search_requests" => Usage::set(&mut into.web_searches, value.count()?),
                    _ => drop(value.value()?),
                }
                Some(())
            })?,
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    into.reported = true;
    into.input = uncached.saturating_add(into.cached_read).saturating_add(into.cached_write);
    into.total = into.input.saturating_add(into.output);
    Some(())
}

/// Writes the members of a `usage` object.
pub(super) fn write_usage(usage: &Usage, object: &mut Object<'_>) {
    let cached = usage.cached_read.saturating_add(usage.cached_write);
    object.u64("input_tokens", usage.input.saturating_sub(cached));
    object.u64("cache_creation_input_tokens", usage.cached_write);
    object.u64("cache_read_input_tokens", usage.cached_read);
    if usage.cached_write_5m > 0 || usage.cached_write_1h > 0 {
        let mut split = object.object("cache_creation");
        split.u64("ephemeral_5m_input_tokens", usage.cached_write_5m);
        split.u64("ephemeral_1h_input_tokens", usage.cached_write_1h);
    }
    object.u64("output_tokens", usage.output);
    if usage.reasoning > 0 {
        object.object("output_tokens_details").u64("thinking_tokens", usage.reasoning);
    }
    if usage.web_searches > 0 {
        let mut searches = object.object("server_tool_use");
        searches.u64("web_search_requests", usage.web_searches);
        searches.u64("web_fetch_requests", 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, into: &mut Usage) {
        read_usage(&mut Cursor::new(json.as_bytes()), into).unwrap();
    }

    #[test]
    fn input_includes_the_cache() {
        let mut usage = Usage::default();
        read(
            r#"{"input_tokens":10,"cache_read_input_tokens":30,"cache_creation_input_tokens":60,"output_tokens":1}"#,
            &mut usage,
        );
        read(r#"{"output_tokens":25,"output_tokens_details":{"thinking_tokens":5}}"#, &mut usage);
        assert_eq!((usage.input, usage.output, usage.total), (100, 25, 125));
        assert_eq!((usage.cached_read, usage.cached_write, usage.reasoning), (30, 60, 5));
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let mut usage = Usage::default();
        let max = u64::MAX;
        let report = format!(
            r#"{{"input_tokens":{max},"output_tokens":{max},"cache_read_input_tokens":{max},"cache_creation_input_tokens":{max}}}"#
        );
        read(&report, &mut usage);
        read(&report, &mut usage);
        assert_eq!((usage.input, usage.total), (max, max));
        write_usage(&usage, &mut Object::new(&mut Vec::new()));
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            reported: true,
            input: 100,
            output: 20,
            total: 120,
            cached_read: 30,
            cached_write: 40,
            cached_write_5m: 25,
            cached_write_1h: 15,
            reasoning: 7,
            web_searches: 4,
            ..Usage::default()
        };
        let mut out = Vec::new();
        write_usage(&usage, &mut Object::new(&mut out));
        let mut back = Usage::default();
        read(std::str::from_utf8(&out).expect("UTF-8"), &mut back);
        assert_eq!(back, usage);
    }
}
