//! The bits of a page-table entry, as the processor defines them.
//!
//! Intel SDM Vol. 3A section 4.5 (tables 4-14 to 4-20); the same with five levels. PCD, PWT and
//! PAT select one of eight memory types: section 4.9.2 and section 12.12.

use kaddr::{Frame, PageSize, PhysAddr};

use super::protection::{CacheMode, Flags, Protection};

/// Bit 0: the entry maps a page or points to a table.
pub const PRESENT: u64 = 1 << 0;
/// Bit 1: writes are allowed.
pub const WRITABLE: u64 = 1 << 1;
/// Bit 2: accesses from user mode are allowed.
pub const USER: u64 = 1 << 2;
/// Bit 3: page-level write-through, the lowest bit of the PAT index.
pub const WRITE_THROUGH: u64 = 1 << 3;
/// Bit 4: page-level cache disable, the middle bit of the PAT index.
pub const CACHE_DISABLE: u64 = 1 << 4;
/// Bit 5: set by the processor when it uses the entry.
pub const ACCESSED: u64 = 1 << 5;
/// Bit 6: set by the processor when it writes to the page.
pub const DIRTY: u64 = 1 << 6;
/// Bit 7 in a directory or directory-pointer entry: it maps a page.
pub const PAGE: u64 = 1 << 7;
/// Bit 7 in an entry for 4 KiB: the highest bit of the PAT index.
pub const PAT_SMALL: u64 = 1 << 7;
/// Bit 8: the translation survives a change of address space.
pub const GLOBAL: u64 = 1 << 8;
/// Bit 12 in an entry for 2 MiB or 1 GiB: the highest bit of the PAT index.
pub const PAT_LARGE: u64 = 1 << 12;
/// Bit 63: instruction fetches are not allowed (wants `IA32_EFER.NXE`).
pub const NO_EXECUTE: u64 = 1 << 63;
/// Bits 12 to 51: the address of the table or page.
pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Entries in a table.
pub const ENTRIES: u64 = 512;
/// Bytes of an entry.
pub const ENTRY_BYTES: u64 = 8;

/// What `IA32_PAT` (MSR 0x277) must hold for [`CacheMode`] to mean what it says: from entry 0 on
/// write-back, write-through, UC-, uncached, write-protected, write-combining, UC-, uncached. The
/// first six are those of the Limine boot protocol.
pub const PAT_VALUE: u64 = 0x0007_0105_0007_0406;

/// In an entry that points to a table: how many entries of that table are in use. The processor
/// ignores bits 52 to 62 there.
const COUNT_SHIFT: u32 = 52;
const COUNT_MASK: u64 = 0x3ff << COUNT_SHIFT;

/// The bits of a leaf entry besides its address.
#[inline]
pub(super) fn leaf_bits(protection: Protection, size: PageSize) -> u64 {
    let flags = protection.flags;
    let mut bits = PRESENT;
    for (flag, bit) in [
        (Flags::WRITE, WRITABLE),
        (Flags::USER, USER),
        (Flags::GLOBAL, GLOBAL),
    ] {
        if flags.contains(flag) {
            bits |= bit;
        }
    }
    if !flags.contains(Flags::EXECUTE) {
        bits |= NO_EXECUTE;
    }
    // In an entry for 4 KiB, bit 7 is PAT; in the others it says that they map a page.
    let (pat, page) = if size == PageSize::Small {
        (PAT_SMALL, 0)
    } else {
        (PAT_LARGE, PAGE)
    };
    bits |= match protection.cache {
        CacheMode::WriteBack => 0,
        CacheMode::Uncached => CACHE_DISABLE | WRITE_THROUGH,
        CacheMode::WriteCombining => pat | WRITE_THROUGH,
    };
    bits | page
}

/// The address in a leaf entry of this size.
#[inline]
pub(super) fn leaf_address(value: u64, size: PageSize) -> PhysAddr {
    PhysAddr::new(value & ADDRESS & !(size.bytes() - 1))
}

/// What a leaf entry allows.
pub(super) fn protection(value: u64, size: PageSize) -> Protection {
    let mut flags = Flags::empty();
    flags.set(Flags::WRITE, value & WRITABLE != 0);
    flags.set(Flags::USER, value & USER != 0);
    flags.set(Flags::GLOBAL, value & GLOBAL != 0);
    flags.set(Flags::EXECUTE, value & NO_EXECUTE == 0);
    let pat = if size == PageSize::Small {
        PAT_SMALL
    } else {
        PAT_LARGE
    };
    let cache = if value & CACHE_DISABLE != 0 {
        CacheMode::Uncached
    } else if value & pat != 0 {
        CacheMode::WriteCombining
    } else {
        CacheMode::WriteBack
    };
    Protection { flags, cache }
}

/// An entry that points to a table. Rights are the leaf's business: the entry allows everything,
/// except that only the lower half is ever the user's. It is marked accessed from the start, so
/// that the processor never writes to it and its count cannot be lost.
#[inline]
pub(super) fn table(table: Frame, lower_half: bool, count: u64) -> u64 {
    let user = if lower_half { USER } else { 0 };
    table.start().as_u64() | PRESENT | WRITABLE | ACCESSED | user | count << COUNT_SHIFT
}

/// How many entries of the table that `value` points to are in use.
#[inline]
pub(super) fn count(value: u64) -> u64 {
    (value & COUNT_MASK) >> COUNT_SHIFT
}

/// The same entry with another count.
#[inline]
pub(super) fn with_count(value: u64, count: u64) -> u64 {
    value & !COUNT_MASK | count << COUNT_SHIFT & COUNT_MASK
}

/// The frame of the table that `value` points to.
#[inline]
pub(super) fn table_frame(value: u64) -> Option<Frame> {
    Frame::starting_at(PhysAddr::new(value & ADDRESS))
}

/// The table that `value`, an entry of any level but the lowest, points to, if it does.
#[inline]
pub(super) fn child(value: u64) -> Option<Frame> {
    if value & (PRESENT | PAGE) == PRESENT {
        table_frame(value)
    } else {
        None
    }
}

/// The level at which one entry maps a page of this size.
#[inline]
pub(super) fn level(size: PageSize) -> u8 {
    match size {
        PageSize::Small => 1,
        PageSize::Large => 2,
        PageSize::Huge => 3,
    }
}

/// What an entry is, at a level that counts from 1 (4 KiB) up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Absent,
    Table(Frame),
    Leaf(PageSize),
}

#[inline]
pub(super) fn kind(value: u64, level: u8) -> Kind {
    if value & PRESENT == 0 {
        return Kind::Absent;
    }
    match level {
        1 => Kind::Leaf(PageSize::Small),
        2 if value & PAGE != 0 => Kind::Leaf(PageSize::Large),
        3 if value & PAGE != 0 => Kind::Leaf(PageSize::Huge),
        _ => table_frame(value).map_or(Kind::Absent, Kind::Table),
    }
}
