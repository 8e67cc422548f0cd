//! Confidence intervals by resampling. Requests that run close together meet the same disturbances, so
//! not requests are drawn with replacement but whole units: stretches of consecutive tuples, or blocks.
//!
//! A pooled quantile is found exactly and without merging: it lies between the smallest and the largest
//! of the units' own quantiles, and halving that short bracket takes a dozen counts in sorted units.

use fastrand::Rng;

use crate::result::Estimate;

use super::percentile::{median, quantile, rank, rounded};

/// Draws per interval: the ends of a 95 % interval rest on 50 of them on each side.
const DRAWS: usize = 2_000;
/// The two ends of a 95 % interval.
const LOW: f64 = 0.025;
const HIGH: f64 = 0.975;
/// Any number does; a fixed one gives the same interval to the same numbers.
const UNIT_SEED: u64 = 95;
/// 97.5 % quantile of the normal distribution.
const NORMAL: f64 = 1.96;
/// 97.5 % quantiles of Student's t for 1, 2, … degrees of freedom, from the usual tables.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// Which units each draw takes, and how often. Statistics that are to be compared draw the same units.
pub(crate) struct Draws {
    /// One entry per draw: how often each unit was taken.
    counts: Vec<Vec<u32>>,
    all: Vec<u32>,
}

/// A statistic of all units together, and of each draw.
pub(crate) struct Drawn {
    value: f64,
    draws: Vec<f64>,
    units: usize,
}

impl Draws {
    /// Draws from `units` units; none for fewer than two, which say nothing about spread.
    pub(crate) fn new(units: usize, seed: u64) -> Option<Draws> {
        if units < 2 {
            return None;
        }
        let mut random = Rng::with_seed(seed);
        let counts = (0..DRAWS).map(|_| one_draw(units, &mut random)).collect();
        Some(Draws { counts, all: vec![1; units] })
    }

    /// The statistic of every draw. None if all units together have none; draws that have none (of a few
    /// units with next to no samples) are left out.
    pub(crate) fn apply(&self, statistic: impl Fn(&[u32]) -> Option<f64>) -> Option<Drawn> {
        let value = statistic(&self.all)?;
        let draws = self.counts.iter().map(|counts| statistic(counts).unwrap_or(f64::NAN));
        Some(Drawn { value, draws: draws.collect(), units: self.all.len() })
    }

    /// The quantile of all values of the drawn units, which must be sorted; in the values' unit.
    pub(crate) fn quantile<U: AsRef<[i64]>>(&self, units: &[U], share: f64) -> Option<Drawn> {
        let pool = Pool::new(units, share);
        self.apply(|counts| pool.quantile(counts).map(|value| value as f64))
    }
}

impl Drawn {
    /// The interval. With few units the draws spread too little, by what Student's t is wider than the
    /// normal distribution and by the missing degree of freedom; both are put back.
    pub(crate) fn estimate(&self) -> Estimate {
        let mut sorted: Vec<f64> =
            self.draws.iter().copied().filter(|draw| draw.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let end = |share| {
            let drawn = quantile(&sorted, share).unwrap_or(self.value);
            rounded(self.value + (drawn - self.value) * widening(self.units))
        };
        let value = rounded(self.value);
        Estimate { value, low: end(LOW).min(value), high: end(HIGH).max(value) }
    }

    /// This by the other, draw by draw; none where the other is not above zero.
    pub(crate) fn by(&self, other: &Drawn) -> Option<Drawn> {
        let value = ratio(self.value, other.value)?;
        let pairs = self.draws.iter().zip(&other.draws);
        let draws = pairs.map(|(one, two)| ratio(*one, *two).unwrap_or(f64::NAN)).collect();
        Some(Drawn { value, draws, units: self.units })
    }

    /// The same in another unit.
    pub(crate) fn scaled(mut self, factor: f64) -> Drawn {
        self.value *= factor;
        for draw in &mut self.draws {
            *draw *= factor;
        }
        self
    }
}

/// The middle of several numbers with the smallest and the largest, which is all that a handful of rounds
/// can say.
pub(crate) fn median_and_range(numbers: &[f64]) -> Option<Estimate> {
    let mut sorted = numbers.to_vec();
    let value = median(&mut sorted)?;
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    Some(Estimate { value: rounded(value), low: rounded(low), high: rounded(high) })
}

/// The median of numbers, each of which stands for a unit of its own, with its interval; none for fewer
/// than two.
pub(crate) fn interval_of_median(numbers: &[f64]) -> Option<Estimate> {
    let drawn = Draws::new(numbers.len(), UNIT_SEED)?.apply(|counts| {
        let repeated = numbers.iter().zip(counts);
        let mut taken: Vec<f64> = repeated
            .flat_map(|(&number, &count)| std::iter::repeat_n(number, count as usize))
            .collect();
        median(&mut taken)
    })?;
    Some(drawn.estimate())
}

/// `numerator` by `denominator`, if that is above zero.
pub(crate) fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}

fn one_draw(units: usize, random: &mut Rng) -> Vec<u32> {
    let mut counts = vec![0; units];
    for _ in 0..units {
        counts[random.usize(..units)] += 1;
    }
    counts
}

