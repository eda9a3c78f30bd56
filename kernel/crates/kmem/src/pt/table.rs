//! A page table as a value: its root and levels, and how to read it.

use kaddr::{Frame, PageSize, PhysAddr, VirtAddr};

use crate::frame::FrameAllocator;

use super::edit::Edit;
use super::entry::{self, ENTRIES, ENTRY_BYTES, Kind};
use super::error::MapError;
use super::protection::{Flags, Protection};

/// How tables are reached: in the kernel through the direct map, in tests through a fake machine.
pub trait TableMemory {
    /// Reads the entry at this address, which is a multiple of 8.
    fn read(&self, entry: PhysAddr) -> u64;

    /// Writes the entry at this address, in one piece: a processor may be walking the table.
    fn write(&mut self, entry: PhysAddr, value: u64);

    /// Fills a frame that no processor walks with zeros.
    fn clear(&mut self, table: Frame);
}

/// Where frames for tables come from.
pub trait FrameSource {
    /// Takes a frame, with any content.
    fn allocate_table(&mut self) -> Option<Frame>;

    /// Gives a frame back that [`Self::allocate_table`] returned.
    fn free_table(&mut self, table: Frame);
}

impl FrameSource for FrameAllocator<'_> {
    fn allocate_table(&mut self) -> Option<Frame> {
        self.allocate()
    }

    fn free_table(&mut self, table: Frame) {
        let freed = self.free(table);
        debug_assert_eq!(freed, Ok(()), "page tables give back only what they took");
    }
}

/// How many levels the tables have; the processor's mode decides (`CR4.LA57`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// 48-bit virtual addresses.
    Four,
    /// 57-bit virtual addresses.
    Five,
}

impl Levels {
    /// The number of levels.
    pub const fn count(self) -> u8 {
        match self {
            Self::Four => 4,
            Self::Five => 5,
        }
    }

    /// How many bits of a virtual address count.
    pub const fn address_bits(self) -> u32 {
        match self {
            Self::Four => 48,
            Self::Five => 57,
        }
    }
}

/// What a virtual address stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address.
    pub phys: PhysAddr,
    /// The size of the page that it lies in.
    pub size: PageSize,
    /// What all levels together allow.
    pub protection: Protection,
}

/// The page tables of an address space.
///
/// The value names the tables; it does not free them when dropped: see [`Self::destroy`].
#[derive(Debug, PartialEq, Eq)]
pub struct PageTable {
    root: Frame,
    levels: Levels,
}

impl PageTable {
    /// Makes an empty table.
    ///
    /// # Errors
    /// If the source has no frame.
    pub fn new(
        levels: Levels,
        memory: &mut impl TableMemory,
        source: &mut impl FrameSource,
    ) -> Result<Self, MapError> {
        let root = source.allocate_table().ok_or(MapError::OutOfFrames)?;
        memory.clear(root);
        Ok(Self { root, levels })
    }

    /// Makes a table with an empty lower half and the upper half of `kernel`.
    ///
    /// The two then share what the top-level entries of `kernel` point to at this moment, for
    /// good: fill those entries first, for all ranges that the kernel will ever use, with
    /// [`Edit::ensure_top_level`].
    ///
    /// # Errors
    /// If the source has no frame.
    pub fn new_sharing(
        kernel: &Self,
        memory: &mut impl TableMemory,
        source: &mut impl FrameSource,
    ) -> Result<Self, MapError> {
        let table = Self::new(kernel.levels, memory, source)?;
        for index in ENTRIES / 2..ENTRIES {
            let value = memory.read(entry_address(kernel.root, index));
            memory.write(entry_address(table.root, index), value);
        }
        Ok(table)
    }

    /// Names the table with this root. To edit it, it must have been made by this module; any
    /// other, such as a boot loader's, can only be read ([`Self::translate`]).
    pub const fn from_root(root: Frame, levels: Levels) -> Self {
        Self { root, levels }
    }

    /// The frame of the top-level table, for `CR3`.
    pub const fn root(&self) -> Frame {
        self.root
    }

    /// How many levels the table has.
    pub const fn levels(&self) -> Levels {
        self.levels
    }

