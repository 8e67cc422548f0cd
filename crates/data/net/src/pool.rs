//! The worker's pool of memory: equal blocks, last in, first out, so that the hot ones stay in the cache,
//! smaller pieces for what is kept while something else is waited for, and a few larger ones that large
//! bodies have left behind.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use crate::Budget;
use crate::shelf::Shelf;
use crate::system::{Mapping, Piece, page_bytes};
use crate::worker::{self, lower, raise};

/// Blocks returned to the system in one call of [`trim`]: at about 1 µs each this bounds its time.
const TRIMMED_AT_ONCE_MAX: usize = 256;

/// Block size where no worker set one (unit tests, helper threads).
const BLOCK_BYTES_DEFAULT: usize = 16 * 1024;

/// Sizes of the smaller pieces. Most requests fit into one of them, and a block takes whole pages.
const SMALL_BYTES: [usize; 3] = [1024, 2048, 4096];

/// A piece is worth having where it replaces something that is so many times larger.
pub(crate) const SMALL_FACTOR_MIN: usize = 4;

/// Memory of the heap is kept for the next large body from this size on: below it the allocator is quick,
/// above it returns pages to the system and faults them in again.
const LARGE_BYTES_MIN: usize = 32 * 1024;

/// Larger ones are given back at once.
const LARGE_BYTES_MAX: usize = 256 * 1024;

/// So many are kept: a request and what is made of it, of two callers. 1 MiB at most.
const LARGE_KEPT_MAX: usize = 4;

/// What is kept serves for so many times less at worst.
const LARGE_WASTE_MAX: usize = 2;

/// Groups of pieces of one size returned to the system in one call of [`trim`]: each takes some 10 µs.
const GROUPS_TRIMMED_AT_ONCE_MAX: usize = 32;

thread_local! {
    static POOL: RefCell<Option<Pool>> = const { RefCell::new(None) };
}

struct Pool {
    free: Vec<Piece>,
    block_bytes: usize,
    /// By the sizes in [`SMALL_BYTES`], as far as they are worth having.
    shelves: Vec<Shelf>,
    large: Large,
    budget: Arc<Budget>,
    /// So many blocks at the bottom of `free` hold no memory.
    cold: usize,
    /// How many blocks there are, wherever they are.
    count: usize,
    /// The shortest `free` was since the last trim: what lies below was not needed.
    free_min: usize,
}

/// Memory that large bodies have left behind.
#[derive(Default)]
struct Large {
    kept: Vec<Box<[u8]>>,
    /// The fewest there were since the last trim: so many were not needed.
    kept_min: usize,
}

impl Large {
    fn take(&mut self, bytes: usize) -> Option<Box<[u8]>> {
        let sizes = bytes..=bytes.saturating_mul(LARGE_WASTE_MAX);
        let found = self.kept.iter().rposition(|kept| sizes.contains(&kept.len()))?;
        let taken = self.kept.remove(found);
        self.kept_min = self.kept_min.min(self.kept.len());
        Some(taken)
    }

    fn give(&mut self, bytes: Box<[u8]>) {
        if self.kept.len() == LARGE_KEPT_MAX {
            // The oldest one may be of a size that nobody asks for any more.
            self.kept.remove(0);
        }
        self.kept.push(bytes);
    }

    fn trim(&mut self) {
        self.kept.drain(..self.kept_min.min(self.kept.len()));
        self.kept_min = self.kept.len();
    }
}

impl Pool {
    fn pop(&mut self) -> Option<Piece> {
        let piece = self.free.pop()?;
        self.free_min = self.free_min.min(self.free.len());
        self.cold = self.cold.min(self.free.len());
        Some(piece)
    }

    fn give(&mut self, piece: Piece) {
        if piece.len() == self.block_bytes {
            self.free.push(piece);
            worker::worker_stats(|stats| lower(&stats.buffers_in_use));
            return;
        }
        let index = SMALL_BYTES.iter().position(|size| *size == piece.len());
        if let Some(shelf) = index.and_then(|index| self.shelves.get_mut(index)) {
            shelf.give(&piece);
        }
    }
}

/// The size of blocks of `bytes` or a little more: whole pages, because memory goes back to the system by
/// pages.
pub(crate) fn rounded(bytes: usize) -> usize {
    bytes.checked_next_multiple_of(page_bytes()).unwrap_or(bytes)
}

/// Gives the calling thread a pool of `count` blocks. The smaller pieces take as much again at most.
pub(crate) fn install(count: usize, block_bytes: usize, budget: Arc<Budget>) -> io::Result<()> {
    let bytes = count.checked_mul(block_bytes).ok_or(io::ErrorKind::InvalidInput)?;
    let (free, shelves) = if bytes == 0 {
        (Vec::new(), Vec::new())
    } else {
        let mapping = Mapping::new(bytes)?;
        let blocks = (0..count).filter_map(|index| mapping.piece(index * block_bytes, block_bytes));
        (blocks.collect(), shelves(bytes, block_bytes)?)
    };
    let (cold, free_min) = (free.len(), free.len());
    let large = Large::default();
    POOL.set(Some(Pool { free, block_bytes, shelves, large, budget, cold, count, free_min }));
    Ok(())
}

