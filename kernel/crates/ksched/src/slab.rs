//! Nodes with stable numbers in memory that is reserved beforehand.

use crate::SchedError;
use alloc::vec::Vec;

/// The number of a node.
pub(crate) type Index = u32;

/// Nodes by number; the numbers of nodes that were taken out are used again.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    nodes: Vec<Option<T>>,
    free: Vec<Index>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Makes room for `total` nodes.
    pub(crate) fn reserve(&mut self, total: usize) -> Result<(), SchedError> {
        let limit = Index::MAX as usize;
        let more = total.saturating_sub(self.nodes.len());
        if total >= limit
            || self.nodes.try_reserve(more).is_err()
            || self
                .free
                .try_reserve(total.saturating_sub(self.free.len()))
                .is_err()
        {
            return Err(SchedError::OutOfMemory);
        }
        for _ in 0..more {
            // Both have room now: this does not allocate.
            self.free.push(self.nodes.len() as Index);
            self.nodes.push(None);
        }
        Ok(())
    }

    /// How many nodes there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of the heap that the room takes.
    pub(crate) fn room_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Option<T>>() + self.free.capacity() * size_of::<Index>()
    }

    pub(crate) fn insert(&mut self, value: T) -> Result<Index, SchedError> {
        let index = self.free.pop().ok_or(SchedError::Full)?;
        let place = self.nodes.get_mut(index as usize).ok_or(SchedError::Full)?;
        *place = Some(value);
        Ok(index)
    }

    pub(crate) fn remove(&mut self, index: Index) -> Option<T> {
        let value = self.nodes.get_mut(index as usize)?.take()?;
        self.free.push(index);
        Some(value)
    }

    pub(crate) fn get(&self, index: Index) -> Option<&T> {
        self.nodes.get(index as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: Index) -> Option<&mut T> {
        self.nodes.get_mut(index as usize)?.as_mut()
    }
}
