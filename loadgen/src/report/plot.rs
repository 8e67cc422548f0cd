//! Plots as inline SVG, each drawn twice: wide, and narrow for phones, since text that shrinks with its
//! picture cannot be read. The style sheet shows the one that fits.

pub(crate) mod curves;
pub(crate) mod rows;
mod scale;

use maud::{Markup, html};

/// Which of the two drawings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Wide,
    Narrow,
}

/// The colour and line pattern of a target, the same in every plot of a page. The first is the neutral
/// one of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hue(pub(crate) usize);

/// Colours in the style sheet; more targets than that begin again with the second.
const HUES: usize = 8;

/// A drawing in both sizes.
pub(crate) fn both(draw: impl Fn(Size) -> Markup) -> Markup {
    html! {
        div.wide { (draw(Size::Wide)) }
        div.narrow { (draw(Size::Narrow)) }
    }
}

impl Hue {
    /// The class that the style sheet gives its colour.
    pub(crate) fn class(self) -> String {
        let index = if self.0 < HUES { self.0 } else { 1 + (self.0 - 1) % (HUES - 1) };
        format!("hue{index}")
    }
}

/// A coordinate with as many digits as a screen can show.
fn coordinate(value: f64) -> String {
    format!("{value:.1}")
}
