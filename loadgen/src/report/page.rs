//! The page: one sentence, a few figures, plots with the same numbers in a table below each, and all
//! that is needed to judge and repeat the run. It fetches nothing and runs nothing.

mod sections;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::result::Run;

use super::compare::{Comparison, Verdict};
use super::format::{self, count, megabytes, number, percent, ratio};
use super::headline::{headline, subject, subject_paired, subject_versus};
use super::sheet::{self, Sheet};

const STYLE: &str = include_str!("page.css");
/// Tables longer than this are folded.
const ROWS_OPEN_MAX: usize = 14;
/// Tables of more columns than that are set closer.
const COLUMNS_ROOMY_MAX: usize = 6;
/// Words up to this length stay on one line.
const UNBROKEN_MAX: usize = 24;

/// The page of a run.
pub(crate) fn run(run: &Run) -> Markup {
    page(
        &format!("{} – {}", run.name, headline(run)),
        html! {
            header {
                p.kicker { (run.name) " · " (run.started_at) }
                h1 { (headline(run)) }
                @let workload = format::workload(&run.workload);
                @if !workload.is_empty() { p.workload { (workload) } }
                (trust(run))
                (tiles(run))
            }
            (sections::all(run))
        },
    )
}

/// The page of two runs.
pub(crate) fn comparison(comparison: &Comparison) -> Markup {
    let changes = || comparison.relative.iter().chain(&comparison.absolute);
    let count = |verdict| changes().filter(|change| change.verdict == verdict).count();
    let (better, worse) = (count(Verdict::Better), count(Verdict::Worse));
    page(
        &comparison.title(),
        html! {
            header {
                p.kicker { (comparison.title()) }
                h1 { (better) " better, " (worse) " worse, " (count(Verdict::Overlap)) " within chance." }
                @for warning in &comparison.warnings {
                    p.warning { strong { "Warning" } " " (warning) }
                }
            }
            section {
                h2 { "What changed" }
                (sections::changes(&comparison.relative))
                @for sheet in comparison.sheets() {
                    h3 { (sheet.title) }
                    (table(&sheet))
                }
                p.note { (Comparison::ADVICE) }
            }
        },
    )
}

fn page(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
    }
}

fn trust(run: &Run) -> Markup {
    html! {
        @if !run.blocks.is_trustworthy {
            p.warning role="alert" {
                strong { "Not trustworthy" } " "
                (sheet::blocks_sentence(run)) " Repeat the run on a quiet machine."
            }
        }
    }
}

/// The few figures people look for first.
fn tiles(run: &Run) -> Markup {
    let mut tiles: Vec<[String; 3]> = Vec::new();
    let mut tile = |name: &str, value: String, below: String| {
        tiles.push([name.to_owned(), value, below]);
    };
    if let Some(paired) = subject_paired(run) {
        let (low, high) = (number(paired.added.low), number(paired.added.high));
        tile(
            "added at the median",
            format!("{} µs", number(paired.added.value)),
            format!("{low} to {high}"),
        );
    }
    if let Some(versus) = subject_versus(run) {
        let against = |what: &str| format!("{what} of {}", versus.reference);
        let ratios = [
            (against("times the added latency"), versus.added_ratio),
            (against("times the CPU"), versus.cpu_ratio),
            (against("times the rate"), versus.rate_ratio),
        ];
        for (name, value) in ratios {
            if let Some(value) = value {
                let (low, high) = (ratio(value.low), ratio(value.high));
                tile(&name, format!("{}×", ratio(value.value)), format!("{low} to {high}"));
            }
        }
    }
    if let Some(target) = subject(run) {
        if let Some(cost) = &target.cost {
            let cpu = format!("{} µs", number(cost.cpu_us_per_request));
            tile("CPU per request", cpu, format!("at {}/s", number(target.requests_per_second)));
            let peak = format!("{} MB", megabytes(cost.rss_peak_bytes));
            tile("peak memory", peak, format!("{} MB usually", megabytes(cost.rss_bytes)));
        }
        if target.requests > 0 {
            let requests = format!("of {}", count(target.requests));
            tile("success", percent(target.ok, target.requests), requests);
        }
    }
    html! {
        @if !tiles.is_empty() {
            dl.tiles {
                @for [name, value, below] in &tiles {
                    div { dt { (name) } dd.figure { (value) } dd.range { (below) } }
                }
            }
        }
    }
}

fn tables(sheets: &[Option<Sheet>]) -> Markup {
    html! {
        @for sheet in sheets.iter().flatten() {
            h3 { (sheet.title) }
            (table(sheet))
        }
    }
}

/// A table that is only opened by those who want it, if it is long.
fn folded(sheet: Option<Sheet>) -> Markup {
    html! {
        @if let Some(sheet) = sheet {
            details open[sheet.rows.len() <= ROWS_OPEN_MAX] {
                summary { (sheet.title) }
                (table(&sheet))
            }
        }
    }
}

fn table(sheet: &Sheet) -> Markup {
    let is_number = |index: usize| sheet.columns.get(index).is_some_and(|column| column.is_number);
    let class = |index: usize, cell: &str| match cell.chars().count() {
        _ if is_number(index) => Some("number"),
        letters if letters <= UNBROKEN_MAX => Some("unbroken"),
        _ => None,
    };
    let has_head = sheet.columns.iter().any(|column| !column.name.is_empty());
    html! {
        div.scroll {
            table.dense[sheet.columns.len() > COLUMNS_ROOMY_MAX] {
                @if has_head {
                    thead { tr {
                        @for (index, column) in sheet.columns.iter().enumerate() {
                            th scope="col" class=[class(index, &column.name)] { (column.name) }
                        }
                    } }
                }
                tbody {
                    @for row in &sheet.rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @if index == 0 { th scope="row" { (cell) } }
                                @else { td class=[class(index, cell)] { (cell) } }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(note) = &sheet.note { p.note { (note) } }
    }
}
