//! Watching what passes by untranslated for the one thing the gateway must know: what it used.

use crate::Dialect;
use crate::canonical::Usage;
use crate::format::UsagePlace;
use crate::json::{Cursor, find_member, skip_space};

/// How far from a reply's end its usage usually begins, at most.
const USAGE_DISTANCE_USUAL: usize = 512;

/// Reads usage from replies and events of one dialect that are relayed as they are. Events without usage are skipped
/// after one search.
pub struct UsageReader {
    place: &'static UsagePlace,
    usage: Usage,
}

impl UsageReader {
    /// A reader that has seen nothing yet.
    pub fn new(dialect: Dialect) -> Self {
        Self { place: &dialect.format().usage, usage: Usage::default() }
    }

    /// Forgets what it has seen and reads another reply.
    pub fn restart(&mut self, dialect: Dialect) {
        self.place = &dialect.format().usage;
        self.usage = Usage::default();
    }

    /// Reads the beginning of a reply: where its end is missing it may show no usage.
    pub fn beginning(&mut self, body: &[u8]) {
        let usage =
            if self.place.is_spread { Some(body) } else { find_member(body, self.place.name) };
        if let Some(usage) = usage {
            self.take(&mut Cursor::new(usage), |_| Some(()));
        }
    }

    /// Reads the whole body of a reply.
    pub fn reply(&mut self, body: &[u8]) {
        if self.last_member(body).is_none() {
            self.beginning(body);
        }
    }

    /// Reads the `usage` of the outermost object where it stands near the end, which is where vendors put it: found by
    /// a search instead of a walk over the reply. Inside of strings quotes are escaped, so what is found is a whole
    /// string; and when only members and one bracket follow its value, the object it belongs to is the outermost.
    fn last_member(&mut self, body: &[u8]) -> Option<()> {
        if self.place.is_spread {
            return None;
        }
        let near_end = body.len().saturating_sub(USAGE_DISTANCE_USUAL);
        let found = self.place.last_in(body, near_end).or_else(|| self.place.last_in(body, 0))?;
        let mut behind = Cursor::new(body.get(found + self.place.quoted_len()..)?);
        behind.take(b':')?;
        self.take(&mut behind, |behind| {
            behind.end_of_object()?;
            behind.rest().is_empty().then_some(())
        })
    }

    /// Reads one event of a stream, and says whether it may show usage.
    pub fn event(&mut self, _event: Option<&str>, data: &[u8]) -> bool {
        let stands_in = self.place.stands_in(data);
        if stands_in && let Some(usage) = self.find(data) {
            self.take(&mut Cursor::new(usage), |_| Some(()));
        }
        stands_in
    }

    /// All that was reported up to now.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    fn find<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let UsagePlace { name, inside, is_spread, .. } = self.place;
        if *is_spread {
            return Some(data);
        }
        let is_object = |usage: &&[u8]| usage.first() == Some(&b'{');
        find_member(data, name)
            .filter(is_object)
            .or_else(|| find_member(find_member(data, inside)?, name).filter(is_object))
    }

    /// Takes over a `usage` object, if what follows it is what it should be.
    fn take<'b>(
        &mut self,
        text: &mut Cursor<'b>,
        follows: impl FnOnce(&mut Cursor<'b>) -> Option<()>,
    ) -> Option<()> {
        let mut usage = self.usage;
        (self.place.read)(text, &mut usage)?;
        follows(text)?;
        self.usage = usage;
        Some(())
    }
}

impl std::fmt::Debug for UsageReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsageReader").field("usage", &self.usage).finish_non_exhaustive()
    }
}

impl UsagePlace {
    /// Whether there is a member of the name anywhere that is an object. Hosts send `"usage":null` with every chunk.
    fn stands_in(&self, data: &[u8]) -> bool {
        if self.is_spread {
            return self.finder.find(data).is_some();
        }
        self.finder.find_iter(data).any(|found| {
            let behind = skip_space(data.get(found + self.quoted_len()..).unwrap_or_default());
            behind.strip_prefix(b":").is_some_and(|value| skip_space(value).starts_with(b"{"))
        })
    }

