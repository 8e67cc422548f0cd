//! Durations as Go writes them: `500ms`, `1m30s`, `1.5h`.

use std::time::Duration;

/// Longest duration that is accepted: a thousand years would still fit, a slip of units must not.
const NANOS_MAX: f64 = 100.0 * 365.0 * 86_400.0 * 1e9;

/// Units and their nanoseconds; longer names first where one begins like another.
const UNITS: &[(&str, f64)] = &[
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Reads a duration, or nothing where the text is not one, is negative or is absurdly long.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanos += number.parse::<f64>().ok()? * scale;
        rest = next;
    }
    (nanos <= NANOS_MAX).then(|| Duration::from_nanos(nanos.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_reads_is_read_alike() {
        for (text, millis) in [
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("2.s", 2_000),
            ("1h1ms", 3_600_001),
            ("3000us", 3),
            ("3000µs", 3),
            ("+1s", 1_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "+",
            "1",
            "s",
            ".s",
            "1 s",
            "-1s",
            "1x",
            "1sm",
            "1.2.3s",
            "1d",
            "∞s",
            "9e9s",
            "99999999999h",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
