//! What a run found, as it is written to disk: plain numbers with their units in the names. Readers of
//! another format number are told so; fields a reader does not know are passed over.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of the file format this program writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// One run, complete: what was done, on which machine, and what came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Run {
    /// Always [`FORMAT`] in a file this program wrote.
    pub(crate) format: u32,
    /// The scenario or profile, e.g. `headline`; part of the file name.
    pub(crate) name: String,
    /// RFC 3339, UTC.
    pub(crate) started_at: String,
    /// The command line that repeats the run.
    pub(crate) command: Vec<String>,
    /// The commit the measured program was built from.
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) workload: Workload,
    pub(crate) targets: Vec<TargetResult>,
    /// What each target adds to the baseline, request by request.
    pub(crate) paired: Vec<PairedResult>,
    /// Targets against references that ran beside them.
    pub(crate) versus: Vec<VersusResult>,
    /// Two targets known to be the same: what the rig cannot tell from nothing.
    pub(crate) control: Option<Control>,
    pub(crate) blocks: BlockSummary,
    pub(crate) streams: Option<StreamResult>,
    pub(crate) memory: Option<MemoryResult>,
    /// Mean times of the gateway's own stages: for attribution, never the headline.
    pub(crate) stages: Vec<StageRow>,
    /// A table somebody published, with our column beside it.
    pub(crate) published: Vec<PublishedRow>,
    /// What a reader has to know to judge the numbers, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// The machine and how the measuring and the measured processes were placed on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Machine {
    pub(crate) cpu_model: String,
    pub(crate) cores: u32,
    pub(crate) kernel: String,
    pub(crate) memory_bytes: u64,
    /// The kind of hypervisor, when there is one.
    pub(crate) is_virtual: Option<String>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub(crate) thp: String,
    /// What pinning and real-time scheduling was really obtained.
    pub(crate) scheduler: String,
    /// Anything else: governor, mitigations, load average.
    pub(crate) facts: Vec<(String, String)>,
}

/// What was asked of the targets. A field that does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Workload {
    /// `open`, `closed`, `one-by-one`, `streams`, …
    pub(crate) mode: Option<String>,
    /// Open loop: so many times a second one request to each target.
    pub(crate) tuples_per_second: Option<f64>,
    /// Closed loop: connections that are always busy.
    pub(crate) connections: Option<u64>,
    pub(crate) in_flight_max: Option<u64>,
    pub(crate) rounds: Option<u64>,
    pub(crate) blocks: Option<u64>,
    pub(crate) block_ms: Option<f64>,
    pub(crate) request_bytes: Option<u64>,
    pub(crate) reply_bytes: Option<u64>,
    pub(crate) upstream_delay_ms: Option<f64>,
    pub(crate) stream: Option<StreamWorkload>,
    /// The harness polls instead of sleeping while requests are in flight.
    pub(crate) spin: Option<bool>,
    /// Anything else: TLS, dialect, workers.
    pub(crate) facts: Vec<(String, String)>,
}

/// The shape of the streamed replies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StreamWorkload {
    pub(crate) streams: u64,
    pub(crate) events: u64,
    pub(crate) gap_ms: f64,
    pub(crate) event_bytes: u64,
}

/// One target by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TargetResult {
    pub(crate) name: String,
    /// All that were sent in the blocks that were kept, `ok` and `failed` together.
    pub(crate) requests: u64,
    pub(crate) ok: u64,
    /// Failures by outcome, e.g. `status 503` or `timed out`.
    pub(crate) failed: BTreeMap<String, u64>,
    /// Successful requests, from the moment they were due: no coordinated omission. Closed loops have
    /// no such moment.
    pub(crate) from_intended: Option<Latency>,
    /// Successful requests, from the moment they were sent.
    pub(crate) from_send: Latency,
    /// Successful requests a second while the target was under load.
    pub(crate) requests_per_second: f64,
    /// What its processes used; none when they are not known.
    pub(crate) cost: Option<Cost>,
    pub(crate) version: Option<String>,
}

/// A distribution of times in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
    /// (percentile 0-100, microseconds), denser towards the tail; ends where one sample is left.
    pub(crate) curve: Vec<(f64, f64)>,
}

