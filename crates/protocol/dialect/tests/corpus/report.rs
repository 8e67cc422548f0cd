//! Counting what was kept, naming what was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use dialect::Dialect;
use serde_json::Value;

use crate::Facts;
use crate::allowed::{Mismatch, reason};
use crate::exchange::Exchange;

/// Which way a document went before it was compared with what it had been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To the other dialect.
    There,
    /// And back.
    Back,
    /// Read and written in its own dialect.
    Same,
}

#[derive(Default)]
pub(crate) struct Report {
    /// Passed and total, by provider, operation and feature.
    counts: BTreeMap<(String, String, &'static str), (usize, usize)>,
    /// Losses that have a reason, by feature.
    losses: BTreeMap<(&'static str, &'static str), (usize, BTreeSet<String>)>,
    failures: Vec<String>,
    /// The same by dialect and feature.
    unexplained: BTreeMap<(&'static str, &'static str), usize>,
}

/// How many failures are printed in full.
const FAILURES_SHOWN_MAX: usize = 60;

/// Longest excerpt of a value in a failure, in characters.
const EXCERPT_MAX: usize = 260;

impl Report {
    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (place, (kept, total)) in other.counts {
            let counts = self.counts.entry(place).or_default();
            *counts = (counts.0 + kept, counts.1 + total);
        }
        for (loss, (times, paths)) in other.losses {
            let known = self.losses.entry(loss).or_default();
            known.0 += times;
            known.1.extend(paths);
        }
        for (place, times) in other.unexplained {
            *self.unexplained.entry(place).or_default() += times;
        }
        self.failures.extend(other.failures);
        self
    }

    /// Compares what was said with what is said now.
    pub(crate) fn compare(
        &mut self,
        exchange: &Exchange,
        there: Dialect,
        direction: Direction,
        expected: &Facts,
        actual: &Facts,
    ) {
        for (feature, expected) in expected {
            let actual = actual.get(feature).unwrap_or(&Value::Null);
            let mismatch = Mismatch { exchange, there, feature, direction, expected, actual };
            self.count(exchange, feature, expected == actual, &mismatch);
        }
        for (feature, value) in
            actual.iter().filter(|(feature, _)| !expected.contains_key(*feature))
        {
            let mismatch = Mismatch {
                exchange,
                there,
                feature,
                direction,
                expected: &Value::Null,
                actual: value,
            };
            if reason(&mismatch).is_none() {
                self.fail(&mismatch);
            }
        }
    }

    /// A document that must hold what the vendor's own parser insists on.
    pub(crate) fn valid(
        &mut self,
        exchange: &Exchange,
        there: Dialect,
        what: &str,
        verdict: Result<(), String>,
        document: &Value,
    ) {
        let feature = "validity";
        let expected = Value::from(what);
        let actual = verdict
            .as_ref()
            .err()
            .map_or(Value::from("valid"), |error| Value::from(error.as_str()));
        let mismatch = Mismatch {
            exchange,
            there,
            feature,
            direction: Direction::There,
            expected: &expected,
            actual: &actual,
        };
        self.count(exchange, feature, verdict.is_ok(), &mismatch);
        if verdict.is_err() && reason(&mismatch).is_none() {
            self.failures.push(format!("    {}", excerpt(document)));
        }
    }

    /// A request that the other dialect cannot say.
    pub(crate) fn refusal(&mut self, exchange: &Exchange, there: Dialect, error: &dialect::Error) {
        let (expected, actual) = (Value::from("translated"), Value::from(error.to_string()));
        let feature = "translation";
        let mismatch = Mismatch {
            exchange,
            there,
            feature,
            direction: Direction::There,
            expected: &expected,
            actual: &actual,
        };
        self.count(exchange, feature, false, &mismatch);
    }

    fn count(
        &mut self,
        exchange: &Exchange,
        feature: &'static str,
        is_kept: bool,
        mismatch: &Mismatch<'_>,
    ) {
        let key = (exchange.provider.clone(), exchange.operation.clone(), feature);
        let counts = self.counts.entry(key).or_default();
        counts.1 += 1;
        if is_kept {
            counts.0 += 1;
            return;
        }
        match reason(mismatch) {
            Some(reason) => {
                let loss = self.losses.entry((feature, reason)).or_default();
                loss.0 += 1;
                loss.1.insert(exchange.path.clone());
            }
            None => self.fail(mismatch),
        }
    }

    fn fail(&mut self, mismatch: &Mismatch<'_>) {
        let place = (mismatch.there.name(), mismatch.feature);
        *self.unexplained.entry(place).or_default() += 1;
        self.failures.push(format!(
            "{} {} {:?} {}:\n    expected {}\n    found    {}",
            mismatch.exchange.path,
            mismatch.there.name(),
            mismatch.direction,
            mismatch.feature,
            excerpt(mismatch.expected),
            excerpt(mismatch.actual),
        ));
    }

    /// Prints the table, compares it with the one on file, and fails if anything was lost without a reason.
    pub(crate) fn finish(self) {
        let table = self.table();
        println!("{table}");
        for ((through, feature), times) in &self.unexplained {
            println!("{times} times through {through}: {feature}");
        }
        for failure in self.failures.iter().take(FAILURES_SHOWN_MAX) {
            println!("{failure}");
        }
        assert!(self.failures.is_empty(), "{} losses without a reason", self.failures.len());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("FIDELITY.md");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &table).expect("the table can be written");
        }
        let on_file = std::fs::read_to_string(&path).expect("the table is on file");
        assert_eq!(on_file, table, "FIDELITY.md is out of date; UPDATE_GOLDEN=1 writes it");
    }

    fn table(&self) -> String {
        let mut table = String::from(INTRODUCTION);
        let line = |table: &mut String, cells: &[&str]| {
            writeln!(table, "| {} |", cells.join(" | ")).expect("a string takes all");
        };
        let mut features: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for ((_, _, feature), (kept, total)) in &self.counts {
            let sum = features.entry(feature).or_default();
            *sum = (sum.0 + kept, sum.1 + total);
        }
        table.push_str("## By feature\n\n| feature | kept | of |\n| --- | ---: | ---: |\n");
        for (feature, (kept, total)) in &features {
            line(&mut table, &[feature, &kept.to_string(), &total.to_string()]);
        }
        table.push_str("\n## Losses and their reasons\n\n| feature | times | exchanges | reason |\n| --- | ---: | ---: | --- |\n");
        for ((feature, reason), (times, paths)) in &self.losses {
            line(&mut table, &[feature, &times.to_string(), &paths.len().to_string(), reason]);
        }
        table.push_str("\n## By provider and operation\n\n| provider | operation | kept / of |\n| --- | --- | --- |\n");
        for ((provider, operation), cells) in self.cells() {
            line(&mut table, &[provider, operation, &cells.join(", ")]);
        }
        table
    }

    fn cells(&self) -> BTreeMap<(&str, &str), Vec<String>> {
        let mut rows: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for ((provider, operation, feature), (kept, total)) in &self.counts {
            rows.entry((provider, operation))
                .or_default()
                .push(format!("{feature} {kept}/{total}"));
        }
        rows
    }
}

const INTRODUCTION: &str = "# What survives a translation\n
Recorded traffic of real providers is taken through every other dialect and back, and requests through their own. Each
line counts how often what a document said was found again, by checks that share no code with the translation. The
test `corpus` writes this file (`UPDATE_GOLDEN=1`) and fails on any loss that is not in the second table.\n\n";

fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(EXCERPT_MAX).collect()
}
