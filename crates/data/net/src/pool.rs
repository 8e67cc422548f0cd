//! The worker's pool of equal blocks of memory: last in, first out, so that the hot ones stay in the cache.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use crate::Budget;
use crate::system::{Mapping, Piece};
use crate::worker::{self, lower, raise};

/// Blocks returned to the system in one call of [`trim`]: at about 1 µs each this bounds its time.
const TRIMMED_AT_ONCE_MAX: usize = 256;

/// Block size where no worker set one (unit tests, helper threads).
const BLOCK_BYTES_DEFAULT: usize = 16 * 1024;

thread_local! {
    static POOL: RefCell<Option<Pool>> = const { RefCell::new(None) };
}

struct Pool {
    free: Vec<Piece>,
    block_bytes: usize,
    budget: Arc<Budget>,
    /// So many blocks at the bottom of `free` hold no memory.
    cold: usize,
    /// How many blocks there are, wherever they are.
    count: usize,
    /// The shortest `free` was since the last trim: what lies below was not needed.
    free_min: usize,
}

impl Pool {
    fn pop(&mut self) -> Option<Piece> {
        let piece = self.free.pop()?;
        self.free_min = self.free_min.min(self.free.len());
        self.cold = self.cold.min(self.free.len());
        Some(piece)
    }
}

/// Gives the calling thread a pool of `count` blocks.
pub(crate) fn install(count: usize, block_bytes: usize, budget: Arc<Budget>) -> io::Result<()> {
    let bytes = count.checked_mul(block_bytes).ok_or(io::ErrorKind::InvalidInput)?;
    let free = if bytes == 0 {
        Vec::new()
    } else {
        let mapping = Mapping::new(bytes)?;
        (0..count).filter_map(|index| mapping.piece(index * block_bytes, block_bytes)).collect()
    };
    let (cold, free_min) = (free.len(), free.len());
    POOL.set(Some(Pool { free, block_bytes, budget, cold, count, free_min }));
    Ok(())
}

/// Ends the calling thread's pool and returns the memory of all blocks that came back.
pub(crate) fn uninstall() {
    if let Some(mut pool) = POOL.take() {
        pool.free.iter_mut().for_each(Piece::forget_contents);
    }
}

/// Most blocks that may be lent to the kernel at once: what is written needs some, too.
pub(crate) fn lendable() -> u16 {
    let half = POOL.with_borrow(|pool| pool.as_ref().map_or(0, |pool| pool.count / 2));
    u16::try_from(half).unwrap_or(u16::MAX)
}

/// A block to lend to the kernel, which does not count as used until [`count_taken`].
pub(crate) fn lend() -> Option<Piece> {
    POOL.with_borrow_mut(|pool| pool.as_mut()?.pop())
}

/// Counts a lent block as used: the kernel has filled it.
pub(crate) fn count_taken() {
    worker::worker_stats(|stats| raise(&stats.buffers_in_use));
}

/// Puts a block back that was lent for nothing.
pub(crate) fn take_back(piece: Piece) {
    // An error means that the thread is ending.
    let _ = POOL.try_with(|pool| {
        if let Some(pool) = pool.borrow_mut().as_mut() {
            pool.free.push(piece);
        }
    });
}

/// A block, or `None` when all are in use or the thread has no pool.
pub(crate) fn take() -> Option<Piece> {
    POOL.with_borrow_mut(|pool| {
        let pool = pool.as_mut()?;
        let Some(piece) = pool.pop() else {
            worker::worker_stats(|stats| raise(&stats.buffers_missed));
            return None;
        };
        worker::worker_stats(|stats| raise(&stats.buffers_in_use));
        Some(piece)
    })
}

/// Puts a block back. After the thread's pool has gone it is left alone, as is its memory.
pub(crate) fn give(piece: Piece) {
    let put = |pool: &RefCell<Option<Pool>>| {
        if let Some(pool) = pool.borrow_mut().as_mut() {
            pool.free.push(piece);
            worker::worker_stats(|stats| lower(&stats.buffers_in_use));
        }
    };
    // An error means that the thread is ending.
    let _ = POOL.try_with(put);
}

/// Size of a block on this thread.
pub(crate) fn block_bytes() -> usize {
    POOL.with_borrow(|pool| pool.as_ref().map_or(BLOCK_BYTES_DEFAULT, |pool| pool.block_bytes))
}

/// What blocks beyond the pool are charged to.
pub(crate) fn budget() -> Option<Arc<Budget>> {
    POOL.with_borrow(|pool| pool.as_ref().map(|pool| Arc::clone(&pool.budget)))
}

/// Returns the memory of blocks that were not needed since the last call, so that a burst leaves no trace.
pub(crate) fn trim() {
    POOL.with_borrow_mut(|pool| {
        let Some(pool) = pool.as_mut() else { return };
        let end = pool.free_min.min(pool.cold + TRIMMED_AT_ONCE_MAX);
        if let Some(unused) = pool.free.get_mut(pool.cold..end) {
            unused.iter_mut().for_each(Piece::forget_contents);
            pool.cold = end;
        }
        pool.free_min = pool.free.len();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every test thread has its own pool, so these cannot disturb each other.
    fn install_small() {
        install(3, 4096, Arc::new(Budget::new(0))).unwrap();
    }

    #[test]
    fn the_last_block_given_is_the_next_taken() {
        install_small();
        let (mut first, second) = (take().unwrap(), take().unwrap());
        first.as_mut_slice()[0] = 7;
        give(second);
        give(first);
        assert_eq!(take().unwrap().as_slice()[0], 7);
    }

    #[test]
    fn an_empty_pool_says_so() {
        install_small();
        let taken: Vec<_> = std::iter::from_fn(take).collect();
        assert_eq!(taken.len(), 3);
        taken.into_iter().for_each(give);
        assert!(take().is_some());
    }

    #[test]
    fn trimming_empties_only_what_was_not_needed() {
        install_small();
        let mut taken: Vec<_> = std::iter::from_fn(take).collect();
        taken.iter_mut().for_each(|piece| piece.as_mut_slice()[0] = 9);
        taken.into_iter().for_each(give);
        // All three were needed since the start.
        trim();
        let mut hot = take().unwrap();
        assert_eq!(hot.as_slice()[0], 9);
        hot.as_mut_slice()[0] = 8;
        give(hot);
        // Since then only one.
        trim();
        let contents: Vec<u8> = std::iter::from_fn(take).map(|piece| piece.as_slice()[0]).collect();
        assert_eq!(contents, [8, 0, 0]);
    }
}
