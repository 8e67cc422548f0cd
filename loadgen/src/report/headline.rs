//! The result in one sentence.

use crate::result::{
    DisconnectResult, PacedResult, PairedResult, Run, SlowReaderResult, TargetResult, VersusResult,
};

use super::format::{megabytes, number, percent, ratio};

/// The target a run is about if it has one of that name.
pub(crate) const SUBJECT: &str = "gateway";

/// What came out, in one sentence, for the target the run is about.
pub(crate) fn headline(run: &Run) -> String {
    let sentence = added(run).or_else(|| closed(run)).or_else(|| streams(run));
    let sentence = sentence.or_else(|| memory(run)).or_else(|| alone(run));
    sentence.unwrap_or_else(|| "Nothing was measured.".to_owned())
}

/// The target the run is about: the gateway, else the last one.
pub(crate) fn subject(run: &Run) -> Option<&TargetResult> {
    run.target(SUBJECT).or_else(|| run.targets.last())
}

/// What the subject adds.
pub(crate) fn subject_paired(run: &Run) -> Option<&PairedResult> {
    let subject = subject(run)?;
    run.paired.iter().find(|paired| paired.target == subject.name)
}

/// The subject against the first reference.
pub(crate) fn subject_versus(run: &Run) -> Option<&VersusResult> {
    let subject = subject(run)?;
    run.versus.iter().find(|versus| versus.target == subject.name)
}

fn added(run: &Run) -> Option<String> {
    let paired = subject_paired(run)?;
    let added = number(paired.added.value);
    let mut sentence =
        format!("{} adds {added} µs to {} at the median", paired.target, paired.baseline);
    let against = subject_versus(run).and_then(|versus| Some((versus, versus.added_ratio?)));
    if let Some((versus, times)) = against {
        let times = ratio(times.value);
        sentence += &format!(", {times} times what {} adds", versus.reference);
    }
    Some(sentence + ".")
}

fn closed(run: &Run) -> Option<String> {
    let versus = subject_versus(run)?;
    let rate = ratio(versus.rate_ratio?.value);
    let (target, reference) = (&versus.target, &versus.reference);
    let mut sentence = format!("{target} answers {rate} times the requests of {reference}");
    if let Some(cpu) = &versus.cpu_ratio {
        sentence += &format!(" and takes {} times its CPU per request", ratio(cpu.value));
    }
    Some(sentence + ".")
}

fn streams(run: &Run) -> Option<String> {
    let streams = run.streams.as_ref()?;
    paced(&streams.paced)
        .or_else(|| disconnected(&streams.disconnects))
        .or_else(|| slow(&streams.slow_readers))
}

/// The subject among results of streams, else the last one.
fn of_subject<T>(results: &[T], name: fn(&T) -> &str) -> Option<&T> {
    results.iter().find(|result| name(result) == SUBJECT).or_else(|| results.last())
}

fn paced(paced: &[PacedResult]) -> Option<String> {
    let subject = of_subject(paced, |paced| &paced.name)?;
    let name = &subject.name;
    let first = match &subject.added_first_event {
        Some(added) => format!("adds {} µs to the first event", number(added.value)),
        None => format!("takes {} µs to the first event", number(subject.first_event.p50_us)),
    };
    let gap = number(subject.added_gap.p99_us);
    let faults = subject.altered + subject.broken;
    let faults = match faults {
        0 => "all streams arrived unaltered".to_owned(),
        _ => format!("{faults} streams arrived altered or broken"),
    };
    Some(format!("{name} {first} and {gap} µs to the gap at p99; {faults}."))
}

fn disconnected(disconnects: &[DisconnectResult]) -> Option<String> {
    let subject = of_subject(disconnects, |one| &one.name)?;
    let DisconnectResult { name, closed, never_closed, until_closed, .. } = subject;
    let (of, within) = (closed + never_closed, number(until_closed.max_us));
    Some(format!("{name} closed {closed} of {of} upstream connections within {within} µs."))
}

fn slow(readers: &[SlowReaderResult]) -> Option<String> {
    let subject = of_subject(readers, |one| &one.name)?;
    let grown = subject.rss_peak_bytes.saturating_sub(subject.rss_before_bytes);
    let (name, grown) = (&subject.name, megabytes(grown));
    Some(format!("{name} grew by {grown} MB for {} slow readers.", subject.readers))
}

fn memory(run: &Run) -> Option<String> {
    let memory = run.memory.as_ref()?;
    let series = &memory.series;
    let subject = series.iter().find(|one| one.name == SUBJECT).or_else(|| series.last())?;
    let slope = super::format::slope(subject.slope_bytes?, memory.axis);
    Some(format!("The memory of {} grows by {slope}.", subject.name))
}

fn alone(run: &Run) -> Option<String> {
    let target = subject(run)?;
    let p50 = number(target.from_send.p50_us);
    let p99 = number(target.from_send.p99_us);
    let rate = number(target.requests_per_second);
    let success = percent(target.ok, target.requests);
    Some(format!(
        "{} answers {success} of {rate} requests a second, p50 {p50} µs, p99 {p99} µs.",
        target.name
    ))
}
