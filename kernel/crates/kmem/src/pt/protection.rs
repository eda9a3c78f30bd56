//! What a mapping allows, and how it is cached.

use bitflags::bitflags;

use super::error::MapError;

bitflags! {
    /// What a mapping allows besides reading in the kernel.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Flags: u8 {
        /// The page may be written to; not together with `EXECUTE`.
        const WRITE = 1 << 0;
        /// Instructions may be fetched from the page.
        const EXECUTE = 1 << 1;
        /// User mode may access the page; in the lower half only.
        const USER = 1 << 2;
        /// The mapping is the same in all address spaces; in the upper half only.
        const GLOBAL = 1 << 3;
    }
}

/// How the processor caches a page; [`super::entry::PAT_VALUE`] must be in `IA32_PAT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CacheMode {
    /// Normal memory.
    #[default]
    WriteBack,
    /// Framebuffers: writes are gathered, reads are not cached.
    WriteCombining,
    /// Device registers.
    Uncached,
}

/// The protection of a mapping: its flags and its caching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protection {
    /// What it allows.
    pub flags: Flags,
    /// How it is cached.
    pub cache: CacheMode,
}

impl Protection {
    /// Kernel code: execute, global.
    pub const KERNEL_CODE: Self = Self::new(Flags::EXECUTE.union(Flags::GLOBAL));
    /// Kernel constants: read, global.
    pub const KERNEL_READ: Self = Self::new(Flags::GLOBAL);
    /// Kernel data: write, global.
    pub const KERNEL_DATA: Self = Self::new(Flags::WRITE.union(Flags::GLOBAL));
    /// User code: execute.
    pub const USER_CODE: Self = Self::new(Flags::USER.union(Flags::EXECUTE));
    /// User constants: read.
    pub const USER_READ: Self = Self::new(Flags::USER);
    /// User data: write.
    pub const USER_DATA: Self = Self::new(Flags::USER.union(Flags::WRITE));

    /// The flags with write-back caching.
    pub const fn new(flags: Flags) -> Self {
        Self {
            flags,
            cache: CacheMode::WriteBack,
        }
    }

    /// The same with another caching.
    #[must_use]
    pub const fn with_cache(self, cache: CacheMode) -> Self {
        Self { cache, ..self }
    }

    /// Whether a mapping at an address in this half may have the protection.
    pub(super) fn check(self, lower_half: bool) -> Result<(), MapError> {
        if self.flags.contains(Flags::WRITE | Flags::EXECUTE) {
            return Err(MapError::WriteExecute);
        }
        let wrong = if lower_half {
            Flags::GLOBAL
        } else {
            Flags::USER
        };
        if self.flags.contains(wrong) {
            return Err(MapError::WrongHalf);
        }
        Ok(())
    }
}
