//! Which processors there are to start, from the ACPI tables.

use alloc::vec::Vec;

use kboot::acpi::{PhysRead, Tables};
use kboot::madt::{CpuEntryKind, CpuState, Entry, Madt};
use kboot::sdt::Signature;

/// A processor, as the protocol reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processor {
    /// Its ACPI id.
    pub uid: u32,
    /// The id of its local APIC.
    pub apic_id: u32,
}

/// In which mode the local APICs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApicMode {
    /// Registers in memory, ids of eight bits.
    XApic,
    /// Registers in MSRs, ids of 32 bits.
    X2Apic,
}

/// What the ACPI tables say about interrupt hardware.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// The processors that are enabled, in the order of the table, each once.
    pub processors: Vec<(Processor, CpuEntryKind)>,
    /// The physical addresses of the IOAPICs.
    pub io_apics: Vec<u64>,
    /// The firmware asks not to use x2APIC (DMAR flags, Intel VT-d specification 8.1).
    pub x2apic_opt_out: bool,
}

impl Topology {
    /// Reads the tables; `None` if there is no MADT that could be read.
    pub fn read(memory: &impl PhysRead, rsdp: u64) -> Option<Self> {
        let tables = Tables::read(memory, rsdp).ok()?;
        let madt = Madt::parse(tables.find(Signature::MADT)?).ok()?;
        let mut topology = Self::from_entries(madt.entries());
        // Bit 0: interrupt remapping is there; bit 1: no x2APIC, please.
        topology.x2apic_opt_out = tables
            .find(Signature(*b"DMAR"))
            .and_then(|table| table.bytes().get(37).copied())
            .is_some_and(|flags| flags & 3 == 3);
        Some(topology)
    }

    /// Sorts the entries of a MADT.
    pub fn from_entries(entries: impl Iterator<Item = Entry>) -> Self {
        let mut topology = Self::default();
        for entry in entries {
            match entry {
                Entry::Cpu(cpu) if cpu.state == CpuState::Enabled => {
                    let known = topology
                        .processors
                        .iter()
                        .any(|(other, _)| other.apic_id == cpu.apic_id);
                    if !known {
                        let processor = Processor {
                            uid: cpu.processor_uid,
                            apic_id: cpu.apic_id,
                        };
                        topology.processors.push((processor, cpu.kind));
                    }
                }
                Entry::IoApic(io_apic) => topology.io_apics.push(io_apic.address),
                _ => {}
            }
        }
        topology
    }

    /// The processors that can be started in an APIC mode.
    pub fn startable(&self, mode: ApicMode) -> Vec<Processor> {
        self.processors
            .iter()
            .filter(|(processor, _)| mode == ApicMode::X2Apic || processor.apic_id < 0xff)
            .map(|(processor, _)| *processor)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{ApicMode, Topology};
    use kboot::madt::{Cpu, CpuEntryKind, CpuState, Entry};
    use proptest::prelude::{any, proptest};

    proptest! {
        #[test]
        fn each_enabled_processor_counts_once(cpus in proptest::collection::vec((0_u32..600, any::<u32>(), any::<bool>()), 0..64)) {
            let entries = cpus.iter().map(|(apic_id, processor_uid, enabled)| Entry::Cpu(Cpu {
                apic_id: *apic_id,
                processor_uid: *processor_uid,
                state: if *enabled { CpuState::Enabled } else { CpuState::OnlineCapable },
                kind: CpuEntryKind::LocalX2Apic,
            }));
            let topology = Topology::from_entries(entries);
            let mut ids: Vec<u32> = topology.startable(ApicMode::X2Apic).iter().map(|cpu| cpu.apic_id).collect();
            ids.sort_unstable();
            let mut expected: Vec<u32> = cpus.iter().filter(|cpu| cpu.2).map(|cpu| cpu.0).collect();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(ids, expected);
            assert!(topology.startable(ApicMode::XApic).iter().all(|cpu| cpu.apic_id < 255));
        }
    }
}