/// What the processes of a target used, measured from outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Cost {
    /// CPU time of all threads, over all kept blocks.
    pub(crate) cpu_us_per_request: f64,
    /// By the content events of a reply, where replies are streams.
    pub(crate) cpu_us_per_event: Option<f64>,
    /// The same per request for each kept block.
    pub(crate) cpu_us_per_request_blocks: Vec<f64>,
    pub(crate) voluntary_switches_per_request: f64,
    pub(crate) involuntary_switches_per_request: f64,
    /// Median over the ends of the blocks.
    pub(crate) rss_bytes: u64,
    pub(crate) rss_peak_bytes: u64,
    /// The last reading.
    pub(crate) pss_bytes: Option<u64>,
    /// From a run of its own.
    pub(crate) syscalls_per_request: Option<f64>,
    pub(crate) threads: u32,
}

/// A number and the range it is believed to lie in: a bootstrap 95 % confidence interval, or the
/// smallest and largest round where the field says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What a target adds to the baseline, from differences within tuples: the same moment, the same body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PairedResult {
    pub(crate) target: String,
    pub(crate) baseline: String,
    /// Tuples in which both succeeded.
    pub(crate) tuples: u64,
    /// Median of the differences, in microseconds.
    pub(crate) added: Estimate,
    /// 90th percentile of the differences, in microseconds.
    pub(crate) added_p90: Estimate,
    /// 99th percentile of the differences, in microseconds.
    pub(crate) added_p99: Estimate,
    /// Median of the part that was added on the way to the upstream, in microseconds, where the
    /// upstream stamped its replies.
    pub(crate) added_there: Option<Estimate>,
    /// Median of the part that was added on the way back, in microseconds.
    pub(crate) added_back: Option<Estimate>,
    /// Median of the differences of each round, in microseconds.
    pub(crate) rounds: Vec<f64>,
}

/// A target against a reference that ran beside it. Ratios below 1 are in the target's favour, except
/// that of the request rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VersusResult {
    pub(crate) target: String,
    pub(crate) reference: String,
    /// Median of target minus reference within tuples, in microseconds.
    pub(crate) difference: Option<Estimate>,
    /// Median latency of the target by that of the reference.
    pub(crate) latency_ratio: Option<Estimate>,
    /// Added median of the target by that of the reference, over the same tuples (triple pairing).
    pub(crate) added_ratio: Option<Estimate>,
    /// Ratio of the 99th percentiles of added latency (of latency itself in a closed loop): median of
    /// the rounds, or of the blocks of a single round, with the smallest and largest.
    pub(crate) p99_ratio: Option<Estimate>,
    /// Ratio of CPU time per request.
    pub(crate) cpu_ratio: Option<Estimate>,
    /// Ratio of requests a second, in a closed loop.
    pub(crate) rate_ratio: Option<Estimate>,
    /// Ratio of resident memory at the ends of blocks.
    pub(crate) memory_ratio: Option<Estimate>,
    pub(crate) rounds: Vec<RoundRatios>,
}

/// The ratios of one round (closed loop: one turn through the targets and back).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RoundRatios {
    pub(crate) latency_ratio: Option<f64>,
    pub(crate) added_ratio: Option<f64>,
    pub(crate) p99_ratio: Option<f64>,
    pub(crate) cpu_ratio: Option<f64>,
    pub(crate) rate_ratio: Option<f64>,
    pub(crate) memory_ratio: Option<f64>,
}

/// What two equal targets were measured to differ by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Control {
    pub(crate) target: String,
    pub(crate) reference: String,
    /// Which ratio: `added latency`, `latency` or `requests a second`.
    pub(crate) measure: String,
    pub(crate) ratio: Estimate,
    /// The smallest relative difference this rig can claim, e.g. 0.006 for 0.6 %.
    pub(crate) smallest_claim: f64,
}

/// Which blocks the numbers come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BlockSummary {
    pub(crate) kept: u64,
    pub(crate) discarded: Vec<DiscardedBlock>,
    /// When a block is discarded, one sentence each.
    pub(crate) rules: Vec<String>,
    /// No more than half of the blocks were discarded.
    pub(crate) is_trustworthy: bool,
}

/// A block whose numbers were left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DiscardedBlock {
    /// From 0, within the run.
    pub(crate) round: u32,
    /// From 0, within the round.
    pub(crate) block: u32,
    pub(crate) reasons: Vec<String>,
}

/// Streamed replies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StreamResult {
    pub(crate) paced: Vec<PacedResult>,
    pub(crate) disconnects: Vec<DisconnectResult>,
    pub(crate) slow_readers: Vec<SlowReaderResult>,
}

