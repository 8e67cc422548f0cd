//! Numbers as reports show them: with as many digits as can be trusted, and their units.

use crate::result::{Estimate, MemoryAxis, Workload};

/// Shown where there is nothing to show.
pub(crate) const NONE: &str = "–";

/// Three significant digits, thousands separated: `0.0123`, `4.56`, `45.6`, `1,234`.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size == 0.0 || size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => 3,
    };
    separated(&format!("{value:.decimals$}"))
}

/// A round number beside an axis, without digits that say nothing.
pub(crate) fn tick(value: f64) -> String {
    separated(&((value * 1e6).round() / 1e6).to_string())
}

/// A count.
pub(crate) fn count(value: u64) -> String {
    separated(&value.to_string())
}

/// A ratio: three decimals, which is about what the best rigs can tell.
pub(crate) fn ratio(value: f64) -> String {
    format!("{value:.3}")
}

/// A share in percent that is never rounded up to 100.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NONE.to_owned();
    }
    if part == whole {
        return "100 %".to_owned();
    }
    let share = (part as f64 / whole as f64 * 1e4).floor() / 100.0;
    format!("{share:.2} %")
}

/// Millions of bytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    number(bytes as f64 / 1e6)
}

/// An estimate as `value [low, high]`.
pub(crate) fn estimate(estimate: &Estimate, format: fn(f64) -> String) -> String {
    let Estimate { value, low, high } = *estimate;
    format!("{} [{}, {}]", format(value), format(low), format(high))
}

/// What is there in its format, or the sign for nothing.
pub(crate) fn optional<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), format)
}

/// The slope of a memory line in the unit people think in.
pub(crate) fn slope(bytes: f64, axis: MemoryAxis) -> String {
    match axis {
        MemoryAxis::Seconds => format!("{} KB/s", number(bytes / 1e3)),
        MemoryAxis::Streams => format!("{} KB per stream", number(bytes / 1e3)),
    }
}

/// The workload in one line.
pub(crate) fn workload(workload: &Workload) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut say = |part: Option<String>| parts.extend(part);
    say(workload.mode.clone().map(|mode| match mode.as_str() {
        "open" => "open loop".to_owned(),
        "closed" => "closed loop".to_owned(),
        _ => mode,
    }));
    say(workload.tuples_per_second.map(|rate| format!("{}/s to each target", number(rate))));
    say(workload.connections.map(|many| format!("{} connections", count(many))));
    say(workload.request_bytes.map(|bytes| format!("requests of {} bytes", count(bytes))));
    say(workload.reply_bytes.map(|bytes| format!("replies of {} bytes", count(bytes))));
    say(workload.upstream_delay_ms.map(|delay| format!("upstream delay {} ms", number(delay))));
    say(workload.stream.as_ref().map(|stream| {
        let (streams, events) = (count(stream.streams), count(stream.events));
        format!("{streams} streams of {events} events, one per {} ms", number(stream.gap_ms))
    }));
    say(workload.rounds.map(|rounds| format!("{rounds} rounds")));
    say(workload
        .blocks
        .zip(workload.block_ms)
        .map(|(blocks, length)| format!("{blocks} blocks of {} ms", number(length))));
    parts.extend(workload.facts.iter().map(|(name, value)| format!("{name} {value}")));
    parts.join(", ")
}

fn separated(number: &str) -> String {
    let whole_end = number.find('.').unwrap_or(number.len());
    let (whole, decimals) = number.split_at(whole_end);
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    let mut grouped = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + decimals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_separated_thousands() {
        let cases = [
            (0.0, "0"),
            (0.01234, "0.012"),
            (0.99949, "0.999"),
            (0.9996, "1.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (99.94, "99.9"),
            (99.96, "100"),
            (1_234.5, "1,234"),
            (-1_234_567.0, "-1,234,567"),
            (-45.67, "-45.7"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn numbers_beside_axes_are_short() {
        let cases =
            [(0.30000000000000004, "0.3"), (20.0, "20"), (1e5, "100,000"), (0.002, "0.002")];
        for (value, text) in cases {
            assert_eq!(tick(value), text);
        }
    }

    #[test]
    fn almost_all_is_not_100_percent() {
        assert_eq!(percent(1_000_000, 1_000_000), "100 %");
        assert_eq!(percent(999_999, 1_000_000), "99.99 %");
        assert_eq!(percent(0, 0), NONE);
    }
}
