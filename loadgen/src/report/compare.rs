//! Two runs side by side: what changed, by how much, and whether the intervals leave room for chance.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::result::{
    Cost, Estimate, MemoryAxis, MemoryResult, MemorySeries, PacedResult, PairedResult, Run,
    TargetResult, VersusResult,
};
use crate::stats::interval_of_median;

use super::format::{NONE, number, optional, ratio};
use super::sheet::Sheet;

/// What two runs have in common, compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// The older one, by the order they were given in.
    pub(crate) before: Side,
    pub(crate) after: Side,
    /// Why the two may not be comparable.
    pub(crate) warnings: Vec<String>,
    /// Measured against something that ran beside: comparable across runs.
    pub(crate) relative: Vec<Change>,
    /// Measured by itself: includes what the machine did at the time.
    pub(crate) absolute: Vec<Change>,
}

/// Which run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) started_at: String,
    pub(crate) commit: Option<String>,
}

/// One measure in both runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Whose: a target, or `target / reference`.
    pub(crate) subject: String,
    pub(crate) measure: &'static str,
    pub(crate) unit: Unit,
    pub(crate) before: Measured,
    pub(crate) after: Measured,
    pub(crate) verdict: Verdict,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Number,
    Ratio,
}

/// A value, with its interval where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) value: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

/// What the intervals say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The intervals lie apart, to the better.
    Better,
    /// The intervals lie apart, to the worse.
    Worse,
    /// The intervals overlap: it may be chance.
    Overlap,
    /// At least one has no interval.
    Unknown,
}

/// Whether more or less of a measure is to be wished for.
#[derive(Clone, Copy, PartialEq)]
enum Wish {
    Less,
    More,
}

/// Compares `after` with `before`.
pub(crate) fn compare(before: &Run, after: &Run) -> Comparison {
    let mut comparison = Comparison {
        before: Side::of(before),
        after: Side::of(after),
        warnings: warnings(before, after),
        relative: Vec::new(),
        absolute: Vec::new(),
    };
    for (one, other) in matching(&before.paired, &after.paired, |paired: &PairedResult| {
        (paired.target.clone(), paired.baseline.clone())
    }) {
        comparison.relative.extend(added_changes(one, other));
    }
    for (one, other) in matching(&before.versus, &after.versus, |versus: &VersusResult| {
        (versus.target.clone(), versus.reference.clone())
    }) {
        comparison.relative.extend(ratio_changes(one, other));
    }
    let name = |target: &TargetResult| target.name.clone();
    for (one, other) in matching(&before.targets, &after.targets, name) {
        comparison.absolute.extend(target_changes(one, other));
    }
    let paced = |run: &Run| run.streams.iter().flat_map(|one| one.paced.clone()).collect();
    let (one, other): (Vec<PacedResult>, Vec<PacedResult>) = (paced(before), paced(after));
    for (one, other) in matching(&one, &other, |paced| paced.name.clone()) {
        comparison.relative.extend(first_event_change(one, other));
        comparison.absolute.extend(gap_change(one, other));
    }
    if let Some((before, after)) = before.memory.as_ref().zip(after.memory.as_ref()) {
        comparison.absolute.extend(memory_changes(before, after));
    }
    comparison
}

impl Comparison {
    /// How to read it.
    pub(crate) const ADVICE: &str = "Two runs meet two moments of a machine. What is added to a \
        baseline, and ratios to a reference that ran beside, can be compared across runs; times by \
        themselves only on a quiet machine. For a small difference, run both set-ups interleaved: \
        loadgen compare.";

    /// Which run is compared with which.
    pub(crate) fn title(&self) -> String {
        format!("{} compared with {}", self.after.describe(), self.before.describe())
    }

