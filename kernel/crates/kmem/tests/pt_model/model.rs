//! What a page table should hold, in ordinary collections.

use std::collections::{BTreeMap, BTreeSet};

use kaddr::PageSize;
use kmem::pt::{Levels, Protection};

/// A mapped page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub size: PageSize,
    pub phys: u64,
    pub protection: Protection,
    pub dirty: bool,
}

/// What should be mapped, by start address, and which shared tables exist.
#[derive(Clone, Default)]
pub struct Model {
    pub entries: BTreeMap<u64, Entry>,
    pub shared: BTreeSet<u64>,
}

fn smaller(size: PageSize) -> PageSize {
    if size == PageSize::Huge {
        PageSize::Large
    } else {
        PageSize::Small
    }
}

/// Levels of tables that a page of this size leaves out.
fn leaf_level(size: PageSize) -> u32 {
    match size {
        PageSize::Small => 1,
        PageSize::Large => 2,
        PageSize::Huge => 3,
    }
}

impl Model {
    /// The first page that has a byte in the range.
    pub fn overlapping(&self, start: u64, len: u64) -> Vec<u64> {
        let last = start + (len - 1);
        let below = self
            .entries
            .range(..start)
            .next_back()
            .filter(|(at, entry)| **at + (entry.size.bytes() - 1) >= start);
        below
            .into_iter()
            .chain(self.entries.range(start..=last))
            .map(|(at, _)| *at)
            .collect()
    }

    pub fn map(
        &mut self,
        start: u64,
        phys: u64,
        len: u64,
        protection: Protection,
        largest: PageSize,
    ) {
        let mut at = 0;
        while at < len {
            let fits = |size: PageSize| {
                let bytes = size.bytes();
                (start + at).is_multiple_of(bytes)
                    && (phys + at).is_multiple_of(bytes)
                    && len - at >= bytes
                    && size <= largest
            };
            let size = [PageSize::Huge, PageSize::Large, PageSize::Small]
                .into_iter()
                .find(|&size| fits(size))
                .expect("pages are aligned");
            let entry = Entry {
                size,
                phys: phys + at,
                protection,
                dirty: false,
            };
            self.entries.insert(start + at, entry);
            at += size.bytes();
        }
    }

    /// Takes out what lies in the range, splitting what lies in it partly.
    pub fn cut(&mut self, start: u64, len: u64, keeps: Option<Protection>) -> Vec<(u64, Entry)> {
        let last = start + (len - 1);
        let mut cut = Vec::new();
        let mut todo = self.overlapping(start, len);
        while let Some(at) = todo.pop() {
            let entry = self.entries[&at];
            let bytes = entry.size.bytes();
            if keeps == Some(entry.protection) {
                continue;
            }
            self.entries.remove(&at);
            if start <= at && at + (bytes - 1) <= last {
                cut.push((at, entry));
                continue;
            }
            let size = smaller(entry.size);
            for offset in (0..bytes).step_by(size.bytes() as usize) {
                let part = Entry {
                    size,
                    phys: entry.phys + offset,
                    ..entry
                };
                self.entries.insert(at + offset, part);
                if at + offset <= last && at + offset + (size.bytes() - 1) >= start {
                    todo.push(at + offset);
                }
            }
        }
        cut.sort_unstable_by_key(|(at, _)| *at);
        cut
    }

    /// How many tables it takes, with the root.
    pub fn tables(&mut self, levels: Levels) -> usize {
        let top = u32::from(levels.count());
        let mut tables = BTreeSet::new();
        for (at, entry) in &self.entries {
            for level in leaf_level(entry.size)..top {
                tables.insert((level, at >> (12 + 9 * level)));
            }
            if at >> 63 == 1 {
                self.shared.insert(at >> (12 + 9 * (top - 1)));
            }
        }
        tables.extend(self.shared.iter().map(|&index| (top - 1, index)));
        tables.len() + 1
    }
}
