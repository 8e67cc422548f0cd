//! Plots with one row per thing: intervals, bars, and dots.

use maud::{Markup, html};

use super::scale::Scale;
use super::{Hue, Size, coordinate};
use crate::report::format;

const ROW_HEIGHT: f64 = 30.0;
/// Of a row with its label above the mark.
const TALL_ROW_HEIGHT: f64 = 46.0;
/// Labels wider than this leave no room for the plot beside them on a phone and go above it.
const NARROW_LABEL_MAX: f64 = 130.0;
const TOP: f64 = 6.0;
/// Below the rows: numbers of the axis, and its name.
const BOTTOM: f64 = 42.0;
/// Dots of single blocks in a row at most; of more, evenly spread ones are shown.
const DOTS_MAX: usize = 60;

/// What is drawn in a row.
pub(crate) enum Mark {
    /// A point with a whisker from low to high.
    Interval { value: f64, low: f64, high: f64 },
    /// A bar from zero with the single blocks on it.
    Bar { value: f64, blocks: Vec<f64> },
    /// A point alone.
    Dot { value: f64 },
}

/// One row.
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) hue: Hue,
    pub(crate) mark: Mark,
    /// The value in words, at the row's end.
    pub(crate) value: String,
    /// The same with its interval, where there is room.
    pub(crate) value_long: String,
}

/// A whole plot.
pub(crate) struct Rows {
    /// For those who cannot see it.
    pub(crate) title: String,
    pub(crate) description: String,
    /// Name of the axis, with the unit.
    pub(crate) axis: String,
    pub(crate) rows: Vec<Row>,
    /// A line to compare with, such as 1 for ratios; the axis then need not begin at zero.
    pub(crate) reference: Option<f64>,
}

/// Where things are, in pixels.
struct Layout {
    width: f64,
    left: f64,
    right: f64,
    bottom: f64,
    ticks: usize,
    row_height: f64,
    is_label_above: bool,
}

/// Draws it.
pub(crate) fn draw(plot: &Rows, size: Size) -> Markup {
    let layout = Layout::of(plot, size);
    let scale = scale(plot);
    let height = layout.bottom + BOTTOM;
    let x = |value: f64| coordinate(layout.left + scale.place(value) * layout.span());
    html! {
        svg viewBox=(format!("0 0 {} {height}", layout.width)) role="img" {
            title { (plot.title) }
            desc { (plot.description) }
            @for tick in scale.ticks(layout.ticks) {
                line.grid x1=(x(tick)) x2=(x(tick)) y1=(TOP) y2=(layout.bottom) {}
                text.tick x=(x(tick)) y=(layout.bottom + 16.0) text-anchor="middle" { (format::tick(tick)) }
            }
            @if let Some(reference) = plot.reference {
                line.reference x1=(x(reference)) x2=(x(reference)) y1=(TOP) y2=(layout.bottom) {}
            }
            text.axis x=(coordinate(layout.left + layout.span() / 2.0)) y=(layout.bottom + 34.0)
                text-anchor="middle" { (plot.axis) }
            @for (index, row) in plot.rows.iter().enumerate() {
                (draw_row(row, size, &layout, &scale, index))
            }
        }
    }
}

impl Layout {
    fn of(plot: &Rows, size: Size) -> Layout {
        let letters = plot.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
        // About the width of a letter of the labels, 13 pixels high.
        let label = letters as f64 * 7.2 + 14.0;
        let is_label_above = size == Size::Narrow && label > NARROW_LABEL_MAX;
        let row_height = if is_label_above { TALL_ROW_HEIGHT } else { ROW_HEIGHT };
        let (width, left, right, ticks) = match size {
            Size::Wide => (800.0, label.min(260.0), 170.0, 6),
            Size::Narrow if is_label_above => (360.0, 10.0, 54.0, 4),
            Size::Narrow => (360.0, label, 54.0, 4),
        };
        let bottom = TOP + row_height * plot.rows.len() as f64;
        Layout { width, left, right, bottom, ticks, row_height, is_label_above }
    }

    fn span(&self) -> f64 {
        self.width - self.left - self.right
    }

    /// The height of the mark of a row.
    fn middle(&self, index: usize) -> f64 {
        let within = if self.is_label_above { 0.68 } else { 0.5 };
        TOP + self.row_height * (index as f64 + within)
    }
}

fn scale(plot: &Rows) -> Scale {
    let values: Vec<f64> = plot.rows.iter().flat_map(|row| row.mark.values()).collect();
    let is_dots = plot.rows.iter().all(|row| matches!(row.mark, Mark::Dot { .. }));
    match plot.reference {
        Some(reference) => Scale::around(values.iter().copied().chain(std::iter::once(reference))),
        None if is_dots => Scale::fitting(values.iter().copied()),
        None => Scale::from_zero(values.iter().copied()),
    }
}

impl Mark {
    fn values(&self) -> Vec<f64> {
        match self {
            Mark::Interval { value, low, high } => vec![*value, *low, *high],
            Mark::Bar { value, blocks } => {
                std::iter::once(*value).chain(blocks.iter().copied()).collect()
            }
            Mark::Dot { value } => vec![*value],
        }
    }
}

fn draw_row(row: &Row, size: Size, layout: &Layout, scale: &Scale, index: usize) -> Markup {
    let middle = layout.middle(index);
    let x = |value: f64| layout.left + scale.place(value) * layout.span();
    let value = if size == Size::Wide { &row.value_long } else { &row.value };
    html! {
        g class=(row.hue.class()) {
            @if layout.is_label_above {
                text.label x="0" y=(coordinate(middle - 14.0)) { (row.label) }
            } @else {
                text.label x=(coordinate(layout.left - 10.0)) y=(coordinate(middle + 4.5))
                    text-anchor="end" { (row.label) }
            }
            (draw_mark(&row.mark, middle, x))
            text.value x=(coordinate(layout.width - layout.right + 10.0))
                y=(coordinate(middle + 4.5)) { (value) }
        }
    }
}

fn draw_mark(mark: &Mark, middle: f64, x: impl Fn(f64) -> f64) -> Markup {
    let (above, below) = (coordinate(middle - 7.0), coordinate(middle + 7.0));
    let y = coordinate(middle);
    match mark {
        Mark::Interval { value, low, high } => {
            let (low, high) = (coordinate(x(*low)), coordinate(x(*high)));
            html! {
                path.whisker d=(format!("M{low} {y}H{high}M{low} {above}V{below}M{high} {above}V{below}")) {}
                circle.point cx=(coordinate(x(*value))) cy=(y) r="4.5" {}
            }
        }
        Mark::Bar { value, blocks } => html! {
            rect.bar x=(coordinate(x(0.0))) y=(coordinate(middle - 8.0))
                width=(coordinate((x(*value) - x(0.0)).max(0.0))) height="16" {}
            @for (index, block) in spread(blocks).enumerate() {
                circle.block cx=(coordinate(x(block))) cy=(coordinate(middle + jitter(index)))
                    r="2" {}
            }
        },
        Mark::Dot { value } => html! {
            circle.point cx=(coordinate(x(*value))) cy=(y) r="4.5" {}
        },
    }
}

/// At most [`DOTS_MAX`] of them, evenly spread.
fn spread(blocks: &[f64]) -> impl Iterator<Item = f64> {
    let step = blocks.len().div_ceil(DOTS_MAX).max(1);
    blocks.iter().step_by(step).copied()
}

/// Keeps dots of equal value from hiding each other: -5 to 5 in steps that look irregular.
fn jitter(index: usize) -> f64 {
    (index * 7 % 11) as f64 - 5.0
}
