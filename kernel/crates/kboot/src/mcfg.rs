//! The MCFG table: PCI Express configuration space in memory.

use crate::bytes::{u8_at, u16_at, u64_at};
use crate::sdt::{Signature, Table, TableError};
use core::ops::RangeInclusive;

/// Bytes before the first entry.
const ENTRIES: usize = 44;
/// Bytes of one entry.
const ENTRY_SIZE: usize = 16;

/// The configuration space of some buses of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McfgRegion {
    /// Physical address of what would be bus 0, also when the region begins at a later bus.
    pub base: u64,
    /// The segment group.
    pub segment: u16,
    /// The buses; never empty.
    pub buses: RangeInclusive<u8>,
}

impl McfgRegion {
    /// The physical address of the 4 KiB of a function; `None` when the bus is not here or the
    /// coordinates are impossible.
    pub fn function_address(&self, bus: u8, device: u8, function: u8) -> Option<u64> {
        if !self.buses.contains(&bus) || device >= 32 || function >= 8 {
            return None;
        }
        let offset = u64::from(bus) << 20 | u64::from(device) << 15 | u64::from(function) << 12;
        self.base.checked_add(offset)
    }
}

/// The regions of the table; entries without a bus or without an address are left out.
pub fn regions(table: Table<'_>) -> Result<impl Iterator<Item = McfgRegion>, TableError> {
    let bytes = table.expect(Signature::MCFG)?.bytes();
    let entries = bytes.get(ENTRIES..).unwrap_or(&[]).chunks_exact(ENTRY_SIZE);
    Ok(entries.filter_map(|entry| {
        let buses = u8_at(entry, 10)?..=u8_at(entry, 11)?;
        let base = u64_at(entry, 0)?;
        (!buses.is_empty() && base != 0).then_some(McfgRegion {
            base,
            segment: u16_at(entry, 8)?,
            buses,
        })
    }))
}
