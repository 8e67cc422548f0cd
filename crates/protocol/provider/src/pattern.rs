//! Patterns of model names.

/// Whether `name` fits `pattern`: `*` stands for any characters, none included; everything else is
/// compared without regard to ASCII case. The pattern `#` fits names of digits alone.
///
/// ```
/// assert!(provider::matches("claude-*", "Claude-Opus-4"));
/// assert!(!provider::matches("o3", "o3-mini"));
/// ```
pub fn matches(pattern: &str, name: &str) -> bool {
    if pattern == DIGITS {
        return !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    }
    // Asked of many patterns for each request, most of which differ at once.
    let (first, start) = (pattern.bytes().next(), name.bytes().next());
    if first != Some(b'*') && !first.unwrap_or(0).eq_ignore_ascii_case(&start.unwrap_or(0)) {
        return false;
    }
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern.eq_ignore_ascii_case(name);
    };
    let Some(mut left) = strip_prefix(name, head) else {
        return false;
    };
    // Each piece between stars is taken at its first place: a later one can only leave less room.
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        let Some(after) = after_first(left, piece) else {
            return false;
        };
        left = after;
    }
    ends_with(left, tail)
}

/// Tuned models of some clouds have numbers for names.
const DIGITS: &str = "#";

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn after_first<'a>(text: &'a str, piece: &str) -> Option<&'a str> {
    text.char_indices().find_map(|(offset, _)| strip_prefix(&text[offset..], piece))
}

fn ends_with(text: &str, tail: &str) -> bool {
    let Some(start) = text.len().checked_sub(tail.len()) else {
        return false;
    };
    text.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(tail))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything_and_the_rest_is_literal() {
        for (pattern, name, expected) in [
            ("gpt-4o", "GPT-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-", true),
            ("gpt-*", "gp", false),
            ("*-mini", "o3-mini", true),
            ("*-mini", "-min", false),
            ("grok-4*non-reasoning*", "grok-4-fast-non-reasoning", true),
            ("grok-4*non-reasoning*", "grok-4-fast-reasoning", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*b", "ab", false),
            ("aba*aba", "aba", false),
            ("**", "", true),
            ("*é*", "caffé", true),
            ("*e", "caffé", false),
            ("#", "1234567890", true),
            ("#", "123a", false),
            ("#", "", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
