//! Unmapping and protecting a run of pages: count the pages to split, take frames, commit.

use kaddr::{Frame, PAGE_SIZE, Page, PageSize, PhysAddr, VirtAddr};

use super::edit::{Edit, Run, Unmapped};
use super::entry::{self, ACCESSED, DIRTY, ENTRIES, Kind, PRESENT};
use super::error::MapError;
use super::flush::Flush;
use super::protection::Protection;
use super::reach::Reached;
use super::reserve::Chain;
use super::table::{FrameSource, TableMemory, chunks, entry_address, index};

/// What happens to the pages of a run.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Unmap,
    Protect(Protection),
}

impl Change {
    /// The entry that replaces a leaf.
    #[inline]
    fn apply(self, value: u64, size: PageSize) -> u64 {
        match self {
            Self::Unmap => 0,
            Self::Protect(protection) => {
                entry::leaf_address(value, size).as_u64()
                    | value & (ACCESSED | DIRTY)
                    | entry::leaf_bits(protection, size)
            }
        }
    }
}

/// What a commit carries through the levels.
struct Commit<V> {
    change: Change,
    spare: Chain,
    flush: Flush,
    visit: V,
}

impl<M: TableMemory, S: FrameSource> Edit<'_, M, S> {
    pub(super) fn commit_change(
        &mut self,
        run: Run,
        change: Change,
        visit: impl FnMut(Unmapped),
    ) -> Result<Flush, MapError> {
        let reached = self.reach(run, 1);
        let (table, level) = (reached.table, reached.level);
        if level == 1 && run.last - run.first < PAGE_SIZE {
            return Ok(self.commit_one(run, change, visit, &reached));
        }
        let splits = self.splits(table, level, run, change);
        let spare = Chain::reserve(splits, self.memory, self.source)?;
        let mut commit = Commit {
            change,
            spare,
            flush: Flush::default(),
            visit,
        };
        let gone = self.write_change(table, level, run, &mut commit);
        self.count_gone(&reached, run, gone, &mut commit.flush);
        debug_assert!(
            commit.spare.is_empty(),
            "the change split fewer pages than it counted"
        );
        Ok(commit.flush)
    }

    /// Changes a run that is one page, whose table was reached.
    fn commit_one(
        &mut self,
        run: Run,
        change: Change,
        visit: impl FnMut(Unmapped),
        reached: &Reached,
    ) -> Flush {
        let mut commit = Commit {
            change,
            spare: Chain::default(),
            flush: Flush::default(),
            visit,
        };
        let address = entry_address(reached.table, index(run.first, 1));
        let value = self.memory.read(address);
        if let Kind::Leaf(size) = entry::kind(value, 1) {
            let after = change.apply(value, size);
            if after != value {
                self.memory.write(address, after);
                let gone = commit.note(run.first, value, after, size);
                self.count_gone(reached, run, gone, &mut commit.flush);
            }
        }
        commit.flush
    }

    /// How many pages the run cuts in two: only its ends can.
    fn splits(&self, table: Frame, level: u8, run: Run, change: Change) -> u64 {
        if level == 1 {
            return 0;
        }
        let mut splits = 0;
        for chunk in chunks(level, run.first, run.last).filter(|chunk| !chunk.full) {
            let part = Run {
                first: chunk.first,
                last: chunk.last,
            };
            let value = self
                .memory
                .read(entry_address(table, index(chunk.first, level)));
            splits += match entry::kind(value, level) {
                Kind::Absent => 0,
                Kind::Table(child) => self.splits(child, level - 1, part, change),
                Kind::Leaf(size) if change.apply(value, size) == value => 0,
                Kind::Leaf(_) => 1 + splits_within(level - 1, part),
            };
        }
        splits
    }

    /// Changes the entries of a run; returns how many of this table went out of use.
    fn write_change<V: FnMut(Unmapped)>(
        &mut self,
        table: Frame,
        level: u8,
        run: Run,
        commit: &mut Commit<V>,
    ) -> u64 {
        if level == 1 {
            return self.write_leaves(table, run, commit);
        }
        let mut removed = 0;
        for chunk in chunks(level, run.first, run.last) {
            let address = entry_address(table, index(chunk.first, level));
            let value = self.memory.read(address);
            let value = match entry::kind(value, level) {
                Kind::Absent => continue,
                Kind::Table(_) => value,
                Kind::Leaf(size) => {
                    let after = commit.change.apply(value, size);
                    if after == value {
                        continue;
                    }
                    if chunk.full {
                        self.memory.write(address, after);
                        removed += commit.note(chunk.first, value, after, size);
                        continue;
                    }
                    let split = self.split(value, size, run.is_lower_half(), &mut commit.spare);
                    self.memory.write(address, split);
                    split
                }
            };
            let Some(child) = entry::table_frame(value) else {
                continue;
            };
            let part = Run {
                first: chunk.first,
                last: chunk.last,
            };
            let gone = self.write_change(child, level - 1, part, commit);
            if !self.is_shared(level, chunk.first)
                && self.count_down(address, gone, &mut commit.flush)
            {
                removed += 1;
            }
        }
        removed
    }

    /// As [`Self::write_change`], in a table of the lowest level.
    fn write_leaves<V: FnMut(Unmapped)>(
        &mut self,
        table: Frame,
        run: Run,
        commit: &mut Commit<V>,
    ) -> u64 {
        let mut changed: Option<(u64, u64)> = None;
        let (mut removed, mut bits) = (0, 0);
        let first = index(run.first, 1);
        for index in first..index(run.last, 1) + 1 {
            let address = entry_address(table, index);
            let value = self.memory.read(address);
            if value & PRESENT == 0 {
                continue;
            }
            let after = commit.change.apply(value, PageSize::Small);
            if after == value {
                continue;
            }
            self.memory.write(address, after);
            let page = run.first + (index - first) * PAGE_SIZE;
            changed = Some((changed.map_or(page, |(low, _)| low), page));
            bits |= value | after;
            if after == 0 {
                commit.visit_gone(page, value, PageSize::Small);
                removed += 1;
            }
        }
        if let Some((low, high)) = changed {
            let is_global = bits & entry::GLOBAL != 0;
            for page in [low, high] {
                let page = VirtAddr::new(page);
                commit.flush.note(page, PageSize::Small, is_global);
            }
        }
        removed
    }

    /// Makes a table that maps what the leaf `value` maps, and returns the entry for it.
    fn split(&mut self, value: u64, size: PageSize, lower_half: bool, spare: &mut Chain) -> u64 {
        let child = spare
            .pop(self.memory)
            .expect("the check counted every page to split");
        let smaller = match size {
            PageSize::Huge => PageSize::Large,
            PageSize::Large | PageSize::Small => PageSize::Small,
        };
        let bits = entry::leaf_bits(entry::protection(value, size), smaller);
        let bits = bits | value & (ACCESSED | DIRTY);
        let start = entry::leaf_address(value, size).as_u64();
        for index in 0..ENTRIES {
            let phys = start + index * smaller.bytes();
            self.memory.write(entry_address(child, index), phys | bits);
        }
        entry::table(child, lower_half, ENTRIES)
    }
}

