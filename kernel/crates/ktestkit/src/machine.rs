//! Memory and processors together.

use kaddr::{Frame, PhysAddr, PhysRange, VirtAddr};

use crate::Memory;
use crate::tlb::{GlobalPages, Pcid, Tlb};
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

/// What happens to translations kept under the PCID that is loaded: bit 63 of what `CR3` gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// They are forgotten, but for global pages.
    Forget,
    /// They are used again.
    Use,
}

#[derive(Debug)]
struct Cpu {
    root: Option<Frame>,
    pcid: Pcid,
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
                pcid: 0,
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

    /// Loads a processor's `CR3`, without PCIDs: it walks from `root` on and forgets all but global
    /// pages.
    pub fn load_root(&mut self, cpu: CpuId, root: Frame) {
        self.load_root_with(cpu, root, 0, Kept::Forget);
    }

    /// Loads a processor's `CR3` with a PCID: it walks from `root` on, and uses what it keeps under
    /// that PCID unless told to forget it. What it keeps under others stays.
    pub fn load_root_with(&mut self, cpu: CpuId, root: Frame, pcid: Pcid, kept: Kept) {
        let cpu = &mut self.cpus[cpu.0];
        cpu.root = Some(root);
        cpu.pcid = pcid;
        if kept == Kept::Forget {
            cpu.tlb.flush_pcid(pcid);
        }
    }

    /// The root from which a processor walks, once it has one.
    pub fn root(&self, cpu: CpuId) -> Option<Frame> {
        self.cpus[cpu.0].root
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
        let Cpu { root, pcid, tlb } = &mut self.cpus[cpu.0];
        let pcid = *pcid;
        // A translation that was kept before the first write does not do for a write: the
        // processor has to mark the entry (Intel SDM Vol. 3A section 4.8).
        let kept = tlb
            .lookup(pcid, address)
            .filter(|leaf| leaf.dirty || access != Access::Write);
        let mut leaf = match kept {
            Some(leaf) => leaf,
            None => {
                let root = root.expect("the processor has page tables");
                let start = tlb
                    .start(pcid, address)
                    .unwrap_or(Start::root(root, self.levels));
                walk::walk(&self.memory, self.levels, start, address, |table| {
                    tlb.keep_table(pcid, address, table);
                })?
            }
        };
        if !leaf.rights.allow(access, mode) {
            tlb.invalidate(pcid, address);
            return Err(Fault::Protection);
        }
        if kept.is_none() {
            leaf.accessed = true;
            leaf.dirty |= access == Access::Write;
            let dirty = if leaf.dirty { Leaf::DIRTY } else { 0 };
            let marked = self.memory.read(leaf.entry) | Leaf::ACCESSED | dirty;
            self.memory.write(leaf.entry, marked);
            tlb.keep(pcid, leaf);
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
        let Cpu { pcid, tlb, .. } = &mut self.cpus[cpu.0];
        tlb.invalidate(*pcid, address);
    }

    /// Drops a processor's translations: those under the current PCID, or all with global ones.
    pub fn flush(&mut self, cpu: CpuId, global: GlobalPages) {
        let Cpu { pcid, tlb, .. } = &mut self.cpus[cpu.0];
        match global {
            GlobalPages::Keep => tlb.flush_pcid(*pcid),
            GlobalPages::Drop => tlb.flush_all(),
        }
    }

    /// All translations that processors keep, under their current PCIDs or globally, and the tables
    /// no longer bear out.
    ///
    /// A kept translation of a large page that has been split is borne out as long as all its
    /// parts say the same.
    pub fn stale(&self) -> Vec<Stale> {
        let mut stale = Vec::new();
        for (index, cpu) in self.cpus.iter().enumerate() {
            let Some(root) = cpu.root else { continue };
            for leaf in cpu.tlb.leaves(cpu.pcid) {
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

    /// Whether some processor still knows this frame as a table, under any PCID.
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
