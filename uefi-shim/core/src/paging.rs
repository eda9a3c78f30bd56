//! Builds the page tables that a kernel starts with.
//!
//! The tables come from one pool of pages, so building them needs neither an allocator nor
//! unsafe code; the edge only says at which physical address the pool is. Ranges that are mapped
//! must not overlap earlier ones. Each range gets the largest pages that fit it. Bits: Intel SDM
//! volume 3, section 4.5.

use crate::config::PagingLevels;
use crate::direct_map::Caching;
use crate::error::{Error, RequestFault};

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const WRITE_THROUGH: u64 = 1 << 3;
const LARGE: u64 = 1 << 7;
const PAT_SMALL: u64 = 1 << 7;
const PAT_LARGE: u64 = 1 << 12;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What a mapping allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// It may be written.
    pub write: bool,
    /// It may be executed.
    pub execute: bool,
    /// How it is cached.
    pub caching: Caching,
}

impl Access {
    /// Everything is allowed, as the protocol says of the direct map.
    pub fn all(caching: Caching) -> Self {
        Self {
            write: true,
            execute: true,
            caching,
        }
    }
}

/// The largest page that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageSize {
    /// 4 KiB
    Small,
    /// 2 MiB
    Large,
    /// 1 GiB
    Huge,
}

impl PageSize {
    fn bytes(self) -> u64 {
        match self {
            Self::Small => 1 << 12,
            Self::Large => 1 << 21,
            Self::Huge => 1 << 30,
        }
    }

    /// The level of the table that has entries of this size, counted from 0 at the bottom.
    fn level(self) -> u32 {
        match self {
            Self::Small => 0,
            Self::Large => 1,
            Self::Huge => 2,
        }
    }
}

/// A page table.
pub type Table = [u64; 512];

/// Page tables in the making.
#[derive(Debug)]
pub struct PageTables<'a> {
    pool: &'a mut [Table],
    pool_base: u64,
    used: usize,
    levels: PagingLevels,
    largest: PageSize,
}

impl<'a> PageTables<'a> {
    /// Starts with an empty top table in a pool of pages at a physical address.
    ///
    /// # Errors
    /// The pool is empty.
    pub fn new(
        pool: &'a mut [Table],
        pool_base: u64,
        levels: PagingLevels,
        largest: PageSize,
    ) -> Result<Self, Error> {
        let mut tables = Self {
            pool,
            pool_base,
            used: 0,
            levels,
            largest,
        };
        tables.take()?;
        Ok(tables)
    }

    /// The physical address of the top table.
    pub fn root(&self) -> u64 {
        self.pool_base
    }

    /// How many tables are in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Maps a range. All three numbers are multiples of 4096.
    ///
    /// # Errors
    /// The pool is exhausted.
    pub fn map(&mut self, virt: u64, phys: u64, length: u64, access: Access) -> Result<(), Error> {
        let mut done = 0;
        while done < length {
            let at_virt = virt.wrapping_add(done);
            let at_phys = phys.wrapping_add(done);
            let size = self.fitting(at_virt | at_phys, length.saturating_sub(done));
            self.map_page(at_virt, at_phys, size, access)?;
            done = done.saturating_add(size.bytes());
        }
        Ok(())
    }

    /// The largest page that begins at an address with these low bits and is no longer than `left`.
    fn fitting(&self, low_bits: u64, left: u64) -> PageSize {
        [PageSize::Huge, PageSize::Large]
            .into_iter()
            .find(|size| {
                *size <= self.largest
                    && low_bits & size.bytes().saturating_sub(1) == 0
                    && left >= size.bytes()
            })
            .unwrap_or(PageSize::Small)
    }

    fn map_page(
        &mut self,
        virt: u64,
        phys: u64,
        size: PageSize,
        access: Access,
    ) -> Result<(), Error> {
        let mut table = 0;
        let mut level = match self.levels {
            PagingLevels::Four => 3,
            PagingLevels::Five => 4,
        };
        while level > size.level() {
            table = self.descend(table, index_of(virt, level))?;
            level = level.saturating_sub(1);
        }
        let mut entry = (phys & ADDRESS) | PRESENT;
        if access.write {
            entry |= WRITE;
        }
        if !access.execute {
            entry |= NO_EXECUTE;
        }
        // Write-combining is entry 5 of the PAT: the bits PAT and PWT.
        if access.caching == Caching::WriteCombining {
            entry |= WRITE_THROUGH
                | if size == PageSize::Small {
                    PAT_SMALL
                } else {
                    PAT_LARGE
                };
        }
        if size != PageSize::Small {
            entry |= LARGE;
        }
        if let Some(slot) = self.slot(table, index_of(virt, level)) {
            *slot = entry;
        }
        Ok(())
    }

