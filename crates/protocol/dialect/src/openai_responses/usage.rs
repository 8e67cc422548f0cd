//! The `usage` object.

use crate::canonical::Usage;
use crate::json::{Cursor, Object};

/// Takes over what a `usage` object reports. `None`: it is no object, or broken, and what was read does not count.
pub(super) fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut total = None;
    usage.object(|name, value| {
        match name {
            b"input_tokens" => Usage::set(&mut into.input, value.count()?),
            b"output_tokens" => Usage::set(&mut into.output, value.count()?),
            b"total_tokens" => total = value.count()?,
            b"input_tokens_details" => read_input(value, into)?,
            b"output_tokens_details" => read_output(value, into)?,
            // xAI.
            b"server_side_tool_usage_details" => value.object_or_skip(|name, value| {
                match name {
                    b"web_search_calls" => Usage::set(&mut into.web_searches, value.count()?),
                    _ => drop(value.value()?),
                }
                Some(())
            })?,
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    into.reported = true;
    into.total = into.input.saturating_add(into.output);
    Usage::set(&mut into.total, total);
    Some(())
}

fn read_input(details: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    details.object_or_skip(|name, value| {
        match name {
            b"cached_tokens" => Usage::set(&mut into.cached_read, value.count()?),
            b"cache_write_tokens" => Usage::set(&mut into.cached_write, value.count()?),
            b"cached_write_token_details" => value.object_or_skip(|name, value| {
                match name {
                    b"cached_write_tokens_5m" => {
                        Usage::set(&mut into.cached_write_5m, value.count()?);
                    }
                    b"cached_write_tokens_1h" => {
                        Usage::set(&mut into.cached_write_1h, value.count()?);
                    }
                    _ => drop(value.value()?),
                }
                Some(())
            })?,
            b"audio_tokens" => Usage::set(&mut into.audio_input, value.count()?),
            b"image_tokens" => Usage::set(&mut into.image_input, value.count()?),
            _ => drop(value.value()?),
        }
        Some(())
    })
}

fn read_output(details: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    details.object_or_skip(|name, value| {
        match name {
            b"reasoning_tokens" => Usage::set(&mut into.reasoning, value.count()?),
            b"audio_tokens" => Usage::set(&mut into.audio_output, value.count()?),
            b"num_search_queries" => Usage::set(&mut into.web_searches, value.count()?),
            _ => drop(value.value()?),
        }
        Some(())
    })
}

/// Writes the members of a `usage` object.
pub(super) fn write_usage(usage: &Usage, object: &mut Object<'_>) {
    object.u64("input_tokens", usage.input);
    write_input(usage, object.object("input_tokens_details"));
    object.u64("output_tokens", usage.output);
    let mut details = object.object("output_tokens_details");
    details.u64("reasoning_tokens", usage.reasoning);
    write_if(&mut details, "audio_tokens", usage.audio_output);
    write_if(&mut details, "num_search_queries", usage.web_searches);
    drop(details);
    object.u64("total_tokens", usage.total);
}

fn write_input(usage: &Usage, mut details: Object<'_>) {
    details.u64("cached_tokens", usage.cached_read);
    details.u64("cache_write_tokens", usage.cached_write);
    if usage.cached_write_5m > 0 || usage.cached_write_1h > 0 {
        let mut split = details.object("cached_write_token_details");
        split.u64("cached_write_tokens_5m", usage.cached_write_5m);
        split.u64("cached_write_tokens_1h", usage.cached_write_1h);
    }
    write_if(&mut details, "audio_tokens", usage.audio_input);
    write_if(&mut details, "image_tokens", usage.image_input);
}

fn write_if(object: &mut Object<'_>, name: &str, count: u64) {
    if count > 0 {
        object.u64(name, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Usage {
        let mut usage = Usage::default();
        read_usage(&mut Cursor::new(json.as_bytes()), &mut usage).unwrap();
        usage
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            reported: true,
            input: 100,
            output: 20,
            total: 121,
            cached_read: 30,
            cached_write: 40,
            cached_write_5m: 25,
            cached_write_1h: 15,
            reasoning: 7,
            audio_input: 1,
            audio_output: 2,
            image_input: 3,
            web_searches: 4,
            search_units: 0,
        };
        let mut out = Vec::new();
        write_usage(&usage, &mut Object::new(&mut out));
        assert_eq!(read(std::str::from_utf8(&out).expect("UTF-8")), usage);
    }

    #[test]
    fn a_host_may_leave_out_all_but_the_counts() {
        let usage = read(r#"{"input_tokens":80,"output_tokens":6,"input_tokens_details":null}"#);
        assert_eq!((usage.input, usage.output, usage.total), (80, 6, 86));
        let usage =
            read(r#"{"input_tokens":1,"server_side_tool_usage_details":{"web_search_calls":3}}"#);
        assert_eq!(usage.web_searches, 3);
    }
}
