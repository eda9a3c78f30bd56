//! A place for a value that is named by a key: who has the right key finds the value, with one atomic step for the lock and the
//! comparison.
//!
//! The place is vacant or holds a value. The key of a vacant place is the one that its next value gets. Whoever reaches a
//! value has it alone, as long as the guard lives.
//!
//! Invariant: the value is there and is nobody's while neither flag of the word is set, is the one's who has set [`BUSY`]
//! while that is, and is not there while [`VACANT`] is set. Each change from one of these to another is one atomic step, which
//! acquires when it sets [`BUSY`], and releases when it takes that away.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};

#[cfg(not(loom))]
use core::cell::UnsafeCell;
#[cfg(loom)]
use loom::cell::UnsafeCell;

#[cfg(not(loom))]
use crate::atomic::relax;
use crate::atomic::{AtomicU64, Ordering};

/// Somebody is at the value.
const BUSY: u64 = 1 << 31;
/// There is no value.
const VACANT: u64 = 1 << 30;
/// What keys do not have.
const FLAGS: u64 = BUSY | VACANT;

/// A word by which a value is found: any in which bits 30 and 31 are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// A key, if the word can be one.
    #[inline(always)]
    pub const fn new(word: u64) -> Option<Self> {
        // In terms of the lower half: who has just compared that with something smaller pays nothing for this.
        if word as u32 & FLAGS as u32 == 0 {
            Some(Self(word))
        } else {
            None
        }
    }

    /// The word without the bits that no key has.
    pub const fn masked(word: u64) -> Self {
        Self(word & !FLAGS)
    }

    /// The key whose upper half is one more, if there is one.
    #[inline(always)]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1 << 32) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    /// The word.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }
}

/// A place for a value.
///
/// May be used as a [`crate::SpinLock`]: not in interrupt handlers, and without sleeping while the value is reached.
pub struct Keyed<T> {
    /// The key, with or without flags.
    word: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
    #[cfg(loom)]
    waiters: waiters::Waiters,
}

// SAFETY: as for a lock: one thread at a time reaches the value, and it may be moved in and out by different ones.
unsafe impl<T: Send> Send for Keyed<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Keyed<T> {}

impl<T> Keyed<T> {
    /// A vacant place.
    pub fn new(key: Key) -> Self {
        Self {
            word: AtomicU64::new(key.0 | VACANT),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            #[cfg(loom)]
            waiters: waiters::Waiters::default(),
        }
    }

    /// The key at this moment, of the value that is there, or of the next one.
    #[inline(always)]
    pub fn key(&self) -> Key {
        Key(self.word.load(Ordering::Relaxed) & !FLAGS)
    }

    /// The value that has this key, if there is one. Waits while somebody else has reached it.
    #[inline(always)]
    pub fn reach(&self, key: Key) -> Option<KeyedGuard<'_, T>> {
        if self.try_reach(key).is_ok() || self.reach_slowly(key) {
            Some(KeyedGuard {
                place: self,
                after: key.0,
                reference: PhantomData,
                #[cfg(loom)]
                pointer: Some(self.value.get_mut()),
            })
        } else {
            None
        }
    }

    /// Sets [`BUSY`] if a value with this key is there and nobody is at it; otherwise returns the word.
    #[inline(always)]
    fn try_reach(&self, key: Key) -> Result<u64, u64> {
        let (order, failed) = (Ordering::Acquire, Ordering::Relaxed);
        self.word
            .compare_exchange(key.0, key.0 | BUSY, order, failed)
    }

    /// Takes [`BUSY`] away.
    #[inline(always)]
    fn leave(&self, word: u64) {
        #[cfg(not(loom))]
        self.word.store(word, Ordering::Release);
        #[cfg(loom)]
        self.waiters
            .wake(|| self.word.store(word, Ordering::Release));
    }

    /// Apart, so that those who find nobody at the value do not step over the loop.
    #[cfg(loom)]
    fn reach_slowly(&self, key: Key) -> bool {
        self.waiters.wait(|| match self.try_reach(key) {
            Ok(_) => Some(true),
            Err(now) => (now != key.0 | BUSY).then_some(false),
        })
    }

    /// Apart, so that those who find nobody at the value do not step over the loop.
    #[cfg(not(loom))]
    #[cold]
    #[inline(never)]
    fn reach_slowly(&self, key: Key) -> bool {
        loop {
            match self.try_reach(key) {
                Ok(_) => return true,
                Err(now) if now == key.0 | BUSY => relax(),
                Err(_) => return false,
            }
        }
    }

    /// A vacant place, to be filled; none if it is not vacant.
    #[inline(always)]
    pub fn claim(&self) -> Option<KeyedVacancy<'_, T>> {
        let vacant = self.word.load(Ordering::Relaxed);
        if vacant & VACANT == 0 {
            return None;
        }
        // The one flag goes, the next bit is set.
        const { assert!(VACANT + VACANT == BUSY) };
        let busy = vacant.wrapping_add(VACANT);
        let (order, failed) = (Ordering::Acquire, Ordering::Relaxed);
        let set = self.word.compare_exchange(vacant, busy, order, failed);
        if set.is_err() {
            return None;
        }
        Some(KeyedVacancy {
            place: self,
            after: vacant,
        })
    }

    /// Puts a value into a vacant place; returns its key.
    ///
    /// # Errors
    /// The value, if the place is not vacant.
    #[inline]
    pub fn put(&self, value: T) -> Result<Key, T> {
        match self.claim() {
            Some(vacancy) => Ok(vacancy.put(value)),
            None => Err(value),
        }
    }

    /// Gives a vacant place, whose next key is `key`, another next one. Returns whether it was that.
    #[inline]
    pub fn renew(&self, key: Key, next: Key) -> bool {
        let (now, next) = (key.0 | VACANT, next.0 | VACANT);
        let (order, failed) = (Ordering::AcqRel, Ordering::Relaxed);
        self.word.compare_exchange(now, next, order, failed).is_ok()
    }
}