    /// Goes to the table below an entry, which is made if it is missing.
    fn descend(&mut self, table: usize, index: usize) -> Result<usize, Error> {
        let entry = self.slot(table, index).map_or(0, |slot| *slot);
        if entry & PRESENT != 0 {
            let offset = (entry & ADDRESS).wrapping_sub(self.pool_base) >> 12;
            return usize::try_from(offset).map_err(|_| self.exhausted());
        }
        let next = self.take()?;
        let address = self
            .pool_base
            .wrapping_add(u64::try_from(next).unwrap_or(0) << 12);
        if let Some(slot) = self.slot(table, index) {
            *slot = address | PRESENT | WRITE;
        }
        Ok(next)
    }

    fn slot(&mut self, table: usize, index: usize) -> Option<&mut u64> {
        self.pool.get_mut(table)?.get_mut(index)
    }

    fn take(&mut self) -> Result<usize, Error> {
        let next = self.used;
        let table = self
            .pool
            .get_mut(next)
            .ok_or(Error::PageTablesExhausted { tables: next })?;
        table.fill(0);
        self.used = next.saturating_add(1);
        Ok(next)
    }

    fn exhausted(&self) -> Error {
        Error::PageTablesExhausted { tables: self.used }
    }
}

fn index_of(virt: u64, level: u32) -> usize {
    let shift = level.saturating_mul(9).saturating_add(12);
    usize::try_from(virt.checked_shr(shift).unwrap_or(0) & 0x1ff).unwrap_or(0)
}

/// Where the higher half begins, which is where the direct map is if it is not moved.
pub fn higher_half(levels: PagingLevels) -> u64 {
    match levels {
        PagingLevels::Four => 0xffff_8000_0000_0000,
        PagingLevels::Five => 0xff00_0000_0000_0000,
    }
}

/// The room that a direct map has: half of the higher half, so that the kernel is never in it.
pub fn direct_map_room(levels: PagingLevels) -> u64 {
    match levels {
        PagingLevels::Four => 1 << 46,
        PagingLevels::Five => 1 << 55,
    }
}

/// Chooses the base of the direct map; a random number moves it in steps of 1 GiB.
pub fn direct_map_base(levels: PagingLevels, random: Option<u64>) -> u64 {
    let quarter = direct_map_room(levels) >> 1;
    let shift = random.unwrap_or(0) & quarter.saturating_sub(1) & !((1 << 30) - 1);
    higher_half(levels).saturating_add(shift)
}

/// What a kernel says about paging modes; the numbers are those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedMode {
    /// What it would like.
    pub mode: u64,
    /// The most that it can do.
    pub max: u64,
    /// The least that it can do.
    pub min: u64,
}

impl WantedMode {
    /// What counts if there is no paging mode request.
    pub const DEFAULT: Self = Self {
        mode: 0,
        max: 0,
        min: 0,
    };
}

/// Chooses the number of levels.
///
/// `most` is what the processor can do, `user_max` and `user_min` are the limits of the
/// configuration, `top` is the end of the memory that the direct map must reach.
///
/// # Errors
/// No mode suits all.
pub fn choose_levels(
    wanted: WantedMode,
    most: PagingLevels,
    user_max: Option<PagingLevels>,
    user_min: Option<PagingLevels>,
    top: u64,
) -> Result<PagingLevels, RequestFault> {
    let four = PagingLevels::Four;
    if top > direct_map_room(most) {
        return Err(RequestFault::DirectMap);
    }
    let mut least = if top > direct_map_room(four) {
        PagingLevels::Five
    } else {
        four
    };
    let mut most = most;
    if let (Some(max), Some(min)) = (user_max, user_min)
        && max < min
    {
        return Err(RequestFault::PagingMode(
            "max_paging_mode is lower than min_paging_mode in limine.conf; swap them",
        ));
    }
    if let Some(max) = user_max {
        if max < least {
            return Err(RequestFault::PagingMode(
                "max_paging_mode in limine.conf is too low for the memory of this machine; raise it",
            ));
        }
        most = most.min(max);
    }
    if let Some(min) = user_min {
        if min > most {
            return Err(RequestFault::PagingMode(
                "min_paging_mode in limine.conf is more than this processor can do; lower it",
            ));
        }
        least = least.max(min);
    }
    if wanted.max < wanted.min {
        return Err(RequestFault::PagingMode(
            "its max_mode is lower than its min_mode; correct its paging mode request",
        ));
    }
    let levels = |mode| if mode == 0 { four } else { PagingLevels::Five };
    let (kernel_max, kernel_min) = (levels(wanted.max), levels(wanted.min));
    if kernel_max < least {
        return Err(RequestFault::PagingMode(
            "it can do only 4 levels, and limine.conf or the memory of this machine demands 5",
        ));
    }
    if kernel_min > most {
        return Err(RequestFault::PagingMode(
            "it needs 5 levels, which this processor or limine.conf does not allow",
        ));
    }
    Ok(levels(wanted.mode).clamp(least.max(kernel_min), most.min(kernel_max)))
}

#[cfg(test)]
mod tests;
