//! What a thread that waits in a list is given, so that it finds it without the lock of the list.
//!
//! Who gives holds that lock and has taken the thread out of the list. It wakes the thread, and says only then what it is given. A thread
//! that was blocked runs after both, as the one who gives makes it run. One that had not blocked yet, or was woken by somebody
//! else meanwhile, may look between the two, and finds nothing: it looks again with the lock held ([`Given::get`]) before it
//! blocks. Nothing of the thread is touched after it was given something, so that it may go on and end at once.

use core::num::NonZeroU64;

use crate::atomic::{AtomicU64, Ordering, const_new};
use crate::wake::Wake;

/// See the module's text.
#[derive(Debug)]
pub struct Given(AtomicU64);

impl Given {
    const_new! {
        /// Nothing.
        pub fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// Takes back what was given. By the thread itself, before it enters a list.
    #[inline]
    pub fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Gives something to the thread that `wake` belongs to, and wakes it; whether the caller must see to it that the thread runs. With
    /// the lock of the list held that the thread was in.
    #[inline]
    pub fn give(&self, wake: &Wake, what: NonZeroU64) -> bool {
        let is_to_run = wake.wake();
        self.0.store(what.get(), Ordering::Release);
        is_to_run
    }

    /// What the thread was given. Nothing, asked without the lock of the list, may mean that it is just being given something.
    #[inline]
    pub fn get(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.0.load(Ordering::Acquire))
    }
}

impl Default for Given {
    fn default() -> Self {
        Self::new()
    }
}
