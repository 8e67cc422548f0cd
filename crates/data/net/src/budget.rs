//! One number for the whole process: how many bytes may wait in memory beyond the pooled buffers.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that buffers outside the pools may hold together. Shared by all workers.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
    bytes_used: AtomicUsize,
}

/// The process holds as many bytes as it may; the answer to the caller is "later".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSpent;

impl Budget {
    /// A budget of `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes_used: AtomicUsize::new(0) }
    }

    /// The limit.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Bytes charged now. May exceed the limit by what cannot be refused ([`crate::Buffer::reserve`]).
    pub fn bytes_used(&self) -> usize {
        self.bytes_used.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, or nothing if they would exceed the limit.
    pub(crate) fn try_charge(&self, bytes: usize) -> Result<(), BudgetSpent> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.bytes_max);
        self.bytes_used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map(drop)
            .map_err(|_| BudgetSpent)
    }

    /// Takes `bytes` whether they fit or not.
    pub(crate) fn charge(&self, bytes: usize) {
        self.bytes_used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives `bytes` back that were charged before.
    pub(crate) fn release(&self, bytes: usize) {
        let before = self.bytes_used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "released more than was charged");
    }
}

impl fmt::Display for BudgetSpent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("too many bytes are buffered already")
    }
}

impl std::error::Error for BudgetSpent {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_charge_changes_nothing() {
        let budget = Budget::new(100);
        budget.try_charge(60).unwrap();
        assert_eq!(budget.try_charge(41), Err(BudgetSpent));
        assert_eq!(budget.bytes_used(), 60);
        budget.try_charge(40).unwrap();
        budget.release(100);
        assert_eq!(budget.bytes_used(), 0);
    }

    #[test]
    fn threads_together_never_exceed_the_limit() {
        let budget = Budget::new(1_000);
        let granted: usize = std::thread::scope(|scope| {
            let charge = || (0..500).filter(|_| budget.try_charge(3).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(charge)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(granted, 333);
        assert_eq!(budget.bytes_used(), 999);
    }
}
