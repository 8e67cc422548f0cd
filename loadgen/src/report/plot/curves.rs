//! Plots with two axes: the percentile curve, and memory against time or streams.

use maud::{Markup, html};

use super::scale::Scale;
use super::{Hue, Size, coordinate};
use crate::report::format;

/// Percentiles that get a gridline, as far as the samples reach.
const PERCENTILES: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
const TOP: f64 = 10.0;
/// Between the names of two lines at least.
const LABEL_DISTANCE: f64 = 15.0;

/// One line of a plot.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) hue: Hue,
    /// (x, y) in the axes' units.
    pub(crate) points: Vec<(f64, f64)>,
    /// Whether `points` are readings, drawn as dots; else they are joined.
    pub(crate) is_readings: bool,
    /// A straight line through the readings, by its two ends.
    pub(crate) fit: Option<[(f64, f64); 2]>,
}

/// What the horizontal axis shows.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Horizontal {
    /// Percentiles, by the logarithm of what remains above.
    Percentile,
    /// Any number, from zero.
    Number,
}

/// A whole plot.
pub(crate) struct Curves {
    /// For those who cannot see it.
    pub(crate) title: String,
    pub(crate) description: String,
    /// Names of the axes, with units.
    pub(crate) horizontal_name: String,
    pub(crate) vertical_name: String,
    pub(crate) horizontal: Horizontal,
    pub(crate) curves: Vec<Curve>,
}

/// Where things are, in pixels, and which value lies where.
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    bottom: f64,
    /// Of places, which for percentiles are the decades of what remains.
    across: Scale,
    up: Scale,
    horizontal: Horizontal,
    size: Size,
}

/// Draws it.
pub(crate) fn draw(plot: &Curves, size: Size) -> Markup {
    let frame = Frame::of(plot, size);
    html! {
        svg viewBox=(format!("0 0 {} {}", frame.width, frame.height)) role="img" {
            title { (plot.title) }
            desc { (plot.description) }
            (draw_axes(plot, &frame))
            @for curve in &plot.curves {
                (draw_curve(curve, &frame))
            }
            @if size == Size::Wide {
                (draw_names(&plot.curves, &frame))
            }
        }
        @if size == Size::Narrow {
            ul.legend {
                @for curve in &plot.curves {
                    li class=(curve.hue.class()) {
                        svg viewBox="0 0 28 10" aria-hidden="true" {
                            line.curve x1="0" y1="5" x2="28" y2="5" {}
                        }
                        (curve.name)
                    }
                }
            }
        }
    }
}

impl Frame {
    fn of(plot: &Curves, size: Size) -> Frame {
        let all = || plot.curves.iter().flat_map(Curve::all_points);
        let across = all().map(|(x, _)| plot.horizontal.place(x));
        let across = match plot.horizontal {
            Horizontal::Percentile => Scale::exactly(plot.horizontal.place(50.0), across),
            Horizontal::Number => Scale::exactly(0.0, across),
        };
        let up = match plot.horizontal {
            Horizontal::Percentile => {
                Scale::fitting(all().filter(|(x, _)| *x >= 50.0).map(|(_, y)| y))
            }
            Horizontal::Number => Scale::from_zero(all().map(|(_, y)| y)),
        };
        let (horizontal, bottom) = (plot.horizontal, 44.0);
        match size {
            Size::Wide => {
                let (width, height, left, right) = (800.0, 380.0, 58.0, 108.0);
                Frame { width, height, left, right, bottom, across, up, horizontal, size }
            }
            Size::Narrow => {
                let (width, height, left, right) = (360.0, 290.0, 50.0, 14.0);
                Frame { width, height, left, right, bottom, across, up, horizontal, size }
            }
        }
    }

    fn x(&self, value: f64) -> f64 {
        let span = self.width - self.left - self.right;
        self.left + self.across.place(self.horizontal.place(value)) * span
    }

    fn y(&self, value: f64) -> f64 {
        let span = self.height - TOP - self.bottom;
        TOP + (1.0 - self.up.place(value)) * span
    }

    fn floor(&self) -> f64 {
        self.height - self.bottom
    }

    fn across_ticks(&self) -> Vec<(f64, String)> {
        match self.horizontal {
            Horizontal::Percentile => PERCENTILES
                .into_iter()
                .filter(|share| self.across.contains(self.horizontal.place(*share)))
                .map(|share| (share, format!("p{share}")))
                .collect(),
            Horizontal::Number => {
                let wanted = if self.size == Size::Wide { 6 } else { 4 };
                self.across
                    .ticks(wanted)
                    .into_iter()
                    .map(|tick| (tick, format::tick(tick)))
                    .collect()
            }
        }
    }
}

