//! What is done once.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use abi::NEVER;

const NEW: u32 = 0;
const RUNNING: u32 = 1;
/// Running, and somebody may wait.
const AWAITED: u32 = 2;
const DONE: u32 = 3;

/// Something that is done by whoever comes first; others wait until it is done.
#[derive(Debug, Default)]
pub struct Once(AtomicU32);

impl Once {
    /// Not done yet.
    pub const fn new() -> Self {
        Self(AtomicU32::new(NEW))
    }

    /// Whether it was done.
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Does it, or waits until another one has done it.
    #[inline]
    pub fn call_once(&self, action: impl FnOnce()) {
        if !self.is_completed() {
            self.call_slowly(action);
        }
    }

    #[cold]
    fn call_slowly(&self, action: impl FnOnce()) {
        loop {
            match self
                .0
                .compare_exchange(NEW, RUNNING, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => {
                    // On the host a panic unwinds: the next one tries again.
                    let mut reset = Reset(self, NEW);
                    action();
                    reset.1 = DONE;
                    return;
                }
                Err(DONE) => return,
                Err(RUNNING) => {
                    let order = Ordering::Relaxed;
                    let _ = self.0.compare_exchange(RUNNING, AWAITED, order, order);
                }
                Err(_) => {
                    let _ = super::wait(&self.0, AWAITED, NEVER);
                }
            }
        }
    }
}

/// Sets the state in the end, and wakes who waits.
struct Reset<'a>(&'a Once, u32);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        if self.0.0.swap(self.1, Ordering::Release) == AWAITED {
            super::wake(&self.0.0, u64::from(u32::MAX));
        }
    }
}

/// A value that is made once, and stays.
pub struct OnceLock<T> {
    once: Once,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: one thread makes the value, and then all may refer to it.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
// SAFETY: it owns the value.
unsafe impl<T: Send> Send for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// Without a value yet.
    pub const fn new() -> Self {
        Self {
            once: Once::new(),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The value, if it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: it was written before the state became `DONE`, and is not written again.
        self.once
            .is_completed()
            .then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// Sets the value.
    ///
    /// # Errors
    /// The value, if there is one already.
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init_from(&mut value);
        value.map_or(Ok(()), Err)
    }

    fn get_or_init_from(&self, value: &mut Option<T>) {
        self.once.call_once(|| {
            if let Some(value) = value.take() {
                // SAFETY: only the first one comes here, and nobody refers to it before.
                unsafe { (*self.value.get()).write(value) };
            }
        });
    }

    /// The value, which is made if there is none yet.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.once.call_once(|| {
            let value = make();
            // SAFETY: as above.
            unsafe { (*self.value.get()).write(value) };
        });
        // SAFETY: it was written now or before.
        unsafe { (*self.value.get()).assume_init_ref() }
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for OnceLock<T> {
    fn drop(&mut self) {
        if self.once.is_completed() {
            // SAFETY: it was written, and nobody refers to it any more.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceLock").field(&self.get()).finish()
    }
}
