//! The plain spin lock, for data that no interrupt handler touches.

use core::fmt;
use core::ops::{Deref, DerefMut};

#[cfg(loom)]
use loom::sync as raw;

/// A turn of waiting for a [`SpinLock`]: the pause instruction, in the form that the locks of `spin` take.
#[cfg(not(loom))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {}

#[cfg(not(loom))]
impl spin::RelaxStrategy for Turn {
    #[inline]
    fn relax() {
        crate::atomic::relax();
    }
}

/// How often processors have waited for spin locks.
#[cfg(all(feature = "tally", not(loom)))]
static WAITS: crate::atomic::AtomicU64 = crate::atomic::AtomicU64::new(0);

/// How often a [`SpinLock`] was not free since this was last asked.
#[cfg(all(feature = "tally", not(loom)))]
pub fn take_waits() -> u64 {
    WAITS.swap(0, crate::atomic::Ordering::Relaxed)
}

/// The lock under both locks of this crate. Under loom, which must see every access, it is loom's.
#[cfg(not(loom))]
pub(crate) type Raw<T> = spin::mutex::SpinMutex<T, Turn>;
#[cfg(not(loom))]
pub(crate) type RawGuard<'a, T> = spin::mutex::SpinMutexGuard<'a, T, Turn>;
#[cfg(loom)]
pub(crate) type Raw<T> = raw::Mutex<T>;
#[cfg(loom)]
pub(crate) type RawGuard<'a, T> = raw::MutexGuard<'a, T>;

/// Takes `raw` if it is free.
#[inline]
pub(crate) fn try_lock<T>(raw: &Raw<T>) -> Option<RawGuard<'_, T>> {
    #[cfg(not(loom))]
    return raw.try_lock();
    #[cfg(loom)]
    return raw.try_lock().ok();
}

/// Whether somebody has `raw` just now.
#[inline]
pub(crate) fn is_locked<T>(raw: &Raw<T>) -> bool {
    #[cfg(not(loom))]
    return raw.is_locked();
    #[cfg(loom)]
    return raw.try_lock().is_err();
}

/// Takes `raw`, spinning while it is not free.
#[inline]
pub(crate) fn lock<T>(raw: &Raw<T>) -> RawGuard<'_, T> {
    #[cfg(not(loom))]
    return match raw.try_lock() {
        Some(guard) => guard,
        None => wait_for(raw),
    };
    #[cfg(loom)]
    return raw.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
}

/// Apart, so that those who find the lock free do not step over the loop.
#[cfg(not(loom))]
#[cold]
#[inline(never)]
fn wait_for<T>(raw: &Raw<T>) -> RawGuard<'_, T> {
    #[cfg(feature = "tally")]
    WAITS.fetch_add(1, crate::atomic::Ordering::Relaxed);
    raw.lock()
}

/// A spin lock for data that is used outside of interrupt handlers only.
///
/// May be taken: in thread context, with interrupts on or off. Must not be taken: in an interrupt
/// or exception handler (it may have interrupted the holder on the same processor, and would then
/// spin for ever; use [`crate::IrqLock`]), and never twice by one processor. While it is held the
/// holder must not sleep, and a scheduler that preempts in kernel mode must not preempt it.
/// The panic path takes no lock at all; it may only [`SpinLock::try_lock`].
pub struct SpinLock<T> {
    raw: Raw<T>,
}

impl<T> SpinLock<T> {
    /// A free lock.
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self {
            raw: Raw::new(value),
        }
    }

    /// A free lock.
    #[cfg(loom)]
    pub fn new(value: T) -> Self {
        Self {
            raw: Raw::new(value),
        }
    }

    /// Takes the lock, spinning while another processor has it.
    #[inline]
    pub fn lock(&self) -> SpinLockGuard<'_, T> {
        SpinLockGuard {
            raw: lock(&self.raw),
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinLockGuard<'_, T>> {
        try_lock(&self.raw).map(|raw| SpinLockGuard { raw })
    }

    /// The data, without locking: nobody else can have a reference.
    #[cfg(not(loom))]
    pub fn get_mut(&mut self) -> &mut T {
        self.raw.get_mut()
    }
}

impl<T: fmt::Debug> fmt::Debug for SpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("SpinLock").field(&&*guard).finish(),
            None => f.write_str("SpinLock(<locked>)"),
        }
    }
}

/// Access to the data of a [`SpinLock`]; dropping it frees the lock.
#[must_use = "the lock is free again as soon as the guard is dropped"]
pub struct SpinLockGuard<'a, T> {
    raw: RawGuard<'a, T>,
}

impl<T> Deref for SpinLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.raw
    }
}

impl<T> DerefMut for SpinLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.raw
    }
}
