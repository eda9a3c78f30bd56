//! A process's handles: which object each one names, and with which rights.

use alloc::vec::Vec;

use abi::{Error, Handle, ObjectType, Rights};

use super::Object;

/// The most handles of a process.
pub const HANDLES_MAX: usize = 1 << 16;

/// What a slot of the table holds.
struct Entry {
    object: Object,
    rights: Rights,
}

struct Slot {
    entry: Option<Entry>,
    /// Rises whenever the slot is emptied; never 0, so that no handle has the value 0.
    generation: u32,
    /// While the slot is empty: the next empty one.
    next_free: Option<u32>,
}

/// The table. A handle names a slot and the generation that it was made in, so that a closed one names nothing, even
/// when its slot is in use again.
pub struct HandleTable {
    slots: Vec<Slot>,
    first_free: Option<u32>,
    used: usize,
}

impl HandleTable {
    /// A table without handles.
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            first_free: None,
            used: 0,
        }
    }

    /// How many handles there are.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Makes room, so that the next [`insert`](Self::insert) cannot fail.
    ///
    /// # Errors
    /// `OutOfMemory` or `TooMany`.
    pub fn reserve(&mut self) -> Result<(), Error> {
        if self.first_free.is_some() {
            return Ok(());
        }
        if self.slots.len() >= HANDLES_MAX {
            return Err(Error::TooMany);
        }
        self.slots.try_reserve(1).map_err(|_| Error::OutOfMemory)
    }

    /// Adds a handle.
    ///
    /// # Errors
    /// `OutOfMemory` or `TooMany`, with the object.
    pub fn insert(&mut self, object: Object, rights: Rights) -> Result<Handle, (Object, Error)> {
        if let Err(error) = self.reserve() {
            return Err((object, error));
        }
        let entry = Some(Entry { object, rights });
        self.used += 1;
        if let Some(index) = self.first_free
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            self.first_free = slot.next_free.take();
            slot.entry = entry;
            return Ok(Handle::new(index, slot.generation));
        }
        let index = self.slots.len() as u32;
        self.slots.push(Slot {
            entry,
            generation: 1,
            next_free: None,
        });
        Ok(Handle::new(index, 1))
    }

    #[inline]
    fn entry(&self, handle: Handle) -> Result<&Entry, Error> {
        let slot = self
            .slots
            .get(handle.index() as usize)
            .ok_or(Error::BadHandle)?;
        if slot.generation != handle.generation() {
            return Err(Error::BadHandle);
        }
        slot.entry.as_ref().ok_or(Error::BadHandle)
    }

    /// Looks a handle up and checks it.
    ///
    /// # Errors
    /// `BadHandle`, `WrongType` or `AccessDenied`, in this order.
    #[inline]
    pub fn get(&self, handle: Handle, kind: ObjectType, rights: Rights) -> Result<Object, Error> {
        let entry = self.entry(handle)?;
        if entry.object.kind() != kind {
            return Err(Error::WrongType);
        }
        if !entry.rights.contains(rights) {
            return Err(Error::AccessDenied);
        }
        Ok(entry.object.clone())
    }

    /// The object of a handle, of any type, with its rights.
    ///
    /// # Errors
    /// `BadHandle`; `AccessDenied` when it lacks `needed`.
    #[inline]
    pub fn any(&self, handle: Handle, needed: Rights) -> Result<(Object, Rights), Error> {
        let entry = self.entry(handle)?;
        if !entry.rights.contains(needed) {
            return Err(Error::AccessDenied);
        }
        Ok((entry.object.clone(), entry.rights))
    }

    /// Removes a handle. The object is to be dropped when no lock is held.
    ///
    /// # Errors
    /// `BadHandle`.
    pub fn remove(&mut self, handle: Handle) -> Result<Object, Error> {
        self.entry(handle)?;
        let index = handle.index();
        let slot = self.slots.get_mut(index as usize).ok_or(Error::BadHandle)?;
        let entry = slot.entry.take().ok_or(Error::BadHandle)?;
        self.used -= 1;
        // A slot whose generations are used up is never used again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            slot.next_free = self.first_free;
            self.first_free = Some(index);
        }
        Ok(entry.object)
    }
}
