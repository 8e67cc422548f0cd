//! How long a provider asks to wait: `Retry-After` in seconds or as a date, and the millisecond
//! headers some providers send instead.

use wire::ResponseHead;

/// Milliseconds, from whichever header is there; `None` when there is none that can be read.
pub(crate) fn read(head: &ResponseHead, input: &[u8]) -> Option<u64> {
    let text = |name| std::str::from_utf8(head.header(input, name)?).ok().map(str::trim);
    let milliseconds = text("retry-after-ms").and_then(|value| value.parse::<f64>().ok());
    if let Some(milliseconds) = milliseconds.filter(|ms| ms.is_finite() && *ms >= 0.0) {
        return Some(milliseconds as u64);
    }
    after(text("retry-after")?, crate::unix_seconds())
}

fn after(value: &str, now_s: u64) -> Option<u64> {
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1000.0) as u64);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let date_s = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    Some(date_s.saturating_sub(now_s).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_mean_the_same() {
        assert_eq!(after("2", 0), Some(2_000));
        assert_eq!(after("0.5", 0), Some(500));
        assert_eq!(after("Thu, 01 Jan 1970 00:01:00 GMT", 45), Some(15_000));
        assert_eq!(after("Thu, 01 Jan 1970 00:00:10 GMT", 45), Some(0));
        for nonsense in ["-1", "soon", "NaN", ""] {
            assert_eq!(after(nonsense, 0), None, "{nonsense}");
        }
    }
}
