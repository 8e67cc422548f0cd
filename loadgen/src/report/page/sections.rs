//! The sections of a run's page: each a plot and the tables with its numbers.

use maud::{Markup, html};

use super::{folded, table, tables};
use crate::report::compare::{Change, Verdict};
use crate::report::format::{estimate, number, ratio};
use crate::report::headline::SUBJECT;
use crate::report::plot::curves::{self, Curve, Curves, Horizontal};
use crate::report::plot::rows::{self, Mark, Row, Rows};
use crate::report::plot::{Hue, both};
use crate::report::sheet;
use crate::result::{
    Estimate, MemoryAxis, MemorySeries, PairedResult, Run, StreamResult, TargetResult, VersusResult,
};

/// All that apply to the run.
pub(super) fn all(run: &Run) -> Markup {
    html! {
        (latency(run))
        (added(run))
        (versus(run))
        (cost(run))
        (streams(run))
        (memory(run))
        (stages(run))
        (published(run))
        (about(run))
    }
}

/// The changes that have intervals, as ratios.
pub(super) fn changes(changes: &[Change]) -> Markup {
    let row = |change: &Change| {
        let ratios = change.ratio()?;
        Some(Row {
            label: format!("{}, {}", change.subject, change.measure),
            hue: verdict_hue(change.verdict),
            mark: interval(&ratios),
            value: ratio(ratios.value),
            value_long: format!("{}  {}", ratio(ratios.value), change.verdict.describe()),
        })
    };
    let plot = Rows {
        title: "Ratio of after to before".to_owned(),
        description: "A point per measure, with its interval; 1 is no change.".to_owned(),
        axis: "after / before".to_owned(),
        rows: changes.iter().filter_map(row).collect(),
        reference: Some(1.0),
    };
    let caption = "After divided by before; the whiskers reach as far as the two intervals allow. \
                   1 is no change.";
    html! {
        @if !plot.rows.is_empty() { (rows_figure(caption, &plot)) }
    }
}

fn verdict_hue(verdict: Verdict) -> Hue {
    match verdict {
        Verdict::Better => Hue(1),
        Verdict::Worse => Hue(2),
        Verdict::Overlap | Verdict::Unknown => Hue(0),
    }
}

fn latency(run: &Run) -> Markup {
    let intended = run.targets.iter().any(|target| target.from_intended.is_some());
    let from = if intended { "from the intended moment" } else { "from send" };
    let of = |target: &TargetResult| match &target.from_intended {
        Some(latency) => latency.curve.clone(),
        None => target.from_send.curve.clone(),
    };
    let drawn: Vec<Curve> = run
        .targets
        .iter()
        .filter(|target| target.from_send.count > 0)
        .map(|target| Curve {
            name: target.name.clone(),
            hue: hue(run, &target.name),
            points: of(target),
            is_readings: false,
            fit: None,
        })
        .collect();
    let plot = Curves {
        title: format!("Latency by percentile, {from}"),
        description: "One line per target; the table below has the same numbers.".to_owned(),
        horizontal_name: "percentile".to_owned(),
        vertical_name: "latency, µs".to_owned(),
        horizontal: Horizontal::Percentile,
        curves: drawn,
    };
    let caption = format!(
        "Time {from} to the last byte. Each step to the right is the slowest tenth of the step before."
    );
    let tables = [sheet::from_intended(run), sheet::from_send(run), sheet::failures(run)];
    html! {
        @if !plot.curves.is_empty() {
            section {
                h2 { "Latency" }
                (curves_figure(&caption, &plot))
                (super::tables(&tables))
            }
        }
    }
}

fn added(run: &Run) -> Markup {
    let row = |paired: &PairedResult| Row {
        label: paired.target.clone(),
        hue: hue(run, &paired.target),
        mark: interval(&paired.added),
        value: number(paired.added.value),
        value_long: estimate(&paired.added, number),
    };
    let baseline = run.paired.first().map(|paired| paired.baseline.as_str()).unwrap_or_default();
    let plot = Rows {
        title: format!("Median latency added to {baseline}"),
        description: "A point per target, with its 95 % interval.".to_owned(),
        axis: "added at the median, µs".to_owned(),
        rows: run.paired.iter().map(row).collect(),
        reference: None,
    };
    let caption =
        format!("Median of the differences to {baseline} within tuples, with 95 % intervals.");
    html! {
        @if !run.paired.is_empty() {
            section {
                h2 { "Added latency" }
                (rows_figure(&caption, &plot))
                (tables(&[sheet::added(run)]))
            }
        }
    }
}

