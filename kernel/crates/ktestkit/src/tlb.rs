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

/// The number under which a processor keeps translations (SDM Vol. 3A section 4.10.1); 0 where
/// `CR4.PCIDE` is clear.
pub type Pcid = u16;

/// A translation lookaside buffer of unlimited size, with a cache of tables (the SDM's
/// paging-structure caches, Vol. 3A section 4.10.3). Being unlimited, it never forgets by luck.
///
/// Global pages are found under every PCID; tables on the way, also to global pages, only under the
/// one with which they were seen.
#[derive(Debug, Default)]
pub struct Tlb {
    leaves: HashMap<(Option<Pcid>, VirtAddr, PageSize), Leaf>,
    /// Tables by PCID, the first address that they are about, and their level.
    tables: HashMap<(Pcid, VirtAddr, u8), Start>,
}

const SIZES: [PageSize; 3] = [PageSize::Small, PageSize::Large, PageSize::Huge];

/// The first address that the table of this level around `address` is about.
fn table_base(address: VirtAddr, level: u8) -> VirtAddr {
    address.align_down(1 << (12 + 9 * u32::from(level)))
}

impl Tlb {
    /// The translation that is used for `address` under `pcid`, if one is kept. It may be out of
    /// date.
    pub fn lookup(&self, pcid: Pcid, address: VirtAddr) -> Option<Leaf> {
        [Some(pcid), None]
            .into_iter()
            .flat_map(|tag| SIZES.map(|size| (tag, address.align_down(size.bytes()), size)))
            .find_map(|key| self.leaves.get(&key))
            .copied()
    }

    /// All translations that are used under `pcid`.
    pub fn leaves(&self, pcid: Pcid) -> impl Iterator<Item = &Leaf> {
        self.leaves
            .iter()
            .filter(move |((tag, ..), _)| tag.is_none_or(|tag| tag == pcid))
            .map(|(_, leaf)| leaf)
    }

    /// `INVLPG` while `pcid` is the current one: forgets what is kept for `address` under it or
    /// globally, and all tables kept under it (SDM Vol. 3A section 4.10.4.1).
    pub fn invalidate(&mut self, pcid: Pcid, address: VirtAddr) {
        for size in SIZES {
            let base = address.align_down(size.bytes());
            self.leaves.remove(&(Some(pcid), base, size));
            self.leaves.remove(&(None, base, size));
        }
        self.tables.retain(|(tag, ..), _| *tag != pcid);
    }

    /// Forgets everything under one PCID, but for global pages, as a load of `CR3` does.
    pub fn flush_pcid(&mut self, pcid: Pcid) {
        self.leaves.retain(|(tag, ..), _| *tag != Some(pcid));
        self.tables.retain(|(tag, ..), _| *tag != pcid);
    }

    /// Forgets everything under all PCIDs, and global pages too, as a change of `CR4.PGE` does.
    pub fn flush_all(&mut self) {
        self.leaves.clear();
        self.tables.clear();
    }

    pub(crate) fn keep(&mut self, pcid: Pcid, leaf: Leaf) {
        let tag = (!leaf.global).then_some(pcid);
        self.leaves.insert((tag, leaf.base, leaf.size), leaf);
    }

    pub(crate) fn keep_table(&mut self, pcid: Pcid, address: VirtAddr, start: Start) {
        let base = table_base(address, start.level);
        self.tables.insert((pcid, base, start.level), start);
    }

    /// The lowest table kept under `pcid` on the way to `address`.
    pub(crate) fn start(&self, pcid: Pcid, address: VirtAddr) -> Option<Start> {
        (1..=4)
            .find_map(|level| self.tables.get(&(pcid, table_base(address, level), level)))
            .copied()
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Start> {
        self.tables.values()
    }
}
