//! Handles, what they name, and what they allow.

/// A process's name for a kernel object. The value means nothing to any other process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Handle(pub u64);

impl Handle {
    const INDEX_BITS: u32 = 32;

    /// The handle for a slot of the handle table and the generation that the slot is in.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self((generation as u64) << Self::INDEX_BITS | index as u64)
    }

    /// The slot.
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    /// The generation.
    pub const fn generation(self) -> u32 {
        (self.0 >> Self::INDEX_BITS) as u32
    }
}

/// What kind of object a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// A process.
    Process,
    /// The kernel log.
    Log,
    /// A thread.
    Thread,
    /// Memory that can be mapped.
    VmArea,
    /// Bits that threads wait for.
    Event,
    /// The machine.
    System,
}

/// What a handle allows; a bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Rights(pub u32);

impl Rights {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Write to a log.
    pub const WRITE: Self = Self(1 << 0);
    /// End a process.
    pub const KILL: Self = Self(1 << 1);

    /// Make further handles.
    pub const DUPLICATE: Self = Self(1 << 2);
    /// Give the handle to another process.
    pub const TRANSFER: Self = Self(1 << 3);
    /// Map for reading; take a snapshot.
    pub const MAP_READ: Self = Self(1 << 4);
    /// Map for writing; commit and decommit pages.
    pub const MAP_WRITE: Self = Self(1 << 5);
    /// Map for execution.
    pub const MAP_EXECUTE: Self = Self(1 << 6);
    /// Change the size.
    pub const RESIZE: Self = Self(1 << 7);
    /// Ask about the object.
    pub const INSPECT: Self = Self(1 << 8);
    /// Change the mappings of a process.
    pub const MAP: Self = Self(1 << 9);
    /// Start threads in a process.
    pub const CREATE_THREAD: Self = Self(1 << 10);
    /// Give handles to a process.
    pub const GIVE: Self = Self(1 << 11);
    /// Learn of and answer the exceptions of a process.
    pub const HANDLE_EXCEPTIONS: Self = Self(1 << 12);
    /// Set the memory limit of a process.
    pub const SET_LIMIT: Self = Self(1 << 13);
    /// Set bits of an event.
    pub const SIGNAL: Self = Self(1 << 14);
    /// Wait for bits of an event and clear them.
    pub const WAIT: Self = Self(1 << 15);
    /// Every right.
    pub const ALL: Self = Self((1 << 16) - 1);

    /// What both sets have.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Both sets together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all rights of `needed` are here.
    pub const fn contains(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_keep_index_and_generation_apart() {
        let handle = Handle::new(7, 0xffff_fff0);
        assert_eq!((handle.index(), handle.generation()), (7, 0xffff_fff0));
    }

    #[test]
    fn rights_contain_only_what_was_put_in() {
        assert!(Rights::WRITE.contains(Rights::NONE));
        assert!(!Rights::NONE.contains(Rights::WRITE));
        assert!(Rights::WRITE.union(Rights::KILL).contains(Rights::KILL));
        assert!(!Rights::WRITE.contains(Rights::WRITE.union(Rights::KILL)));
    }
}
