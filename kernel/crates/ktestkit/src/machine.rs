//! Memory and processors together.

use kaddr::{Frame, PhysAddr, PhysRange, VirtAddr};

use crate::Memory;
use crate::tlb::{GlobalPages, Tlb};
use crate::walk::{self, Access, Fault, Leaf, Mode, PagingLevels, Start};

/// A processor of the [`Machine`], counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CpuId(pub usize);

/// A translation that a processor would use although the tables say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The processor.
    pub cpu: CpuId,
    /// What it would use.
    pub kept: Leaf,
    /// What the tables say.
    pub truth: Result<Leaf, Fault>,
}

#[derive(Debug)]
struct Cpu {
    root: Option<Frame>,
    tlb: Tlb,
}

/// A machine: physical memory and processors.
#[derive(Debug)]
pub struct Machine {
    /// The physical memory.
    pub memory: Memory,
    levels: PagingLevels,
    cpus: Vec<Cpu>,
}

impl Machine {
    /// A machine with `cpus` processors and memory at these ranges.
    pub fn new(
        cpus: usize,
        levels: PagingLevels,
        ram: impl IntoIterator<Item = PhysRange>,
    ) -> Self {
        let cpus = (0..cpus)
            .map(|_| Cpu {
                root: None,
                tlb: Tlb::default(),
            })
            .collect();
        Self {
            memory: Memory::new(ram),
            levels,
            cpus,
        }
    }

    /// All processors.
    pub fn cpus(&self) -> impl Iterator<Item = CpuId> + use<> {
        (0..self.cpus.len()).map(CpuId)
    }

    /// Loads a processor's `CR3`: it walks from `root` on and forgets all but global pages.
    pub fn load_root(&mut self, cpu: CpuId, root: Frame) {
        let cpu = &mut self.cpus[cpu.0];
        cpu.root = Some(root);
        cpu.tlb.flush(GlobalPages::Keep);
    }

    /// An access by a processor: from its buffer where it can, else by a walk, of which it keeps
    /// the result and the tables on the way. The entry of the page is marked accessed, and dirty
    /// by a write.
    ///
    /// # Errors
    /// The fault that the access raises. As on real hardware, one for missing rights makes the
    /// processor forget the translation; the next access walks again.
    ///
    /// # Panics
    /// If the processor has no root.
    pub fn translate(
        &mut self,
        cpu: CpuId,
        address: VirtAddr,
        access: Access,
        mode: Mode,
    ) -> Result<PhysAddr, Fault> {
        let Cpu { root, tlb } = &mut self.cpus[cpu.0];
        // A translation that was kept before the first write does not do for a write: the
        // processor has to mark the entry (Intel SDM Vol. 3A section 4.8).
        let kept = tlb
            .lookup(address)
            .filter(|leaf| leaf.dirty || access != Access::Write);
        let mut leaf = match kept {
            Some(leaf) => leaf,
            None => {
                let root = root.expect("the processor has page tables");
                let start = tlb.start(address).unwrap_or(Start::root(root, self.levels));
                walk::walk(&self.memory, self.levels, start, address, |table| {
                    tlb.keep_table(address, table);
                })?
            }
        };
        if !leaf.rights.allow(access, mode) {
            tlb.invalidate(address);
            return Err(Fault::Protection);
        }
        if kept.is_none() {
            leaf.accessed = true;
            leaf.dirty |= access == Access::Write;
            let dirty = if leaf.dirty { Leaf::DIRTY } else { 0 };
            let marked = self.memory.read(leaf.entry) | Leaf::ACCESSED | dirty;
            self.memory.write(leaf.entry, marked);
            tlb.keep(leaf);
        }
        let offset = address.as_u64() & (leaf.size.bytes() - 1);
        Ok(PhysAddr::new(leaf.phys.as_u64() + offset))
    }

    /// What the tables at `root` say about an address; no processor is involved.
    ///
    /// # Errors
    /// The fault that any access there would raise.
    pub fn walk(&self, root: Frame, address: VirtAddr) -> Result<Leaf, Fault> {
        let start = Start::root(root, self.levels);
        walk::walk(&self.memory, self.levels, start, address, |_| {})
    }

    /// `INVLPG` on a processor.
    pub fn invalidate(&mut self, cpu: CpuId, address: VirtAddr) {
        self.cpus[cpu.0].tlb.invalidate(address);
    }

    /// Drops all of a processor's translations.
    pub fn flush(&mut self, cpu: CpuId, global: GlobalPages) {
        self.cpus[cpu.0].tlb.flush(global);
    }

    /// All translations that processors keep and the tables no longer bear out.
    ///
    /// A kept translation of a large page that has been split is borne out as long as all its
    /// parts say the same.
    pub fn stale(&self) -> Vec<Stale> {
        let mut stale = Vec::new();
        for (index, cpu) in self.cpus.iter().enumerate() {
            let Some(root) = cpu.root else { continue };
            for leaf in cpu.tlb.leaves() {
                if let Some(truth) = self.contradiction(root, leaf) {
                    stale.push(Stale {
                        cpu: CpuId(index),
                        kept: *leaf,
                        truth,
                    });
                }
            }
        }
        stale
    }

    /// Whether some processor still knows this frame as a table.
    pub fn is_cached_table(&self, frame: Frame) -> bool {
        self.cpus
            .iter()
            .any(|cpu| cpu.tlb.tables().any(|start| start.table == frame))
    }

    /// What the tables say where they contradict `leaf`.
    fn contradiction(&self, root: Frame, leaf: &Leaf) -> Option<Result<Leaf, Fault>> {
        let mut offset = 0;
        while offset < leaf.size.bytes() {
            let truth = self.walk(root, VirtAddr::new(leaf.base.as_u64() + offset));
            let Ok(found) = truth else {
                return Some(truth);
            };
            let expected = leaf.phys.as_u64() + offset;
            // A page larger than the kept one begins before it.
            let inside = (leaf.base.as_u64() + offset) & (found.size.bytes() - 1);
            let same = found.phys.as_u64() + inside == expected
                && found.rights == leaf.rights
                && found.global == leaf.global
                && found.pat == leaf.pat;
            if !same {
                return Some(truth);
            }
            offset += found.size.bytes() - inside;
        }
        None
    }
}