    /// The changes in rows.
    pub(crate) fn sheets(&self) -> Vec<Sheet> {
        let columns = ["", "measure", "before", "after", "difference", "ratio", "verdict"];
        let sheet = |title, changes: &[Change]| {
            let rows = changes.iter().map(Change::row).collect();
            let mut sheet = Sheet::of_numbers(title, &columns, rows);
            for text in [1, 6] {
                sheet.columns[text].is_number = false;
            }
            sheet.if_any()
        };
        [sheet("Against what ran beside", &self.relative), sheet("By itself", &self.absolute)]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Side {
    fn of(run: &Run) -> Side {
        Side {
            name: run.name.clone(),
            started_at: run.started_at.clone(),
            commit: run.commit.clone(),
        }
    }

    fn describe(&self) -> String {
        let commit = self.commit.as_deref().map(|commit| format!(", {commit}"));
        format!("{} ({}{})", self.name, self.started_at, commit.unwrap_or_default())
    }
}

impl Change {
    /// None where one of the runs has no such measure.
    fn of(
        subject: &str,
        (measure, unit, wish): (&'static str, Unit, Wish),
        before: Option<Measured>,
        after: Option<Measured>,
    ) -> Option<Change> {
        let (before, after) = (before?, after?);
        let verdict = verdict(before, after, wish);
        Some(Change { subject: subject.to_owned(), measure, unit, before, after, verdict })
    }

    /// After by before, from the smallest to the largest that the two intervals allow; none where one of
    /// them is missing or reaches zero.
    pub(crate) fn ratio(&self) -> Option<Estimate> {
        let (before, after) = (self.before.interval?, self.after.interval?);
        Some(Estimate {
            value: crate::stats::ratio(self.after.value, self.before.value)?,
            low: crate::stats::ratio(after.0, before.1)?,
            high: crate::stats::ratio(after.1, before.0)?,
        })
    }

    fn row(&self) -> Vec<String> {
        let format = match self.unit {
            Unit::Number => number,
            Unit::Ratio => ratio,
        };
        let times = crate::stats::ratio(self.after.value, self.before.value);
        vec![
            self.subject.clone(),
            self.measure.to_owned(),
            self.before.describe(format),
            self.after.describe(format),
            format!(
                "{}{}",
                if self.after.value > self.before.value { "+" } else { "" },
                format(self.after.value - self.before.value)
            ),
            optional(times, ratio),
            self.verdict.describe().to_owned(),
        ]
    }
}

impl Measured {
    fn plain(value: f64) -> Option<Measured> {
        Some(Measured { value, interval: None })
    }

    fn describe(&self, format: fn(f64) -> String) -> String {
        match self.interval {
            Some((low, high)) => {
                super::format::estimate(&Estimate { value: self.value, low, high }, format)
            }
            None => format(self.value),
        }
    }
}

impl From<Estimate> for Measured {
    fn from(estimate: Estimate) -> Measured {
        Measured { value: estimate.value, interval: Some((estimate.low, estimate.high)) }
    }
}

impl Verdict {
    /// In words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Overlap => "within chance",
            Verdict::Unknown => NONE,
        }
    }
}

fn verdict(before: Measured, after: Measured, wish: Wish) -> Verdict {
    let (Some(before), Some(after)) = (before.interval, after.interval) else {
        return Verdict::Unknown;
    };
    let is_less = after.1 < before.0;
    let is_more = after.0 > before.1;
    match (is_less, is_more, wish) {
        (false, false, _) => Verdict::Overlap,
        (true, _, Wish::Less) | (_, true, Wish::More) => Verdict::Better,
        (true, _, Wish::More) | (_, true, Wish::Less) => Verdict::Worse,
    }
}

fn added_changes(before: &PairedResult, after: &PairedResult) -> Vec<Change> {
    let subject = format!("{} – {}", after.target, after.baseline);
    let change = |measure, before: Estimate, after: Estimate| {
        Change::of(
            &subject,
            (measure, Unit::Number, Wish::Less),
            Some(before.into()),
            Some(after.into()),
        )
    };
    [
        change("added p50 µs", before.added, after.added),
        change("added p90 µs", before.added_p90, after.added_p90),
        change("added p99 µs", before.added_p99, after.added_p99),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn ratio_changes(before: &VersusResult, after: &VersusResult) -> Vec<Change> {
    let subject = format!("{} / {}", after.target, after.reference);
    let change = |measure, wish, part: fn(&VersusResult) -> Option<Estimate>| {
        let measured = |versus| part(versus).map(Measured::from);
        Change::of(&subject, (measure, Unit::Ratio, wish), measured(before), measured(after))
    };
    [
        change("p50", Wish::Less, |versus| versus.whole_ratio().copied()),
        change("added p50", Wish::Less, |versus| versus.added_ratio),
        change("p99", Wish::Less, |versus| versus.p99_ratio),
        change("CPU per request", Wish::Less, |versus| versus.cpu_ratio),
        change("requests/s", Wish::More, |versus| versus.rate_ratio),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn target_changes(before: &TargetResult, after: &TargetResult) -> Vec<Change> {
    let change = |measure, wish, part: fn(&TargetResult) -> Option<Measured>| {
        let name = &after.name;
        Change::of(name, (measure, Unit::Number, wish), part(before), part(after))
    };
    [
        change("p50 µs", Wish::Less, |target| Measured::plain(target.from_send.p50_us)),
        change("p99 µs", Wish::Less, |target| Measured::plain(target.from_send.p99_us)),
        change("requests/s", Wish::More, |target| Measured::plain(target.requests_per_second)),
        change("CPU µs per request", Wish::Less, |target| cpu(target.cost.as_ref()?)),
        change("peak RSS MB", Wish::Less, |target| {
            Measured::plain(target.cost.as_ref()?.rss_peak_bytes as f64 / 1e6)
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn first_event_change(before: &PacedResult, after: &PacedResult) -> Option<Change> {
    let added = |paced: &PacedResult| paced.added_first_event.map(Measured::from);
    let measure = ("first event µs", Unit::Number, Wish::Less);
    Change::of(&after.name, measure, added(before), added(after))
}

fn gap_change(before: &PacedResult, after: &PacedResult) -> Option<Change> {
    let gap = |paced: &PacedResult| Measured::plain(paced.added_gap.p99_us);
    let measure = ("added to gaps p99 µs", Unit::Number, Wish::Less);
    Change::of(&after.name, measure, gap(before), gap(after))
}

/// Slopes, if both are of the same axis.
fn memory_changes(before: &MemoryResult, after: &MemoryResult) -> Vec<Change> {
    let measure = match after.axis {
        _ if before.axis != after.axis => return Vec::new(),
        MemoryAxis::Seconds => "memory growth KB/s",
        MemoryAxis::Streams => "KB per stream",
    };
    let slope = |series: &MemorySeries| Measured::plain(series.slope_bytes? / 1e3);
    matching(&before.series, &after.series, |series| series.name.clone())
        .into_iter()
        .filter_map(|(one, other)| {
            let measure = (measure, Unit::Number, Wish::Less);
            Change::of(&other.name, measure, slope(one), slope(other))
        })
        .collect()
}

/// The median of the blocks where there are several, since that has an interval.
fn cpu(cost: &Cost) -> Option<Measured> {
    match interval_of_median(&cost.cpu_us_per_request_blocks) {
        Some(estimate) => Some(estimate.into()),
        None => Measured::plain(cost.cpu_us_per_request),
    }
}

fn matching<'a, T, K: PartialEq>(
    before: &'a [T],
    after: &'a [T],
    key: impl Fn(&T) -> K,
) -> Vec<(&'a T, &'a T)> {
    let found = |one: &'a T| before.iter().find(|other| key(other) == key(one));
    after.iter().filter_map(|one| Some((found(one)?, one))).collect()
}

fn warnings(before: &Run, after: &Run) -> Vec<String> {
    let mut warnings = Vec::new();
    warnings.extend(differences("machine", &before.machine, &after.machine));
    warnings.extend(differences("workload", &before.workload, &after.workload));
    for run in [before, after].into_iter().filter(|run| !run.blocks.is_trustworthy) {
        let Side { name, started_at, .. } = Side::of(run);
        warnings.push(format!("{name} ({started_at}) says of itself that it is not trustworthy"));
    }
    for (one, other) in [(before, after), (after, before)] {
        let missing = one.targets.iter().filter(|target| other.target(&target.name).is_none());
        let Side { name, started_at, .. } = Side::of(other);
        warnings.extend(
            missing.map(|target| format!("{} is not in {name} ({started_at})", target.name)),
        );
    }
    warnings
}

/// One sentence for each member that differs.
fn differences<T: Serialize>(what: &str, before: &T, after: &T) -> Vec<String> {
    let (before, after) = (members(before), members(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |side: &BTreeMap<String, String>, name| {
        side.get(name).cloned().unwrap_or_else(|| "not given".to_owned())
    };
    names
        .into_iter()
        .map(|name| (name, value(&before, name), value(&after, name)))
        .filter(|(_, was, is)| was != is)
        .map(|(name, was, is)| format!("the {what} differs: {name} was {was}, is {is}"))
        .collect()
}

/// The members of a description by name, further facts among them. The load of the machine is of the
/// moment and no difference between machines.
fn members<T: Serialize>(described: &T) -> BTreeMap<String, String> {
    let Ok(Value::Object(mut members)) = serde_json::to_value(described) else {
        return BTreeMap::new();
    };
    let facts: Vec<(String, String)> = members
        .remove("facts")
        .and_then(|facts| serde_json::from_value(facts).ok())
        .unwrap_or_default();
    let is_given = |(_, value): &(String, Value)| !value.is_null();
    let plain = |(name, value): (String, Value)| match value {
        Value::String(text) => (name.replace('_', " "), text),
        other => (name.replace('_', " "), other.to_string()),
    };
    let members = members.into_iter().filter(is_given).map(plain);
    members.chain(facts).filter(|(name, _)| !name.starts_with("load")).collect()
}
