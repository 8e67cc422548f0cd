//! Axes: from values to places, and where the gridlines go.

/// From a range of values to 0-1, straight or logarithmic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
}

/// Values that differ by more than this factor are drawn on a logarithmic axis.
const LOG_FROM: f64 = 20.0;
/// What logarithmic axes show of a decade when there are few decades, and when there are many.
const FEW: [f64; 3] = [1.0, 2.0, 5.0];
const MANY: [f64; 1] = [1.0];
/// Decades up to which an axis is short of lines.
const DECADES_FEW: f64 = 2.5;

impl Scale {
    /// From zero to a little above the largest value.
    pub(crate) fn from_zero(values: impl Iterator<Item = f64>) -> Scale {
        let high = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let high = if high > 0.0 { high * 1.04 } else { 1.0 };
        Scale { low: 0.0, high, is_log: false }
    }

    /// From one value to the largest; straight.
    pub(crate) fn exactly(low: f64, values: impl Iterator<Item = f64>) -> Scale {
        let high = values.filter(|value| value.is_finite()).fold(low, f64::max);
        let high = if high > low { high } else { low + 1.0 };
        Scale { low, high, is_log: false }
    }

    /// Around values, zero not among them unless it lies close; straight.
    pub(crate) fn around(values: impl Iterator<Item = f64> + Clone) -> Scale {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let room = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.08 };
        if !low.is_finite() || !high.is_finite() {
            return Scale { low: 0.0, high: 1.0, is_log: false };
        }
        Scale { low: low - room, high: high + room, is_log: false }
    }

    /// From zero, or logarithmic when the positive values range widely.
    pub(crate) fn fitting(values: impl Iterator<Item = f64> + Clone) -> Scale {
        let positive = || values.clone().filter(|value| value.is_finite() && *value > 0.0);
        let low = positive().fold(f64::INFINITY, f64::min);
        let high = positive().fold(0.0, f64::max);
        if high <= low * LOG_FROM {
            return Scale::from_zero(values);
        }
        Scale { low: low / 1.15, high: high * 1.15, is_log: true }
    }

    /// Whether the distance is that of logarithms.
    pub(crate) fn is_log(&self) -> bool {
        self.is_log
    }

    /// Whether a value lies on the axis.
    pub(crate) fn contains(&self, value: f64) -> bool {
        // What was computed from the same number twice may differ by a hair.
        let hair = (self.high - self.low) * 1e-9;
        (self.low - hair..=self.high + hair).contains(&value)
    }

    /// Where a value lies, 0 to 1; what lies outside is put at the edge.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// About `wanted` round values within the range.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if self.is_log { self.log_ticks() } else { self.straight_ticks(wanted) }
    }

    fn straight_ticks(&self, wanted: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / wanted.max(1) as f64;
        let decade = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
        let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(decade * 10.0);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|index| index as f64 * step).collect()
    }

    fn log_ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let of_decade: &[f64] = if decades < DECADES_FEW { &FEW } else { &MANY };
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        (first..=last)
            .flat_map(|decade| of_decade.iter().map(move |step| step * 10_f64.powi(decade)))
            .filter(|tick| (self.low..=self.high).contains(tick))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gridlines_are_round_and_within_the_axis() {
        let scale = Scale::from_zero([53.0].into_iter());
        assert_eq!(scale.ticks(5), [0.0, 20.0, 40.0]);
        let near_one = Scale::around([0.97, 1.08].into_iter());
        assert!((2..=5).contains(&near_one.ticks(4).len()), "{:?}", near_one.ticks(4));
        assert!(near_one.ticks(4).iter().all(|tick| (0.96..=1.09).contains(tick)));
    }

    #[test]
    fn wide_ranges_become_logarithmic() {
        let scale = Scale::fitting([10.0, 5_000.0].into_iter());
        assert!(scale.is_log());
        assert_eq!(scale.ticks(5), [10.0, 100.0, 1_000.0]);
        let few = Scale::fitting([10.0, 210.0].into_iter());
        assert_eq!(few.ticks(5), [10.0, 20.0, 50.0, 100.0, 200.0]);
        assert!(!Scale::fitting([10.0, 150.0].into_iter()).is_log());
    }

    #[test]
    fn places_run_from_edge_to_edge() {
        for scale in [Scale::from_zero([9.0].into_iter()), Scale::fitting([1.0, 900.0].into_iter())]
        {
            assert!(scale.place(f64::MIN_POSITIVE) < 1e-9);
            assert_eq!(scale.place(1e12), 1.0);
            assert!(scale.place(3.0) < scale.place(4.0));
        }
    }

    #[test]
    fn nothing_to_show_still_has_an_axis() {
        for scale in [
            Scale::from_zero(std::iter::empty()),
            Scale::around(std::iter::empty()),
            Scale::fitting(std::iter::empty()),
            Scale::around([1.0].into_iter()),
        ] {
            let ticks = scale.ticks(5);
            assert!((1..20).contains(&ticks.len()), "{scale:?} {ticks:?}");
            assert!(scale.place(1.0).is_finite());
        }
    }
}
