//! The waiting threads: one list for each level, and a bitmap over them.
//!
//! Invariants: bit `n` of the bitmap is set exactly when list `n` is not empty; each list is ordered by the time since when its
//! threads wait, oldest first; a thread is in a list exactly when its node says `Waiting`.

use crate::node::{Place, Task};
use crate::priority::{LEVELS, Priority};

/// Where a thread joins the list of its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Before all others.
    Front,
    /// After all others.
    Back,
}

#[derive(Clone, Copy, Debug)]
struct List<T> {
    head: Option<T>,
    tail: Option<T>,
}

#[derive(Debug)]
pub(crate) struct Lists<T> {
    lists: [List<T>; LEVELS],
    bitmap: u8,
    len: usize,
}

impl<T: Task> Lists<T> {
    pub(crate) const fn new() -> Self {
        let empty = List {
            head: None,
            tail: None,
        };
        Self {
            lists: [empty; LEVELS],
            bitmap: 0,
            len: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The highest level with a waiting thread, in constant time.
    #[inline]
    pub(crate) fn best(&self) -> Option<Priority> {
        if self.bitmap == 0 {
            return None;
        }
        Priority::new(self.bitmap.trailing_zeros() as u8)
    }

    /// The first thread of a level.
    pub(crate) fn head(&self, level: Priority) -> Option<T> {
        self.list(level).head
    }

    /// The thread after another one of its level.
    pub(crate) fn after(&self, item: T) -> Option<T> {
        item.node().next.get()
    }

    /// Adds a thread to the list of its level. The time since when it waits is adjusted to keep the order.
    #[inline]
    pub(crate) fn push(&mut self, item: T, end: End) {
        let node = item.node();
        debug_assert_ne!(
            node.place.get(),
            Place::Waiting,
            "a thread was queued twice"
        );
        let level = node.level.get();
        let list = self.list_mut(level);
        let since = node.since_ns.get();
        let neighbour = match end {
            End::Front => list.head.replace(item),
            End::Back => list.tail.replace(item),
        };
        match (neighbour, end) {
            (None, _) => {
                *list = List {
                    head: Some(item),
                    tail: Some(item),
                }
            }
            (Some(other), End::Front) => {
                node.since_ns.set(since.min(other.node().since_ns.get()));
                other.node().previous.set(Some(item));
            }
            (Some(other), End::Back) => {
                node.since_ns.set(since.max(other.node().since_ns.get()));
                other.node().next.set(Some(item));
            }
        }
        let (previous, next) = match end {
            End::Front => (None, neighbour),
            End::Back => (neighbour, None),
        };
        node.previous.set(previous);
        node.next.set(next);
        node.place.set(Place::Waiting);
        self.bitmap |= 1 << level.level();
        self.len += 1;
    }

    /// Takes out the first thread of a level.
    #[inline]
    pub(crate) fn pop(&mut self, level: Priority) -> Option<T> {
        let item = self.head(level)?;
        self.unlink(item);
        Some(item)
    }

    /// Takes out a thread that waits here.
    #[inline]
    pub(crate) fn unlink(&mut self, item: T) {
        let node = item.node();
        let (previous, next) = (node.previous.take(), node.next.take());
        let level = node.level.get();
        let list = self.list_mut(level);
        match previous {
            Some(other) => other.node().next.set(next),
            None => list.head = next,
        }
        match next {
            Some(other) => other.node().previous.set(previous),
            None => list.tail = previous,
        }
        if previous.is_none() && next.is_none() {
            self.bitmap &= !(1 << level.level());
        }
        node.place.set(Place::Absent);
        self.len -= 1;
    }

    fn list(&self, level: Priority) -> &List<T> {
        // A level is below `LEVELS`, a power of two: the mask changes nothing and spares the check.
        &self.lists[level.index() % LEVELS]
    }

    fn list_mut(&mut self, level: Priority) -> &mut List<T> {
        &mut self.lists[level.index() % LEVELS]
    }
}
