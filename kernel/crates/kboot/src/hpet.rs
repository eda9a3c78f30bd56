//! The HPET table: where the high precision event timer is.

use crate::bytes::{u8_at, u16_at, u32_at};
use crate::gas::{AddressSpace, Gas};
use crate::sdt::{Signature, Table, TableError};

/// A high precision event timer. Its period is not in the table but in its capability register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hpet {
    /// Physical address of its registers.
    pub address: u64,
    /// Its number among the timers of the system.
    pub number: u8,
    /// The least main counter ticks in periodic mode that lose no interrupt.
    pub min_tick: u16,
    /// Hardware revision, comparators and vendor, as in the low half of the capability register.
    pub block_id: u32,
}

impl Hpet {
    /// Reads the table; a timer that is not in memory is none.
    pub fn parse(table: Table<'_>) -> Result<Self, TableError> {
        let bytes = table.expect(Signature::HPET)?.bytes();
        let wrong = TableError::Length {
            signature: Signature::HPET,
            length: bytes.len() as u64,
        };
        let gas = Gas::parse(bytes, 40).filter(|gas| gas.space == AddressSpace::SYSTEM_MEMORY);
        Ok(Self {
            address: gas.ok_or(wrong)?.address,
            number: u8_at(bytes, 52).ok_or(wrong)?,
            min_tick: u16_at(bytes, 53).ok_or(wrong)?,
            block_id: u32_at(bytes, 36).ok_or(wrong)?,
        })
    }
}