/// By how much an interval from `units` units has to be widened.
fn widening(units: usize) -> f64 {
    let freedom = units - 1;
    let student = STUDENT.get(freedom - 1).copied().unwrap_or(NORMAL);
    student / NORMAL * (units as f64 / freedom as f64).sqrt()
}

/// Units prepared for one quantile of many draws.
struct Pool<'a> {
    units: Vec<PoolUnit<'a>>,
    share: f64,
}

/// A unit, of which only the values between the smallest and the largest of all units' own quantiles
/// are of interest.
struct PoolUnit<'a> {
    between: &'a [i64],
    /// Values below those.
    below: u64,
    all: u64,
    /// Its own quantile; none if it is empty.
    own: Option<i64>,
}

impl<'a> Pool<'a> {
    fn new<U: AsRef<[i64]>>(units: &'a [U], share: f64) -> Pool<'a> {
        let own = |unit: &U| quantile(unit.as_ref(), share);
        let low = units.iter().filter_map(own).min().unwrap_or(0);
        let high = units.iter().filter_map(own).max().unwrap_or(0);
        let prepare = |unit: &'a U| {
            let values = unit.as_ref();
            let below = values.partition_point(|&value| value < low);
            let end = values.partition_point(|&value| value <= high);
            PoolUnit {
                between: &values[below..end],
                below: below as u64,
                all: values.len() as u64,
                own: own(unit),
            }
        };
        Pool { units: units.iter().map(prepare).collect(), share }
    }

    /// The quantile of the values of all units, each unit counted as often as drawn.
    fn quantile(&self, counts: &[u32]) -> Option<i64> {
        let (mut low, mut high, mut total) = (i64::MAX, i64::MIN, 0);
        for (unit, &count) in self.units.iter().zip(counts) {
            let Some(own) = unit.own.filter(|_| count > 0) else { continue };
            low = low.min(own);
            high = high.max(own);
            total += unit.all * u64::from(count);
        }
        let needed = rank(total, self.share);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.covered(middle, counts) >= needed {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        (total > 0).then_some(low)
    }

    /// How many drawn values do not exceed this one.
    fn covered(&self, value: i64, counts: &[u32]) -> u64 {
        let mut covered = 0;
        for (unit, &count) in self.units.iter().zip(counts) {
            if count > 0 {
                let between = unit.between.partition_point(|&other| other <= value) as u64;
                covered += (unit.below + between) * u64::from(count);
            }
        }
        covered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooled_quantile_is_that_of_the_merged_values() {
        let mut random = Rng::with_seed(3);
        for _ in 0..200 {
            let units: Vec<Vec<i64>> = (0..random.usize(1..6))
                .map(|_| {
                    let mut unit: Vec<i64> =
                        (0..random.usize(0..40)).map(|_| random.i64(-90..90)).collect();
                    unit.sort_unstable();
                    unit
                })
                .collect();
            let counts: Vec<u32> = units.iter().map(|_| random.u32(0..3)).collect();
            let mut merged: Vec<i64> = units
                .iter()
                .zip(&counts)
                .flat_map(|(unit, &count)| unit.repeat(count as usize))
                .collect();
            merged.sort_unstable();
            for share in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
                let found = Pool::new(&units, share).quantile(&counts);
                assert_eq!(found, quantile(&merged, share), "{share} of {merged:?}");
            }
        }
    }

    /// 19 of 20 intervals should hold the truth; of 60, 51 allow for chance.
    #[test]
    fn the_interval_of_a_known_median_holds_it() {
        let mut random = Rng::with_seed(4);
        for units in [3, 8, 30] {
            let covered = (0..60).filter(|&seed| interval_covers_zero(units, seed, &mut random));
            let covered = covered.count();
            assert!((51..=60).contains(&covered), "{covered} of 60 with {units} units");
        }
    }

    /// Samples that share a disturbance of their unit, symmetric around zero.
    fn interval_covers_zero(units: usize, seed: u64, random: &mut Rng) -> bool {
        let units: Vec<Vec<i64>> = (0..units)
            .map(|_| {
                let shared = random.i64(-100..=100) + random.i64(-100..=100);
                let mut unit: Vec<i64> = (0..21).map(|_| shared + random.i64(-50..=50)).collect();
                unit.sort_unstable();
                unit
            })
            .collect();
        let draws = Draws::new(units.len(), seed).unwrap();
        let estimate = draws.quantile(&units, 0.5).unwrap().estimate();
        estimate.low <= 0.0 && estimate.high >= 0.0
    }

    #[test]
    fn a_single_unit_has_no_interval() {
        assert!(Draws::new(1, 0).is_none());
        assert!(Draws::new(0, 0).is_none());
    }

    #[test]
    fn units_without_samples_have_no_quantile() {
        let draws = Draws::new(2, 0).unwrap();
        assert!(draws.quantile(&[vec![], vec![]], 0.5).is_none());
    }

    #[test]
    fn a_ratio_to_nothing_is_none() {
        let draws = Draws::new(2, 0).unwrap();
        let one = draws.apply(|_| Some(1.0)).unwrap();
        let none = draws.apply(|_| Some(0.0)).unwrap();
        assert!(one.by(&none).is_none());
    }
}
