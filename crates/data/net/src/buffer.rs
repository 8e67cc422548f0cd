//! Bytes in flight: a window into a pooled block, or into the heap where a block is too small.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::system::Piece;
use crate::{Budget, BudgetSpent, pool};

/// An owned byte buffer: data is appended at the end and consumed from the front.
///
/// Comes from the pool of the worker thread, returns to it on drop, and stays on that thread. When it
/// grows beyond a pooled block it moves to the heap and is charged to the process-wide [`Budget`] until
/// it is dropped. On threads that are no workers it lives on the heap, uncharged.
#[derive(Default)]
pub struct Buffer {
    storage: Storage,
    start: usize,
    end: usize,
}

#[derive(Default)]
enum Storage {
    #[default]
    None,
    Pooled(Piece),
    /// All bytes are initialised, so that the whole of it can be lent out.
    Heap {
        bytes: Box<[u8]>,
        charged_to: Option<Arc<Budget>>,
    },
}

impl Buffer {
    /// An empty buffer of the pool's block size.
    pub fn new() -> Self {
        let storage = pool::take().map_or_else(
            || Storage::heap(vec![0; pool::block_bytes()].into_boxed_slice()),
            Storage::Pooled,
        );
        Self { storage, start: 0, end: 0 }
    }

    /// An empty buffer that holds no memory yet.
    pub fn unallocated() -> Self {
        Self::default()
    }

    /// An empty buffer for at least `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        if capacity <= pool::block_bytes() {
            return Self::new();
        }
        Self { storage: Storage::heap(pool::heap(capacity)), start: 0, end: 0 }
    }

    /// A block that already holds `length` bytes of data.
    pub(crate) fn filled(piece: Piece, length: usize) -> Self {
        let end = length.min(piece.as_slice().len());
        Self { storage: Storage::Pooled(piece), start: 0, end }
    }

    /// The data.
    pub fn as_slice(&self) -> &[u8] {
        debug_assert!(self.start <= self.end && self.end <= self.capacity());
        self.storage.bytes().get(self.start..self.end).unwrap_or_default()
    }

    /// The data, to change in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let window = self.start..self.end;
        self.storage.bytes_mut().get_mut(window).unwrap_or_default()
    }

    /// Bytes of data.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is no data.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Bytes of storage, used or not.
    pub fn capacity(&self) -> usize {
        self.storage.bytes().len()
    }

    /// Bytes that can be appended without moving or growing.
    pub fn spare(&self) -> usize {
        self.capacity() - self.end
    }

    /// Drops the first `count` bytes of the data, or all where there are fewer.
    pub fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start.saturating_add(count));
        if self.start == self.end {
            self.clear();
        }
    }

    /// Keeps the first `length` bytes of the data.
    pub fn truncate(&mut self, length: usize) {
        self.end = self.end.min(self.start.saturating_add(length));
    }

    /// Drops all data and keeps the storage.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Appends `bytes`, growing where they don't fit. For what is small or bounded by the caller: growth
    /// is charged to the budget but cannot be refused.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        // Mostly there is room, and heads are made of many small pieces.
        if let Some(target) = self.storage.bytes_mut().get_mut(self.end..end) {
            target.copy_from_slice(bytes);
            self.end = end;
        } else {
            self.extend_after_growth(bytes);
        }
    }

    /// Appends the pieces one behind the other, as [`Self::extend_from_slice`] does with one of them.
    // Always, so that pieces known to the compiler are stored instead of copied.
    #[inline(always)]
    pub fn extend_from_slices<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let end = self.end + length;
        let Some(mut target) = self.storage.bytes_mut().get_mut(self.end..end) else {
            self.reserve(length);
            return pieces.iter().for_each(|piece| self.extend_from_slice(piece));
        };
        for piece in pieces {
            let (here, behind) = target.split_at_mut(piece.len());
            here.copy_from_slice(piece);
            target = behind;
        }
        self.end = end;
    }

    #[cold]
    fn extend_after_growth(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        let target = self.end..self.end + bytes.len();
        // `reserve` made the room.
        if let Some(target) = self.storage.bytes_mut().get_mut(target) {
            target.copy_from_slice(bytes);
            self.end += bytes.len();
        }
    }

    /// Makes room for `additional` bytes behind the data. Charged, never refused.
    pub fn reserve(&mut self, additional: usize) {
        if self.make_room(additional) {
            return;
        }
        let capacity = self.capacity_for(additional);
        self.move_to(Storage::heap(pool::heap(capacity)));
    }

    /// Makes room for `additional` bytes behind the data, or refuses when the budget is spent.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), BudgetSpent> {
        if self.make_room(additional) {
            return Ok(());
        }
        let capacity = self.len().checked_add(additional).ok_or(BudgetSpent)?;
        let charged_to = pool::budget();
        if let Some(budget) = &charged_to {
            budget.try_charge(capacity)?;
        }
        let bytes = pool::heap(capacity);
        if let Some(budget) = &charged_to {
            // There may be a little more of it than was asked for.
            budget.charge(bytes.len() - capacity);
        }
        self.move_to(Storage::Heap { bytes, charged_to });
        Ok(())
    }

    /// Makes room for more without knowing how much: twice what there is, or at least a block.
    pub(crate) fn try_grow(&mut self) -> Result<(), BudgetSpent> {
        let block = pool::block_bytes();
        self.try_reserve(block.max(self.len())).or_else(|_| self.try_reserve(block))
    }

    /// Moves the data to memory of its size where it takes a fraction of what it has. For what is kept
    /// while something else is waited for; it costs a copy.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::unallocated();
        } else if self.len() <= self.capacity() / pool::SMALL_FACTOR_MIN {
            self.move_to_less();
        }
    }

    fn move_to_less(&mut self) {
        let storage = match pool::take_small(self.len()) {
            Some(piece) => Storage::Pooled(piece),
            None => Storage::heap(vec![0; self.len()].into_boxed_slice()),
        };
        self.move_to(storage);
    }

    /// The bytes behind the data, to write into before [`Buffer::advance`].
    pub(crate) fn spare_mut(&mut self) -> &mut [u8] {
        let window = self.end..;
        self.storage.bytes_mut().get_mut(window).unwrap_or_default()
    }

    /// Counts `count` bytes written behind the data as data.
    pub(crate) fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.spare(), "advanced past the storage");
        self.end = self.capacity().min(self.end + count);
    }

    /// Finds room in the storage there is, moving the data to its front if that helps.
    fn make_room(&mut self, additional: usize) -> bool {
        if self.spare() >= additional {
            return true;
        }
        if matches!(self.storage, Storage::None) && additional <= pool::block_bytes() {
            *self = Self::new();
            return true;
        }
        if self.capacity() - self.len() < additional {
            return false;
        }
        let window: Range<usize> = self.start..self.end;
        self.storage.bytes_mut().copy_within(window, 0);
        (self.start, self.end) = (0, self.len());
        true
    }

    /// Doubles, so that appending piece by piece copies each byte a constant number of times.
    fn capacity_for(&self, additional: usize) -> usize {
        self.len().saturating_add(additional).max(self.capacity().saturating_mul(2))
    }

    fn give_back(&mut self) {
        match std::mem::take(&mut self.storage) {
            Storage::None => {}
            Storage::Pooled(piece) => pool::give(piece),
            Storage::Heap { bytes, charged_to } => {
                if let Some(budget) = charged_to {
                    budget.release(bytes.len());
                }
                pool::give_heap(bytes);
            }
        }
    }

    fn move_to(&mut self, storage: Storage) {
        let mut moved = Self { storage, start: 0, end: 0 };
        let length = self.len();
        if let Some(target) = moved.storage.bytes_mut().get_mut(..length) {
            target.copy_from_slice(self.as_slice());
            moved.end = length;
        }
        *self = moved;
    }
}

