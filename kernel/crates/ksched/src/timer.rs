//! Deadlines of one processor: added, taken out and expired in logarithmic time.
//!
//! A binary heap over a slab: the heap holds numbers of nodes, and each node knows where in the heap
//! it is, so that a timer can be taken out before its time. Equal deadlines expire in the order in
//! which they were added.
//!
//! Invariants: the deadline of a node is not before that of its parent; `heap[node.position]` is
//! that node; a [`TimerId`] never means a later timer in the same place.

use crate::SchedError;
use crate::slab::{Index, Slab};
use alloc::vec::Vec;

/// Names a timer until it expires or is taken out; afterwards it names nothing, never another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    index: Index,
    serial: u64,
}

/// A timer whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired<T> {
    /// Which one.
    pub id: TimerId,
    /// When it was due.
    pub deadline_ns: u64,
    /// What was given with it.
    pub payload: T,
}

#[derive(Clone, Debug)]
struct Node<T> {
    deadline_ns: u64,
    /// Counts all timers ever added: makes ids unique and orders equal deadlines.
    serial: u64,
    position: usize,
    payload: T,
}

/// The deadlines.
#[derive(Clone, Debug)]
pub struct TimerQueue<T> {
    nodes: Slab<Node<T>>,
    heap: Vec<Index>,
    next_serial: u64,
}

impl<T> TimerQueue<T> {
    /// An empty queue without places; see [`TimerQueue::reserve`].
    pub const fn new() -> Self {
        Self {
            nodes: Slab::new(),
            heap: Vec::new(),
            next_serial: 0,
        }
    }

    /// Makes room for `total` timers; nothing else in this type allocates.
    pub fn reserve(&mut self, total: usize) -> Result<(), SchedError> {
        let more = total.saturating_sub(self.heap.len());
        self.heap
            .try_reserve(more)
            .map_err(|_| SchedError::OutOfMemory)?;
        self.nodes.reserve(total)
    }

    /// How many timers there is room for.
    pub fn capacity(&self) -> usize {
        self.nodes.capacity()
    }

    /// Bytes of the heap that the room takes. It is kept, for as many timers as were ever asked for.
    pub fn room_bytes(&self) -> usize {
        self.nodes.room_bytes() + self.heap.capacity() * size_of::<Index>()
    }

    /// How many timers there are.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Adds a timer.
    pub fn insert(&mut self, deadline_ns: u64, payload: T) -> Result<TimerId, SchedError> {
        let (serial, position) = (self.next_serial, self.heap.len());
        let index = self.nodes.insert(Node {
            deadline_ns,
            serial,
            position,
            payload,
        })?;
        self.next_serial = serial.wrapping_add(1);
        // There is room for as many as there are nodes.
        self.heap.push(index);
        self.rise(position);
        Ok(TimerId { index, serial })
    }

    /// Takes a timer out before its time; `None` when it is not there any more.
    pub fn remove(&mut self, id: TimerId) -> Option<T> {
        let node = self
            .nodes
            .get(id.index)
            .filter(|node| node.serial == id.serial)?;
        self.take(node.position).map(|expired| expired.payload)
    }

    /// The next deadline, for programming the hardware.
    pub fn next_deadline(&self) -> Option<u64> {
        self.nodes
            .get(*self.heap.first()?)
            .map(|node| node.deadline_ns)
    }

    /// Takes out the earliest timer if its time has come. To be called until it gives none.
    pub fn pop_expired(&mut self, now_ns: u64) -> Option<Expired<T>> {
        if self.next_deadline()? > now_ns {
            None
        } else {
            self.take(0)
        }
    }

    /// Takes out the timer at a position of the heap.
    fn take(&mut self, position: usize) -> Option<Expired<T>> {
        if position >= self.heap.len() {
            return None;
        }
        let index = self.heap.swap_remove(position);
        let node = self.nodes.remove(index)?;
        // The one that came from the end may belong further up or further down.
        self.note(position);
        let position = self.rise(position);
        self.sink(position);
        let id = TimerId {
            index,
            serial: node.serial,
        };
        Some(Expired {
            id,
            deadline_ns: node.deadline_ns,
            payload: node.payload,
        })
    }

    /// By what the heap is ordered.
    fn key(&self, position: usize) -> Option<(u64, u64)> {
        let node = self.nodes.get(*self.heap.get(position)?)?;
        Some((node.deadline_ns, node.serial))
    }

    /// Writes a heap position into its node.
    fn note(&mut self, position: usize) {
        if let Some(index) = self.heap.get(position)
            && let Some(node) = self.nodes.get_mut(*index)
        {
            node.position = position;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note(a);
        self.note(b);
    }

    /// Moves a timer up while it is before its parent; gives where it ends.
    fn rise(&mut self, mut position: usize) -> usize {
        while let Some(parent) = position.checked_sub(1).map(|below| below / 2)
            && self.key(position) < self.key(parent)
            && self.key(position).is_some()
        {
            self.swap(position, parent);
            position = parent;
        }
        position
    }

    /// Moves a timer down while one of its children is before it.
    fn sink(&mut self, mut position: usize) {
        loop {
            let left = position.saturating_mul(2).saturating_add(1);
            let children = [left, left.saturating_add(1)];
            let first = children
                .into_iter()
                .filter(|child| *child < self.heap.len());
            match first.min_by_key(|child| self.key(*child)) {
                Some(child) if self.key(child) < self.key(position) => {
                    self.swap(position, child);
                    position = child;
                }
                _ => return,
            }
        }
    }
}

impl<T> Default for TimerQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}