/// Smaller pieces beside blocks that take `bytes`.
fn shelves(bytes: usize, block_bytes: usize) -> io::Result<Vec<Shelf>> {
    let share = bytes / SMALL_BYTES.len();
    let is_worth_it = |size: &&usize| **size * SMALL_FACTOR_MIN <= block_bytes;
    let sizes = SMALL_BYTES.iter().take_while(is_worth_it);
    sizes.map(|size| Shelf::new(share / size, *size)).collect()
}

/// Ends the calling thread's pool and returns the memory of all blocks that came back.
pub(crate) fn uninstall() {
    if let Some(mut pool) = POOL.take() {
        pool.free.iter_mut().for_each(Piece::forget_contents);
        for shelf in &mut pool.shelves {
            // What was used last goes back with the second call.
            shelf.trim(usize::MAX);
            shelf.trim(usize::MAX);
        }
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

/// Puts a block or a smaller piece back. After the thread's pool has gone it is left alone, as is its
/// memory.
pub(crate) fn give(piece: Piece) {
    let put = |pool: &RefCell<Option<Pool>>| {
        if let Some(pool) = pool.borrow_mut().as_mut() {
            pool.give(piece);
        }
    };
    // An error means that the thread is ending.
    let _ = POOL.try_with(put);
}

/// Size of a block on this thread.
pub(crate) fn block_bytes() -> usize {
    POOL.with_borrow(|pool| pool.as_ref().map_or(BLOCK_BYTES_DEFAULT, |pool| pool.block_bytes))
}

/// A piece for `length` bytes that is much smaller than a block; `None` when there is none of that size,
/// or none is left.
pub(crate) fn take_small(length: usize) -> Option<Piece> {
    let index = SMALL_BYTES.iter().position(|size| length <= *size)?;
    POOL.with_borrow_mut(|pool| pool.as_mut()?.shelves.get_mut(index)?.take())
}

/// Memory of the heap for at least `bytes`, all of it initialised; what is in it means nothing.
pub(crate) fn heap(bytes: usize) -> Box<[u8]> {
    let kept = (bytes >= LARGE_BYTES_MIN)
        .then(|| POOL.with_borrow_mut(|pool| pool.as_mut()?.large.take(bytes)));
    kept.flatten().unwrap_or_else(|| vec![0; bytes].into_boxed_slice())
}

/// Takes memory of the heap back, to be kept where that is worth it.
pub(crate) fn give_heap(bytes: Box<[u8]>) {
    if !(LARGE_BYTES_MIN..=LARGE_BYTES_MAX).contains(&bytes.len()) {
        return;
    }
    // An error means that the thread is ending.
    let _ = POOL.try_with(|pool| {
        if let Some(pool) = pool.borrow_mut().as_mut() {
            pool.large.give(bytes);
        }
    });
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
        pool.large.trim();
        pool.shelves.iter_mut().for_each(|shelf| shelf.trim(GROUPS_TRIMMED_AT_ONCE_MAX));
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

    #[test]
    fn blocks_are_whole_pages() {
        let page = page_bytes();
        assert_eq!([1, page, page + 1].map(rounded), [page, page, 2 * page]);
        assert_eq!(rounded(usize::MAX), usize::MAX);
        // Too much to have, and an error rather than a wrong size.
        assert!(install(2, rounded(usize::MAX), Arc::new(Budget::new(0))).is_err());
    }

    #[test]
    fn memory_of_large_bodies_is_kept_until_it_is_not_needed() {
        install_small();
        let kept = || POOL.with_borrow(|pool| pool.as_ref().unwrap().large.kept.len());
        let mut first = heap(LARGE_BYTES_MIN);
        first[0] = 9;
        give_heap(first);
        assert_eq!((heap(LARGE_BYTES_MIN)[0], kept()), (9, 0));
        give_heap(heap(LARGE_BYTES_MIN));
        // Too small for one, and too large for the other.
        assert_eq!(heap(LARGE_BYTES_MIN + 1).len(), LARGE_BYTES_MIN + 1);
        give_heap(heap(LARGE_BYTES_MAX + 1));
        give_heap(heap(LARGE_BYTES_MIN - 1));
        assert_eq!(kept(), 1);
        for _ in 0..2 * LARGE_KEPT_MAX {
            give_heap(vec![0; LARGE_BYTES_MAX].into());
        }
        assert_eq!(kept(), LARGE_KEPT_MAX);
        assert_eq!(heap(LARGE_BYTES_MAX / 2).len(), LARGE_BYTES_MAX);
        trim();
        assert_eq!(kept(), LARGE_KEPT_MAX - 1);
        trim();
        assert_eq!(kept(), 0);
    }

    #[test]
    fn trimming_empties_small_pieces_too() {
        install(4, 16 * 1024, Arc::new(Budget::new(0))).unwrap();
        let mut piece = take_small(700).unwrap();
        piece.as_mut_slice()[0] = 9;
        give(piece);
        trim();
        assert_eq!(POOL.with_borrow(|pool| pool.as_ref().unwrap().shelves.len()), 3);
        trim();
        assert_eq!(take_small(700).unwrap().as_slice()[0], 0);
    }
}