fn versus(run: &Run) -> Markup {
    type Part = (&'static str, fn(&VersusResult) -> Option<Estimate>);
    let parts: [Part; 4] = [
        ("added latency", |versus| versus.added_ratio),
        ("latency", |versus| versus.whole_ratio().copied()),
        ("CPU per request", |versus| versus.cpu_ratio),
        ("requests a second", |versus| versus.rate_ratio),
    ];
    let plots = parts.into_iter().filter_map(|(name, part)| {
        let rows: Vec<Row> = run
            .versus
            .iter()
            .filter_map(|versus| {
                let measured = part(versus)?;
                Some(Row {
                    label: format!("{} / {}", versus.target, versus.reference),
                    hue: hue(run, &versus.target),
                    mark: interval(&measured),
                    value: ratio(measured.value),
                    value_long: estimate(&measured, ratio),
                })
            })
            .collect();
        (!rows.is_empty()).then(|| Rows {
            title: format!("Ratio of {name}"),
            description: "A point per pair, with its 95 % interval; 1 is equal.".to_owned(),
            axis: format!("ratio of {name}"),
            rows,
            reference: Some(1.0),
        })
    });
    html! {
        @if !run.versus.is_empty() {
            section {
                h2 { "Against references" }
                @for plot in plots {
                    (rows_figure(&format!("{}, with 95 % intervals; 1 is equal.", plot.title), &plot))
                }
                (tables(&[sheet::versus(run)]))
                (folded(sheet::rounds(run)))
            }
        }
    }
}

fn cost(run: &Run) -> Markup {
    let rows: Vec<Row> = run
        .targets
        .iter()
        .filter_map(|target| {
            let cost = target.cost.as_ref()?;
            let blocks = cost.cpu_us_per_request_blocks.clone();
            let value = number(cost.cpu_us_per_request);
            Some(Row {
                label: target.name.clone(),
                hue: hue(run, &target.name),
                mark: Mark::Bar { value: cost.cpu_us_per_request, blocks },
                value_long: format!("{value} µs"),
                value,
            })
        })
        .collect();
    let plot = Rows {
        title: "CPU time per request".to_owned(),
        description: "A bar per target and a dot per block.".to_owned(),
        axis: "CPU per request, µs".to_owned(),
        rows,
        reference: None,
    };
    html! {
        @if !plot.rows.is_empty() {
            section {
                h2 { "Cost" }
                (rows_figure("CPU time of all threads per request; each dot is one block.", &plot))
                (tables(&[sheet::cost(run)]))
            }
        }
    }
}

fn streams(run: &Run) -> Markup {
    let Some(streams) = &run.streams else { return html! {} };
    let first = first_events(run, streams);
    let slow = slow_readers(run, streams);
    html! {
        section {
            h2 { "Streams" }
            @if !first.rows.is_empty() {
                (rows_figure("Median time added to the first event, with 95 % intervals.", &first))
            }
            (tables(&[sheet::paced_streams(streams), sheet::disconnects(streams)]))
            @if !slow.curves.is_empty() {
                (curves_figure("Resident memory while clients read slowly.", &slow))
            }
            (tables(&[sheet::slow_readers(streams)]))
        }
    }
}

fn first_events(run: &Run, streams: &StreamResult) -> Rows {
    let rows = streams.paced.iter().filter_map(|paced| {
        let added = paced.added_first_event.as_ref()?;
        Some(Row {
            label: paced.name.clone(),
            hue: hue(run, &paced.name),
            mark: interval(added),
            value: number(added.value),
            value_long: estimate(added, number),
        })
    });
    Rows {
        title: "Time added to the first event".to_owned(),
        description: "A point per target, with its 95 % interval.".to_owned(),
        axis: "added to the first event, µs".to_owned(),
        rows: rows.collect(),
        reference: None,
    }
}

fn slow_readers(run: &Run, streams: &StreamResult) -> Curves {
    let curves = streams.slow_readers.iter().filter(|one| !one.points.is_empty()).map(|one| {
        let megabytes = |(seconds, bytes): &(f64, u64)| (*seconds, *bytes as f64 / 1e6);
        Curve {
            name: one.name.clone(),
            hue: hue(run, &one.name),
            points: one.points.iter().map(megabytes).collect(),
            is_readings: false,
            fit: None,
        }
    });
    Curves {
        title: "Resident memory over time with slow readers".to_owned(),
        description: "A line per target.".to_owned(),
        horizontal_name: "seconds".to_owned(),
        vertical_name: "resident memory, MB".to_owned(),
        horizontal: Horizontal::Number,
        curves: curves.collect(),
    }
}

fn memory(run: &Run) -> Markup {
    let Some(memory) = run.memory.as_ref().filter(|memory| !memory.series.is_empty()) else {
        return html! {};
    };
    let axis = match memory.axis {
        MemoryAxis::Seconds => "seconds",
        MemoryAxis::Streams => "open streams",
    };
    let plot = Curves {
        title: format!("Resident memory by {axis}"),
        description: "Readings as dots, with the line of least squares.".to_owned(),
        horizontal_name: axis.to_owned(),
        vertical_name: "resident memory, MB".to_owned(),
        horizontal: Horizontal::Number,
        curves: memory.series.iter().map(|series| memory_curve(run, series)).collect(),
    };
    html! {
        section {
            h2 { "Memory" }
            (curves_figure("Readings, and the straight line of least squares through them.", &plot))
            (tables(&[sheet::memory(run)]))
            (folded(sheet::memory_points(run)))
        }
    }
}

fn memory_curve(run: &Run, series: &MemorySeries) -> Curve {
    let megabytes = |bytes: f64| bytes / 1e6;
    let points: Vec<(f64, f64)> =
        series.points.iter().map(|(x, bytes)| (*x, megabytes(*bytes as f64))).collect();
    let line = series.slope_bytes.zip(series.start_bytes);
    let ends = points.first().zip(points.last());
    Curve {
        name: series.name.clone(),
        hue: hue(run, &series.name),
        fit: line.zip(ends).map(|((slope, start), (first, last))| {
            [first.0, last.0].map(|x| (x, megabytes(start + slope * x)))
        }),
        points,
        is_readings: true,
    }
}

fn stages(run: &Run) -> Markup {
    let rows: Vec<Row> = run
        .stages
        .iter()
        .map(|stage| Row {
            label: stage.name.clone(),
            hue: Hue(1),
            mark: Mark::Dot { value: stage.mean_us },
            value: number(stage.mean_us),
            value_long: format!("{} µs", number(stage.mean_us)),
        })
        .collect();
    let plot = Rows {
        title: "Mean time of each stage".to_owned(),
        description: "A point per stage of the gateway, by its own timers.".to_owned(),
        axis: "mean, µs".to_owned(),
        rows,
        reference: None,
    };
    html! {
        @if !plot.rows.is_empty() {
            section {
                h2 { "Stages" }
                (rows_figure("Means by the gateway's own timers: for attribution only.", &plot))
                (tables(&[sheet::stages(run)]))
            }
        }
    }
}

fn published(run: &Run) -> Markup {
    html! {
        @if let Some(sheet) = sheet::published(run) {
            section { h2 { "Published, and this run" } (table(&sheet)) }
        }
    }
}

/// What is needed to judge the numbers and to get them again.
fn about(run: &Run) -> Markup {
    html! {
        section {
            h2 { "How this was measured" }
            @if !run.notes.is_empty() {
                ul { @for note in &run.notes { li { (note) } } }
            }
            p { (sheet::blocks_sentence(run)) }
            @if !run.blocks.rules.is_empty() {
                p { "A block is left out when" }
                ul { @for rule in &run.blocks.rules { li { (rule) } } }
            }
            (folded(sheet::discarded(run)))
            (tables(&[Some(sheet::machine(run)), sheet::versions(run)]))
            @if let Some(commit) = &run.commit { p { "Commit " code { (commit) } } }
            @if !run.command.is_empty() { pre { (run.command.join(" ")) } }
        }
    }
}

/// A plot with one row per thing, under a sentence that says how to read it.
fn rows_figure(caption: &str, plot: &Rows) -> Markup {
    html! {
        figure {
            figcaption { (caption) }
            (both(|size| rows::draw(plot, size)))
        }
    }
}

/// A plot with two axes, likewise.
fn curves_figure(caption: &str, plot: &Curves) -> Markup {
    html! {
        figure {
            figcaption { (caption) }
            (both(|size| curves::draw(plot, size)))
        }
    }
}

fn interval(estimate: &Estimate) -> Mark {
    let Estimate { value, low, high } = *estimate;
    Mark::Interval { value, low, high }
}

/// The subject has the first real colour, the baseline the neutral one, the others what follows.
fn hue(run: &Run, name: &str) -> Hue {
    let baseline = run.paired.first().map_or("direct", |paired| paired.baseline.as_str());
    let names = names(run);
    let subject = names.iter().find(|name| **name == SUBJECT).or(names.last());
    if name == baseline {
        return Hue(0);
    }
    if Some(&name) == subject {
        return Hue(1);
    }
    let others = names.iter().filter(|other| **other != baseline && Some(*other) != subject);
    Hue(2 + others.take_while(|other| **other != name).count())
}

/// Every target that the page shows, wherever it is shown first.
fn names(run: &Run) -> Vec<&str> {
    let streams = run.streams.iter();
    let of_streams = streams.flat_map(|streams| {
        let paced = streams.paced.iter().map(|one| &one.name);
        let disconnects = streams.disconnects.iter().map(|one| &one.name);
        paced.chain(disconnects).chain(streams.slow_readers.iter().map(|one| &one.name))
    });
    let memory = run.memory.iter().flat_map(|memory| &memory.series).map(|series| &series.name);
    let mut names: Vec<&str> = Vec::new();
    for name in run.targets.iter().map(|target| &target.name).chain(of_streams).chain(memory) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}
