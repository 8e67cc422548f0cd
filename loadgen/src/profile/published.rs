//! What the original published of its own speed, row by row: 5,000 requests a second against a mock upstream of
//! about 1.5 s, on two machines of AWS.

use crate::result::{Estimate, PairedResult, PublishedRow, Run, StageRow};

use Source::{Added, Mean, Memory, Nowhere, Prepared, Rate, Sizes, Stages, Success};

/// The machines of the two columns.
const MACHINES: [&str; 2] = ["t3.medium (2 vCPU, 4 GB)", "t3.xlarge (4 vCPU, 16 GB)"];

/// One published row: its name, what was published for the two machines, where our figure beside it comes from,
/// and a note.
struct Row(&'static str, [&'static str; 2], Source, &'static str);

/// Where a figure of ours comes from.
enum Source {
    /// The share of the gateway's requests that succeeded.
    Success,
    /// Requests a second that were offered.
    Rate,
    /// The sizes of the bodies.
    Sizes,
    /// The mean latency of a target, from the moment a request was due.
    Mean(&'static str),
    /// The gateway's peak.
    Memory,
    /// The sum of the gateway's stages of these names.
    Stages(&'static [&'static str]),
    /// A step of the original's that is part of our stage `prepare`.
    Prepared,
    /// What the gateway adds to `direct`.
    Added(fn(&PairedResult) -> Estimate),
    /// We have none.
    Nowhere,
}

/// The cells of rows that the original does not have.
const NOT_PUBLISHED: [&str; 2] = ["not published", "not published"];

const ROWS: &[Row] = &[
    Row("success rate", ["100 %", "100 %"], Success, ""),
    Row("requests a second", ["5000", "5000"], Rate, "offered"),
    Row("request / reply size", ["0.13 KB / 1.37 KB", "0.13 KB / 10.32 KB"], Sizes, "bodies"),
    Row(
        "mean latency at the client",
        ["2.12 s", "1.61 s"],
        Mean("gateway"),
        "from the moment a request was due",
    ),
    Row(
        "mean latency without the gateway",
        NOT_PUBLISHED,
        Mean("direct"),
        "direct, in the same run",
    ),
    Row("peak memory", ["1312.79 MB", "3340.44 MB"], Memory, "resident, control plane included"),
    Row("queue wait", ["47.13 µs", "1.67 µs"], Stages(&["wait"]), ""),
    Row(
        "key selection",
        ["16 ns", "10 ns"],
        Stages(&["choose"]),
        "ours is the whole choice of target and key, routing rules included",
    ),
    Row("message formatting", ["2.19 µs", "2.11 µs"], Prepared, ""),
    Row("params preparation", ["436 ns", "417 ns"], Prepared, ""),
    Row(
        "request body preparation",
        ["2.65 µs", "2.36 µs"],
        Stages(&["prepare"]),
        "ours is one step from the caller's bytes to the upstream's",
    ),
    Row("JSON marshalling", ["63.47 µs", "26.80 µs"], Prepared, ""),
    Row("request setup", ["6.59 µs", "7.17 µs"], Prepared, ""),
    Row(
        "HTTP request (upstream)",
        ["1.56 s", "1.50 s"],
        Stages(&["upstream"]),
        "until the reply's head",
    ),
    Row("error handling", ["189 ns", "162 ns"], Nowhere, "ours has no timer of its own"),
    Row(
        "response parsing",
        ["11.30 ms", "2.11 ms"],
        Nowhere,
        "ours relays as it reads; the time is in the added latency below",
    ),
    Row(
        "overhead as the original sums it",
        ["59 µs", "11 µs"],
        Stages(&["wait", "choose", "prepare"]),
        "theirs leaves out marshalling and parsing, ours cannot; the rows of the second column sum up to 13.9 µs",
    ),
    Row(
        "the same with receiving the request",
        NOT_PUBLISHED,
        Stages(&["receive", "wait", "choose", "prepare"]),
        "still without relaying the reply and without the kernel",
    ),
    Row(
        "added latency end to end, median",
        NOT_PUBLISHED,
        Added(|paired| paired.added),
        "gateway minus direct, request by request, in the same run",
    ),
    Row(
        "added latency end to end, p99",
        NOT_PUBLISHED,
        Added(|paired| paired.added_p99),
        "the difference of the published means is 560 ms and 110 ms",
    ),
];

/// A run of ours with the stages of its gateway.
struct Ours<'a> {
    run: &'a Run,
    stages: &'a [StageRow],
}

