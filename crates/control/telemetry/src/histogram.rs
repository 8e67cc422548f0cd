//! A histogram with fixed buckets that takes single values and values someone else has counted.

/// Counts per bucket, not cumulative; the last bucket is open.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    counts: Box<[u64]>,
    sum: f64,
}

impl Histogram {
    /// An empty histogram. `bounds` are upper bounds in rising order.
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        debug_assert!(bounds.is_sorted(), "bounds rise");
        Self { bounds, counts: vec![0; bounds.len() + 1].into(), sum: 0.0 }
    }

    /// Counts one value.
    pub(crate) fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }

    /// Adds values that were counted into the same buckets elsewhere.
    pub(crate) fn add(&mut self, counts: &[u32], sum: f64) {
        debug_assert_eq!(counts.len(), self.counts.len(), "same buckets");
        for (own, more) in self.counts.iter_mut().zip(counts) {
            *own += u64::from(*more);
        }
        self.sum += sum;
    }

    /// Each bound with the number of values up to it, `+Inf` last.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().scan(0, |total, count| {
            *total += count;
            Some(*total)
        }))
    }

    /// How many values there were.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of the values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[f64] = &[1.0, 2.5];

    fn cumulative(histogram: &Histogram) -> Vec<u64> {
        histogram.cumulative().map(|(_, count)| count).collect()
    }

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let mut histogram = Histogram::new(BOUNDS);
        for value in [0.0, 1.0, 2.5, 2.6] {
            histogram.observe(value);
        }
        assert_eq!(cumulative(&histogram), [2, 3, 4]);
        assert_eq!(histogram.sum(), 6.1);
    }

    #[test]
    fn counted_values_add_up_with_single_ones() {
        let mut histogram = Histogram::new(BOUNDS);
        histogram.observe(2.0);
        histogram.add(&[3, 0, 1], 9.0);
        assert_eq!(cumulative(&histogram), [3, 4, 5]);
        assert_eq!((histogram.count(), histogram.sum()), (5, 11.0));
    }
}
