//! The numbers of a report in rows and columns, once for the text and for the page.

use crate::result::{
    Cost, Latency, MemoryAxis, PairedResult, PublishedRow, RoundRatios, Run, StreamResult,
    TargetResult, VersusResult,
};

use super::format::{count, estimate, megabytes, number, optional, percent, ratio, slope};

/// A titled table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sheet {
    pub(crate) title: String,
    /// What the columns mean, where their names don't say it.
    pub(crate) note: Option<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// The head of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) is_number: bool,
}

impl Sheet {
    /// A sheet whose first column is text and whose others are numbers.
    pub(crate) fn of_numbers(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Sheet {
        let column = |(index, name): (usize, &&str)| Column {
            name: (*name).to_owned(),
            is_number: index > 0,
        };
        Sheet {
            title: title.to_owned(),
            note: None,
            columns: columns.iter().enumerate().map(column).collect(),
            rows,
        }
    }

    /// A sheet of text only.
    pub(crate) fn of_text(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Sheet {
        let mut sheet = Sheet::of_numbers(title, columns, rows);
        for column in &mut sheet.columns {
            column.is_number = false;
        }
        sheet
    }

    /// The same with a note.
    pub(crate) fn with_note(mut self, note: &str) -> Sheet {
        self.note = Some(note.to_owned());
        self
    }

    /// None if there is nothing in it.
    pub(crate) fn if_any(self) -> Option<Sheet> {
        (!self.rows.is_empty()).then_some(self)
    }
}

/// Latency from the intended moment; none in a closed loop.
pub(crate) fn from_intended(run: &Run) -> Option<Sheet> {
    let rows = run.targets.iter().filter_map(|target| {
        target.from_intended.as_ref().map(|latency| latency_row(target, latency))
    });
    latency_sheet("Latency from the intended moment (µs)", rows.collect())
}

/// Latency from the moment of sending.
pub(crate) fn from_send(run: &Run) -> Option<Sheet> {
    let rows = run.targets.iter().filter(|target| target.requests > 0);
    let rows = rows.map(|target| latency_row(target, &target.from_send)).collect();
    latency_sheet("Latency from send (µs)", rows)
}

fn latency_sheet(title: &str, rows: Vec<Vec<String>>) -> Option<Sheet> {
    let columns =
        ["target", "requests", "ok", "per second", "mean", "p50", "p90", "p99", "p99.9", "max"];
    Sheet::of_numbers(title, &columns, rows).if_any()
}

fn latency_row(target: &TargetResult, latency: &Latency) -> Vec<String> {
    let mut row = vec![
        target.name.clone(),
        count(target.requests),
        percent(target.ok, target.requests),
        number(target.requests_per_second),
        number(latency.mean_us),
    ];
    row.extend(percentiles(latency));
    row
}

fn percentiles(latency: &Latency) -> [String; 5] {
    let Latency { p50_us, p90_us, p99_us, p999_us, max_us, .. } = latency;
    [*p50_us, *p90_us, *p99_us, *p999_us, *max_us].map(number)
}

/// Requests that failed, by outcome.
pub(crate) fn failures(run: &Run) -> Option<Sheet> {
    let rows = run.targets.iter().flat_map(|target| {
        let row = |(outcome, many): (&String, &u64)| {
            vec![target.name.clone(), outcome.clone(), count(*many)]
        };
        target.failed.iter().map(row)
    });
    let mut sheet =
        Sheet::of_numbers("Failed requests", &["target", "outcome", "requests"], rows.collect());
    sheet.columns[1].is_number = false;
    sheet.if_any()
}

/// What each target adds to the baseline.
pub(crate) fn added(run: &Run) -> Option<Sheet> {
    let has_legs = run.paired.iter().any(|paired| paired.added_there.is_some());
    let mut columns = vec!["target", "tuples", "p50", "p90", "p99"];
    if has_legs {
        columns.extend(["p50 there", "p50 back"]);
    }
    let row = |paired: &PairedResult| {
        let mut row = vec![paired.target.clone(), count(paired.tuples)];
        let shares = [&paired.added, &paired.added_p90, &paired.added_p99];
        row.extend(shares.map(|share| estimate(share, number)));
        if has_legs {
            let legs = [paired.added_there, paired.added_back];
            row.extend(legs.map(|leg| optional(leg, |leg| number(leg.value))));
        }
        row
    };
    let baseline = run.paired.first()?.baseline.as_str();
    let title = format!("Added to {baseline} (µs), with 95 % intervals");
    let rows = run.paired.iter().map(row).collect();
    Sheet::of_numbers(&title, &columns, rows)
        .with_note("Percentiles of the differences within tuples: the same moment, the same body.")
        .if_any()
}

/// Targets against references.
pub(crate) fn versus(run: &Run) -> Option<Sheet> {
    type Part = (&'static str, fn(&VersusResult) -> Option<String>);
    let parts: [Part; 6] = [
        ("difference µs", |versus| Some(estimate(versus.difference.as_ref()?, number))),
        ("p50", |versus| Some(estimate(versus.whole_ratio()?, ratio))),
        ("p50 added", |versus| Some(estimate(versus.added_ratio.as_ref()?, ratio))),
        ("p99", |versus| Some(estimate(versus.p99_ratio.as_ref()?, ratio))),
        ("CPU", |versus| Some(estimate(versus.cpu_ratio.as_ref()?, ratio))),
        ("requests/s", |versus| Some(estimate(versus.rate_ratio.as_ref()?, ratio))),
    ];
    let is_used = |part: &&Part| run.versus.iter().any(|versus| (part.1)(versus).is_some());
    let used: Vec<&Part> = parts.iter().filter(is_used).collect();
    let mut columns = vec!["target / reference"];
    columns.extend(used.iter().map(|(name, _)| *name));
    let row = |versus: &VersusResult| {
        let mut row = vec![format!("{} / {}", versus.target, versus.reference)];
        row.extend(used.iter().map(|(_, part)| optional(part(versus), |text| text)));
        row
    };
    let p99 = if run.paired.is_empty() { "latency" } else { "added latency" };
    Sheet::of_numbers(
        "Against references (ratios), with 95 % intervals",
        &columns,
        run.versus.iter().map(row).collect(),
    )
    .with_note(&format!("p99 is that of {p99}: median of the rounds [smallest, largest]."))
    .if_any()
}

/// The ratios of each round.
pub(crate) fn rounds(run: &Run) -> Option<Sheet> {
    let row = |pair: &VersusResult, index: usize, round: &RoundRatios| {
        let mut row =
            vec![format!("{} / {}", pair.target, pair.reference), (index + 1).to_string()];
        row.extend(
            [
                round.latency_ratio,
                round.added_ratio,
                round.p99_ratio,
                round.cpu_ratio,
                round.rate_ratio,
            ]
            .map(|value| optional(value, ratio)),
        );
        row
    };
    let rows = run.versus.iter().filter(|versus| versus.rounds.len() > 1).flat_map(|versus| {
        let rounds = versus.rounds.iter().enumerate();
        rounds.map(move |(index, round)| row(versus, index, round))
    });
    let columns = ["target / reference", "round", "p50", "p50 added", "p99", "CPU", "requests/s"];
    Sheet::of_numbers("Rounds (ratios)", &columns, rows.collect()).if_any()
}

/// What the targets' processes used.
pub(crate) fn cost(run: &Run) -> Option<Sheet> {
    type Part = (&'static str, fn(&Cost) -> Option<String>);
    let parts: [Part; 9] = [
        ("CPU µs", |cost| Some(number(cost.cpu_us_per_request))),
        ("per event", |cost| cost.cpu_us_per_event.map(number)),
        ("sleeps", |cost| Some(number(cost.voluntary_switches_per_request))),
        ("displaced", |cost| Some(number(cost.involuntary_switches_per_request))),
        ("syscalls", |cost| cost.syscalls_per_request.map(number)),
        ("RSS MB", |cost| Some(megabytes(cost.rss_bytes))),
        ("peak MB", |cost| Some(megabytes(cost.rss_peak_bytes))),
        ("PSS MB", |cost| cost.pss_bytes.map(megabytes)),
        ("threads", |cost| Some(cost.threads.to_string())),
    ];
    let costs: Vec<(&str, &Cost)> = run
        .targets
        .iter()
        .filter_map(|target| Some((target.name.as_str(), target.cost.as_ref()?)))
        .collect();
    let is_used = |part: &&Part| costs.iter().any(|(_, cost)| (part.1)(cost).is_some());
    let used: Vec<&Part> = parts.iter().filter(is_used).collect();
    let mut columns = vec!["target"];
    columns.extend(used.iter().map(|(name, _)| *name));
    let row = |(name, cost): &(&str, &Cost)| {
        let mut row = vec![(*name).to_owned()];
        row.extend(used.iter().map(|(_, part)| optional(part(cost), |text| text)));
        row
    };
    Sheet::of_numbers("Cost per request, and memory", &columns, costs.iter().map(row).collect())
        .with_note(
            "Sleeps and displaced: context switches by itself and by others. MB: a million bytes.",
        )
        .if_any()
}

/// Which versions ran.
pub(crate) fn versions(run: &Run) -> Option<Sheet> {
    let rows = run
        .targets
        .iter()
        .filter_map(|target| Some(vec![target.name.clone(), target.version.clone()?]));
    Sheet::of_text("Versions", &["target", "version"], rows.collect()).if_any()
}

/// Streams with one event per gap.
pub(crate) fn paced_streams(streams: &StreamResult) -> Option<Sheet> {
    let rows = streams.paced.iter().map(|paced| {
        vec![
            paced.name.clone(),
            count(paced.streams),
            number(paced.first_event.p50_us),
            optional(paced.added_first_event.as_ref(), |added| estimate(added, number)),
            optional(paced.added_first_event_ratio.as_ref(), |times| estimate(times, ratio)),
            number(paced.added_gap.p50_us),
            number(paced.added_gap.p99_us),
            count(paced.coalesced),
            count(paced.stalls),
            count(paced.altered),
            count(paced.broken),
            optional(paced.cpu_us_per_event, number),
        ]
    });
    let columns = [
        "target",
        "streams",
        "first µs",
        "added µs",
        "ratio",
        "gap p50",
        "gap p99",
        "joined",
        "stalls",
        "altered",
        "broken",
        "CPU µs",
    ];
    Sheet::of_numbers("Paced streams", &columns, rows.collect())
        .with_note(
            "First: send to first content event, p50. Gap: what is added to the time between two \
             events, µs. Joined: events sent apart that came in one read. CPU per event.",
        )
        .if_any()
}

/// Clients that left.
pub(crate) fn disconnects(streams: &StreamResult) -> Option<Sheet> {
    let rows = streams.disconnects.iter().map(|one| {
        let mut row = vec![one.name.clone()];
        row.extend([one.closed, one.never_closed, one.over_before].map(count));
        row.extend(percentiles(&one.until_closed));
        row
    });
    let columns = ["target", "closed", "never", "over before", "p50", "p90", "p99", "p99.9", "max"];
    Sheet::of_numbers("Client gone until upstream closed (µs)", &columns, rows.collect()).if_any()
}

/// Clients that read slowly.
pub(crate) fn slow_readers(streams: &StreamResult) -> Option<Sheet> {
    let rows = streams.slow_readers.iter().map(|one| {
        let grown = one.rss_peak_bytes.saturating_sub(one.rss_before_bytes);
        vec![
            one.name.clone(),
            count(one.readers),
            megabytes(one.rss_before_bytes),
            megabytes(one.rss_peak_bytes),
            number(grown as f64 / 1e3 / one.readers.max(1) as f64),
        ]
    });
    let columns = ["target", "readers", "RSS before MB", "RSS peak MB", "KB per reader"];
    Sheet::of_numbers("Slow readers of fast streams", &columns, rows.collect()).if_any()
}

/// Memory against time or streams: the fitted lines.
pub(crate) fn memory(run: &Run) -> Option<Sheet> {
    let memory = run.memory.as_ref()?;
    let rows = memory.series.iter().map(|series| {
        vec![
            series.name.clone(),
            optional(series.slope_bytes, |bytes| slope(bytes, memory.axis)),
            optional(series.start_bytes, |bytes| number(bytes / 1e6)),
            megabytes(series.peak_bytes),
        ]
    });
    let title = match memory.axis {
        MemoryAxis::Seconds => "Memory over time",
        MemoryAxis::Streams => "Memory by open streams",
    };
    let columns = ["target", "slope", "start MB", "peak MB"];
    Sheet::of_numbers(title, &columns, rows.collect()).if_any()
}

/// The readings the lines were fitted to.
pub(crate) fn memory_points(run: &Run) -> Option<Sheet> {
    let memory = run.memory.as_ref()?;
    let axis = match memory.axis {
        MemoryAxis::Seconds => "seconds",
        MemoryAxis::Streams => "streams",
    };
    let rows = memory.series.iter().flat_map(|series| {
        let row =
            |(x, bytes): &(f64, u64)| vec![series.name.clone(), number(*x), megabytes(*bytes)];
        series.points.iter().map(row)
    });
    Sheet::of_numbers("Readings", &["target", axis, "RSS MB"], rows.collect()).if_any()
}

/// The gateway's own timers.
pub(crate) fn stages(run: &Run) -> Option<Sheet> {
    let rows = run
        .stages
        .iter()
        .map(|stage| vec![stage.name.clone(), number(stage.mean_us), count(stage.count)]);
    Sheet::of_numbers(
        "Stages by the gateway's own timers",
        &["stage", "mean µs", "samples"],
        rows.collect(),
    )
    .with_note("For attribution only: what a client waits is measured from outside, above.")
    .if_any()
}

/// The published table with our column beside it.
pub(crate) fn published(run: &Run) -> Option<Sheet> {
    let mut machines: Vec<&str> = Vec::new();
    for (machine, _) in run.published.iter().flat_map(|row| &row.published) {
        if !machines.contains(&machine.as_str()) {
            machines.push(machine);
        }
    }
    let value = |row: &PublishedRow, wanted: &str| {
        let found = row.published.iter().find(|(machine, _)| machine == wanted);
        optional(found, |(_, value)| value.clone())
    };
    let rows = run.published.iter().map(|row| {
        let mut cells = vec![row.name.clone()];
        cells.extend(machines.iter().map(|machine| value(row, machine)));
        cells.extend([row.ours.clone(), row.note.clone()]);
        cells
    });
    let mut columns = vec!["row"];
    columns.extend(&machines);
    columns.extend(["this run", "note"]);
    let mut sheet = Sheet::of_numbers("Published, and this run", &columns, rows.collect());
    if let Some(note) = sheet.columns.last_mut() {
        note.is_number = false;
    }
    sheet.if_any()
}

/// Blocks that were left out.
pub(crate) fn discarded(run: &Run) -> Option<Sheet> {
    let rows = run.blocks.discarded.iter().map(|one| {
        let (round, block) = (one.round + 1, one.block + 1);
        vec![round.to_string(), block.to_string(), one.reasons.join("; ")]
    });
    Sheet::of_text("Discarded blocks", &["round", "block", "because"], rows.collect()).if_any()
}

/// How many blocks the numbers come from, in one sentence.
pub(crate) fn blocks_sentence(run: &Run) -> String {
    let kept = run.blocks.kept;
    let all = kept + run.blocks.discarded.len() as u64;
    format!("{kept} of {all} blocks count.")
}

/// The machine.
pub(crate) fn machine(run: &Run) -> Sheet {
    let machine = &run.machine;
    let virtual_by = machine.is_virtual.as_deref().map(|by| format!(", virtual ({by})"));
    let rows = [
        (
            "processor",
            format!(
                "{}, {} cores{}",
                machine.cpu_model,
                machine.cores,
                virtual_by.unwrap_or_default()
            ),
        ),
        ("memory", format!("{} MB", megabytes(machine.memory_bytes))),
        ("kernel", machine.kernel.clone()),
        ("huge pages", machine.thp.clone()),
        ("placement", machine.scheduler.clone()),
    ];
    let given = rows.into_iter().filter(|(_, value)| !value.is_empty());
    let facts = machine.facts.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let rows = given.chain(facts).map(|(name, value)| vec![name.to_owned(), value]).collect();
    Sheet::of_text("Machine", &["", ""], rows)
}
