//! The gateway's own times by stage, from its `Server-Timing` header on a few requests that are sent while the
//! load goes on and that no other number contains. For attribution only: what a timer inside a program sees
//! is not what a caller waits.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::result::StageRow;
use crate::rig::plan::RequestTemplate;

/// The header by which a sampled request asks for the times.
pub(super) const HEADER: (&str, &str) = ("x-bf-server-timing", "true");

/// Threads that send them: an upstream of 1.5 s lets each get three answers in five seconds.
const SAMPLERS: u32 = 8;

/// Requests a second of each, at most: all together a small share of any load here.
const PER_SECOND: u32 = 5;

/// Bytes of one read, and of the longest reply that is waited for.
const PIECE_BYTES: usize = 16 << 10;
const REPLY_BYTES_MAX: usize = 1 << 20;

/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Sums of what was seen, by stage, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Stages(BTreeMap<String, (f64, u64)>);

impl Stages {
    /// Sends requests until it is told to stop; at least one.
    pub(super) fn sample(
        address: SocketAddr,
        request: &RequestTemplate,
        stop: &AtomicBool,
    ) -> Self {
        thread::scope(|scope| {
            let sampler = || scope.spawn(|| Self::sample_alone(address, request.clone(), stop));
            let samplers: Vec<_> = (0..SAMPLERS).map(|_| sampler()).collect();
            let sampled = samplers.into_iter().filter_map(|sampler| sampler.join().ok());
            sampled.fold(Self::default(), Self::with)
        })
    }

    fn sample_alone(address: SocketAddr, mut request: RequestTemplate, stop: &AtomicBool) -> Self {
        let mut stages = Self::default();
        let began = Instant::now();
        for number in 1_u32.. {
            // A failed one is passed over: the load beside it counts failures.
            if let Ok(reply) = ask(address, request.numbered(u64::from(number))) {
                stages.add(&reply);
            }
            let due = began + Duration::from_secs(1) * number / PER_SECOND;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if stop.load(Ordering::Acquire) {
                break;
            }
        }
        stages
    }

    fn with(mut self, other: Self) -> Self {
        for (name, (sum, count)) in other.0 {
            let own = self.0.entry(name).or_default();
            *own = (own.0 + sum, own.1 + count);
        }
        self
    }

    /// Takes in the `Server-Timing` line of a reply: `choose;dur=0.0012, wait;dur=0`, in milliseconds.
    fn add(&mut self, reply: &str) {
        let head = reply.split("\r\n\r\n").next().unwrap_or_default();
        for entry in value_of(head, "server-timing").into_iter().flat_map(|line| line.split(',')) {
            let Some((name, milliseconds)) = entry.trim().split_once(";dur=") else { continue };
            let Ok(milliseconds) = milliseconds.parse::<f64>() else { continue };
            let (sum, count) = self.0.entry(name.to_owned()).or_default();
            *sum += milliseconds * 1e3;
            *count += 1;
        }
    }

    /// The mean of each stage.
    pub(super) fn rows(&self) -> Vec<StageRow> {
        let row = |(name, (sum, count)): (&String, &(f64, u64))| StageRow {
            name: name.clone(),
            mean_us: sum / (*count).max(1) as f64,
            count: *count,
        };
        self.0.iter().map(row).collect()
    }
}

/// The reply to a request on a connection of its own, read to its end: a caller that leaves early would be
/// counted as one who gave up.
fn ask(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    let mut reply = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    while !is_whole(&reply) && reply.len() < REPLY_BYTES_MAX {
        match stream.read(&mut piece)? {
            0 => break,
            count => reply.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// Whether a reply has all of its body, by its length or by its last chunk.
fn is_whole(reply: &[u8]) -> bool {
    let text = String::from_utf8_lossy(reply);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    match value_of(head, "content-length").map(str::parse) {
        Some(Ok(length)) => body.len() >= length,
        Some(Err(_)) => true,
        None => body.ends_with("0\r\n\r\n"),
    }
}

/// The value of a header, by its name in lower case.
fn value_of<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_by_its_length_or_its_last_chunk() {
        for (reply, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n", false),
            ("HTTP/1.1 200 OK\r\n", false),
        ] {
            assert_eq!(is_whole(reply.as_bytes()), expected, "{reply}");
        }
    }

    #[test]
    fn the_mean_of_each_stage_is_found() {
        let mut stages = Stages::default();
        let reply = |timing: &str| {
            format!("HTTP/1.1 200 OK\r\nServer-Timing: {timing}\r\n\r\nserver-timing: x;dur=9")
        };
        stages.add(&reply("choose;dur=0.0010, wait;dur=0.0000"));
        stages.add(&reply("choose;dur=0.0020, wait;dur=0.0000, broken;dur=x"));
        stages.add("HTTP/1.1 200 OK\r\n\r\n");
        let rows = stages.rows();
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!((rows[0].name.as_str(), rows[0].count), ("choose", 2));
        assert!((rows[0].mean_us - 1.5).abs() < 1e-9 && rows[1].mean_us == 0.0);
    }
}
