//! Blocking and waking one thread, without losing a wake-up.
//!
//! A thread looks whether what it waits for is there, and if not, blocks; in between somebody may bring it about and wake the thread.
//! Such a wake-up is kept, and makes the next block return at once. A thread that blocks is *settled* by the context that runs after
//! it, when nobody uses its stack any more: from then on it can be put in a run queue, by whoever wakes it.

use crate::atomic::{AtomicU8, Ordering, const_new};

/// The thread runs, or waits in a run queue.
const RUNNABLE: u8 = 0;
/// The thread waits to be woken.
const BLOCKED: u8 = 1;
/// The thread was woken while it had not blocked yet.
const WOKEN: u8 = 2;
/// The thread waits to be woken, and somebody looks at it: who wakes it waits for that.
const HELD: u8 = 3;
/// As [`BLOCKED`], by a thread that has left no context ([`Wake::settle_parked`]).
const PARKED: u8 = 4;

/// Whether a thread may run.
#[derive(Debug)]
pub struct Wake {
    state: AtomicU8,
}

impl Wake {
    const_new! {
        /// That of a thread that runs.
        pub fn new() -> Self {
            Self { state: AtomicU8::new(RUNNABLE) }
        }
    }

    /// Before blocking: whether a wake-up came already, which this consumes.
    #[inline]
    pub fn consume(&self) -> bool {
        if self.state.load(Ordering::Acquire) == RUNNABLE {
            return false;
        }
        self.exchange(WOKEN, RUNNABLE)
    }

    /// Whether no wake-up has come yet, for the thread that runs. One that comes later is found by [`Self::settle`].
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.state.load(Ordering::Acquire) == RUNNABLE
    }

    /// After the switch away from a thread that blocks: whether it is blocked now. If not, a wake-up came in between
    /// and the thread is to go on running.
    #[inline]
    pub fn settle(&self) -> bool {
        self.settle_as(BLOCKED)
    }

    /// As [`Self::settle`], for a thread that has left no context: [`Self::wake_parked`] finds it.
    #[inline]
    pub fn settle_parked(&self) -> bool {
        self.settle_as(PARKED)
    }

    #[inline(always)]
    fn settle_as(&self, state: u8) -> bool {
        if self.exchange(RUNNABLE, state) {
            return true;
        }
        self.state.store(RUNNABLE, Ordering::Release);
        false
    }

    /// Wakes; whether the caller must see to it that the thread runs.
    #[inline]
    pub fn wake(&self) -> bool {
        // Most are blocked.
        self.exchange(BLOCKED, RUNNABLE) || self.wake_slowly()
    }

    #[cold]
    fn wake_slowly(&self) -> bool {
        loop {
            match self.state.load(Ordering::Acquire) {
                BLOCKED if self.exchange(BLOCKED, RUNNABLE) => return true,
                PARKED if self.exchange(PARKED, RUNNABLE) => return true,
                RUNNABLE if self.exchange(RUNNABLE, WOKEN) => return false,
                WOKEN => return false,
                _ => crate::atomic::relax(),
            }
        }
    }

    /// As [`Self::wake`] for a thread that is blocked and was settled by [`Self::settle_parked`]; nothing and `false` for any other.
    /// Both are found out in one step: a thread that is about to park, or has, may be woken and block in another way meanwhile.
    #[inline(always)]
    pub fn wake_parked(&self) -> bool {
        self.exchange(PARKED, RUNNABLE)
    }

    /// Whether it is blocked at this moment.
    pub fn is_blocked(&self) -> bool {
        matches!(self.state.load(Ordering::Relaxed), BLOCKED | PARKED | HELD)
    }

    /// Keeps a blocked thread from being woken while `look` runs, which must be short: whoever wakes the thread spins
    /// meanwhile. What the thread has written before it blocked is seen, and the thread sees what `look` writes. `None` when it is
    /// not blocked.
    pub fn while_blocked<R>(&self, look: impl FnOnce() -> R) -> Option<R> {
        let before = loop {
            match self.state.load(Ordering::Acquire) {
                state @ (BLOCKED | PARKED) if self.exchange(state, HELD) => break state,
                RUNNABLE | WOKEN => return None,
                _ => crate::atomic::relax(),
            }
        };
        let result = look();
        self.state.store(before, Ordering::Release);
        Some(result)
    }

    #[inline(always)]
    fn exchange(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self::new()
    }
}
