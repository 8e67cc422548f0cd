//! The `usage` object. Its `inputTokens` leave out what the prompt cache had a part in; `totalTokens` do not.

use crate::canonical::Usage;
use crate::json::{Cursor, Object};

/// Takes over what a `usage` object reports. `None`: it is no object, or broken, and what was read does not count.
pub(crate) fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut uncached =
        into.input.saturating_sub(into.cached_read.saturating_add(into.cached_write));
    let mut total = 0;
    usage.object(|name, value| {
        match name {
            b"inputTokens" => Usage::set(&mut uncached, value.count()?),
            b"outputTokens" => Usage::set(&mut into.output, value.count()?),
            b"totalTokens" => Usage::set(&mut total, value.count()?),
            b"cacheReadInputTokens" => Usage::set(&mut into.cached_read, value.count()?),
            b"cacheWriteInputTokens" => Usage::set(&mut into.cached_write, value.count()?),
            b"cacheDetails" => value.array_or_skip(|value| read_cache_detail(value, into))?,
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    into.reported = true;
    into.input = uncached.saturating_add(into.cached_read).saturating_add(into.cached_write);
    into.total = if total > 0 { total } else { into.input.saturating_add(into.output) };
    Some(())
}

/// What was written to the cache for one of the two times it is kept.
fn read_cache_detail(detail: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut tokens = None;
    let mut ttl = &b""[..];
    detail.object_or_skip(|name, value| {
        match name {
            b"inputTokens" => tokens = value.count()?,
            b"ttl" => ttl = value.value()?,
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    match ttl {
        b"\"5m\"" => Usage::set(&mut into.cached_write_5m, tokens),
        b"\"1h\"" => Usage::set(&mut into.cached_write_1h, tokens),
        _ => {}
    }
    Some(())
}

/// Writes the members of a `usage` object.
pub(super) fn write_usage(usage: &Usage, object: &mut Object<'_>) {
    let cached = usage.cached_read.saturating_add(usage.cached_write);
    object.u64("inputTokens", usage.input.saturating_sub(cached));
    object.u64("outputTokens", usage.output);
    object.u64("totalTokens", usage.total);
    if cached > 0 {
        object.u64("cacheReadInputTokens", usage.cached_read);
        object.u64("cacheWriteInputTokens", usage.cached_write);
    }
    let details = [("5m", usage.cached_write_5m), ("1h", usage.cached_write_1h)];
    if details.iter().all(|(_, tokens)| *tokens == 0) {
        return;
    }
    let mut list = object.array("cacheDetails");
    for (ttl, tokens) in details.into_iter().filter(|(_, tokens)| *tokens > 0) {
        let mut detail = list.object();
        detail.str("ttl", ttl);
        detail.u64("inputTokens", tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Usage> {
        let mut usage = Usage::default();
        read_usage(&mut Cursor::new(json.as_bytes()), &mut usage)?;
        Some(usage)
    }

    #[test]
    fn input_includes_the_cache() {
        let usage = read(
            r#"{"cacheDetails":[{"inputTokens":60,"ttl":"1h"},{"ttl":"?"},7],"cacheReadInputTokens":30,
                "cacheWriteInputTokens":60,"inputTokens":10,"outputTokens":5,"serverToolUsage":{},"totalTokens":105}"#,
        )
        .unwrap();
        assert_eq!((usage.input, usage.output, usage.total), (100, 5, 105));
        assert_eq!((usage.cached_read, usage.cached_write, usage.cached_write_1h), (30, 60, 60));
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
            ..Usage::default()
        };
        let mut out = Vec::new();
        write_usage(&usage, &mut Object::new(&mut out));
        assert_eq!(read(std::str::from_utf8(&out).expect("UTF-8")), Some(usage));
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let max = u64::MAX;
        let usage = read(&format!(
            r#"{{"inputTokens":{max},"outputTokens":{max},"cacheReadInputTokens":{max},"cacheWriteInputTokens":{max}}}"#
        ))
        .unwrap();
        assert_eq!((usage.input, usage.total), (max, max));
        write_usage(&usage, &mut Object::new(&mut Vec::new()));
    }

    #[test]
    fn broken_usage_does_not_count() {
        for broken in [r#"{"inputTokens":1"#, r#"{"cacheDetails":[{"ttl":"5m"}"#, "[]", "7", ""] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}
