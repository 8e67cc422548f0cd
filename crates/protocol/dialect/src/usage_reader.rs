//! Watching what passes by untranslated for the one thing the gateway must know: what it used.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::canonical::Usage;
use crate::json::{Index, find_member, skip_space, value_at};
use crate::{Dialect, anthropic_messages, openai_chat};

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));

/// Reads usage from replies and events of one dialect that are relayed as they are. Events without usage are skipped
/// after one search.
#[derive(Debug)]
pub struct UsageReader {
    dialect: Dialect,
    index: Index,
    usage: Usage,
}

impl UsageReader {
    /// A reader that has seen nothing yet.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, index: Index::new(), usage: Usage::default() }
    }

    /// Forgets what it has seen and reads another reply; its memory is kept.
    pub fn restart(&mut self, dialect: Dialect) {
        self.dialect = dialect;
        self.usage = Usage::default();
    }

    /// Reads the body of a reply that came in one piece.
    pub fn reply(&mut self, body: &[u8]) {
        if let Some(usage) = find_member(body, "usage") {
            self.take(usage);
        }
    }

    /// Reads one event of a stream.
    pub fn event(&mut self, _event: Option<&str>, data: &[u8]) {
        if has_usage(data)
            && let Some(usage) = self.find(data)
        {
            self.take(usage);
        }
    }

    /// All that was reported up to now.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    fn find<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let nested = match self.dialect {
            Dialect::OpenAiChat => "x_groq",
            Dialect::AnthropicMessages => "message",
        };
        let is_object = |usage: &&[u8]| usage.first() == Some(&b'{');
        find_member(data, "usage")
            .filter(is_object)
            .or_else(|| find_member(find_member(data, nested)?, "usage").filter(is_object))
    }

    fn take(&mut self, usage: &[u8]) {
        let Ok(usage) = self.index.read(usage) else { return };
        match self.dialect {
            Dialect::OpenAiChat => openai_chat::read_usage(usage, &mut self.usage),
            Dialect::AnthropicMessages => anthropic_messages::read_usage(usage, &mut self.usage),
        }
    }
}

/// Whether there is a member `usage` anywhere that is an object. Hosts send `"usage":null` with every chunk.
fn has_usage(data: &[u8]) -> bool {
    USAGE.find_iter(data).any(|found| {
        let behind = skip_space(data.get(found + "\"usage\"".len()..).unwrap_or_default());
        let value = behind.strip_prefix(b":").map(skip_space).and_then(value_at);
        value.is_some_and(|value| value.starts_with(b"{"))
    })
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
