//! What an answer used: two counters among the members of the answer itself.

use crate::canonical::Usage;
use crate::json::{Cursor, Object};

/// Takes over what a reply or a line reports. `None`: it is no object, or broken, and what was read does not count.
pub(crate) fn read_usage(answer: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    answer.object(|name, value| {
        let counter = match name {
            b"prompt_eval_count" => &mut into.input,
            b"eval_count" => &mut into.output,
            _ => return value.value().map(drop),
        };
        Usage::set(counter, value.count()?);
        into.reported = true;
        Some(())
    })?;
    into.total = into.input.saturating_add(into.output);
    Some(())
}

/// Writes the counters, if there is something to report.
pub(super) fn write_usage(usage: &Usage, answer: &mut Object<'_>) {
    if usage.reported {
        answer.u64("prompt_eval_count", usage.input);
        answer.u64("eval_count", usage.output);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, UsageReader};

    #[test]
    fn counters_are_found_in_the_last_line_only() {
        let mut reader = UsageReader::new(Dialect::OllamaChat);
        reader.event(None, br#"{"message":{"tool_calls":[{"eval_count":9}]},"done":false}"#);
        assert!(!reader.usage().reported);
        reader.event(None, br#"{"done":true,"prompt_eval_count":4,"eval_count":5}"#);
        assert_eq!((reader.usage().input, reader.usage().total), (4, 9));
    }

    #[test]
    fn a_reply_is_read_whole_or_not_at_all() {
        let reply =
            br#"{"message":{"content":"\"eval_count\":7"},"eval_count":5,"prompt_eval_count":4}"#;
        for end in 0..reply.len() {
            let mut reader = UsageReader::new(Dialect::OllamaChat);
            reader.reply(&reply[..end]);
            assert!(!reader.usage().reported);
        }
        let mut reader = UsageReader::new(Dialect::OllamaChat);
        reader.reply(reply);
        assert_eq!((reader.usage().input, reader.usage().output), (4, 5));
    }
}
