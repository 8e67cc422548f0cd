//! The runs that each profile consists of.

use clap::ValueEnum;

use crate::run::flags::{Flags, LoadKind};
use crate::run::time::Time;

/// Time the upstream takes in the published runs.
const PUBLISHED_DELAY: Time = Time::milliseconds(1500);

/// Bodies of the published runs, in bytes: 0.13 KB requests, 1.37 KB and 10.32 KB replies.
const REQUEST_BYTES: u32 = 133;
const REPLY_BYTES: u32 = 1403;
const LARGE_REPLY_BYTES: u32 = 10_568;

/// Seconds of load before recording: twice the upstream's delay, until as many requests are in flight as the
/// rate keeps there.
const WARM_UP_SECONDS: f64 = 3.0;

/// A profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// 5,000 requests a second, an upstream of 1.5 s, 120 s
    #[value(name = "bifrost-5k")]
    FiveThousand,
    /// 500 users in a closed loop and 500 requests a second, an upstream of 1.5 s, 60 s each
    #[value(name = "bifrost-500")]
    FiveHundred,
    /// 500 requests a second, an upstream of 60 ms, 60 s
    #[value(name = "bifrost-60ms")]
    SixtyMilliseconds,
    /// 500 requests a second with prompts of 10 KB and of 50 KB, 60 s each
    #[value(name = "bifrost-large")]
    Large,
    /// 1,000 requests a second for half an hour
    #[value(name = "bifrost-endurance")]
    Endurance,
    /// An upstream that answers at once: the gateway's own stages
    #[value(name = "bifrost-stage")]
    Stage,
}

/// One run of a profile.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) about: &'static str,
    pub(super) flags: Flags,
}

/// How long the run of a part is, in seconds.
struct Seconds {
    full: f64,
    quick: f64,
}

impl Name {
    /// The runs, in order. `rate` replaces the profile's own for machines that are too small for it.
    pub(super) fn parts(self, is_quick: bool, rate: Option<f64>) -> Vec<Part> {
        let open = |own_rate: f64, seconds: Seconds| Flags {
            load: Some(LoadKind::Open),
            rate: Some(rate.unwrap_or(own_rate)),
            warm_up: Some((rate.unwrap_or(own_rate) * WARM_UP_SECONDS) as u32),
            seconds: Some(if is_quick { seconds.quick } else { seconds.full }),
            block: Some(Time::milliseconds(1000)),
            delay: Some(PUBLISHED_DELAY),
            body_bytes: Some(REQUEST_BYTES),
            reply_bytes: Some(REPLY_BYTES),
            rounds: Some(1),
            ..Flags::default()
        };
        let name = self.to_possible_value().map(|value| value.get_name().to_owned());
        let name = name.unwrap_or_default();
        let part =
            |suffix: &str, about, flags| Part { name: format!("{name}{suffix}"), about, flags };
        match self {
            Self::FiveThousand => {
                let seconds = || Seconds { full: 120.0, quick: 8.0 };
                let large =
                    Flags { reply_bytes: Some(LARGE_REPLY_BYTES), ..open(5000.0, seconds()) };
                vec![
                    part(
                        "",
                        "The published run, with replies of 1.37 KB.",
                        open(5000.0, seconds()),
                    ),
                    part("-10kb", "The published run, with replies of 10.32 KB.", large),
                ]
            }
            Self::FiveHundred => {
                let seconds = Seconds { full: 60.0, quick: 12.0 };
                let closed = Flags {
                    load: Some(LoadKind::Closed),
                    connections: Some(500),
                    rate: None,
                    // Each block is a few turns of the upstream's delay.
                    block: Some(Time::milliseconds(6000)),
                    ..open(500.0, Seconds { full: 60.0, quick: 6.0 })
                };
                vec![
                    part("", "500 requests a second.", open(500.0, seconds)),
                    part("-users", "500 users, each waiting for an answer.", closed),
                ]
            }
            Self::SixtyMilliseconds => {
                let flags = Flags {
                    delay: Some(Time::milliseconds(60)),
                    ..open(500.0, Seconds { full: 60.0, quick: 20.0 })
                };
                vec![part("", "500 requests a second, an upstream of 60 ms.", flags)]
            }
            Self::Large => {
                let with_prompt = |bytes| Flags {
                    body_bytes: Some(bytes),
                    ..open(500.0, Seconds { full: 60.0, quick: 12.0 })
                };
                vec![
                    part("-10kb", "Prompts of 10 KB.", with_prompt(10 << 10)),
                    part("-50kb", "Prompts of 50 KB.", with_prompt(50 << 10)),
                ]
            }
            Self::Endurance => {
                let flags = open(1000.0, Seconds { full: 1800.0, quick: 35.0 });
                vec![part("", "Memory over time at 1,000 requests a second.", flags)]
            }
            Self::Stage => {
                let flags =
                    Flags { delay: None, ..open(1000.0, Seconds { full: 60.0, quick: 20.0 }) };
                vec![part("", "1,000 requests a second, an upstream that answers at once.", flags)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::settings::Settings;

    #[test]
    fn every_profile_is_possible_and_its_quick_form_is_short() {
        for name in Name::value_variants() {
            for is_quick in [false, true] {
                let parts = name.parts(is_quick, None);
                for part in &parts {
                    let settings = Settings::new(part.flags.clone());
                    assert!(settings.is_ok(), "{}: {settings:?}", part.name);
                }
                let seconds: f64 = parts.iter().filter_map(|part| part.flags.seconds).sum();
                assert!(!is_quick || seconds <= 40.0, "{name:?} takes {seconds} s");
            }
        }
    }

    #[test]
    fn the_rate_can_be_lowered() {
        let parts = Name::FiveThousand.parts(true, Some(1000.0));
        assert!(parts.iter().all(|part| part.flags.rate == Some(1000.0)));
    }
}
