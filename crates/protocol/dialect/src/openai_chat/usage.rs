//! The `usage` object, in the spellings that hosts have come up with.

use crate::canonical::Usage;
use crate::json::{Object, Raw};

/// Takes over what a `usage` object reports.
pub(crate) fn read_usage(usage: Raw<'_>, into: &mut Usage) {
    if !usage.is_object() {
        return;
    }
    into.reported = true;
    let mut total = None;
    for (name, value) in usage.members() {
        let count = value.as_u64();
        match &*name {
            "prompt_tokens" => Usage::set(&mut into.input, count),
            "completion_tokens" => Usage::set(&mut into.output, count),
            "total_tokens" => total = count,
            "prompt_tokens_details" => read_prompt(value, into),
            "completion_tokens_details" => read_completion(value, into),
            // DeepSeek; Together; Mistral; hosts of Claude.
            "prompt_cache_hit_tokens"
            | "cached_tokens"
            | "num_cached_tokens"
            | "cache_read_input_tokens" => Usage::set(&mut into.cached_read, count),
            "cache_creation_input_tokens" => Usage::set(&mut into.cached_write, count),
            "cache_creation" => read_cache_creation(value, into),
            "reasoning_tokens" => Usage::set(&mut into.reasoning, count),
            "server_tool_use_details" => {
                let searches = value.member("web_search_requests").and_then(|count| count.as_u64());
                Usage::set(&mut into.web_searches, searches);
            }
            _ => {}
        }
    }
    into.total = into.input.saturating_add(into.output);
    Usage::set(&mut into.total, total);
}

fn read_prompt(details: Raw<'_>, into: &mut Usage) {
    let count = |name| details.member(name).and_then(|count| count.as_u64());
    let write = count("cached_write_tokens").or_else(|| count("cache_write_tokens"));
    Usage::set(&mut into.cached_write, write);
    // Another gateway of this kind says both parts and their sum; OpenAI says only what was read.
    Usage::set(
        &mut into.cached_read,
        count("cached_read_tokens").or_else(|| match count("cached_write_tokens") {
            None => count("cached_tokens"),
            Some(write) => count("cached_tokens").map(|sum| sum.saturating_sub(write)),
        }),
    );
    Usage::set(&mut into.audio_input, count("audio_tokens"));
    Usage::set(&mut into.image_input, count("image_tokens"));
    if let Some(split) = details.member("cached_write_token_details") {
        let count = |name| split.member(name).and_then(|count| count.as_u64());
        Usage::set(&mut into.cached_write_5m, count("cached_write_tokens_5m"));
        Usage::set(&mut into.cached_write_1h, count("cached_write_tokens_1h"));
    }
}

fn read_cache_creation(split: Raw<'_>, into: &mut Usage) {
    let count = |name| split.member(name).and_then(|count| count.as_u64());
    Usage::set(&mut into.cached_write_5m, count("ephemeral_5m_input_tokens"));
    Usage::set(&mut into.cached_write_1h, count("ephemeral_1h_input_tokens"));
}

fn read_completion(details: Raw<'_>, into: &mut Usage) {
    let count = |name| details.member(name).and_then(|count| count.as_u64());
    Usage::set(&mut into.reasoning, count("reasoning_tokens"));
    Usage::set(&mut into.audio_output, count("audio_tokens"));
    Usage::set(&mut into.web_searches, count("num_search_queries"));
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
    use crate::json::Index;

    fn read(json: &str) -> Usage {
        let mut usage = Usage::default();
        read_usage(Index::new().read(json.as_bytes()).expect("valid"), &mut usage);
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
        let mut index = Index::new();
        let last = index.read(br#"{"prompt_tokens":26,"completion_tokens":5,"total_tokens":31}"#);
        read_usage(last.expect("valid"), &mut usage);
        assert_eq!((usage.input, usage.output, usage.total), (26, 5, 31));
    }
}
