//! A process's handles: which object each one names, and with which rights.

use alloc::vec::Vec;

use abi::{Error, Handle, ObjectType, Rights};

/// What a handle can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// The process that holds the handle.
    Own,
    /// The kernel log.
    Log,
}

impl Object {
    fn kind(self) -> ObjectType {
        match self {
            Self::Own => ObjectType::Process,
            Self::Log => ObjectType::Log,
        }
    }
}

struct Slot {
    object: Object,
    rights: Rights,
    generation: u32,
}

/// The table. Slots are numbered from 0; a generation is never 0, so that no handle has the value 0.
pub struct HandleTable {
    slots: Vec<Slot>,
}

impl HandleTable {
    /// A table without handles.
    pub const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Adds a handle, or returns `None` when memory is short.
    pub fn insert(&mut self, object: Object, rights: Rights) -> Option<Handle> {
        self.slots.try_reserve(1).ok()?;
        let index = u32::try_from(self.slots.len()).ok()?;
        let generation = 1;
        self.slots.push(Slot {
            object,
            rights,
            generation,
        });
        Some(Handle::new(index, generation))
    }

    /// Looks a handle up and checks it.
    ///
    /// # Errors
    /// `BadHandle`, `WrongType` or `AccessDenied`, in this order.
    pub fn get(&self, handle: Handle, kind: ObjectType, rights: Rights) -> Result<Object, Error> {
        let slot = self
            .slots
            .get(handle.index() as usize)
            .ok_or(Error::BadHandle)?;
        if slot.generation != handle.generation() {
            return Err(Error::BadHandle);
        }
        if slot.object.kind() != kind {
            return Err(Error::WrongType);
        }
        if !slot.rights.contains(rights) {
            return Err(Error::AccessDenied);
        }
        Ok(slot.object)
    }
}
