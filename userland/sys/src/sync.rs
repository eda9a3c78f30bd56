//! Locks and conditions for the threads of a process. They enter the kernel only when somebody must wait, and take no memory.
//!
//! There is no poisoning: a panic ends the program.
//!
//! ```
//! use sys::sync::{Mutex, OnceLock};
//!
//! static COUNT: Mutex<u64> = Mutex::new(0);
//! static NAME: OnceLock<&str> = OnceLock::new();
//!
//! *COUNT.lock() += 1;
//! assert_eq!(NAME.get_or_init(|| "jsix"), &"jsix");
//! # assert_eq!(*COUNT.lock(), 1);
//! ```

mod condvar;
mod mutex;
mod once;
mod rwlock;

pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceLock};
pub use rwlock::{ReadGuard, RwLock, WriteGuard};

use core::sync::atomic::AtomicU32;

use abi::Error;

use crate::call;

/// Waits until the word is woken, if it has a value; may return for no reason.
pub(crate) fn wait(word: &AtomicU32, value: u32, until: u64) -> Result<(), Error> {
    match call::futex_wait(word.as_ptr() as u64, u64::from(value), until) {
        Ok(()) | Err(Error::Changed) => Ok(()),
        Err(Error::TimedOut) => Err(Error::TimedOut),
        Err(_) => {
            // For want of memory, or on the host without a kernel: it looks again, later.
            call::thread_yield();
            #[cfg(not(target_os = "none"))]
            std::thread::yield_now();
            Ok(())
        }
    }
}

/// Wakes so many that wait for the word.
pub(crate) fn wake(word: &AtomicU32, most: u64) {
    // Without anybody who waits there is nothing to do.
    let _ = call::futex_wake(word.as_ptr() as u64, most);
}