impl Curve {
    fn all_points(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.points.iter().chain(self.fit.iter().flatten()).copied()
    }
}

impl Horizontal {
    /// Where a value lies on an even axis. The last percentile shown is the one that is 100 but for one
    /// in a hundred million.
    fn place(self, value: f64) -> f64 {
        match self {
            Horizontal::Percentile => -(1.0 - value / 100.0).max(1e-8).log10(),
            Horizontal::Number => value,
        }
    }
}

fn draw_axes(plot: &Curves, frame: &Frame) -> Markup {
    let (left, right) = (frame.left, frame.width - frame.right);
    let floor = frame.floor();
    let scale = if frame.up.is_log() { ", logarithmic" } else { "" };
    html! {
        @for tick in frame.up.ticks(5) {
            @let y = frame.y(tick);
            line.grid x1=(left) x2=(right) y1=(coordinate(y)) y2=(coordinate(y)) {}
            text.tick x=(left - 8.0) y=(coordinate(y + 4.0)) text-anchor="end" { (format::tick(tick)) }
        }
        @for (tick, name) in frame.across_ticks() {
            @let x = coordinate(frame.x(tick));
            line.grid x1=(x) x2=(x) y1=(TOP) y2=(floor) {}
            text.tick x=(x) y=(floor + 16.0) text-anchor="middle" { (name) }
        }
        text.axis x=(coordinate((left + right) / 2.0)) y=(floor + 36.0) text-anchor="middle" {
            (plot.horizontal_name)
        }
        text.axis transform=(format!("translate(12 {}) rotate(-90)", coordinate((TOP + floor) / 2.0)))
            text-anchor="middle" { (plot.vertical_name) (scale) }
    }
}

fn draw_curve(curve: &Curve, frame: &Frame) -> Markup {
    let shown = || {
        let points = curve.points.iter();
        points.filter(|(x, _)| frame.across.contains(frame.horizontal.place(*x)))
    };
    html! {
        g class=(curve.hue.class()) {
            @if let Some([from, to]) = curve.fit {
                line.fit x1=(coordinate(frame.x(from.0))) y1=(coordinate(frame.y(from.1)))
                    x2=(coordinate(frame.x(to.0))) y2=(coordinate(frame.y(to.1))) {}
            }
            @if curve.is_readings {
                @for (x, y) in shown() {
                    circle.point cx=(coordinate(frame.x(*x))) cy=(coordinate(frame.y(*y))) r="3" {}
                }
            } @else {
                path.curve d=(path(shown(), frame)) {}
            }
        }
    }
}

fn path<'a>(points: impl Iterator<Item = &'a (f64, f64)>, frame: &Frame) -> String {
    let mut path = String::new();
    for (x, y) in points {
        path.push(if path.is_empty() { 'M' } else { 'L' });
        path += &format!("{} {}", coordinate(frame.x(*x)), coordinate(frame.y(*y)));
    }
    path
}

/// The names at the lines' ends, moved apart where they would cover each other.
fn draw_names(curves: &[Curve], frame: &Frame) -> Markup {
    let mut ends: Vec<(f64, &Curve)> = curves
        .iter()
        .filter_map(|curve| {
            let end = curve.fit.map_or_else(|| curve.points.last().copied(), |fit| Some(fit[1]));
            Some((frame.y(end?.1), curve))
        })
        .collect();
    ends.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mut places: Vec<f64> = ends.iter().map(|(y, _)| *y).collect();
    move_apart(&mut places, frame.floor());
    let x = coordinate(frame.width - frame.right + 8.0);
    html! {
        @for ((_, curve), y) in ends.iter().zip(places) {
            text class=(format!("name {}", curve.hue.class())) x=(x) y=(coordinate(y + 4.0)) {
                (curve.name)
            }
        }
    }
}

/// Pushes sorted places down to the least distance, then up again from the floor.
fn move_apart(places: &mut [f64], floor: f64) {
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + LABEL_DISTANCE);
    }
    let mut limit = floor;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - LABEL_DISTANCE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_ends_never_cover_each_other() {
        for mut places in [vec![10.0, 11.0, 12.0, 200.0], vec![330.0, 331.0, 332.0, 333.0]] {
            move_apart(&mut places, 336.0);
            let is_apart = |pair: &[f64]| pair[1] - pair[0] >= LABEL_DISTANCE - 1e-9;
            assert!(places.windows(2).all(is_apart), "{places:?}");
            assert!(places.iter().all(|place| *place <= 336.0));
        }
    }

    #[test]
    fn each_nine_takes_the_same_room() {
        let place = |share| Horizontal::Percentile.place(share);
        let (first, second) = (place(99.0) - place(90.0), place(99.9) - place(99.0));
        assert!((first - second).abs() < 1e-9);
    }
}
