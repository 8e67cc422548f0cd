//! The `usage` object. Its `input_tokens` leave out what the prompt cache had a part in.

use crate::canonical::Usage;
use crate::json::{Object, Raw};

/// Takes over what a `usage` object reports. A stream reports twice: the prompt at its start, the answer at its end.
pub(crate) fn read_usage(usage: Raw<'_>, into: &mut Usage) {
    if !usage.is_object() {
        return;
    }
    into.reported = true;
    let mut uncached =
        into.input.saturating_sub(into.cached_read.saturating_add(into.cached_write));
    for (name, value) in usage.members() {
        let count = value.as_u64();
        match &*name {
            "input_tokens" => Usage::set(&mut uncached, count),
            "output_tokens" => Usage::set(&mut into.output, count),
            "cache_read_input_tokens" => Usage::set(&mut into.cached_read, count),
            "cache_creation_input_tokens" => Usage::set(&mut into.cached_write, count),
            "cache_creation" => {
                let count = |name| value.member(name).and_then(|count| count.as_u64());
                Usage::set(&mut into.cached_write_5m, count("ephemeral_5m_input_tokens"));
                Usage::set(&mut into.cached_write_1h, count("ephemeral_1h_input_tokens"));
            }
            "output_tokens_details" => {
                let thinking = value.member("thinking_tokens").and_then(|count| count.as_u64());
                Usage::set(&mut into.reasoning, thinking);
            }
            "server_tool_use" => {
                let searches = value.member("web_search_requests").and_then(|count| count.as_u64());
                Usage::set(&mut into.web_searches, searches);
            }
            _ => {}
        }
    }
    into.input = uncached.saturating_add(into.cached_read).saturating_add(into.cached_write);
    into.total = into.input.saturating_add(into.output);
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
    use crate::json::Index;

    fn read(json: &str, into: &mut Usage) {
        read_usage(Index::new().read(json.as_bytes()).expect("valid"), into);
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
