//! The `usage` object, in the spellings that hosts have come up with.

use crate::canonical::Usage;
use crate::json::{Cursor, Object};

/// Takes over what a `usage` object reports. `None`: it is no object, or broken, and what was read does not count.
pub(crate) fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut total = None;
    usage.object(|name, value| {
        match name {
            b"prompt_tokens" => Usage::set(&mut into.input, value.count()?),
            b"completion_tokens" => Usage::set(&mut into.output, value.count()?),
            b"total_tokens" => total = value.count()?,
            b"prompt_tokens_details" => read_prompt(value, into)?,
            b"completion_tokens_details" => read_completion(value, into)?,
            // DeepSeek; Together; Mistral; hosts of Claude.
            b"prompt_cache_hit_tokens"
            | b"cached_tokens"
            | b"num_cached_tokens"
            | b"cache_read_input_tokens" => Usage::set(&mut into.cached_read, value.count()?),
            b"cache_creation_input_tokens" => Usage::set(&mut into.cached_write, value.count()?),
            b"cache_creation" => read_cache_creation(value, into)?,
            b"reasoning_tokens" => Usage::set(&mut into.reasoning, value.count()?),
            b"server_tool_use_details" => value.object_or_skip(|name, value| {
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
    into.total = into.input.saturating_add(into.output);
    Usage::set(&mut into.total, total);
    Some(())
}

fn read_prompt(details: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let (mut sum, mut read, mut write, mut write_elsewhere) = (None, None, None, None);
    details.object_or_skip(|name, value| {
        match name {
            b"cached_tokens" => sum = value.count()?,
            b"cached_read_tokens" => read = value.count()?,
            b"cached_write_tokens" => write = value.count()?,
            b"cache_write_tokens" => write_elsewhere = value.count()?,
            b"audio_tokens" => Usage::set(&mut into.audio_input, value.count()?),
            b"image_tokens" => Usage::set(&mut into.image_input, value.count()?),
            b"cached_write_token_details" => read_cache_write(value, into)?,
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    Usage::set(&mut into.cached_write, write.or(write_elsewhere));
    // Another gateway of this kind says both parts and their sum; OpenAI says only what was read.
    let rest_of_sum = || sum.map(|sum| sum.saturating_sub(write.unwrap_or(0)));
    Usage::set(&mut into.cached_read, read.or_else(rest_of_sum));
    Some(())
}

fn read_cache_write(split: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    split.object_or_skip(|name, value| {
        match name {
            b"cached_write_tokens_5m" => Usage::set(&mut into.cached_write_5m, value.count()?),
            b"cached_write_tokens_1h" => Usage::set(&mut into.cached_write_1h, value.count()?),
            _ => drop(value.value()?),
        }
        Some(())
    })
}

fn read_completion(details: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
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

/// Anthropic's object, which hosts of Claude send too.
pub(crate) fn read_cache_creation(split: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    split.object_or_skip(|name, value| {
        match name {
            b"ephemeral_5m_input_tokens" => Usage::set(&mut into.cached_write_5m, value.count()?),
            b"ephemeral_1h_input_tokens" => Usage::set(&mut into.cached_write_1h, value.count()?),
            _ => drop(value.value()?),
        }
        Some(())
    })
}

/// Writes the members of a `usage` object.
pub(crate) fn write_usage(usage: &Usage, object: &mut Object<'_>) {
    object.u64("prompt_tokens", usage.input);
    object.u64("completion_tokens", usage.output);
    object.u64("total_tokens", usage.total);
    write_prompt(usage, &mut object.object("prompt_tokens_details"));
    let mut details = object.object("completion_tokens_details");
    details.u64("reasoning_tokens", usage.reasoning);
    write_if(&mut details, "audio_tokens", usage.audio_output);
    write_if(&mut details, "num_search_queries", usage.web_searches);
}

fn write_prompt(usage: &Usage, details: &mut Object<'_>) {
    details.u64("cached_tokens", usage.cached_read.saturating_add(usage.cached_write));
    write_if(details, "cached_read_tokens", usage.cached_read);
    write_if(details, "cached_write_tokens", usage.cached_write);
    if usage.cached_write_5m > 0 || usage.cached_write_1h > 0 {
        let mut split = details.object("cached_write_token_details");
        split.u64("cached_write_tokens_5m", usage.cached_write_5m);
        split.u64("cached_write_tokens_1h", usage.cached_write_1h);
    }
    write_if(details, "audio_tokens", usage.audio_input);
    write_if(details, "image_tokens", usage.image_input);
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
    fn every_spelling_of_cached_tokens_is_known() {
        let spellings = [
            r#"{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":5}}"#,
            r#"{"prompt_tokens":9,"prompt_tokens_details":{"cached_read_tokens":5,"cached_tokens":5}}"#,
            r#"{"prompt_tokens":9,"prompt_cache_hit_tokens":5,"prompt_cache_miss_tokens":4}"#,
            r#"{"prompt_tokens":9,"cached_tokens":5}"#,
            r#"{"prompt_tokens":9,"num_cached_tokens":5}"#,
            r#"{"prompt_tokens":9,"cache_read_input_tokens":5,"cache_creation_input_tokens":0}"#,
        ];
        for spelling in spellings {
            let usage = read(spelling);
            assert_eq!(
                (usage.input, usage.cached_read, usage.cached_write),
                (9, 5, 0),
                "{spelling}"
            );
        }
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
    fn absurd_counts_do_not_overflow() {
        let max = u64::MAX;
        let usage = read(&format!(
            r#"{{"prompt_tokens":{max},"completion_tokens":{max},"cached_tokens":{max},"cache_creation_input_tokens":{max}}}"#
        ));
        assert_eq!(usage.total, max);
        let mut out = Vec::new();
        write_usage(&usage, &mut Object::new(&mut out));
        assert_eq!(read(std::str::from_utf8(&out).expect("UTF-8")).input, max);
    }

    #[test]
    fn repeated_reports_add_up_to_the_last() {
        let mut usage =
            read(r#"{"prompt_tokens":26,"completion_tokens":null,"total_tokens":null}"#);
        let last = br#"{"prompt_tokens":26,"completion_tokens":5,"total_tokens":31}"#;
        read_usage(&mut Cursor::new(last), &mut usage).unwrap();
        assert_eq!((usage.input, usage.output, usage.total), (26, 5, 31));
    }
}
