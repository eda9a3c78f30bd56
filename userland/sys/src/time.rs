//! Time: nanoseconds on the monotonic clock, which begins with the kernel. All deadlines are such times.

use abi::NEVER;

use crate::call;

/// Nanoseconds of a microsecond.
pub const MICROSECOND: u64 = 1_000;
/// Nanoseconds of a millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000_000_000;

/// What the clock says.
#[inline]
pub fn now() -> u64 {
    call::clock_read()
}

/// The time so many nanoseconds from now; beyond all times it is [`NEVER`].
#[inline]
pub fn after(ns: u64) -> u64 {
    if ns == NEVER {
        return NEVER;
    }
    now().saturating_add(ns)
}

/// Waits until a time. (A thread that cannot be told the time, for want of memory, asks again.)
pub fn sleep_until(at: u64) {
    while now() < at {
        if call::thread_sleep(at).is_err() {
            call::thread_yield();
        }
    }
}

/// Waits for so many nanoseconds.
pub fn sleep(ns: u64) {
    sleep_until(after(ns));
}

/// A time at which something has to be done, at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// None.
    pub const NEVER: Self = Self(NEVER);

    /// A time on the monotonic clock.
    pub const fn at(time: u64) -> Self {
        Self(time)
    }

    /// So many nanoseconds from now.
    pub fn after(ns: u64) -> Self {
        Self(after(ns))
    }

    /// The time on the monotonic clock.
    pub const fn time(self) -> u64 {
        self.0
    }

    /// Whether it is over.
    pub fn is_past(self) -> bool {
        self.0 != NEVER && now() >= self.0
    }

    /// How many nanoseconds are left; [`NEVER`] without a deadline.
    pub fn left(self) -> u64 {
        match self.0 {
            NEVER => NEVER,
            at => at.saturating_sub(now()),
        }
    }
}

impl From<Deadline> for u64 {
    fn from(deadline: Deadline) -> Self {
        deadline.0
    }
}
