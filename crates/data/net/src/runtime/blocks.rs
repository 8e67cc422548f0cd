//! Blocks of the worker's pool that are lent to the kernel, which takes one when bytes have come and not
//! before. So a read that waits holds no memory.
//!
//! The kernel takes the blocks in the order in which they were lent: the fewer there are, the hotter they
//! stay. Their number follows what one turn uses.
#![expect(unsafe_code, reason = "the kernel reads the list of blocks in our memory")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::system::Piece;
use crate::{Buffer, pool};

/// The number of the one group of blocks a ring has.
pub(super) const GROUP: u16 = 0;

/// Most blocks lent at once, a power of two: more come with the next turn. Their list takes a page.
const LENT_MAX: u16 = 256;

/// Fewest blocks lent at once, as far as there are any.
const LENT_MIN: u16 = 16;

/// The kernel wants the list at the start of a page; its largest common size is meant.
const LIST_ALIGNMENT: usize = 64 * 1024;

/// The blocks lent, and the list in which the kernel finds them.
pub(super) struct Blocks {
    list: NonNull<BufRingEntry>,
    /// Where the next block goes in the list, unwrapped.
    tail: u16,
    /// By the number the kernel knows them by.
    lent: Vec<Option<Piece>>,
    free_numbers: Vec<u16>,
    /// So many are to be lent.
    target: u16,
    /// Most taken by one turn since the last [`Self::trim`].
    peak: u16,
}

impl Blocks {
    /// An empty list.
    pub(super) fn new() -> Self {
        let layout = list_layout();
        // SAFETY: the layout is not of size zero.
        let list = unsafe { alloc_zeroed(layout) };
        let Some(list) = NonNull::new(list.cast()) else { handle_alloc_error(layout) };
        Self {
            list,
            tail: 0,
            lent: (0..LENT_MAX).map(|_| None).collect(),
            free_numbers: (0..LENT_MAX).rev().collect(),
            target: LENT_MIN,
            peak: 0,
        }
    }

    /// Tells the kernel about the list; `InvalidInput` where it does not know such lists.
    pub(super) fn register(&self, submitter: &Submitter<'_>) -> io::Result<()> {
        let address = self.list.as_ptr() as u64;
        // SAFETY: the list is aligned to pages, has room for `LENT_MAX` entries, and is freed by `drop`,
        // which runs after the ring was closed. The kernel keeps its pages besides.
        unsafe { submitter.register_buf_ring_with_flags(address, LENT_MAX, GROUP, 0) }
    }

    /// Lends blocks until there are enough, as far as the pool has any.
    pub(super) fn refill(&mut self) {
        let count = LENT_MAX - self.free_numbers.len() as u16;
        if count >= self.target {
            return;
        }
        self.peak = self.peak.max(self.target - count);
        for _ in count..self.target {
            let Some(piece) = pool::lend() else { break };
            let Some(number) = self.free_numbers.pop() else { break };
            self.lend(number, piece);
        }
        self.publish();
    }

    fn lend(&mut self, number: u16, mut piece: Piece) {
        let bytes = piece.as_mut_slice();
        let (address, length) = (bytes.as_mut_ptr() as u64, bytes.len() as u32);
        let place = usize::from(self.tail % LENT_MAX);
        // SAFETY: `place` is inside the list, and the kernel reads no entry from the tail on.
        let entry = unsafe { self.list.add(place).as_mut() };
        entry.set_addr(address);
        entry.set_len(length);
        entry.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
        if let Some(lent) = self.lent.get_mut(usize::from(number)) {
            *lent = Some(piece);
        }
    }

    /// Lets the kernel see what was lent.
    fn publish(&mut self) {
        // SAFETY: the pointer is to the first entry, initialised to zeroes, in which the tail lies.
        let tail = unsafe { BufRingEntry::tail(self.list.as_ptr()) };
        // SAFETY: aligned like the field, lives as long as the list, and beside this only the kernel reads
        // it.
        let tail = unsafe { &*tail.cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }

    /// The block that the kernel has filled with `length` bytes.
    pub(super) fn take(&mut self, number: u16, length: usize) -> Buffer {
        let Some(piece) = self.lent.get_mut(usize::from(number)).and_then(Option::take) else {
            debug_assert!(false, "the kernel took a block that it was not lent");
            return Buffer::unallocated();
        };
        self.free_numbers.push(number);
        pool::count_taken();
        Buffer::filled(piece, length)
    }

    /// The kernel found no block.
    pub(super) fn note_shortage(&mut self) {
        self.target = LENT_MAX.min(pool::lendable());
    }

    /// Lends fewer from now on if so many were not needed lately.
    pub(super) fn trim(&mut self) {
        let wanted = self.peak.saturating_mul(2).next_power_of_two();
        self.target = wanted.clamp(LENT_MIN, LENT_MAX).min(pool::lendable());
        self.peak = 0;
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.lent.drain(..).flatten().for_each(pool::take_back);
        // SAFETY: allocated in `new` with this layout, and the ring that knew it has been closed.
        unsafe { dealloc(self.list.as_ptr().cast(), list_layout()) };
    }
}

fn list_layout() -> Layout {
    const BYTES: usize = LENT_MAX as usize * size_of::<BufRingEntry>();
    const { assert!(BYTES > 0 && LIST_ALIGNMENT.is_power_of_two()) };
    Layout::from_size_align(BYTES, LIST_ALIGNMENT).expect("both are constants, checked above")
}
