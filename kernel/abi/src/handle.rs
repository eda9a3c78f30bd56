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
