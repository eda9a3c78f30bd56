//! Reads ACPI tables in the memory that the firmware maps one to one.

use alloc::vec::Vec;

use kboot::acpi::{PhysRead, Unreadable};
use shim_core::memory_map::{Kind, Region};
use shim_core::processors::Topology;

/// The memory that tables may be in, as the firmware describes it.
pub struct TableMemory {
    regions: Vec<Region>,
}

impl TableMemory {
    /// Takes all regions of a memory map that are memory.
    pub fn new(map: impl Iterator<Item = Region>) -> Self {
        Self {
            regions: map.filter(|region| region.kind != Kind::BAD).collect(),
        }
    }
}

impl PhysRead for TableMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        // A table may span neighbouring descriptors: follow them one by one.
        let end = address.checked_add(into.len() as u64).ok_or(Unreadable)?;
        let mut at = address;
        while at < end {
            let region = self
                .regions
                .iter()
                .find(|region| (region.base..region.end()).contains(&at));
            at = match region {
                Some(region) => region.end(),
                // The legacy area below 1 MiB is often missing from the map, and always readable.
                None if (0xa_0000..0x10_0000).contains(&at) => 0x10_0000,
                None => return Err(Unreadable),
            };
        }
        // SAFETY: all of the range is in memory that the firmware describes, which it maps one to
        // one while the boot services run (UEFI specification, 2.3.4); bytes have no invalid values.
        unsafe {
            core::ptr::copy_nonoverlapping(address as *const u8, into.as_mut_ptr(), into.len());
        }
        Ok(())
    }
}

/// Reads what the tables say about processors.
pub fn topology(map: impl Iterator<Item = Region>, rsdp: Option<u64>) -> Option<Topology> {
    Topology::read(&TableMemory::new(map), rsdp?)
}
