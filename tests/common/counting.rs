//! An allocator that counts current bytes, peak bytes and allocations. Including this file in a test crate installs it.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static TIMES: AtomicUsize = AtomicUsize::new(0);
static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static TIMES_HERE: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is forwarded to the system allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TIMES.fetch_add(1, Ordering::Relaxed);
        TIMES_HERE.with(|times| times.set(times.get() + 1));
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `act` allocates on this thread.
pub fn times_here(act: impl FnOnce()) -> usize {
    let before = TIMES_HERE.with(Cell::get);
    act();
    TIMES_HERE.with(Cell::get) - before
}

/// How often the whole process allocates while `act` runs.
pub fn times(act: impl FnOnce()) -> usize {
    let before = TIMES.load(Ordering::Relaxed);
    act();
    TIMES.load(Ordering::Relaxed) - before
}

/// The result of `act`, and the process's peak memory during it, in bytes beyond what it held before.
pub fn peak<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = act();
    (result, PEAK.load(Ordering::Relaxed) - before)
}
