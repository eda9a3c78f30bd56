//! Threads that wait for something, the most urgent first.

use crate::lists::{End, Lists};
use crate::node::{At, Task};
use crate::priority::Priority;

/// Waiting threads: taken out by priority, and among equals in the order in which they came. `T` names a thread by a node that is
/// for waiting, not the one that it has for run queues. Everything takes constant time.
#[derive(Debug)]
pub struct WaitQueue<T>(Lists<T>);

impl<T: Task> WaitQueue<T> {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self(Lists::new())
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// The priority of the most urgent one.
    pub fn best(&self) -> Option<Priority> {
        self.0.best()
    }

    /// Adds a thread that is in no such queue.
    #[inline]
    pub fn push(&mut self, item: T, priority: Priority) {
        item.node().level.set(priority);
        self.0.push(item, End::Back);
    }

    /// Takes the most urgent one out.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Takes out the most urgent one of which something holds. Looks at those before it.
    #[inline]
    pub fn pop_where(&mut self, holds: impl Fn(T) -> bool) -> Option<T> {
        let mut level = self.0.best();
        while let Some(here) = level {
            let mut next = self.0.head(here);
            while let Some(item) = next {
                if holds(item) {
                    self.0.unlink(item);
                    return Some(item);
                }
                next = self.0.after(item);
            }
            level = self.0.below(here);
        }
        None
    }

    /// Whether a thread waits that is in this queue or in none.
    pub fn has(&self, item: T) -> bool {
        item.node().place.get() == At::waiting_in(&self.0)
    }

    /// Takes a thread out, which is in this queue or in none; whether it was there.
    pub fn remove(&mut self, item: T) -> bool {
        let is_here = item.node().place.get() == At::waiting_in(&self.0);
        if is_here {
            self.0.unlink(item);
        }
        is_here
    }

    /// Gives a thread another priority, if it is in this queue and not in none: it is then the last of that.
    pub fn set_priority(&mut self, item: T, priority: Priority) {
        if self.remove(item) {
            self.push(item, priority);
        }
    }
}

impl<T: Task> Default for WaitQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}