    /// Where the last member of the name begins from `start` on.
    fn last_in(&self, body: &[u8], start: usize) -> Option<usize> {
        self.finder.find_iter(body.get(start..)?).last().map(|found| start + found)
    }

    fn quoted_len(&self) -> usize {
        self.name.len() + 2
    }
}

/// Whether a chunk of OpenAI chat carries usage and nothing else: a chunk that a caller who did not ask for usage does
/// not expect.
pub fn is_usage_alone(chunk: &[u8]) -> bool {
    let no_choices = || find_member(chunk, "choices")?.strip_prefix(b"[").map(skip_space);
    Dialect::OpenAiChat.format().usage.stands_in(chunk)
        && find_member(chunk, "usage").is_some_and(|usage| usage.starts_with(b"{"))
        && no_choices() == Some(b"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_found_where_hosts_put_it() {
        let mut reader = UsageReader::new(Dialect::OpenAiChat);
        reader.event(None, br#"{"choices":[{"delta":{"content":"\"usage\":{"}}],"usage":null}"#);
        assert!(!reader.usage().reported);
        reader.event(None, br#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":3}}}"#);
        assert_eq!(reader.usage().input, 3);
        reader.event(None, br#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":5}}"#);
        assert_eq!((reader.usage().input, reader.usage().total), (4, 9));
    }

    #[test]
    fn only_the_outermost_usage_of_a_reply_counts() {
        let outermost = [
            r#"{"choices":[],"usage":{"prompt_tokens":4}}"#,
            r#"{"usage":{"prompt_tokens":4},"a":"usage"}"#,
            r#"{"choices":[],"usage" : {"prompt_tokens":4} , "a":[{}], "b":"}" } "#,
            r#"{"usage":{"prompt_tokens":4},"choices":[{"usage":{"prompt_tokens":9}}]}"#,
            r#"{"usage":{"prompt_tokens":4},"x":{"usage":{"prompt_tokens":9},"y":1}}"#,
        ];
        for reply in outermost {
            let mut reader = UsageReader::new(Dialect::OpenAiChat);
            reader.reply(reply.as_bytes());
            assert_eq!(reader.usage().input, 4, "{reply}");
            for end in 0..reply.trim_end().len() {
                // A reply that is not all there may show its usage, never another one.
                let mut reader = UsageReader::new(Dialect::OpenAiChat);
                reader.beginning(&reply.as_bytes()[..end]);
                assert!(matches!(reader.usage().input, 0 | 4), "{}", &reply[..end]);
            }
        }
        let mut reader = UsageReader::new(Dialect::OpenAiChat);
        reader.reply(br#"{"choices":[{"usage":{"prompt_tokens":9}}],"a":1}"#);
        assert!(!reader.usage().reported);
    }

    #[test]
    fn a_chunk_of_usage_alone_has_no_choices() {
        assert!(is_usage_alone(br#"{"id":"1","choices":[],"usage":{"prompt_tokens":1}}"#));
        assert!(is_usage_alone(br#"{"usage": {} , "choices": [ ] }"#));
        for other in [
            r#"{"choices":[],"usage":null}"#,
            r#"{"choices":[{"index":0}],"usage":{"prompt_tokens":1}}"#,
            r#"{"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[],"x_groq":{"usage":{}}}"#,
            "[DONE]",
        ] {
            assert!(!is_usage_alone(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_message_stream_reports_twice() {
        let mut reader = UsageReader::new(Dialect::AnthropicMessages);
        reader.event(
            Some("message_start"),
            br#"{"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}"#,
        );
        reader.event(
            Some("message_delta"),
            br#"{"type":"message_delta","usage":{"output_tokens":9}}"#,
        );
        assert_eq!((reader.usage().input, reader.usage().output), (7, 9));
    }

    #[test]
    fn replies_are_read_too_and_garbage_is_not() {
        let mut reader = UsageReader::new(Dialect::AnthropicMessages);
        reader.reply(br#"{"content":[{"usage":{"input_tokens":99}}],"usage":{"input_tokens":1}}"#);
        reader.reply(br#"{"usage":{"input_tokens":"#);
        reader.event(None, br#"{"usage":{"input_tokens":}}"#);
        assert_eq!(reader.usage().input, 1);
    }
}