impl Ours<'_> {
    fn figure(&self, source: &Source) -> Option<String> {
        match source {
            Success => self.success(),
            Rate => self.run.workload.tuples_per_second.map(|rate| rate.to_string()),
            Sizes => self.sizes(),
            Mean(target) => self.mean(target),
            Memory => self.memory(),
            Stages(names) => self.sum(names).map(time),
            Prepared => self.sum(&["prepare"]).map(|_| "in request body preparation".to_owned()),
            Added(of) => self.paired().map(|paired| time(of(paired).value)),
            Nowhere => None,
        }
    }

    fn success(&self) -> Option<String> {
        let target = self.run.target("gateway")?;
        let percent = target.ok as f64 / target.requests as f64 * 100.0;
        (target.requests > 0).then(|| format!("{percent:.2} %"))
    }

    fn sizes(&self) -> Option<String> {
        let kilobytes = |bytes: u64| bytes as f64 / 1024.0;
        let workload = &self.run.workload;
        let (request, reply) = (workload.request_bytes?, workload.reply_bytes?);
        Some(format!("{:.2} KB / {:.2} KB", kilobytes(request), kilobytes(reply)))
    }

    fn mean(&self, target: &str) -> Option<String> {
        let target = self.run.target(target)?;
        Some(time(target.from_intended.as_ref().unwrap_or(&target.from_send).mean_us))
    }

    fn memory(&self) -> Option<String> {
        let bytes = self.run.target("gateway")?.cost.as_ref()?.rss_peak_bytes;
        Some(format!("{:.1} MB", bytes as f64 / f64::from(1 << 20)))
    }

    /// Microseconds of these stages together; none if one was not seen.
    fn sum(&self, names: &[&str]) -> Option<f64> {
        let mean = |name: &&str| self.stages.iter().find(|stage| stage.name == **name);
        names.iter().map(|name| mean(name).map(|stage| stage.mean_us)).sum()
    }

    fn paired(&self) -> Option<&PairedResult> {
        self.run.paired.iter().find(|paired| paired.target == "gateway")
    }
}

/// The published table with our column beside it.
pub(super) fn rows(run: &Run, stages: &[StageRow]) -> Vec<PublishedRow> {
    let ours = Ours { run, stages };
    let row = |Row(name, published, source, note): &Row| PublishedRow {
        name: (*name).to_owned(),
        published: MACHINES
            .iter()
            .zip(published)
            .map(|(machine, value)| ((*machine).to_owned(), (*value).to_owned()))
            .collect(),
        ours: ours.figure(source).unwrap_or_else(|| "–".to_owned()),
        note: (*note).to_owned(),
    };
    ROWS.iter().map(row).collect()
}

/// Microseconds with the unit that reads well.
fn time(us: f64) -> String {
    match us.abs() {
        size if size >= 1e6 => format!("{:.2} s", us / 1e6),
        size if size >= 1e3 => format!("{:.2} ms", us / 1e3),
        size if size >= 1.0 => format!("{us:.2} µs"),
        _ => format!("{:.0} ns", us * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Latency, TargetResult};

    fn stage(name: &str, mean_us: f64) -> StageRow {
        StageRow { name: name.to_owned(), mean_us, count: 10 }
    }

    #[test]
    fn our_column_stands_beside_the_published_ones() {
        let gateway = TargetResult {
            name: "gateway".to_owned(),
            requests: 1000,
            ok: 999,
            from_intended: Some(Latency { mean_us: 1_500_123.0, ..Latency::default() }),
            ..TargetResult::default()
        };
        let run = Run { targets: vec![gateway], ..Run::default() };
        let stages = [stage("wait", 0.1), stage("choose", 0.5), stage("prepare", 3.0)];
        let rows = rows(&run, &stages);
        let ours = |name: &str| rows.iter().find(|row| row.name == name).unwrap().ours.as_str();
        assert_eq!(ours("success rate"), "99.90 %");
        assert_eq!(ours("mean latency at the client"), "1.50 s");
        assert_eq!(ours("queue wait"), "100 ns");
        assert_eq!(ours("overhead as the original sums it"), "3.60 µs");
        assert_eq!(ours("the same with receiving the request"), "–");
        assert_eq!(ours("added latency end to end, median"), "–");
        let wait = rows.iter().find(|row| row.name == "queue wait").unwrap();
        assert_eq!(wait.published[1], (MACHINES[1].to_owned(), "1.67 µs".to_owned()));
    }

    #[test]
    fn times_have_the_unit_that_reads_well() {
        let times = [1_560_000.0, 11_300.0, 47.13, 0.016, -12.0].map(time);
        assert_eq!(times, ["1.56 s", "11.30 ms", "47.13 µs", "16 ns", "-12.00 µs"]);
    }
}