impl<T> Drop for Keyed<T> {
    fn drop(&mut self) {
        // Whoever drops the place has it alone.
        if let Some(key) = Key::new(self.word.load(Ordering::Relaxed)) {
            drop(self.reach(key).map(|guard| guard.take(key)));
        }
    }
}

/// Access to a value; dropping it lets others reach the value.
#[must_use = "others can reach the value as soon as the guard is dropped"]
pub struct KeyedGuard<'a, T> {
    place: &'a Keyed<T>,
    /// The word when this is dropped: the key, unless the value was taken out.
    after: u64,
    /// It is a mutable reference, and goes to other threads as one would.
    reference: PhantomData<&'a mut T>,
    #[cfg(loom)]
    pointer: Option<loom::cell::MutPtr<MaybeUninit<T>>>,
}

impl<T> KeyedGuard<'_, T> {
    /// Where the value is.
    #[inline(always)]
    fn pointer(&self) -> *mut MaybeUninit<T> {
        #[cfg(not(loom))]
        return self.place.value.get();
        #[cfg(loom)]
        return match &self.pointer {
            Some(pointer) => pointer.with(|pointer| pointer),
            None => core::ptr::null_mut(),
        };
    }

    /// Takes the value out; the next one gets the key `next`.
    #[inline(always)]
    pub fn take(mut self, next: Key) -> T {
        // SAFETY: the value is this guard's, and is read out once, as the place is vacant when the guard goes, which is now.
        let value = unsafe { (*self.pointer()).assume_init_read() };
        self.after = next.0 | VACANT;
        value
    }
}

impl<T> Deref for KeyedGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: `reach` found the value there and nobody at it, and has set `BUSY`: it is this guard's.
        unsafe { (*self.pointer()).assume_init_ref() }
    }
}

impl<T> DerefMut for KeyedGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { (*self.pointer()).assume_init_mut() }
    }
}

impl<T> Drop for KeyedGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // Loom is told that the access ends.
        #[cfg(loom)]
        drop(self.pointer.take());
        self.place.leave(self.after);
    }
}

/// A place that waits for its value; it is vacant again when this is dropped.
#[must_use = "the place is vacant again as soon as this is dropped"]
pub struct KeyedVacancy<'a, T> {
    place: &'a Keyed<T>,
    /// The word when this is dropped: vacant, unless a value was put there.
    after: u64,
}

impl<T> KeyedVacancy<'_, T> {
    /// The key of the value to come.
    #[inline(always)]
    pub fn key(&self) -> Key {
        Key(self.after & !VACANT)
    }

    /// Puts the value there; returns its key.
    #[inline(always)]
    pub fn put(mut self, value: T) -> Key {
        // SAFETY: there was no value, and `claim` has set `BUSY`: the memory is this one's.
        let write = |place: *mut MaybeUninit<T>| unsafe { (*place).write(value) };
        #[cfg(not(loom))]
        write(self.place.value.get());
        #[cfg(loom)]
        self.place.value.with_mut(|place| {
            write(place);
        });
        let key = self.key();
        self.after = key.0;
        key
    }
}

impl<T> Drop for KeyedVacancy<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.place.leave(self.after);
    }
}

/// Loom's threads sleep where others spin: several that spin would do so in unboundedly many orders. Only those who wait and those
/// who let go have to do with this, so that who finds nobody at a value learns of it by the word alone.
#[cfg(loom)]
mod waiters {
    use loom::sync::{Condvar, Mutex};

    #[derive(Default)]
    pub struct Waiters {
        mutex: Mutex<()>,
        changed: Condvar,
    }

    impl Waiters {
        pub fn wait<R>(&self, look: impl Fn() -> Option<R>) -> R {
            let mut guard = self.mutex.lock().unwrap();
            loop {
                if let Some(seen) = look() {
                    return seen;
                }
                guard = self.changed.wait(guard).unwrap();
            }
        }

        pub fn wake(&self, change: impl FnOnce()) {
            let guard = self.mutex.lock().unwrap();
            change();
            drop(guard);
            self.changed.notify_all();
        }
    }
}
