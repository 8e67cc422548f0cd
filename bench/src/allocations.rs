//! An allocator that counts what chosen threads ask of it.
#![expect(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the allocations of threads that asked for it; all else is the inner allocator's.
#[derive(Debug)]
pub struct Counting<A>(pub A);

static MADE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the allocations of the calling thread count from here on.
pub fn count_this_thread(is_counted: bool) {
    IS_COUNTED.set(is_counted);
}

/// Allocations of all counted threads, growing and shrinking in place included.
pub fn made() -> u64 {
    MADE.load(Ordering::Relaxed)
}

/// Whether the program's allocator is a [`Counting`] one. Not for use beside counted threads.
pub fn is_counting() -> bool {
    let before = made();
    IS_COUNTED.set(true);
    drop(std::hint::black_box(Box::new(0_u8)));
    IS_COUNTED.set(false);
    made() > before
}

fn count() {
    if IS_COUNTED.get() {
        MADE.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the inner allocator unchanged.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { self.0.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { self.0.realloc(pointer, layout, size) }
    }
}
