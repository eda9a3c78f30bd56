//! Allocations that fail on purpose: with the feature `fault-injection`, the `n`-th one that a program causes is refused.
//!
//! Counted are frames and objects of the heap that are taken on behalf of a program: by one of its threads, or by the
//! kernel's thread that starts it. `@inject` on the command line runs a program with each `n` that it reaches.

#[cfg(feature = "fault-injection")]
pub use on::{arm, disarm, has_refused, is_refused};

/// Whether this allocation shall fail.
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub fn is_refused() -> bool {
    false
}

/// Whether an allocation of this run was made to fail.
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub fn has_refused() -> bool {
    false
}

#[cfg(feature = "fault-injection")]
mod on {
    use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use crate::sched;

    /// How many allocations it takes until one fails; 0 when none will.
    static LEFT: AtomicU64 = AtomicU64::new(0);
    /// Whether one has.
    static REFUSED: AtomicBool = AtomicBool::new(false);
    /// Number of the kernel's thread whose allocations count, too.
    static STARTER: AtomicU64 = AtomicU64::new(0);

    /// Makes the `n`-th allocation from now on fail, counted from 1. Those of the calling thread count, too.
    pub fn arm(n: u64) {
        STARTER.store(sched::current_id(), Ordering::Relaxed);
        LEFT.store(n, Ordering::Release);
    }

    /// Makes none fail any more; whether one did.
    pub fn disarm() -> bool {
        REFUSED.store(false, Ordering::Release);
        LEFT.swap(0, Ordering::AcqRel) == 0
    }

    /// Whether an allocation of this run was made to fail.
    pub fn has_refused() -> bool {
        REFUSED.load(Ordering::Acquire)
    }

    /// Whether this allocation shall fail.
    pub fn is_refused() -> bool {
        if LEFT.load(Ordering::Acquire) == 0
            || !sched::is_for_program(STARTER.load(Ordering::Relaxed))
        {
            return false;
        }
        let left = |left: u64| left.checked_sub(1);
        let refused = LEFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, left) == Ok(1);
        if refused {
            REFUSED.store(true, Ordering::Release);
        }
        refused
    }
}
