//! The flags of `loadgen mock`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::{CHUNKS_MAX, REPLY_BYTES_MAX, WAIT_MAX};

/// Flags of `loadgen mock`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Listen on this Unix socket too
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,
    /// Threads, each with its own listener
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    /// Wait before each reply
    #[arg(long, default_value = "0ms", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) latency: Duration,
    /// Spread of the latency, to both sides
    #[arg(long, default_value = "0%", value_name = "PERCENT", value_parser = parse_percent)]
    pub(crate) jitter: f64,
    /// Pad the text of each reply to this many bytes
    #[arg(long, default_value_t = 0, value_name = "BYTES", value_parser = parse_reply_bytes)]
    pub(crate) reply_bytes: usize,
    /// Text deltas of a stream
    #[arg(long, default_value_t = 8, value_name = "COUNT", value_parser = parse_chunks)]
    pub(crate) stream_chunks: usize,
    /// Time between two events of a stream
    #[arg(long, default_value = "0ms", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) stream_gap: Duration,
    /// Certificate chain (PEM); serves TLS together with --tls-key
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Scripts and fixtures to start with: a JSON array of what the control API takes
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Accept requests without a credential
    #[arg(long)]
    pub(crate) no_auth: bool,
    /// Refuse request fields the provider does not document
    #[arg(long)]
    pub(crate) strict: bool,
    /// Keep no record of requests
    #[arg(long)]
    pub(crate) no_record: bool,
    /// Answer with bytes made at start, bodies unread and unchecked: for benchmarks
    #[arg(long)]
    pub(crate) prerendered: bool,
}

/// Reads `1500ms`, `1.5s`, `250us`, or a bare number of milliseconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds_per_unit = match unit {
        "us" => 1e-6,
        "ms" | "" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(format!("unknown unit {unit:?}; use us, ms, s or m")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a time"))?;
    match Duration::try_from_secs_f64(number * seconds_per_unit) {
        Ok(duration) if duration <= WAIT_MAX => Ok(duration),
        _ => Err(format!("{text:?} is not a time up to an hour")),
    }
}

/// Reads `10%` as 0.1.
fn parse_percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("must be from 0% to 100%".to_owned()),
    }
}

fn parse_reply_bytes(text: &str) -> Result<usize, String> {
    parse_count(text, REPLY_BYTES_MAX)
}

fn parse_chunks(text: &str) -> Result<usize, String> {
    parse_count(text, CHUNKS_MAX).map(|chunks| chunks.max(1))
}

fn parse_count(text: &str, max: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count <= max => Ok(count),
        _ => Err(format!("must be a number up to {max}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_default_to_milliseconds() {
        assert_eq!(parse_duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse_duration("20"), Ok(Duration::from_millis(20)));
        for wrong in ["", "ms", "1h", "-1s", "1..2s", "61m", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_percentage_is_a_share() {
        assert_eq!(parse_percent("10%"), Ok(0.1));
        assert!(parse_percent("101%").is_err());
        assert!(parse_percent("NaN").is_err());
    }
}
