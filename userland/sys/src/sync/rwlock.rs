//! A lock that many may have for reading, or one for writing.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

use super::{Condvar, Mutex};

/// Who has the value, and who wants it.
#[derive(Debug, Default)]
struct State {
    readers: usize,
    is_written: bool,
    /// Writers that wait: new readers wait for them.
    writers: usize,
}

/// A value that many threads read, or one writes. Writers go before readers that come later.
pub struct RwLock<T: ?Sized> {
    state: Mutex<State>,
    /// For readers.
    readable: Condvar,
    /// For writers.
    writable: Condvar,
    value: UnsafeCell<T>,
}

// SAFETY: many threads may refer to the value, or one may change it.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: it owns the value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}

impl<T> RwLock<T> {
    /// Free, with a value.
    pub const fn new(value: T) -> Self {
        Self {
            state: Mutex::new(State {
                readers: 0,
                is_written: false,
                writers: 0,
            }),
            readable: Condvar::new(),
            writable: Condvar::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes, and takes the value for reading. A thread that has it already must not.
    pub fn read(&self) -> ReadGuard<'_, T> {
        let state = self.state.lock();
        let is_held = |state: &mut State| state.is_written || state.writers != 0;
        self.readable.wait_while(state, is_held).readers += 1;
        ReadGuard(self)
    }

    /// Waits until nobody has it, and takes the value for writing.
    pub fn write(&self) -> WriteGuard<'_, T> {
        let mut state = self.state.lock();
        state.writers += 1;
        let is_held = |state: &mut State| state.is_written || state.readers != 0;
        let mut state = self.writable.wait_while(state, is_held);
        state.writers -= 1;
        state.is_written = true;
        drop(state);
        WriteGuard(self)
    }

    /// The value, without locking: nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn release(&self, release: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        release(&mut state);
        let (is_free, is_wanted) = (state.readers == 0, state.writers != 0);
        drop(state);
        if is_free && is_wanted {
            self.writable.notify_one();
        } else if !is_wanted {
            self.readable.notify_all();
        }
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLock")
    }
}

/// The value for reading, until this is dropped.
#[must_use]
pub struct ReadGuard<'a, T: ?Sized>(&'a RwLock<T>);

impl<T: ?Sized> Deref for ReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: nobody writes while there are readers.
        unsafe { &*self.0.value.get() }
    }
}

impl<T: ?Sized> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        self.0.release(|state| state.readers -= 1);
    }
}

/// The value for writing, until this is dropped.
#[must_use]
pub struct WriteGuard<'a, T: ?Sized>(&'a RwLock<T>);

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: nobody else has it.
        unsafe { &*self.0.value.get() }
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T: ?Sized> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        self.0.release(|state| state.is_written = false);
    }
}
