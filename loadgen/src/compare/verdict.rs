//! What the measurements of two set-ups come down to: one line each, with its interval.

use std::fmt::Write;

use crate::result::{Estimate, MemoryAxis, MemorySeries, Run, VersusResult};
use crate::stats::median_and_range;

/// The second set-up against the first.
pub(super) fn text(first: &str, second: &str, runs: &[Run]) -> String {
    let mut text = format!("\n{second} against {first}\n");
    for run in runs {
        // `open` of `compare-latency-memory-open`.
        let kind = run.name.rsplit('-').next().unwrap_or_default();
        let is_pair = |versus: &&VersusResult| versus.target == second && versus.reference == first;
        for (measure, estimate) in run.versus.iter().find(is_pair).map(changes).unwrap_or_default()
        {
            line(&mut text, &format!("{measure} ({kind})"), estimate);
        }
        for memory in run.memory.iter().filter(|memory| memory.axis == MemoryAxis::Streams) {
            memory.series.iter().for_each(|series| silent_streams(&mut text, series));
        }
    }
    let slow = |name| runs.iter().filter_map(move |run| slow_bytes(run, name));
    let ratios: Vec<f64> =
        slow(first).zip(slow(second)).map(|(first, second)| second / first).collect();
    if let Some(ratio) = median_and_range(&ratios) {
        line(&mut text, "resident memory, range of rounds (slow)", ratio);
    }
    text
}

/// What the silent streams of one set-up take.
fn silent_streams(text: &mut String, series: &MemorySeries) {
    let (Some((open, bytes)), Some(slope)) = (series.points.last(), series.slope_bytes) else {
        return;
    };
    let (name, megabytes, kilobytes) = (&series.name, *bytes as f64 / 1e6, slope / 1024.0);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  memory of {name}: {megabytes:.1} MB with {open} silent streams, {kilobytes:.1} KB for each"
    );
}

/// The most resident memory of a set-up with slow readers.
fn slow_bytes(run: &Run, name: &str) -> Option<f64> {
    let readers = run.streams.iter().flat_map(|streams| &streams.slow_readers);
    readers.filter(|one| one.name == name).map(|one| one.rss_peak_bytes as f64).next()
}

/// What is known of a pair, as ratios less one.
fn changes(versus: &VersusResult) -> Vec<(&'static str, Estimate)> {
    let ratios = [
        ("latency, median", versus.latency_ratio),
        ("added latency, median", versus.added_ratio),
        ("latency, p99, range of rounds", versus.p99_ratio),
        ("CPU per request", versus.cpu_ratio),
        ("requests per second", versus.rate_ratio),
        ("resident memory", versus.memory_ratio),
    ];
    ratios.into_iter().filter_map(|(name, ratio)| Some((name, ratio?))).collect()
}

fn line(text: &mut String, measure: &str, ratio: Estimate) {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    let (value, low, high) = (percent(ratio.value), percent(ratio.low), percent(ratio.high));
    let verdict = if low > 0.0 || high < 0.0 { "" } else { "  no difference is shown" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {measure:<40} {value:+7.1} %  [{low:+.1}, {high:+.1}]{verdict}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{MemoryResult, SlowReaderResult, StreamResult};

    #[test]
    fn a_difference_is_claimed_only_when_its_interval_leaves_zero_out() {
        let estimate = |value: f64, low: f64, high: f64| Some(Estimate { value, low, high });
        let versus = VersusResult {
            target: "b".to_owned(),
            reference: "a".to_owned(),
            latency_ratio: estimate(0.9, 0.85, 0.95),
            cpu_ratio: estimate(1.01, 0.98, 1.03),
            ..VersusResult::default()
        };
        let open = Run { name: "a-b-open".to_owned(), versus: vec![versus], ..Run::default() };
        let series = MemorySeries {
            name: "a".to_owned(),
            points: vec![(0.0, 6_000_000), (1000.0, 8_048_000)],
            slope_bytes: Some(2048.0),
            ..MemorySeries::default()
        };
        let memory = MemoryResult { axis: MemoryAxis::Streams, series: vec![series] };
        let idle = Run { memory: Some(memory), ..Run::default() };
        let slow = |bytes: [u64; 2]| {
            let reader = |(name, rss_peak_bytes): (&str, u64)| SlowReaderResult {
                name: name.to_owned(),
                rss_peak_bytes,
                ..SlowReaderResult::default()
            };
            let slow_readers = ["a", "b"].into_iter().zip(bytes).map(reader).collect();
            let streams = StreamResult { slow_readers, ..StreamResult::default() };
            Run { streams: Some(streams), ..Run::default() }
        };
        let slow = [[20, 10], [20, 12], [20, 11]].map(slow);
        let text = text("a", "b", &[&[open, idle], slow.as_slice()].concat());
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[2].contains("latency, median (open)")
                && lines[2].ends_with("-10.0 %  [-15.0, -5.0]")
        );
        assert!(lines[3].ends_with("+1.0 %  [-2.0, +3.0]  no difference is shown"), "{text}");
        assert_eq!(lines[4], "  memory of a: 8.0 MB with 1000 silent streams, 2.0 KB for each");
        assert!(
            lines[5].contains("resident memory") && lines[5].ends_with("-45.0 %  [-50.0, -40.0]")
        );
    }
}