/// Streams with one event per gap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PacedResult {
    pub(crate) name: String,
    pub(crate) streams: u64,
    pub(crate) events: u64,
    /// Send to first content event.
    pub(crate) first_event: Latency,
    /// Median of the paired differences to the baseline, in microseconds.
    pub(crate) added_first_event: Option<Estimate>,
    /// The added median by that of the forwarder, over the same tuples.
    pub(crate) added_first_event_ratio: Option<Estimate>,
    /// How much longer (or, negative, shorter) than at the upstream the gap between two events was.
    pub(crate) added_gap: Latency,
    /// Events that arrived in one read though they were sent apart.
    pub(crate) coalesced: u64,
    /// Gaps of more than ten times the pace.
    pub(crate) stalls: u64,
    /// Streams whose bytes were not those that were sent, or not in order.
    pub(crate) altered: u64,
    /// Streams that did not reach their end.
    pub(crate) broken: u64,
    pub(crate) cpu_us_per_event: Option<f64>,
}

/// Clients that leave in the middle of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DisconnectResult {
    pub(crate) name: String,
    /// Upstream connections that were closed in time.
    pub(crate) closed: u64,
    pub(crate) never_closed: u64,
    /// Replies that were over before the client left, which say nothing.
    pub(crate) over_before: u64,
    /// From the client's close to that of the upstream connection.
    pub(crate) until_closed: Latency,
}

/// Clients that read slower than the upstream sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SlowReaderResult {
    pub(crate) name: String,
    pub(crate) readers: u64,
    pub(crate) rss_before_bytes: u64,
    pub(crate) rss_peak_bytes: u64,
    /// (seconds, resident bytes)
    pub(crate) points: Vec<(f64, u64)>,
}

/// Memory against time or against the number of open streams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MemoryResult {
    pub(crate) axis: MemoryAxis,
    pub(crate) series: Vec<MemorySeries>,
}

/// What memory was read against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MemoryAxis {
    #[default]
    Seconds,
    Streams,
}

/// The memory of one target, with the straight line fitted through it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MemorySeries {
    pub(crate) name: String,
    /// (seconds or streams, resident bytes)
    pub(crate) points: Vec<(f64, u64)>,
    /// Bytes per stream, or bytes per second; none for fewer than two different places on the axis.
    pub(crate) slope_bytes: Option<f64>,
    /// Where the line meets zero, in bytes.
    pub(crate) start_bytes: Option<f64>,
    pub(crate) peak_bytes: u64,
}

/// One stage of the gateway by its own timers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StageRow {
    pub(crate) name: String,
    pub(crate) mean_us: f64,
    pub(crate) count: u64,
}

/// One row of a published table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PublishedRow {
    pub(crate) name: String,
    /// (machine, value as it was printed)
    pub(crate) published: Vec<(String, String)>,
    pub(crate) ours: String,
    pub(crate) note: String,
}

impl Run {
    /// Reads a file this program wrote. Fails for anything that is not a run, and for a run of another
    /// format number.
    pub(crate) fn from_json(bytes: &[u8]) -> Result<Run, ReadRunError> {
        let marked: Marked = serde_json::from_slice(bytes).map_err(ReadRunError::NotARun)?;
        if marked.format != FORMAT {
            return Err(ReadRunError::OtherFormat(marked.format));
        }
        serde_json::from_slice(bytes).map_err(ReadRunError::NotARun)
    }

    /// The bytes of the file. Not indented: a curve would take a line for each of its numbers.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The target of this name.
    pub(crate) fn target(&self, name: &str) -> Option<&TargetResult> {
        self.targets.iter().find(|target| target.name == name)
    }
}

impl VersusResult {
    /// The ratio of whole latencies, where what is added to a baseline is not known and says more.
    pub(crate) fn whole_ratio(&self) -> Option<&Estimate> {
        self.latency_ratio.as_ref().filter(|_| self.added_ratio.is_none())
    }
}

/// The one field that is read before the rest.
#[derive(Deserialize)]
struct Marked {
    format: u32,
}

/// Why a file is not a run that can be read.
#[derive(Debug)]
pub(crate) enum ReadRunError {
    /// No JSON, or not that of a run.
    NotARun(serde_json::Error),
    /// A run, with another format number than [`FORMAT`].
    OtherFormat(u32),
}

impl fmt::Display for ReadRunError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadRunError::NotARun(error) => {
                write!(formatter, "this is not the result of a run: {error}")
            }
            ReadRunError::OtherFormat(found) => write!(
                formatter,
                "the result has format {found}, this program reads format {FORMAT}: \
                 read it with the loadgen that wrote it, or repeat the run"
            ),
        }
    }
}

impl std::error::Error for ReadRunError {}
