//! Waiting for a condition on what a lock guards.

use core::sync::atomic::{AtomicU32, Ordering};

use abi::{Error, NEVER};

use super::MutexGuard;

/// Threads wait here until another one has changed what a [`Mutex`](super::Mutex) guards. They may wake for no reason, and look again.
#[derive(Debug, Default)]
pub struct Condvar {
    /// Changes with every notification.
    count: AtomicU32,
    /// How many wait, or are about to.
    waiting: AtomicU32,
}

impl Condvar {
    /// With nobody waiting.
    pub const fn new() -> Self {
        Self {
            count: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
        }
    }

    /// Frees the value, waits to be notified, and takes it again.
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_until(guard, NEVER).0
    }

    /// Waits until the condition is no more.
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// As [`wait`](Self::wait), at the latest until a time: says whether that is over, as `TimedOut`.
    pub fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        until: u64,
    ) -> (MutexGuard<'a, T>, Result<(), Error>) {
        let lock = guard.lock;
        // Both before the value is free: who notifies after a change of it sees one who waits, and changes the count.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let count = self.count.load(Ordering::SeqCst);
        drop(guard);
        let result = super::wait(&self.count, count, until);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        (lock.lock(), result)
    }

    /// Wakes one of those that wait.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        self.notify(u64::from(u32::MAX));
    }

    fn notify(&self, most: u64) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) != 0 {
            super::wake(&self.count, most);
        }
    }
}