impl<V: FnMut(Unmapped)> Commit<V> {
    /// Notes that a leaf was changed; returns 1 if it is gone.
    #[inline]
    fn note(&mut self, page: u64, before: u64, after: u64, size: PageSize) -> u64 {
        let address = VirtAddr::new(page);
        self.flush
            .note(address, size, (before | after) & entry::GLOBAL != 0);
        if after != 0 {
            return 0;
        }
        self.visit_gone(page, before, size);
        1
    }

    /// Tells of a leaf that is gone.
    #[inline]
    fn visit_gone(&mut self, page: u64, before: u64, size: PageSize) {
        let start: PhysAddr = entry::leaf_address(before, size);
        if let Some(frame) = Frame::starting_at(start) {
            (self.visit)(Unmapped {
                page: Page::containing(VirtAddr::new(page)),
                frame,
                size,
            });
        }
    }
}

/// How many pages of this level, all mapped, the run cuts in two, with those of lower levels.
fn splits_within(level: u8, run: Run) -> u64 {
    if level <= 1 {
        return 0;
    }
    chunks(level, run.first, run.last)
        .filter(|chunk| !chunk.full)
        .map(|chunk| {
            1 + splits_within(
                level - 1,
                Run {
                    first: chunk.first,
                    last: chunk.last,
                },
            )
        })
        .sum()
}
