//! The edits of a page table, from the caller's side: checks, then `map` or `change`.

use kaddr::{Frame, PAGE_SIZE, Page, PageSize, PhysRange, VirtAddr, VirtRange};

use super::change::Change;
use super::entry::{self, ENTRIES, Kind};
use super::error::MapError;
use super::flush::Flush;
use super::map::Mapping;
use super::protection::Protection;
use super::reserve::Chain;
use super::table::{FrameSource, PageTable, TableMemory, chunks, entry_address, index};

/// A page that an edit has unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// Where it was.
    pub page: Page,
    /// The (first) frame that was mapped there; not to be reused before the flush is done.
    pub frame: Frame,
    /// Its size.
    pub size: PageSize,
}

/// A page table bound to the memory and the frames that edits need.
///
/// Each function does all it says or, on an error, nothing.
#[derive(Debug)]
pub struct Edit<'a, M, S> {
    pub(super) table: &'a mut PageTable,
    pub(super) memory: &'a mut M,
    pub(super) source: &'a mut S,
}

/// A run of whole pages in one half of the address space; the end may have no address.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Run {
    pub(super) fn is_lower_half(self) -> bool {
        self.first >> 63 == 0
    }
}

impl<'a, M: TableMemory, S: FrameSource> Edit<'a, M, S> {
    pub(super) fn new(table: &'a mut PageTable, memory: &'a mut M, source: &'a mut S) -> Self {
        Self {
            table,
            memory,
            source,
        }
    }

    /// Maps one page of the given size.
    ///
    /// # Errors
    /// Any but `NotMapped`. `Misaligned` if the page or the frame does not lie at a multiple of
    /// the size.
    pub fn map(
        &mut self,
        page: Page,
        frame: Frame,
        size: PageSize,
        protection: Protection,
    ) -> Result<(), MapError> {
        let (start, bytes) = (page.start(), size.bytes());
        if !start.is_aligned(bytes) || !frame.start().is_aligned(bytes) {
            return Err(MapError::Misaligned);
        }
        // Both halves, and physical memory, begin and end at multiples of every size: what is true of the start is of all.
        if !start.is_canonical(self.table.levels().address_bits()) {
            return Err(MapError::NotCanonical);
        }
        let first = start.as_u64();
        let run = Run {
            first,
            last: first | (bytes - 1),
        };
        protection.check(run.is_lower_half())?;
        self.commit_page(run, frame.start(), size, protection)
    }

    /// Maps a range of physical memory at `virt`, with the largest pages up to `largest` that the
    /// alignment of both allows.
    ///
    /// # Errors
    /// Any but `NotMapped`.
    pub fn map_range(
        &mut self,
        virt: VirtAddr,
        phys: PhysRange,
        protection: Protection,
        largest: PageSize,
    ) -> Result<(), MapError> {
        let Some(run) = self.run(virt, phys.len())? else {
            return Ok(());
        };
        if !phys.is_aligned(PAGE_SIZE) {
            return Err(MapError::Misaligned);
        }
        if phys.end.checked_sub(1).is_none_or(|last| !last.is_valid()) {
            return Err(MapError::PhysicalOutOfRange);
        }
        protection.check(run.is_lower_half())?;
        let mapping = Mapping::new(virt, phys.start, protection, largest);
        self.commit_mapping(run, &mapping)
    }

    /// Maps these frames at single pages from `page` on, as far as one table maps them that is there already; what is mapped
    /// there stays as it is. So it takes no frames for tables, and nothing has to be forgotten.
    ///
    /// # Errors
    /// `NotCanonical`, `WriteExecute`, `WrongHalf`.
    pub fn fill(
        &mut self,
        page: Page,
        frames: &[Frame],
        protection: Protection,
    ) -> Result<(), MapError> {
        let left = ENTRIES - index(page.start().as_u64(), 1);
        let frames = frames.get(..left as usize).unwrap_or(frames);
        let Some(run) = self.run(page.start(), frames.len() as u64 * PAGE_SIZE)? else {
            return Ok(());
        };
        protection.check(run.is_lower_half())?;
        self.commit_fill(run, frames, protection);
        Ok(())
    }

