//! The words of a reply: an echo of what was asked, padded, and cut into stream pieces.

use super::limits::ECHO_CHARS_MAX;

/// What a padded reply is filled up with.
const FILLER: &str = " and so on and so forth";
/// A token is taken to be this many bytes, which is close enough for made-up usage.
const TOKEN_BYTES: usize = 4;

/// The first characters of `text`, as many as a reply repeats.
pub(crate) fn excerpt(text: &str) -> &str {
    match text.char_indices().nth(ECHO_CHARS_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

/// Fills `text` up to `bytes`; a longer text stays as it is.
pub(crate) fn pad(mut text: String, bytes: usize) -> String {
    let missing = bytes.saturating_sub(text.len());
    text.reserve(missing);
    text.extend(FILLER.chars().cycle().take(missing));
    text
}

/// The longest start of `text` with at most `bytes` bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// Cuts `text` into `count` pieces of nearly equal size; fewer if it has fewer characters.
pub(crate) fn pieces(text: &str, count: usize) -> Vec<&str> {
    let mut pieces = Vec::with_capacity(count.min(text.len()));
    let mut rest = text;
    for left in (1..=count).rev() {
        let Some(first) = rest.chars().next() else { break };
        let end = rest.floor_char_boundary(rest.len().div_ceil(left)).max(first.len_utf8());
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// The tokens `bytes` of text are said to cost.
pub(crate) fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(TOKEN_BYTES) as u64
}

/// The bytes of text that fit into `tokens`.
pub(crate) fn bytes_of_tokens(tokens: u64) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(TOKEN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_text_again() {
        for text in ["", "a", "grüße, 世界 👋 und mehr", "0123456789"] {
            for count in 1..40 {
                let pieces = pieces(text, count);
                assert_eq!(pieces.concat(), text);
                assert!(pieces.len() <= count && pieces.iter().all(|piece| !piece.is_empty()));
            }
        }
        assert_eq!(pieces(&pad(String::new(), 1400), 64).len(), 64);
    }

    #[test]
    fn padding_reaches_the_size_and_never_cuts() {
        assert_eq!(pad("hello".to_owned(), 1400).len(), 1400);
        assert_eq!(pad("hello".to_owned(), 3), "hello");
    }

    #[test]
    fn an_excerpt_counts_characters() {
        let long = "é".repeat(300);
        assert_eq!(excerpt(&long).chars().count(), ECHO_CHARS_MAX);
        assert_eq!(excerpt("short"), "short");
        assert_eq!(cut("éé", 3), "é");
    }
}
