//! What the original published of its own speed, row by row: 5,000 requests a second against a mock upstream of
//! about 1.5 s, on two machines of AWS.

use crate::result::{PublishedRow, Run, StageRow};

/// The machines of the two columns.
const MACHINES: [&str; 2] = ["t3.medium (2 vCPU, 4 GB)", "t3.xlarge (4 vCPU, 16 GB)"];

/// One published row, and where our figure beside it comes from.
struct Row {
    name: &'static str,
    published: [&'static str; 2],
    ours: fn(&Ours<'_>) -> Option<String>,
    note: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        name: "success rate",
        published: ["100 %", "100 %"],
        ours: |ours| Some(format!("{:.2} %", ours.success_percent()?)),
        note: "",
    },
    Row {
        name: "request / reply size",
        published: ["0.13 KB / 1.37 KB", "0.13 KB / 10.32 KB"],
        ours: |ours| {
            let workload = &ours.run.workload;
            let kilobytes = |bytes: u64| bytes as f64 / 1024.0;
            let (request, reply) = (workload.request_bytes?, workload.reply_bytes?);
            Some(format!("{:.2} KB / {:.2} KB", kilobytes(request), kilobytes(reply)))
        },
        note: "bodies",
    },
    Row {
        name: "mean latency at the client",
        published: ["2.12 s", "1.61 s"],
        ours: |ours| {
            let target = ours.run.target("gateway")?;
            Some(time(target.from_intended.as_ref().unwrap_or(&target.from_send).mean_us))
        },
        note: "from the moment a request was due",
    },
    Row {
        name: "mean latency without the gateway",
        published: ["not published", "not published"],
        ours: |ours| {
            let target = ours.run.target("direct")?;
            Some(time(target.from_intended.as_ref().unwrap_or(&target.from_send).mean_us))
        },
        note: "direct, in the same run",
    },
    Row {
        name: "peak memory",
        published: ["1312.79 MB", "3340.44 MB"],
        ours: |ours| {
            let bytes = ours.run.target("gateway")?.cost.as_ref()?.rss_peak_bytes;
            Some(format!("{:.1} MB", bytes as f64 / f64::from(1 << 20)))
        },
        note: "resident, control plane included",
    },
    Row {
        name: "queue wait",
        published: ["47.13 µs", "1.67 µs"],
        ours: |ours| ours.stage("wait"),
        note: "",
    },
    Row {
        name: "key selection",
        published: ["16 ns", "10 ns"],
        ours: |ours| ours.stage("choose"),
        note: "ours is the whole choice of target and key, routing rules included",
    },
    Row {
        name: "message formatting",
        published: ["2.19 µs", "2.11 µs"],
        ours: |ours| ours.within_preparation(),
        note: "",
    },
    Row {
        name: "params preparation",
        published: ["436 ns", "417 ns"],
        ours: |ours| ours.within_preparation(),
        note: "",
    },
    Row {
        name: "request body preparation",
        published: ["2.65 µs", "2.36 µs"],
        ours: |ours| ours.stage("prepare"),
        note: "ours is one step from the caller's bytes to the upstream's",
    },
    Row {
        name: "JSON marshalling",
        published: ["63.47 µs", "26.80 µs"],
        ours: |ours| ours.within_preparation(),
        note: "",
    },
    Row {
        name: "request setup",
        published: ["6.59 µs", "7.17 µs"],
        ours: |ours| ours.within_preparation(),
        note: "",
    },
    Row {
        name: "HTTP request (upstream)",
        published: ["1.56 s", "1.50 s"],
        ours: |ours| ours.stage("upstream"),
        note: "until the reply's head",
    },
    Row {
        name: "error handling",
        published: ["189 ns", "162 ns"],
        ours: |_| None,
        note: "no request failed, so none was measured",
    },
    Row {
        name: "response parsing",
        published: ["11.30 ms", "2.11 ms"],
        ours: |_| None,
        note: "ours relays as it reads; the time is in the added latency below",
    },
    Row {
        name: "overhead as the original sums it",
        published: ["59 µs", "11 µs"],
        ours: |ours| ours.stages(&["wait", "choose", "prepare"]),
        note: "theirs leaves out marshalling and parsing, ours cannot; the rows of the second column sum up to 13.9 µs",
    },
    Row {
        name: "the same with receiving the request",
        published: ["not published", "not published"],
        ours: |ours| ours.stages(&["receive", "wait", "choose", "prepare"]),
        note: "still without relaying the reply and without the kernel",
    },
    Row {
        name: "added latency end to end, median",
        published: ["not published", "not published"],
        ours: |ours| Some(time(ours.paired()?.added.value)),
        note: "gateway minus direct, request by request, in the same run",
    },
    Row {
        name: "added latency end to end, p99",
        published: ["not published", "not published"],
        ours: |ours| Some(time(ours.paired()?.added_p99.value)),
        note: "the difference of the published means is 560 ms and 110 ms",
    },
];

/// A run of ours with the stages of its gateway.
struct Ours<'a> {
    run: &'a Run,
    stages: &'a [StageRow],
}

impl Ours<'_> {
    fn success_percent(&self) -> Option<f64> {
        let target = self.run.target("gateway")?;
        (target.requests > 0).then(|| target.ok as f64 / target.requests as f64 * 100.0)
    }

    fn stage_us(&self, name: &str) -> Option<f64> {
        self.stages.iter().find(|stage| stage.name == name).map(|stage| stage.mean_us)
    }

    fn stage(&self, name: &str) -> Option<String> {
        self.stage_us(name).map(time)
    }

    fn stages(&self, names: &[&str]) -> Option<String> {
        names.iter().map(|name| self.stage_us(name)).sum::<Option<f64>>().map(time)
    }

    /// What the original does in steps of their own and we do in one.
    fn within_preparation(&self) -> Option<String> {
        self.stage_us("prepare").map(|_| "in request body preparation".to_owned())
    }

    fn paired(&self) -> Option<&crate::result::PairedResult> {
        self.run.paired.iter().find(|paired| paired.target == "gateway")
    }
}

/// The published table with our column beside it.
pub(super) fn rows(run: &Run, stages: &[StageRow]) -> Vec<PublishedRow> {
    let ours = Ours { run, stages };
    let row = |row: &Row| PublishedRow {
        name: row.name.to_owned(),
        published: MACHINES
            .iter()
            .zip(row.published)
            .map(|(machine, value)| ((*machine).to_owned(), value.to_owned()))
            .collect(),
        ours: (row.ours)(&ours).unwrap_or_else(|| "–".to_owned()),
        note: row.note.to_owned(),
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
