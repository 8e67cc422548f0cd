//! What was fetched: credentials with the time they last.

use std::time::Duration;

use aws_credential_types::Credentials as AwsCredentials;
use snapshot::Secret;
use tokio::time::Instant;

/// Credentials are renewed so long before they end.
const RENEW_AHEAD: Duration = Duration::from_secs(300);

/// Of credentials that last shorter than some minutes, this part of their time is the margin.
const RENEW_AHEAD_PART: u32 = 5;

/// Even what says it has ended is not fetched more often than this.
const RENEW_MIN: Duration = Duration::from_secs(5);

/// Credentials and when they end.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) proof: Proof,
    lifetime: Option<Lifetime>,
}

#[derive(Clone, Copy, Debug)]
struct Lifetime {
    begin: Instant,
    length: Duration,
}

/// The credentials themselves.
#[derive(Debug)]
pub(crate) enum Proof {
    /// A header line with its CRLF.
    Line(Secret),
    /// What requests are signed with; prints without secrets.
    Aws(AwsCredentials),
}

impl Grant {
    /// A token that is good for `lifetime` from now on.
    pub(crate) fn bearer(token: &str, lifetime: Duration) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        if token.is_empty() || !token.bytes().all(is_plain) {
            return Err("the token server's answer has no token that can be sent".to_owned());
        }
        let line = Secret::new(format!("authorization: Bearer {token}\r\n"));
        Ok(Self { proof: Proof::Line(line), lifetime: Some(Lifetime::now(lifetime)) })
    }

    /// AWS credentials that are good for `lifetime` from now on, or forever.
    pub(crate) fn aws(credentials: AwsCredentials, lifetime: Option<Duration>) -> Self {
        Self { proof: Proof::Aws(credentials), lifetime: lifetime.map(Lifetime::now) }
    }

    /// Value of the `authorization` header; empty for what signs.
    pub(crate) fn authorization(&self) -> &str {
        match &self.proof {
            Proof::Line(line) => {
                line.expose().trim_end().split_once(": ").map_or("", |(_, value)| value)
            }
            Proof::Aws(_) => "",
        }
    }

    /// Whether its time is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime.begin.elapsed() >= lifetime.length)
    }

    /// How long to wait before it is renewed; none where it never ends.
    pub(crate) fn renew_in(&self) -> Option<Duration> {
        let Lifetime { begin, length } = self.lifetime?;
        let margin = RENEW_AHEAD.min(length / RENEW_AHEAD_PART);
        Some((length - margin).saturating_sub(begin.elapsed()).max(RENEW_MIN))
    }
}

impl Lifetime {
    fn now(length: Duration) -> Self {
        Self { begin: Instant::now(), length }
    }
}
