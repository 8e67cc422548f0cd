//! Times as people write them, on the command line and in files alike.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mock::parse_duration;

/// A length of time, written `1500ms`, `1.5s`, `250us`, `2m`, or as a bare number of milliseconds; an hour at
/// most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Time(pub(crate) Duration);

impl Time {
    pub(crate) const fn milliseconds(count: u64) -> Self {
        Self(Duration::from_millis(count))
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_duration(text).map(Self)
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        format!("{}us", time.0.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_back_as_it_was_written() {
        for text in ["1500ms", "1.5s", "250us", "2m", "20"] {
            let time: Time = text.parse().unwrap();
            assert_eq!(String::from(time).parse(), Ok(time));
        }
        assert_eq!("20".parse(), Ok(Time::milliseconds(20)));
        assert!("soon".parse::<Time>().is_err());
    }
}