    /// Binds the table to what an edit needs.
    pub fn edit<'a, M: TableMemory, S: FrameSource>(
        &'a mut self,
        memory: &'a mut M,
        source: &'a mut S,
    ) -> Edit<'a, M, S> {
        Edit::new(self, memory, source)
    }

    /// What `address` stands for, or `None` if it is not mapped or not canonical.
    pub fn translate(&self, memory: &impl TableMemory, address: VirtAddr) -> Option<Translation> {
        if !address.is_canonical(self.levels.address_bits()) {
            return None;
        }
        let mut table = self.root;
        let mut upper = Flags::WRITE | Flags::USER | Flags::EXECUTE | Flags::GLOBAL;
        for level in (1..=self.levels.count()).rev() {
            let value = memory.read(entry_address(table, index(address.as_u64(), level)));
            match entry::kind(value, level) {
                Kind::Absent => return None,
                Kind::Table(next) => {
                    upper.set(
                        Flags::WRITE,
                        upper.contains(Flags::WRITE) && value & entry::WRITABLE != 0,
                    );
                    upper.set(
                        Flags::USER,
                        upper.contains(Flags::USER) && value & entry::USER != 0,
                    );
                    upper.set(
                        Flags::EXECUTE,
                        upper.contains(Flags::EXECUTE) && value & entry::NO_EXECUTE == 0,
                    );
                    table = next;
                }
                Kind::Leaf(size) => {
                    let mut protection = entry::protection(value, size);
                    protection.flags &= upper;
                    let offset = address.as_u64() & (size.bytes() - 1);
                    let phys = entry::leaf_address(value, size).checked_add(offset)?;
                    return Some(Translation {
                        phys,
                        size,
                        protection,
                    });
                }
            }
        }
        None
    }

    /// Frees the tables of the lower half and the root. What is mapped is not freed, nor are the
    /// tables of the upper half, which other spaces share. No processor may use the space, or hold
    /// translations of it, any more.
    pub fn destroy(self, memory: &mut impl TableMemory, source: &mut impl FrameSource) {
        free_tables(self.root, self.levels.count(), ENTRIES / 2, memory, source);
    }
}

/// Frees a table and all tables that its first `entries` entries lead to.
fn free_tables(
    table: Frame,
    level: u8,
    entries: u64,
    memory: &mut impl TableMemory,
    source: &mut impl FrameSource,
) {
    if level > 1 {
        for index in 0..entries {
            let value = memory.read(entry_address(table, index));
            if let Kind::Table(child) = entry::kind(value, level) {
                free_tables(child, level - 1, ENTRIES, memory, source);
            }
        }
    }
    source.free_table(table);
}

/// The address of entry `index` of a table; only the lowest nine bits of the index count.
#[inline]
pub(super) fn entry_address(table: Frame, index: u64) -> PhysAddr {
    PhysAddr::new(table.start().as_u64() | (index % ENTRIES * ENTRY_BYTES))
}

/// The binary logarithm of the number of entries of a table.
pub(super) const LEVEL_SHIFT: u32 = ENTRIES.trailing_zeros();

/// The binary logarithm of what one entry of this level spans.
#[inline]
pub(super) fn span_shift(level: u8) -> u32 {
    kaddr::PAGE_SHIFT + LEVEL_SHIFT * (u32::from(level) - 1)
}

/// The index of an address's entry in its table of this level.
#[inline]
pub(super) fn index(address: u64, level: u8) -> u64 {
    address >> span_shift(level) & (ENTRIES - 1)
}

/// The part of a run of addresses that one entry spans.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) first: u64,
    /// The last byte; the end may have no address.
    pub(super) last: u64,
    /// Whether it is all that the entry spans.
    pub(super) full: bool,
}

/// Cuts the bytes `first..=last` at the borders of the entries of this level.
#[inline]
pub(super) fn chunks(level: u8, first: u64, last: u64) -> impl Iterator<Item = Chunk> {
    let inner = (1 << span_shift(level)) - 1;
    let mut next = Some(first);
    core::iter::from_fn(move || {
        let first = next?;
        let border = first | inner;
        next = if border < last {
            Some(border + 1)
        } else {
            None
        };
        Some(Chunk {
            first,
            last: border.min(last),
            full: first & inner == 0 && border <= last,
        })
    })
}
