//! Percentiles, from samples one by one or from a histogram, always by nearest rank: the smallest value
//! that at least the asked share of all values does not exceed.

use hdrhistogram::Histogram;

use crate::result::Latency;

/// Steps of the curve per factor of ten in the tail.
const STEPS_PER_DECADE: u32 = 20;
/// The curve ends here at the latest: one in a million.
const STEPS_MAX: u32 = 6 * STEPS_PER_DECADE;

/// The latency of samples in nanoseconds, in any order; sorts them. Signed, since the time a gap between
/// two events grew by may be negative.
pub(crate) fn latency_of_samples(samples: &mut [i64]) -> Latency {
    samples.sort_unstable();
    let Some(&max) = samples.last() else { return Latency::default() };
    let sum: i128 = samples.iter().map(|&sample| i128::from(sample)).sum();
    latency(samples.len() as u64, sum as f64 / samples.len() as f64, max as f64, |share| {
        quantile(samples, share).map_or(0.0, |value| value as f64)
    })
}

/// The latency of a histogram in nanoseconds.
pub(crate) fn latency_of_histogram(histogram: &Histogram<u64>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    latency(histogram.len(), histogram.mean(), histogram.max() as f64, |share| {
        histogram.value_at_quantile(share) as f64
    })
}

/// The value at `share` (0 to 1) of sorted values; none of no values.
pub(crate) fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let rank = rank(sorted.len() as u64, share).checked_sub(1)?;
    sorted.get(rank as usize).copied()
}

/// How many of `count` values must not exceed the one at `share`.
pub(crate) fn rank(count: u64, share: f64) -> u64 {
    // The product of a short decimal and a whole number may end up a hair above the whole number it
    // stands for; that hair must not cost a rank.
    let exact = share * count as f64;
    ((exact - exact * 1e-12).ceil() as u64).clamp(count.min(1), count)
}

/// The median of numbers in any order; the mean of the middle two of an even count.
pub(crate) fn median(numbers: &mut [f64]) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    if numbers.len() % 2 == 1 {
        return Some(upper);
    }
    Some((numbers[numbers.len() / 2 - 1] + upper) / 2.0)
}

/// Keeps what can be measured and no more, so that files stay short and read back exactly.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1e5).round() / 1e5
}

fn latency(count: u64, mean_ns: f64, max_ns: f64, at: impl Fn(f64) -> f64) -> Latency {
    let microseconds = |share| rounded(at(share) / 1e3);
    Latency {
        count,
        mean_us: rounded(mean_ns / 1e3),
        p50_us: microseconds(0.5),
        p90_us: microseconds(0.9),
        p99_us: microseconds(0.99),
        p999_us: microseconds(0.999),
        max_us: rounded(max_ns / 1e3),
        curve: curve_shares(count)
            .map(|share| (rounded(share * 100.0), microseconds(share)))
            .collect(),
    }
}

/// The shares the curve is drawn through: evenly to the median, then evenly on the logarithm of what
/// remains, as long as at least one sample remains.
fn curve_shares(count: u64) -> impl Iterator<Item = f64> {
    let body = (0..=5).map(|tenth| f64::from(tenth) / 10.0);
    let tail = (1..=STEPS_MAX)
        .map(|step| 10_f64.powf(-f64::from(step) / f64::from(STEPS_PER_DECADE)))
        .skip_while(|remaining| *remaining >= 0.5)
        .take_while(move |remaining| remaining * count as f64 >= 1.0 - 1e-9)
        .map(|remaining| 1.0 - remaining);
    body.chain(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word.
    fn brute_force(values: &[i64], share: f64) -> i64 {
        let mut candidates = values.to_vec();
        candidates.sort_unstable();
        *candidates
            .iter()
            .find(|&&candidate| {
                let covered = values.iter().filter(|&&value| value <= candidate).count();
                covered as f64 + 1e-9 >= share * values.len() as f64
            })
            .unwrap()
    }

    #[test]
    fn percentiles_are_those_of_the_definition() {
        let mut random = fastrand::Rng::with_seed(1);
        for count in [1, 2, 3, 10, 99, 100, 101, 1000, 2345] {
            let mut values: Vec<i64> = (0..count).map(|_| random.i64(-500..5_000)).collect();
            let unsorted = values.clone();
            values.sort_unstable();
            for share in [0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let expected = brute_force(&unsorted, share);
                assert_eq!(quantile(&values, share), Some(expected), "{share} of {count}");
            }
        }
    }

    #[test]
    fn a_histogram_gives_the_percentiles_of_its_samples() {
        let mut random = fastrand::Rng::with_seed(2);
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        let mut samples: Vec<i64> = (0..5_000).map(|_| random.i64(10_000..2_000_000)).collect();
        for &sample in &samples {
            histogram.record(sample as u64).unwrap();
        }
        let (exact, coarse) = (latency_of_samples(&mut samples), latency_of_histogram(&histogram));
        for (exact, coarse) in [
            (exact.p50_us, coarse.p50_us),
            (exact.p99_us, coarse.p99_us),
            (exact.p999_us, coarse.p999_us),
            (exact.mean_us, coarse.mean_us),
        ] {
            assert!((coarse / exact - 1.0).abs() < 0.002, "{coarse} for {exact}");
        }
        assert_eq!(exact.count, coarse.count);
    }

    #[test]
    fn the_curve_rises_and_ends_at_the_last_sample() {
        let mut samples: Vec<i64> = (1..=10_000).map(|value| value * 1_000).collect();
        let curve = latency_of_samples(&mut samples).curve;
        assert!(curve.is_sorted_by(|left, right| left.0 < right.0 && left.1 <= right.1));
        assert_eq!(curve.first(), Some(&(0.0, 1.0)));
        assert_eq!(curve.last(), Some(&(99.99, 9_999.0)));
        assert!((60..120).contains(&curve.len()), "{} points", curve.len());
    }

    #[test]
    fn nothing_measured_is_no_latency() {
        assert_eq!(latency_of_samples(&mut []), Latency::default());
        assert_eq!(latency_of_histogram(&Histogram::new(3).unwrap()), Latency::default());
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn an_even_count_has_its_median_in_the_middle() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
    }
}
