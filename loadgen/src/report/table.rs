//! Sheets as aligned text.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::result::Run;

use super::compare::Comparison;
use super::headline::headline;
use super::sheet::{self, Sheet};

/// What a terminal window commonly shows.
const COLUMNS_MAX: u16 = 120;

/// A run, section by section.
pub(crate) fn run(run: &Run) -> String {
    let mut text = format!("{} · {}\n", run.name, run.started_at);
    let mut line = |content: &str| {
        if !content.is_empty() {
            wrap(&mut text, content);
        }
    };
    line(&super::format::workload(&run.workload));
    line(&headline(run));
    if !run.blocks.is_trustworthy {
        line("!! NOT TRUSTWORTHY: see the notes. !!");
    }
    for sheet in sections(run) {
        section(&mut text, &sheet);
    }
    text.push('\n');
    wrap(&mut text, &sheet::blocks_sentence(run));
    for rule in &run.blocks.rules {
        wrap(&mut text, &format!("  left out when {rule}"));
    }
    for note in &run.notes {
        wrap(&mut text, &format!("note: {note}"));
    }
    text
}

/// Two runs beside each other.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let mut text = String::new();
    wrap(&mut text, &comparison.title());
    for warning in &comparison.warnings {
        wrap(&mut text, &format!("warning: {warning}"));
    }
    for sheet in comparison.sheets() {
        section(&mut text, &sheet);
    }
    text.push('\n');
    wrap(&mut text, Comparison::ADVICE);
    text
}

fn sections(run: &Run) -> Vec<Sheet> {
    let streams = run.streams.as_ref();
    [
        sheet::from_intended(run),
        sheet::from_send(run),
        sheet::failures(run),
        sheet::added(run),
        sheet::versus(run),
        sheet::cost(run),
        streams.and_then(sheet::paced_streams),
        streams.and_then(sheet::disconnects),
        streams.and_then(sheet::slow_readers),
        sheet::memory(run),
        sheet::stages(run),
        sheet::published(run),
        sheet::versions(run),
        sheet::discarded(run),
        Some(sheet::machine(run)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn section(text: &mut String, sheet: &Sheet) {
    text.push('\n');
    wrap(text, &sheet.title);
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_width(COLUMNS_MAX)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if sheet.columns.iter().any(|column| !column.name.is_empty()) {
        table.set_header(sheet.columns.iter().map(|column| &column.name));
    }
    table.add_rows(&sheet.rows);
    for (column, of_table) in sheet.columns.iter().zip(table.column_iter_mut()) {
        if column.is_number {
            of_table.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if let Some(note) = &sheet.note {
        wrap(text, &format!("  {note}"));
    }
}

/// Adds words, with line breaks where a line would get too long; further lines are indented.
fn wrap(text: &mut String, words: &str) {
    let indent = words.len() - words.trim_start().len();
    let mut line = " ".repeat(indent);
    let mut is_empty = true;
    for word in words.split_whitespace() {
        let length = line.chars().count() + 1 + word.chars().count();
        if !is_empty && length > usize::from(COLUMNS_MAX) {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(indent + 2);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    text.push_str(&line);
    text.push('\n');
}
