//! Points in time as this dialect spells them: `2026-08-07T06:08:11.017589Z`.

use std::fmt::Write;

const DAY_SECONDS: u64 = 86_400;

/// Days from the first of March of the year 0 to the beginning of 1970.
const DAYS_TO_1970: u64 = 719_468;

/// Years, and days, after which the calendar repeats.
const CYCLE_YEARS: u64 = 400;
const CYCLE_DAYS: u64 = 146_097;

/// The latest year that has four digits.
const YEAR_MAX: u64 = 9999;

/// Seconds since 1970; nothing for what is no such point in time. Fractions are cut off.
pub(crate) fn read_timestamp(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', ' '])?;
    let mut date = date.split('-').map(|number| number.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut numbers = time.get(..8)?.split(':').map(|number| number.parse::<u64>().ok());
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if !(1970..=YEAR_MAX).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day)
    {
        return None;
    }
    let seconds = days(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    seconds.checked_add_signed(-offset(time.get(8..)?)?)
}

/// Seconds that the clock is ahead of UTC.
fn offset(tail: &str) -> Option<i64> {
    let zone =
        tail.trim_start_matches(|character: char| character == '.' || character.is_ascii_digit());
    let sign = match zone.as_bytes().first() {
        None | Some(b'Z' | b'z') => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? % 24 * 3600 + minutes.parse::<i64>().ok()? % 60 * 60))
}

/// Days from 1970 to a date. Counted from March, a leap day ends the year.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month > 2 { year } else { year - 1 };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / CYCLE_YEARS;
    year * 365 + leap_days + day_of_year - DAYS_TO_1970
}

/// Spells seconds since 1970.
pub(crate) fn timestamp(seconds: u64) -> String {
    let from_march = seconds / DAY_SECONDS + DAYS_TO_1970;
    let (cycle, day_of_cycle) = (from_march / CYCLE_DAYS, from_march % CYCLE_DAYS);
    let leap_days = day_of_cycle / 1460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let first_day = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100;
    let day_of_year = day_of_cycle - first_day;
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = cycle * CYCLE_YEARS + year_of_cycle + u64::from(month <= 2);
    let second = seconds % DAY_SECONDS;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_read_and_spelt() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-08-07T06:08:11Z", 1_786_082_891),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(read_timestamp(text), Some(seconds), "{text}");
            assert_eq!(timestamp(seconds), text);
        }
    }

    #[test]
    fn fractions_and_zones_are_understood_and_nonsense_is_not() {
        assert_eq!(read_timestamp("1970-01-01T00:00:05.999Z"), Some(5));
        assert_eq!(read_timestamp("1970-01-01T01:00:05.9+01:00"), Some(5));
        assert_eq!(read_timestamp("1970-01-01T00:00:05-00:30"), Some(1805));
        for nonsense in [
            "",
            "now",
            "1970-01-01",
            "1970-13-01T00:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "1-1-1T1",
        ] {
            assert_eq!(read_timestamp(nonsense), None, "{nonsense}");
        }
    }
}