impl Storage {
    fn heap(bytes: Box<[u8]>) -> Self {
        let charged_to = pool::budget();
        if let Some(budget) = &charged_to {
            budget.charge(bytes.len());
        }
        Self::Heap { bytes, charged_to }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Pooled(piece) => piece.as_slice(),
            Self::Heap { bytes, .. } => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::None => &mut [],
            Self::Pooled(piece) => piece.as_mut_slice(),
            Self::Heap { bytes, .. } => bytes,
        }
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        // Most have been moved out of by then.
        if !matches!(self.storage, Storage::None) {
            self.give_back();
        }
    }
}

impl From<Vec<u8>> for Buffer {
    /// Takes the vector as it is; charged to the budget.
    fn from(mut bytes: Vec<u8>) -> Self {
        let end = bytes.len();
        bytes.resize(bytes.capacity(), 0);
        Self { storage: Storage::heap(bytes.into_boxed_slice()), start: 0, end }
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Buffer {
    /// Sizes only: the contents may be anyone's secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Buffer")
            .field("length", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool of two blocks of 64 bytes for this test's thread.
    fn with_budget(bytes_max: usize) -> Arc<Budget> {
        let budget = Arc::new(Budget::new(bytes_max));
        pool::install(2, 64, Arc::clone(&budget)).unwrap();
        budget
    }

    #[test]
    fn data_is_appended_and_consumed() {
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(b"hello world");
        buffer.consume(6);
        assert_eq!(buffer.as_slice(), b"world");
        buffer.truncate(3);
        assert_eq!(buffer.as_slice(), b"wor");
        buffer.as_mut_slice()[0] = b'W';
        assert_eq!(buffer.as_slice(), b"Wor");
        buffer.consume(usize::MAX);
        assert!(buffer.is_empty());
        assert_eq!(buffer.spare(), buffer.capacity());
    }

    #[test]
    fn room_is_made_by_moving_before_growing() {
        let budget = with_budget(0);
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(&[1; 60]);
        buffer.consume(50);
        buffer.extend_from_slice(&[2; 54]);
        assert_eq!(buffer.len(), 64);
        assert_eq!(buffer.capacity(), 64);
        assert_eq!(&buffer.as_slice()[..11], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
        assert_eq!(budget.bytes_used(), 0);
    }

    #[test]
    fn growth_is_charged_to_the_byte_until_the_drop() {
        let budget = with_budget(200);
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(b"kept");
        buffer.try_reserve(100).unwrap();
        assert_eq!(buffer.as_slice(), b"kept");
        assert_eq!(budget.bytes_used(), 104);
        let mut other = Buffer::new();
        assert_eq!(other.try_reserve(97), Err(BudgetSpent));
        assert_eq!(budget.bytes_used(), 104);
        other.try_reserve(96).unwrap();
        assert_eq!(budget.bytes_used(), 200);
        drop((buffer, other));
        assert_eq!(budget.bytes_used(), 0);
    }

    #[test]
    fn small_growth_is_charged_but_never_refused() {
        let budget = with_budget(10);
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(&[0; 65]);
        assert_eq!(budget.bytes_used(), 128);
        let adopted = Buffer::from(vec![1, 2, 3]);
        assert_eq!(budget.bytes_used(), 131);
        assert_eq!(adopted.as_slice(), [1, 2, 3]);
        drop((buffer, adopted));
        assert_eq!(budget.bytes_used(), 0);
    }

    #[test]
    fn a_missed_block_comes_from_the_heap_and_is_charged() {
        let budget = with_budget(0);
        let buffers: Vec<_> = (0..3).map(|_| Buffer::new()).collect();
        assert_eq!(budget.bytes_used(), 64);
        drop(buffers);
        assert_eq!(budget.bytes_used(), 0);
    }

    #[test]
    fn an_unallocated_buffer_takes_a_block_when_written() {
        let budget = with_budget(0);
        let mut buffer = Buffer::unallocated();
        assert_eq!(buffer.capacity(), 0);
        buffer.extend_from_slice(b"x");
        assert_eq!((buffer.capacity(), buffer.as_slice()), (64, &b"x"[..]));
        assert_eq!(budget.bytes_used(), 0);
    }

    #[test]
    fn pieces_are_appended_in_their_order_with_room_or_without() {
        let _budget = with_budget(0);
        let mut buffer = Buffer::unallocated();
        for round in 1..5 {
            buffer.extend_from_slices([b"first ", &[], b"second, ", b"third"]);
            assert_eq!(buffer.as_slice(), b"first second, third".repeat(round));
        }
        assert!(buffer.capacity() > 64);
    }

    /// A pool of two blocks of 16 KiB, and with them one group of pieces of each smaller size.
    fn with_small_pieces() -> Arc<Budget> {
        let budget = Arc::new(Budget::new(usize::MAX));
        pool::install(2, 16 * 1024, Arc::clone(&budget)).unwrap();
        budget
    }

    fn shrunk(length: usize) -> Buffer {
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(b"before");
        buffer.extend_from_slice(&vec![7; length]);
        buffer.consume(6);
        buffer.shrink();
        assert_eq!(buffer.as_slice(), vec![7; length]);
        buffer
    }

    #[test]
    fn a_shrunk_buffer_takes_the_next_size_and_frees_its_block() {
        let budget = with_small_pieces();
        for (length, capacity) in [(1, 1024), (1024, 1024), (1025, 2048), (4096, 4096)] {
            let buffer = shrunk(length);
            assert_eq!(buffer.capacity(), capacity, "of {length} bytes");
            let blocks: Vec<_> = (0..2).map(|_| Buffer::new()).collect();
            assert_eq!(budget.bytes_used(), 0);
            drop(blocks);
        }
        assert_eq!(shrunk(4097).capacity(), 16 * 1024);
        assert_eq!(shrunk(0).capacity(), 0);
    }

    #[test]
    fn a_shrunk_buffer_still_grows() {
        let _budget = with_small_pieces();
        let mut buffer = shrunk(1000);
        buffer.extend_from_slice(&[8; 24]);
        assert_eq!(buffer.capacity(), 1024);
        buffer.extend_from_slice(&[8; 5000]);
        assert_eq!(buffer.len(), 6024);
        assert!(buffer.as_slice()[..1000].iter().all(|byte| *byte == 7));
        assert!(buffer.as_slice()[1000..].iter().all(|byte| *byte == 8));
    }

    #[test]
    fn without_a_piece_a_shrunk_buffer_takes_what_it_needs_from_the_heap() {
        let budget = with_small_pieces();
        let pieces: Vec<_> = (0..64).map(|_| shrunk(1000)).collect();
        assert_eq!(budget.bytes_used(), 0);
        let buffer = shrunk(1000);
        assert_eq!((buffer.capacity(), budget.bytes_used()), (1000, 1000));
        drop((buffer, pieces));
        assert_eq!(budget.bytes_used(), 0);
        assert_eq!(shrunk(1000).capacity(), 1024);
    }
}
