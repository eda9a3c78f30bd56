//! The waiting threads: one list for each level, a bitmap over them, all in one slab.
//!
//! Invariants: bit `n` of the bitmap is set exactly when list `n` is not empty; each list is ordered
//! by [`Task::since_ns`], oldest first.

use crate::SchedError;
use crate::priority::{LEVELS, Priority};
use crate::slab::{Index, Slab};

/// A thread in a run queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<T> {
    pub(crate) item: T,
    /// The priority that it was given.
    pub(crate) base: Priority,
    /// The priority that it has now.
    pub(crate) level: Priority,
    /// What is left of its quantum; 0 when it has none yet at this level.
    pub(crate) left_ns: u64,
    /// Since when it waits at this level.
    pub(crate) since_ns: u64,
}

/// Where a thread joins the list of its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Before all others.
    Front,
    /// After all others.
    Back,
}

#[derive(Clone, Debug)]
struct Node<T> {
    task: Task<T>,
    previous: Option<Index>,
    next: Option<Index>,
}

#[derive(Clone, Copy, Debug)]
struct List {
    head: Option<Index>,
    tail: Option<Index>,
}

#[derive(Clone, Debug)]
pub(crate) struct Lists<T> {
    nodes: Slab<Node<T>>,
    lists: [List; LEVELS],
    bitmap: u8,
}

impl<T: Copy + Eq> Lists<T> {
    pub(crate) const fn new() -> Self {
        let lists = [List {
            head: None,
            tail: None,
        }; LEVELS];
        Self {
            nodes: Slab::new(),
            lists,
            bitmap: 0,
        }
    }

    pub(crate) fn reserve(&mut self, total: usize) -> Result<(), SchedError> {
        self.nodes.reserve(total)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.nodes.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The highest level with a waiting thread, in constant time.
    pub(crate) fn best(&self) -> Option<Priority> {
        Priority::new(u8::try_from(self.bitmap.trailing_zeros()).ok()?)
    }

    /// The first thread of a level.
    pub(crate) fn head(&self, level: Priority) -> Option<&Task<T>> {
        let index = self.lists.get(level.index())?.head?;
        self.nodes.get(index).map(|node| &node.task)
    }

    /// All threads, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Task<T>> {
        self.nodes.iter().map(|(_, node)| &node.task)
    }

    /// Adds a thread to the list of its level. Its time of joining is adjusted to keep the order.
    pub(crate) fn push(&mut self, mut task: Task<T>, end: End) -> Result<(), SchedError> {
        let level = task.level;
        let list = self
            .lists
            .get(level.index())
            .copied()
            .ok_or(SchedError::Full)?;
        let neighbour = if end == End::Front {
            list.head
        } else {
            list.tail
        };
        if let Some(other) = neighbour.and_then(|index| self.nodes.get(index)) {
            let since = other.task.since_ns;
            task.since_ns = match end {
                End::Front => task.since_ns.min(since),
                End::Back => task.since_ns.max(since),
            };
        }
        let (previous, next) = match end {
            End::Front => (None, list.head),
            End::Back => (list.tail, None),
        };
        let index = self.nodes.insert(Node {
            task,
            previous,
            next,
        })?;
        self.set_next(level, previous, Some(index));
        self.set_previous(level, next, Some(index));
        self.bitmap |= 1 << level.level();
        Ok(())
    }

    /// Takes out the first thread of a level.
    pub(crate) fn pop(&mut self, level: Priority) -> Option<Task<T>> {
        let index = self.lists.get(level.index())?.head?;
        self.unlink(index)
    }

    /// Takes out the first thread that `wanted` accepts, from the highest level down.
    pub(crate) fn take(&mut self, mut wanted: impl FnMut(T) -> bool) -> Option<Task<T>> {
        for list in self.lists {
            let mut next = list.head;
            while let Some(index) = next {
                let node = self.nodes.get(index)?;
                if wanted(node.task.item) {
                    return self.unlink(index);
                }
                next = node.next;
            }
        }
        None
    }

    fn unlink(&mut self, index: Index) -> Option<Task<T>> {
        let Node {
            task,
            previous,
            next,
        } = self.nodes.remove(index)?;
        self.set_next(task.level, previous, next);
        self.set_previous(task.level, next, previous);
        if previous.is_none() && next.is_none() {
            self.bitmap &= !(1 << task.level.level());
        }
        Some(task)
    }

    /// What follows `node`; without one, what is first in the list.
    fn set_next(&mut self, level: Priority, node: Option<Index>, to: Option<Index>) {
        match node {
            Some(index) => {
                if let Some(node) = self.nodes.get_mut(index) {
                    node.next = to;
                }
            }
            None => {
                if let Some(list) = self.lists.get_mut(level.index()) {
                    list.head = to;
                }
            }
        }
    }

    /// What precedes `node`; without one, what is last in the list.
    fn set_previous(&mut self, level: Priority, node: Option<Index>, to: Option<Index>) {
        match node {
            Some(index) => {
                if let Some(node) = self.nodes.get_mut(index) {
                    node.previous = to;
                }
            }
            None => {
                if let Some(list) = self.lists.get_mut(level.index()) {
                    list.tail = to;
                }
            }
        }
    }
}
