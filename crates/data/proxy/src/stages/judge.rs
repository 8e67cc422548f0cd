//! Stage 10: result → what now. The only place that decides about another attempt.

use std::time::Duration;

use snapshot::Retry;

use crate::limits::RETRY_AFTER_MAX_MS;
use crate::reject::{Kind, Reject, RetryClass};

/// What follows a failed attempt at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same key again after a pause.
    SameKey(Duration),
    /// Another key: this one is parked for the round, and there is a pause.
    ParkKey(Duration),
    /// Another key at once: this one is dead for the request.
    BuryKey,
    /// The provider rejected every key there is.
    Exhausted,
    /// The target is done with.
    NextTarget,
    /// The request is done with.
    GiveUp,
}

/// Where the attempts at one target stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Attempts made at this target, the failed one included.
    pub(crate) attempts: u32,
    /// Keys of the pool that are not dead, the one that failed left out.
    pub(crate) live_keys: usize,
    /// Of those, the ones not parked in this round.
    pub(crate) fresh_keys: usize,
    /// The target's retry settings.
    pub(crate) retry: Retry,
    /// Uniform over all of `u64`.
    pub(crate) random: u64,
}

/// Judges a failed attempt.
pub(crate) fn judge(failure: &Reject, standing: &Standing) -> Verdict {
    let give_up = if failure.kind.falls_back() { Verdict::NextTarget } else { Verdict::GiveUp };
    let may_retry = standing.attempts <= standing.retry.max;
    match class(failure) {
        RetryClass::Never => give_up,
        // Nothing was sent, so this is no retry.
        RetryClass::UnusableKey if standing.live_keys > 0 => Verdict::BuryKey,
        RetryClass::UnusableKey => give_up,
        // Keys only die where retries are on; else the caller sees what the provider said.
        RetryClass::DeadKey if standing.retry.max > 0 && standing.live_keys == 0 => {
            Verdict::Exhausted
        }
        RetryClass::DeadKey if may_retry => Verdict::BuryKey,
        RetryClass::DeadKey => give_up,
        RetryClass::Transient | RetryClass::RateLimit if !may_retry => give_up,
        RetryClass::Transient => Verdict::SameKey(pause(failure, standing)),
        // Another key need not wait for what this one was told.
        RetryClass::RateLimit if standing.fresh_keys > 0 => Verdict::ParkKey(backoff(standing)),
        RetryClass::RateLimit => Verdict::ParkKey(pause(failure, standing)),
    }
}

/// How a failure is retried: by kind, and for a provider's answer by its status and words.
fn class(failure: &Reject) -> RetryClass {
    if failure.kind != Kind::Refused {
        return failure.kind.retry();
    }
    match failure.status {
        401..=403 => RetryClass::DeadKey,
        429 => RetryClass::RateLimit,
        500 | 502 | 503 | 504 | 529 => RetryClass::Transient,
        _ if speaks_of_rate_limit(failure) => RetryClass::RateLimit,
        _ => RetryClass::Never,
    }
}

/// The backoff, or longer where the provider asked for longer.
fn pause(failure: &Reject, standing: &Standing) -> Duration {
    let asked = failure.reply.as_ref().and_then(|reply| reply.retry_after_ms).unwrap_or(0);
    backoff(standing).max(Duration::from_millis(asked.min(RETRY_AFTER_MAX_MS)))
}

fn backoff(standing: &Standing) -> Duration {
    standing.retry.backoff(standing.attempts, standing.random)
}

/// Words by which providers that don't use status 429 say the same.
const RATE_LIMIT_WORDS: &[&str] = &[
    "rate limit",
    "rate_limit",
    "ratelimit",
    "too many requests",
    "quota exceeded",
    "quota_exceeded",
    "request limit",
    "throttled",
    "throttling",
    "rate exceeded",
    "limit exceeded",
    "requests per",
    "rpm exceeded",
    "tpm exceeded",
    "tokens per minute",
    "requests per minute",
    "requests per second",
    "api rate limit",
    "usage limit",
    "concurrent requests limit",
    "burst_rate",
    "rate increased",
];

fn speaks_of_rate_limit(failure: &Reject) -> bool {
    let Some(reply) = &failure.reply else { return false };
    let error = dialect::read_error(reply.dialect, failure.status, &reply.body);
    let texts = [Some(&error.message), error.kind.as_ref(), error.code.as_ref()];
    texts.into_iter().flatten().any(|text| {
        let text = text.to_ascii_lowercase();
        RATE_LIMIT_WORDS.iter().any(|words| text.contains(words))
    })
}

