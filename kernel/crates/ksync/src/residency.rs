//! Where something is in use, and how often it has changed: how processors keep copies of it up to date.
//!
//! A processor that begins to use the thing [enters](Residency::enter), then reads the
//! [generation](Residency::generation), then the thing itself. One that changes the thing does so first, then
//! [counts](Residency::advance) the change, then tells all [users](Residency::users) of it. Both have a full barrier after
//! their first step. So of any change a processor is told, or it finds the new generation, and the changed thing, when it
//! enters; both may happen. What it still has from before it [left](Residency::leave) is as old as the generation that it
//! saw last. Leaving needs no barrier: who is told without need has nothing to do.

use crate::atomic::{AtomicU64, Ordering, fence};
use crate::flags::{CpuBit, PerCpuFlags};

/// The processors that use something, and the number of changes of it.
pub struct Residency {
    users: PerCpuFlags,
    generation: AtomicU64,
}

impl Residency {
    /// Of a thing that nobody uses, and that was never changed.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            users: PerCpuFlags::new(),
            generation: AtomicU64::new(0),
        }
    }

    /// Of a thing that nobody uses, and that was never changed.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            users: PerCpuFlags::new(),
            generation: AtomicU64::new(0),
        }
    }

    /// Makes a processor a user. What it reads of the thing and of its generation afterwards is not older than what a
    /// changer has that does not find it among the users.
    #[inline]
    pub fn enter(&self, cpu: impl Into<CpuBit>) {
        self.users.set(cpu);
        fence(Ordering::SeqCst);
    }

    /// A processor is no user any more: it cannot get at the thing until it enters again.
    #[inline]
    pub fn leave(&self, cpu: impl Into<CpuBit>) {
        self.users.clear(cpu);
    }

    /// The number of changes so far. Who sees one counted sees the change.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Counts a change that was made; returns its number. The users that must be told are those found afterwards.
    pub fn advance(&self) -> u64 {
        let before = self.generation.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        before.wrapping_add(1)
    }

    /// The users at this moment.
    pub fn users(&self) -> &PerCpuFlags {
        &self.users
    }
}

impl Default for Residency {
    fn default() -> Self {
        Self::new()
    }
}
