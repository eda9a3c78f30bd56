//! Bits of the event, and who waits for each.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};

use abi::Error;

use super::inner::Inner;
use super::queue::WAKE;

/// All bits that are not the executor's own.
const ALL: u64 = !WAKE;

/// The bits.
pub struct Sources {
    /// Those that are somebody's.
    taken: Cell<u64>,
    /// Of these, those of waiters that have no end of a channel here yet.
    reserved: Cell<u64>,
    /// Those that were set, and not looked at since.
    set: Cell<u64>,
    /// Who waits for a bit.
    wakers: RefCell<Vec<(u32, Waker)>>,
}

impl Sources {
    pub fn new() -> Self {
        Self {
            taken: Cell::new(0),
            reserved: Cell::new(0),
            set: Cell::new(0),
            wakers: RefCell::new(Vec::new()),
        }
    }

    /// Wakes those who wait for bits.
    pub fn wake(&self, bits: u64) {
        let bits = bits & self.taken.get();
        self.set.set(self.set.get() | bits);
        let mut wakers = self.wakers.borrow_mut();
        let mut index = 0;
        while let Some((bit, _)) = wakers.get(index) {
            if bits & 1 << bit != 0 {
                // This puts a task into the queue, and runs nothing.
                wakers.swap_remove(index).1.wake();
            } else {
                index += 1;
            }
        }
    }
}

/// A bit of the event that is somebody's until this is dropped.
pub struct Source {
    inner: Rc<Inner>,
    bit: u32,
}

impl Source {
    pub fn new(inner: &Rc<Inner>) -> Result<Self, Error> {
        let sources = &inner.sources;
        let free = ALL & !sources.taken.get();
        if free == 0 {
            return Err(Error::TooMany);
        }
        let bit = free.trailing_zeros();
        // What the last owner was told of late.
        inner.event().take(1 << bit)?;
        sources.taken.set(sources.taken.get() | 1 << bit);
        sources.set.set(sources.set.get() & !(1 << bit));
        Ok(Self {
            inner: Rc::clone(inner),
            bit,
        })
    }

    /// Keeps the bit until [`Self::reserved`] gives it back; returns it.
    pub fn reserve(self) -> u64 {
        let mask = self.mask();
        let reserved = &self.inner.sources.reserved;
        reserved.set(reserved.get() | mask);
        let source = core::mem::ManuallyDrop::new(self);
        // SAFETY: what is left is not dropped, so this is the only drop of it.
        drop(unsafe { core::ptr::read(&raw const source.inner) });
        mask
    }

    /// A bit that was reserved.
    pub fn reserved(inner: &Rc<Inner>, mask: u64) -> Option<Self> {
        let reserved = &inner.sources.reserved;
        if !mask.is_power_of_two() || reserved.get() & mask == 0 {
            return None;
        }
        reserved.set(reserved.get() & !mask);
        Some(Self {
            inner: Rc::clone(inner),
            bit: mask.trailing_zeros(),
        })
    }

    pub fn inner(&self) -> &Rc<Inner> {
        &self.inner
    }

    pub fn mask(&self) -> u64 {
        1 << self.bit
    }

    /// Takes notice that the bit was set, if it was.
    pub fn take(&self) -> bool {
        let set = &self.inner.sources.set;
        let was_set = set.get() & self.mask() != 0;
        set.set(set.get() & !self.mask());
        was_set
    }

    /// Takes notice that the bit was set, or lets the task be woken when it is.
    pub fn poll_set(&self, context: &Context<'_>) -> Poll<()> {
        if self.take() {
            return Poll::Ready(());
        }
        let mut wakers = self.inner.sources.wakers.borrow_mut();
        let is_known =
            |(bit, waker): &(u32, Waker)| *bit == self.bit && waker.will_wake(context.waker());
        if !wakers.iter().any(is_known) {
            wakers.push((self.bit, context.waker().clone()));
        }
        Poll::Pending
    }

    /// Wakes all who wait for the bit, as if it had been set once more.
    pub fn wake_all(&self) {
        self.inner.sources.wake(self.mask());
    }

    /// Looks each time that the bit was set, and before, whether something has happened.
    pub fn poll_until<T>(
        &self,
        context: &Context<'_>,
        mut happened: impl FnMut() -> Option<T>,
    ) -> Poll<T> {
        loop {
            if let Some(value) = happened() {
                return Poll::Ready(value);
            }
            if self.poll_set(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let sources = &self.inner.sources;
        sources.taken.set(sources.taken.get() & !self.mask());
        let mut wakers = sources.wakers.borrow_mut();
        wakers.retain(|(bit, _)| *bit != self.bit);
    }
}
