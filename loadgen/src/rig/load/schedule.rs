//! When the requests of an open loop are due: fixed beforehand, whatever becomes of them.

use fastrand::Rng;

use super::super::limits::TUPLE_SPACING_MAX;

/// The requests of one block.
#[derive(Debug)]
pub(super) struct Schedule {
    begin_ns: u64,
    interval_ns: f64,
    spacing_ns: u64,
    tuples: u32,
    /// The tuple in hand and the order of targets in it.
    tuple: u32,
    order: Vec<u16>,
    position: usize,
}

/// One request that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Counted from the beginning of the schedule.
    pub tuple: u32,
    /// Index of the target.
    pub target: u16,
    /// When.
    pub intended_ns: u64,
}

impl Schedule {
    /// `tuples` of one request to each of `targets`, so many a second from `begin_ns` on. The
    /// requests of a tuple are spread over its time, but stay close together.
    pub(super) fn new(begin_ns: u64, tuples_per_second: f64, tuples: u32, targets: u16) -> Self {
        let interval_ns = 1e9 / tuples_per_second;
        let spacing_max_ns = TUPLE_SPACING_MAX.as_nanos() as f64;
        let spacing_ns = (interval_ns / f64::from(targets)).min(spacing_max_ns) as u64;
        let order = (0..targets).collect();
        Self { begin_ns, interval_ns, spacing_ns, tuples, tuple: 0, order, position: 0 }
    }

    /// When the next request is due; the end of time when there is none.
    #[inline]
    pub(super) fn due_ns(&self) -> u64 {
        if self.tuple == self.tuples {
            return u64::MAX;
        }
        let tuple_ns = (f64::from(self.tuple) * self.interval_ns) as u64;
        self.begin_ns + tuple_ns + self.position as u64 * self.spacing_ns
    }

    /// The next request, if it is due.
    #[inline]
    pub(super) fn next(&mut self, now_ns: u64, random: &mut Rng) -> Option<Due> {
        let intended_ns = self.due_ns();
        if intended_ns > now_ns || intended_ns == u64::MAX {
            return None;
        }
        if self.position == 0 {
            random.shuffle(&mut self.order);
        }
        let due = Due { tuple: self.tuple, target: self.order[self.position], intended_ns };
        self.position += 1;
        if self.position == self.order.len() {
            self.position = 0;
            self.tuple += 1;
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_are_complete_shuffled_and_on_time() {
        let mut random = Rng::with_seed(1);
        let mut schedule = Schedule::new(1_000, 1_000.0, 600, 3);
        let all: Vec<Due> =
            std::iter::from_fn(|| schedule.next(u64::MAX - 1, &mut random)).collect();
        assert_eq!(all.len(), 1_800);
        assert_eq!(schedule.due_ns(), u64::MAX);
        let mut firsts = [0; 3];
        for (tuple, requests) in all.chunks(3).enumerate() {
            firsts[usize::from(requests[0].target)] += 1;
            let mut targets: Vec<u16> = requests.iter().map(|due| due.target).collect();
            targets.sort_unstable();
            assert_eq!(targets, [0, 1, 2]);
            let begin_ns = 1_000 + tuple as u64 * 1_000_000;
            let times: Vec<u64> = requests.iter().map(|due| due.intended_ns).collect();
            assert_eq!(times, [begin_ns, begin_ns + 300_000, begin_ns + 600_000]);
        }
        assert!(firsts.iter().all(|&count| count > 150), "{firsts:?}");
    }

    #[test]
    fn nothing_is_sent_early() {
        let mut random = Rng::with_seed(1);
        let mut schedule = Schedule::new(1_000, 1_000_000.0, 2, 1);
        assert_eq!(schedule.next(999, &mut random), None);
        assert!(schedule.next(1_000, &mut random).is_some());
        assert_eq!(schedule.next(1_999, &mut random), None);
        assert!(schedule.next(2_000, &mut random).is_some());
        assert_eq!(schedule.next(u64::MAX, &mut random), None);
    }
}
