//! The waiting threads: one list for each level, and a bitmap over them.
//!
//! Often one thread waits, and nobody else: it is kept beside the lists, where it comes and goes at less cost.
//!
//! Invariants: while a thread stands alone, all lists are empty; bit `n` of the bitmap is set exactly when list `n` is not empty; each list is ordered by the time since when its
//! threads wait, oldest first; a thread is in a list exactly when its node says `Waiting`.

use crate::node::{At, Task};
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
    /// The only thread that waits, if it is in no list.
    alone: Option<T>,
    lists: [List<T>; LEVELS],
    bitmap: u8,
    /// How many are in lists.
    len: usize,
}

impl<T: Task> Lists<T> {
    pub(crate) const fn new() -> Self {
        let empty = List {
            head: None,
            tail: None,
        };
        Self {
            alone: None,
            lists: [empty; LEVELS],
            bitmap: 0,
            len: 0,
        }
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        if self.alone.is_some() { 1 } else { self.len }
    }

    /// Whether nobody waits.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.bitmap == 0 && self.alone.is_none()
    }

    /// The highest level with a waiting thread, in constant time.
    #[inline]
    pub(crate) fn best(&self) -> Option<Priority> {
        if let Some(item) = self.alone {
            return Some(item.node().level.get());
        }
        if self.bitmap == 0 {
            return None;
        }
        Priority::new(self.bitmap.trailing_zeros() as u8)
    }

    /// The highest level below another one that has a waiting thread, in constant time.
    #[inline]
    pub(crate) fn below(&self, level: Priority) -> Option<Priority> {
        if let Some(item) = self.alone {
            return Some(item.node().level.get()).filter(|here| *here > level);
        }
        let below = u32::from(self.bitmap) & (u32::MAX << 1 << level.level());
        Priority::new(below.trailing_zeros() as u8)
    }

    /// The first thread of a level.
    #[inline]
    pub(crate) fn head(&self, level: Priority) -> Option<T> {
        match self.alone {
            Some(item) => (item.node().level.get() == level).then_some(item),
            None => self.list(level).head,
        }
    }

    /// The thread after another one of its level.
    pub(crate) fn after(&self, item: T) -> Option<T> {
        match self.alone {
            Some(_) => None,
            None => item.node().next.get(),
        }
    }

    /// Adds a thread to the list of its level. The time since when it waits is adjusted to keep the order.
    #[inline]
    pub(crate) fn push(&mut self, item: T, end: End) {
        let node = item.node();
        debug_assert_ne!(
            node.place.get(),
            At::waiting_in(self),
            "a thread was queued twice"
        );
        if self.is_empty() {
            return self.push_first(item);
        }
        if let Some(other) = self.alone.take() {
            self.link(other, End::Back);
        }
        self.link(item, end);
    }

    /// Adds a thread while nobody waits.
    #[inline]
    pub(crate) fn push_first(&mut self, item: T) {
        item.node().place.set(At::waiting_in(self));
        self.alone = Some(item);
    }

    /// Puts a thread into the list of its level, while none stands alone.
    #[inline(never)]
    fn link(&mut self, item: T, end: End) {
        let node = item.node();
        let level = node.level.get();
        let list = self.list_mut(level);
        let since = node.since.get();
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
                node.since.set(since.min(other.node().since.get()));
                other.node().previous.set(Some(item));
            }
            (Some(other), End::Back) => {
                node.since.set(since.max(other.node().since.get()));
                other.node().next.set(Some(item));
            }
        }
        let (previous, next) = match end {
            End::Front => (None, neighbour),
            End::Back => (neighbour, None),
        };
        node.previous.set(previous);
        node.next.set(next);
        node.place.set(At::waiting_in(self));
        self.bitmap |= 1 << level.level();
        self.len = self.len.wrapping_add(1);
    }

    /// Takes out the first thread of the highest level.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        match self.alone.take() {
            Some(item) => {
                item.node().place.set(At::NOWHERE);
                Some(item)
            }
            None => self.pop_listed(),
        }
    }

    /// As [`Self::pop`], while none stands alone.
    #[inline(never)]
    fn pop_listed(&mut self) -> Option<T> {
        let level = self.best()?;
        let item = self.list(level).head?;
        let node = item.node();
        let next = node.next.take();
        let list = self.list_mut(level);
        list.head = next;
        match next {
            Some(other) => other.node().previous.set(None),
            None => {
                list.tail = None;
                self.bitmap &= !(1 << level.level());
            }
        }
        node.place.set(At::NOWHERE);
        self.len = self.len.wrapping_sub(1);
        Some(item)
    }

    /// Takes out a thread that waits here, wherever.
    #[inline]
    pub(crate) fn unlink(&mut self, item: T) {
        if self.alone.take().is_none() {
            self.unlink_listed(item);
        }
        item.node().place.set(At::NOWHERE);
    }

    /// Takes a thread out of its list.
    #[inline(never)]
    fn unlink_listed(&mut self, item: T) {
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
        self.len = self.len.wrapping_sub(1);
    }

    #[inline(always)]
    fn list(&self, level: Priority) -> &List<T> {
        // A level is below `LEVELS`, a power of two: the mask changes nothing and spares the check.
        &self.lists[level.index() % LEVELS]
    }

    #[inline(always)]
    fn list_mut(&mut self, level: Priority) -> &mut List<T> {
        &mut self.lists[level.index() % LEVELS]
    }
}
