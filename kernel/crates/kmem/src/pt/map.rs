//! Mapping a run of pages: check and count, take frames, commit.

use kaddr::{Frame, PAGE_SIZE, PageSize, PhysAddr, VirtAddr};

use super::edit::{Edit, Run};
use super::entry::{self, Kind};
use super::error::MapError;
use super::protection::Protection;
use super::reach::Reached;
use super::reserve::Chain;
use super::table::{Chunk, FrameSource, TableMemory, chunks, entry_address, index};

/// What a run is mapped to.
pub(super) struct Mapping {
    /// Physical minus virtual address.
    offset: u64,
    largest: PageSize,
    protection: Protection,
}

impl Mapping {
    pub(super) fn new(
        virt: VirtAddr,
        phys: PhysAddr,
        protection: Protection,
        largest: PageSize,
    ) -> Self {
        Self {
            offset: phys.as_u64().wrapping_sub(virt.as_u64()),
            largest,
            protection,
        }
    }

    /// The leaf entry that maps this chunk, if one entry of this level can.
    fn leaf(&self, level: u8, chunk: Chunk) -> Option<u64> {
        let size = match level {
            1 => PageSize::Small,
            2 => PageSize::Large,
            3 => PageSize::Huge,
            _ => return None,
        };
        let phys = chunk.first.wrapping_add(self.offset);
        let fits = size <= self.largest && chunk.full && phys & (size.bytes() - 1) == 0;
        fits.then(|| phys | entry::leaf_bits(self.protection, size))
    }
}

impl<M: TableMemory, S: FrameSource> Edit<'_, M, S> {
    /// Maps a checked run that is one page.
    pub(super) fn commit_page(
        &mut self,
        run: Run,
        phys: PhysAddr,
        size: PageSize,
        protection: Protection,
    ) -> Result<(), MapError> {
        let reached = self.reach(run, entry::level(size));
        if reached.level != entry::level(size) {
            let mapping = Mapping::new(VirtAddr::new(run.first), phys, protection, size);
            return self.commit_reached(run, &mapping, &reached);
        }
        let address = entry_address(reached.table, index(run.first, reached.level));
        if entry::kind(self.memory.read(address), reached.level) != Kind::Absent {
            let at = VirtAddr::new(run.first);
            return Err(MapError::AlreadyMapped { at });
        }
        let leaf = phys.as_u64() | entry::leaf_bits(protection, size);
        self.memory.write(address, leaf);
        self.count_added(&reached, run, 1);
        Ok(())
    }

    /// Maps small pages of a checked run that lies in one table, as far as nothing is mapped there.
    pub(super) fn commit_fill(&mut self, run: Run, frames: &[Frame], protection: Protection) {
        let page = Run {
            first: run.first,
            last: run.first | (PAGE_SIZE - 1),
        };
        let reached = self.reach(page, 1);
        if reached.level != 1 {
            return;
        }
        let bits = entry::leaf_bits(protection, PageSize::Small);
        let mut added = 0;
        for (index, frame) in (index(run.first, 1)..).zip(frames) {
            let address = entry_address(reached.table, index);
            if entry::kind(self.memory.read(address), 1) == Kind::Absent {
                self.memory.write(address, frame.start().as_u64() | bits);
                added += 1;
            }
        }
        self.count_added(&reached, page, added);
    }

    pub(super) fn commit_mapping(&mut self, run: Run, mapping: &Mapping) -> Result<(), MapError> {
        let reached = self.reach(run, 1);
        self.commit_reached(run, mapping, &reached)
    }

    fn commit_reached(
        &mut self,
        run: Run,
        mapping: &Mapping,
        reached: &Reached,
    ) -> Result<(), MapError> {
        let (table, level) = (reached.table, reached.level);
        let missing = self.missing_tables(Some(table), level, run, mapping)?;
        let mut chain = Chain::reserve(missing, self.memory, self.source)?;
        let added = self.write_mapping(table, level, run, mapping, &mut chain);
        self.count_added(reached, run, added);
        debug_assert!(
            chain.is_empty(),
            "the mapping used fewer tables than it counted"
        );
        Ok(())
    }

    /// How many tables the run lacks, if nothing is mapped in it. `table` is `None` below a
    /// missing one.
    fn missing_tables(
        &self,
        table: Option<Frame>,
        level: u8,
        run: Run,
        mapping: &Mapping,
    ) -> Result<u64, MapError> {
        if level == 1 && table.is_none() {
            return Ok(0);
        }
        let mut missing = 0;
        for chunk in chunks(level, run.first, run.last) {
            let part = Run {
                first: chunk.first,
                last: chunk.last,
            };
            let taken = MapError::AlreadyMapped {
                at: VirtAddr::new(chunk.first),
            };
            let leaf = mapping.leaf(level, chunk);
            let value = table.map_or(0, |table| {
                self.memory
                    .read(entry_address(table, index(chunk.first, level)))
            });
            match entry::kind(value, level) {
                Kind::Absent if leaf.is_some() => {}
                Kind::Absent => {
                    missing += 1 + self.missing_tables(None, level - 1, part, mapping)?;
                }
                Kind::Table(child) => {
                    missing += self.missing_tables(Some(child), level - 1, part, mapping)?;
                    if leaf.is_some() {
                        return Err(taken);
                    }
                }
                Kind::Leaf(_) => return Err(taken),
            }
        }
        Ok(missing)
    }

    /// Writes the entries of a checked run; returns how many of this table came into use.
    fn write_mapping(
        &mut self,
        table: Frame,
        level: u8,
        run: Run,
        mapping: &Mapping,
        chain: &mut Chain,
    ) -> u64 {
        let mut added = 0;
        for chunk in chunks(level, run.first, run.last) {
            let address = entry_address(table, index(chunk.first, level));
            if let Some(leaf) = mapping.leaf(level, chunk) {
                self.memory.write(address, leaf);
                added += 1;
                continue;
            }
            let before = self.memory.read(address);
            let (child, count) = match entry::kind(before, level) {
                Kind::Table(child) => (child, entry::count(before)),
                Kind::Absent | Kind::Leaf(_) => {
                    added += 1;
                    (
                        chain
                            .pop(self.memory)
                            .expect("the check counted every missing table"),
                        0,
                    )
                }
            };
            // A new table is filled before it is linked in.
            let part = Run {
                first: chunk.first,
                last: chunk.last,
            };
            let used = self.write_mapping(child, level - 1, part, mapping, chain);
            let count = if self.is_shared(level, chunk.first) {
                0
            } else {
                count + used
            };
            let after = entry::table(child, run.is_lower_half(), count);
            if after != before {
                self.memory.write(address, after);
            }
        }
        added
    }
}
