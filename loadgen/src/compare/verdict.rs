//! What the measurements of two set-ups come down to: one line each, with its interval.

use std::fmt::Write;

use crate::result::{Estimate, Run, VersusResult};

/// The second set-up against the first.
pub(super) fn text(first: &str, second: &str, runs: &[Run]) -> String {
    let mut text = format!("\n{second} against {first}\n");
    for run in runs {
        let mode = run.workload.mode.as_deref().unwrap_or_default();
        let is_pair = |versus: &&VersusResult| versus.target == second && versus.reference == first;
        for (measure, estimate) in run.versus.iter().find(is_pair).map(changes).unwrap_or_default()
        {
            line(&mut text, &format!("{measure} ({mode})"), estimate);
        }
        for series in run.memory.iter().flat_map(|memory| &memory.series) {
            if let (Some(slope), true) = (series.slope_bytes, mode == "streams") {
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "  memory of {}: {:.1} KB per stream",
                    series.name,
                    slope / 1024.0
                );
            }
        }
    }
    text
}

/// What is known of a pair, as ratios less one.
fn changes(versus: &VersusResult) -> Vec<(&'static str, Estimate)> {
    let ratios = [
        ("latency, median", versus.latency_ratio),
        ("added latency, median", versus.added_ratio),
        ("latency, p99, range of rounds", versus.p99_ratio),
        ("CPU per request", versus.cpu_ratio),
        ("requests per second", versus.rate_ratio),
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
    use crate::result::{MemoryAxis, MemoryResult, MemorySeries, Workload};

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
        let workload = Workload { mode: Some("open".to_owned()), ..Workload::default() };
        let open = Run { versus: vec![versus], workload, ..Run::default() };
        let series = MemorySeries {
            name: "a".to_owned(),
            slope_bytes: Some(2048.0),
            ..MemorySeries::default()
        };
        let memory = MemoryResult { axis: MemoryAxis::Streams, series: vec![series] };
        let workload = Workload { mode: Some("streams".to_owned()), ..Workload::default() };
        let idle = Run { memory: Some(memory), workload, ..Run::default() };
        let text = text("a", "b", &[open, idle]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[2].contains("latency, median (open)")
                && lines[2].ends_with("-10.0 %  [-15.0, -5.0]")
        );
        assert!(lines[3].ends_with("+1.0 %  [-2.0, +3.0]  no difference is shown"), "{text}");
        assert_eq!(lines[4], "  memory of a: 2.0 KB per stream");
    }
}
