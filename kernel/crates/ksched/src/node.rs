//! What a thread carries for the queue that it is in: its links and its standing.
//!
//! The queues are intrusive: a thread that becomes runnable needs no memory, and leaves a queue in constant time wherever it
//! stands there.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::priority::Priority;

/// Names a thread: a small copy, such as a pointer, through which its [`Node`] is found.
pub trait Task: Copy + Eq {
    /// The thread's own node. Always the same one.
    fn node(&self) -> &Node<Self>;
}

/// Where a thread is: in no queue, waiting in one, or run by one. A queue is named by its address, so that each sees which threads are
/// its own, also while another one takes up a thread that was in none. Changed with the lock of the queue held that it names, before or
/// afterwards.
#[derive(Debug)]
pub(crate) struct Place(AtomicUsize);

/// A value of a [`Place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(usize);

impl At {
    /// In no queue.
    pub(crate) const NOWHERE: Self = Self(0);

    /// Waiting in these lists.
    #[inline(always)]
    pub(crate) fn waiting_in<T>(lists: &T) -> Self {
        Self(core::ptr::from_ref(lists).addr() | 1)
    }

    /// Current in the queue with these lists.
    #[inline(always)]
    pub(crate) fn current_of<T>(lists: &T) -> Self {
        Self(core::ptr::from_ref(lists).addr() | 2)
    }
}

impl Place {
    #[inline(always)]
    pub(crate) fn get(&self) -> At {
        At(self.0.load(Ordering::Relaxed))
    }

    #[inline(always)]
    pub(crate) fn set(&self, at: At) {
        self.0.store(at.0, Ordering::Relaxed);
    }
}

/// A thread's place in a run queue. It belongs to the queue that the thread is in, and is touched with that queue's lock held;
/// while the thread is in none, it belongs to whoever makes it runnable.
#[derive(Debug)]
pub struct Node<T: Copy> {
    pub(crate) next: Cell<Option<T>>,
    pub(crate) previous: Cell<Option<T>>,
    pub(crate) place: Place,
    /// The priority that it was given.
    pub(crate) base: Cell<Priority>,
    /// The priority that it has now.
    pub(crate) level: Cell<Priority>,
    /// What is left of its quantum, while it waits; 0 when it has none yet at this level.
    pub(crate) left: Cell<u64>,
    /// Since when it would be waiting at this level, had it waited without a break.
    pub(crate) since: Cell<u64>,
    /// When it was last taken over from another queue.
    pub(crate) moved: Cell<u64>,
    /// For how long it has run, ever. Written by its queue only, read by anybody.
    ran: AtomicU64,
}

impl<T: Copy> Node<T> {
    /// The node of a thread that is in no queue.
    pub const fn new() -> Self {
        Self {
            next: Cell::new(None),
            previous: Cell::new(None),
            place: Place(AtomicUsize::new(At::NOWHERE.0)),
            base: Cell::new(Priority::NORMAL),
            level: Cell::new(Priority::NORMAL),
            left: Cell::new(0),
            since: Cell::new(0),
            moved: Cell::new(0),
            ran: AtomicU64::new(0),
        }
    }

    /// For how long the thread has run, as far as its queue has counted: all of it when it does not run. To be asked by anybody.
    pub fn ran(&self) -> u64 {
        self.ran.load(Ordering::Relaxed)
    }

    /// It has run so long. With the lock of its queue held, so that nobody else writes.
    #[inline(always)]
    pub(crate) fn add_ran(&self, ran: u64) {
        let sum = self.ran.load(Ordering::Relaxed).wrapping_add(ran);
        self.ran.store(sum, Ordering::Relaxed);
    }
}

impl<T: Copy> Default for Node<T> {
    fn default() -> Self {
        Self::new()
    }
}
