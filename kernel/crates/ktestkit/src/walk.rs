//! The page walk: what a processor finds in the tables for an address.

use kaddr::{Frame, PageSize, PhysAddr, VirtAddr};

use crate::Memory;

/// How many levels of tables the processor walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagingLevels {
    /// 4-level paging.
    Four,
    /// 5-level paging.
    Five,
}

impl PagingLevels {
    pub(crate) fn count(self) -> u8 {
        match self {
            Self::Four => 4,
            Self::Five => 5,
        }
    }

    fn address_bits(self) -> u32 {
        match self {
            Self::Four => 48,
            Self::Five => 57,
        }
    }
}

/// What a processor wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read data.
    Read,
    /// Write data.
    Write,
    /// Fetch an instruction.
    Execute,
}

/// On whose behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The kernel's.
    Kernel,
    /// A user program's.
    User,
}

/// Why an access fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The address is not canonical.
    NotCanonical,
    /// Nothing is mapped there.
    NotPresent,
    /// What is mapped there does not allow the access.
    Protection,
    /// An entry has a bit set that must be clear.
    Reserved,
}

/// What all entries on the way together allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Writes.
    pub write: bool,
    /// Accesses from user mode.
    pub user: bool,
    /// Instruction fetches.
    pub execute: bool,
}

impl Rights {
    /// Whether the access is allowed (`CR0.WP`, SMEP and SMAP off-limits cases aside).
    pub fn allow(self, access: Access, mode: Mode) -> bool {
        let granted = match access {
            Access::Read => true,
            Access::Write => self.write,
            Access::Execute => self.execute,
        };
        granted && (mode == Mode::Kernel || self.user)
    }
}

/// What the walk ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The first address of the page.
    pub base: VirtAddr,
    /// The size of the page.
    pub size: PageSize,
    /// Where it is in physical memory.
    pub phys: PhysAddr,
    /// What it allows.
    pub rights: Rights,
    /// Whether it survives a change of address space.
    pub global: bool,
    /// The index of its memory type in the PAT.
    pub pat: u8,
    /// Whether its entry is marked as used.
    pub accessed: bool,
    /// Whether its entry is marked as written to.
    pub dirty: bool,
    /// Where its entry is.
    pub entry: PhysAddr,
}

impl Leaf {
    /// The bit of an entry that says that it was used.
    pub(crate) const ACCESSED: u64 = 1 << 5;
    /// The bit of an entry that says that the page was written to.
    pub(crate) const DIRTY: u64 = 1 << 6;
}

/// A place in the tables where a walk can begin: a table, its level, and the rights so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) table: Frame,
    pub(crate) level: u8,
    pub(crate) rights: Rights,
}

impl Start {
    pub(crate) fn root(root: Frame, levels: PagingLevels) -> Self {
        let rights = Rights {
            write: true,
            user: true,
            execute: true,
        };
        Self {
            table: root,
            level: levels.count(),
            rights,
        }
    }
}

const PHYSICAL: u64 = (1 << 52) - 1;

/// Walks the tables from `start`; every table that is passed is reported to `visit`.
pub(crate) fn walk(
    memory: &Memory,
    levels: PagingLevels,
    start: Start,
    address: VirtAddr,
    mut visit: impl FnMut(Start),
) -> Result<Leaf, Fault> {
    if !address.is_canonical(levels.address_bits()) {
        return Err(Fault::NotCanonical);
    }
    let Start {
        mut table,
        mut level,
        mut rights,
    } = start;
    loop {
        let shift = 12 + 9 * (u32::from(level) - 1);
        let index = address.as_u64() >> shift & 0x1ff;
        let place = PhysAddr::new(table.start().as_u64() + index * 8);
        let entry = memory.read(place);
        let bit = |number: u32| entry >> number & 1 == 1;
        if !bit(0) {
            return Err(Fault::NotPresent);
        }
        rights.write &= bit(1);
        rights.user &= bit(2);
        rights.execute &= !bit(63);
        let size = match (level, bit(7)) {
            (1, _) => Some(PageSize::Small),
            (2, true) => Some(PageSize::Large),
            (3, true) => Some(PageSize::Huge),
            (4 | 5, true) => return Err(Fault::Reserved),
            _ => None,
        };
        let Some(size) = size else {
            let next = PhysAddr::new(entry & PHYSICAL & !0xfff);
            table = Frame::containing(next).expect("the address was cut to 52 bits");
            level -= 1;
            visit(Start {
                table,
                level,
                rights,
            });
            continue;
        };
        let pat_bit = if size == PageSize::Small { 7 } else { 12 };
        // In a large page's entry the PAT bit is in the middle of what would be address bits.
        let flags = if size == PageSize::Small {
            0xfff
        } else {
            0x1fff
        };
        let phys = entry & PHYSICAL & !flags;
        if phys & (size.bytes() - 1) != 0 {
            return Err(Fault::Reserved);
        }
        return Ok(Leaf {
            base: address.align_down(size.bytes()),
            size,
            phys: PhysAddr::new(phys),
            rights,
            global: bit(8),
            pat: u8::from(bit(pat_bit)) << 2 | u8::from(bit(4)) << 1 | u8::from(bit(3)),
            accessed: entry & Leaf::ACCESSED != 0,
            dirty: entry & Leaf::DIRTY != 0,
            entry: place,
        });
    }
}
