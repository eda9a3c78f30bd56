//! One processor's memory of translations.

use std::collections::HashMap;

use kaddr::{PageSize, VirtAddr};

use crate::walk::{Leaf, Start};

/// Whether a flush also drops translations of global pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalPages {
    /// They stay, as when `CR3` is loaded.
    Keep,
    /// They go too, as when `CR4.PGE` is switched.
    Drop,
}

/// A translation lookaside buffer of unlimited size, with a cache of tables (the SDM's
/// paging-structure caches, Vol. 3A section 4.10.3). Being unlimited, it never forgets by luck.
#[derive(Debug, Default)]
pub struct Tlb {
    leaves: HashMap<(VirtAddr, PageSize), Leaf>,
    /// Tables by the first address that they are about, and their level.
    tables: HashMap<(VirtAddr, u8), Start>,
}

const SIZES: [PageSize; 3] = [PageSize::Small, PageSize::Large, PageSize::Huge];

/// The first address that the table of this level around `address` is about.
fn table_base(address: VirtAddr, level: u8) -> VirtAddr {
    address.align_down(1 << (12 + 9 * u32::from(level)))
}

impl Tlb {
    /// The translation kept for `address`, if there is one. It may be out of date.
    pub fn lookup(&self, address: VirtAddr) -> Option<Leaf> {
        SIZES
            .iter()
            .find_map(|&size| self.leaves.get(&(address.align_down(size.bytes()), size)))
            .copied()
    }

    /// All translations kept.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.leaves.values()
    }

    /// Forgets what is kept for `address`, global or not, and all tables (`INVLPG`).
    pub fn invalidate(&mut self, address: VirtAddr) {
        for size in SIZES {
            self.leaves
                .remove(&(address.align_down(size.bytes()), size));
        }
        self.tables.clear();
    }

    /// Forgets everything, global pages as told.
    pub fn flush(&mut self, global: GlobalPages) {
        self.leaves
            .retain(|_, leaf| leaf.global && global == GlobalPages::Keep);
        self.tables.clear();
    }

    pub(crate) fn keep(&mut self, leaf: Leaf) {
        self.leaves.insert((leaf.base, leaf.size), leaf);
    }

    pub(crate) fn keep_table(&mut self, address: VirtAddr, start: Start) {
        self.tables
            .insert((table_base(address, start.level), start.level), start);
    }

    /// The lowest table kept on the way to `address`.
    pub(crate) fn start(&self, address: VirtAddr) -> Option<Start> {
        (1..=4)
            .find_map(|level| self.tables.get(&(table_base(address, level), level)))
            .copied()
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Start> {
        self.tables.values()
    }
}