/// The word for the attempt trail.
pub(crate) fn trail_reason(failure: &Reject) -> &'static str {
    match failure.status {
        _ if failure.kind == Kind::CredentialsMissing => "authentication_error",
        401 | 403 => "authentication_error",
        402 => "billing_error",
        _ => "rate_limit_error",
    }
}

#[cfg(test)]
mod tests {
    use dialect::Dialect;

    use super::*;
    use crate::reject::ProviderError;

    const RETRY: Retry = Retry {
        max: 2,
        backoff_initial: Duration::from_millis(100),
        backoff_max: Duration::from_secs(5),
    };

    fn refused(status: u16, body: &str, retry_after_ms: Option<u64>) -> Reject {
        let reply = ProviderError {
            dialect: Dialect::OpenAiChat,
            body: body.into(),
            header_lines: Vec::new(),
            retry_after_ms,
        };
        Reject { status, reply: Some(Box::new(reply)), ..Reject::new(Kind::Refused, "") }
    }

    fn verdict(failure: &Reject, attempts: u32) -> Verdict {
        judge(
            failure,
            &Standing { attempts, live_keys: 1, fresh_keys: 0, retry: RETRY, random: u64::MAX / 2 },
        )
    }

    #[test]
    fn statuses_decide_about_key_and_pause() {
        let first = Duration::from_millis(100);
        for status in [500, 502, 503, 504, 529] {
            let Verdict::SameKey(pause) = verdict(&refused(status, "", None), 1) else {
                panic!("{status}")
            };
            assert!(pause.abs_diff(first) < Duration::from_millis(1), "{pause:?}");
        }
        assert!(matches!(verdict(&refused(429, "", None), 1), Verdict::ParkKey(_)));
        for status in [401, 402, 403] {
            assert_eq!(verdict(&refused(status, "", None), 1), Verdict::BuryKey);
        }
        for status in [400, 404, 422, 501] {
            assert_eq!(verdict(&refused(status, "", None), 1), Verdict::NextTarget);
        }
    }

    #[test]
    fn attempts_are_counted_against_max_retries() {
        let failure = refused(500, "", None);
        assert!(matches!(verdict(&failure, 2), Verdict::SameKey(_)));
        assert_eq!(verdict(&failure, 3), Verdict::NextTarget);
    }

    #[test]
    fn the_last_dead_key_exhausts_the_pool_only_where_retries_are_on() {
        let failure = refused(401, "", None);
        let last = Standing { attempts: 3, live_keys: 0, fresh_keys: 0, retry: RETRY, random: 0 };
        assert_eq!(judge(&failure, &last), Verdict::Exhausted);
        let off = Standing { retry: Retry { max: 0, ..RETRY }, attempts: 1, ..last };
        assert_eq!(judge(&failure, &off), Verdict::NextTarget);
        assert_eq!(verdict(&failure, 3), Verdict::NextTarget);
    }

    #[test]
    fn a_key_without_credentials_is_no_attempt() {
        let failure = Reject::new(Kind::CredentialsMissing, "");
        let off = Retry { max: 0, ..RETRY };
        let standing = Standing { attempts: 1, live_keys: 1, fresh_keys: 1, retry: off, random: 0 };
        assert_eq!(judge(&failure, &standing), Verdict::BuryKey);
        let last = Standing { live_keys: 0, fresh_keys: 0, ..standing };
        assert_eq!(judge(&failure, &last), Verdict::NextTarget);
        assert_eq!(trail_reason(&failure), "authentication_error");
    }

    #[test]
    fn a_rate_limit_is_known_by_its_words() {
        let body = r#"{"error":{"message":"Quota exceeded for this project"}}"#;
        assert!(matches!(verdict(&refused(400, body, None), 1), Verdict::ParkKey(_)));
    }

    #[test]
    fn the_provider_may_ask_for_a_longer_pause_up_to_a_limit() {
        let pause = |asked| verdict(&refused(429, "", Some(asked)), 1);
        assert_eq!(pause(3_000), Verdict::ParkKey(Duration::from_secs(3)));
        let longest = Duration::from_millis(RETRY_AFTER_MAX_MS);
        assert_eq!(pause(u64::MAX), Verdict::ParkKey(longest));
    }

    #[test]
    fn our_own_timeout_is_not_retried_but_falls_back() {
        assert_eq!(verdict(&Reject::new(Kind::TimedOut, ""), 1), Verdict::NextTarget);
        assert!(matches!(
            verdict(&Reject::new(Kind::ConnectionFailed, ""), 1),
            Verdict::SameKey(_)
        ));
        assert_eq!(verdict(&Reject::new(Kind::Cancelled, ""), 1), Verdict::GiveUp);
    }
}