    /// Unmaps the page that begins at `page`, whatever its size.
    ///
    /// # Errors
    /// `NotMapped`; `Misaligned` if a larger page is mapped there that begins elsewhere.
    pub fn unmap(&mut self, page: Page) -> Result<(Frame, PageSize, Flush), MapError> {
        let at = page.start();
        let found = self
            .table
            .translate(self.memory, at)
            .ok_or(MapError::NotMapped { at })?;
        if !at.is_aligned(found.size.bytes()) {
            return Err(MapError::Misaligned);
        }
        let frame = Frame::starting_at(found.phys).ok_or(MapError::PhysicalOutOfRange)?;
        let run = self
            .run(at, found.size.bytes())?
            .ok_or(MapError::NotMapped { at })?;
        let flush = self.commit_change(run, Change::Unmap, |_| {})?;
        Ok((frame, found.size, flush))
    }

    /// Unmaps all pages in a range and reports each to `visit`; addresses in it that are not
    /// mapped are passed over. A large page that only partly lies in the range is split, and what
    /// lies outside of it stays mapped.
    ///
    /// # Errors
    /// `OutOfFrames` (only when a page has to be split), `Misaligned`, `NotCanonical`.
    pub fn unmap_range(
        &mut self,
        range: VirtRange,
        visit: impl FnMut(Unmapped),
    ) -> Result<Flush, MapError> {
        let Some(run) = self.run(range.start, range.len())? else {
            return Ok(Flush::default());
        };
        self.commit_change(run, Change::Unmap, visit)
    }

    /// Gives all pages in a range another protection; addresses in it that are not mapped are
    /// passed over, and large pages are split as in [`Self::unmap_range`]. The accessed and dirty
    /// bits stay.
    ///
    /// # Errors
    /// `OutOfFrames` (only when a page has to be split), `Misaligned`, `NotCanonical`,
    /// `WriteExecute`, `WrongHalf`.
    pub fn protect_range(
        &mut self,
        range: VirtRange,
        protection: Protection,
    ) -> Result<Flush, MapError> {
        let Some(run) = self.run(range.start, range.len())? else {
            return Ok(Flush::default());
        };
        protection.check(run.is_lower_half())?;
        self.commit_change(run, Change::Protect(protection), |_| {})
    }

    /// Fills the top-level entries for a range of the upper half, with empty tables where there
    /// are none, so that all tables made from now on with [`PageTable::new_sharing`] share
    /// everything that is ever mapped there. Each takes a frame for good.
    ///
    /// # Errors
    /// `WrongHalf` if the range is in the lower half; `OutOfFrames`, `Misaligned`, `NotCanonical`.
    pub fn ensure_top_level(&mut self, range: VirtRange) -> Result<(), MapError> {
        let Some(run) = self.run(range.start, range.len())? else {
            return Ok(());
        };
        if run.is_lower_half() {
            return Err(MapError::WrongHalf);
        }
        let top = self.table.levels().count();
        let entry = |first| entry_address(self.table.root(), index(first, top));
        let absent = |memory: &M, address| entry::kind(memory.read(address), top) == Kind::Absent;
        let missing = chunks(top, run.first, run.last)
            .filter(|chunk| absent(self.memory, entry(chunk.first)))
            .count();
        let mut chain = Chain::reserve(missing as u64, self.memory, self.source)?;
        for chunk in chunks(top, run.first, run.last) {
            let address = entry(chunk.first);
            if absent(self.memory, address)
                && let Some(table) = chain.pop(self.memory)
            {
                self.memory.write(address, entry::table(table, false, 0));
            }
        }
        Ok(())
    }

    /// Checks that `len` bytes from `start` on are whole pages in one half; `None` if there are
    /// no bytes.
    fn run(&self, start: VirtAddr, len: u64) -> Result<Option<Run>, MapError> {
        if len == 0 {
            return Ok(None);
        }
        let last = start.checked_add(len - 1).ok_or(MapError::NotCanonical)?;
        let bits = self.table.levels().address_bits();
        if !start.is_canonical(bits)
            || !last.is_canonical(bits)
            || start.is_upper_half() != last.is_upper_half()
        {
            return Err(MapError::NotCanonical);
        }
        if !start.is_aligned(PAGE_SIZE) || !len.is_multiple_of(PAGE_SIZE) {
            return Err(MapError::Misaligned);
        }
        Ok(Some(Run {
            first: start.as_u64(),
            last: last.as_u64(),
        }))
    }

    /// Whether the tables below this entry of a table of `level` stay for good: they are shared.
    pub(super) fn is_shared(&self, level: u8, address: u64) -> bool {
        level == self.table.levels().count() && address >> 63 == 1
    }
}
