//! Threads that wait for something, first come, first served.
//!
//! As the other queues it goes through what the threads bring themselves ([`Link`]): waiting needs no memory.

use core::cell::Cell;

/// Names a thread: a small copy, such as a pointer, through which its [`Link`] is found.
pub trait Linked: Copy {
    /// The thread's own link. Always the same one.
    fn link(&self) -> &Link<Self>;
}

/// A thread's place in a [`Fifo`]. It belongs to the one that the thread is in.
#[derive(Debug)]
pub struct Link<T: Copy> {
    next: Cell<Option<T>>,
    previous: Cell<Option<T>>,
}

impl<T: Copy> Link<T> {
    /// The link of a thread that is in no list.
    pub const fn new() -> Self {
        Self {
            next: Cell::new(None),
            previous: Cell::new(None),
        }
    }
}

impl<T: Copy> Default for Link<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The threads, in the order in which they came. Everything takes constant time.
#[derive(Debug)]
pub struct Fifo<T> {
    first: Option<T>,
    last: Option<T>,
}

impl<T: Linked> Fifo<T> {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self {
            first: None,
            last: None,
        }
    }

    /// Whether nobody waits.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The one who came first.
    #[inline]
    pub fn first(&self) -> Option<T> {
        self.first
    }

    /// The one who came next after another one, which is here.
    #[inline]
    pub fn after(&self, item: T) -> Option<T> {
        item.link().next.get()
    }

    /// Adds a thread that is in no such list, as the last.
    #[inline]
    pub fn push(&mut self, item: T) {
        let link = item.link();
        link.next.set(None);
        link.previous.set(self.last);
        match self.last.replace(item) {
            Some(last) => last.link().next.set(Some(item)),
            None => self.first = Some(item),
        }
    }

    /// Takes out the one who came first.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<T> {
        let item = self.first?;
        let next = item.link().next.get();
        self.first = next;
        match next {
            Some(other) => other.link().previous.set(None),
            None => self.last = None,
        }
        Some(item)
    }

    /// Takes out a thread that is here.
    #[inline]
    pub fn remove(&mut self, item: T) {
        let link = item.link();
        let (previous, next) = (link.previous.get(), link.next.get());
        match previous {
            Some(other) => other.link().next.set(next),
            None => self.first = next,
        }
        match next {
            Some(other) => other.link().previous.set(previous),
            None => self.last = previous,
        }
    }
}

impl<T: Linked> Default for Fifo<T> {
    fn default() -> Self {
        Self::new()
    }
}
