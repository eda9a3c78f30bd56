//! The root system description pointer: where the search for ACPI tables begins.

use crate::bytes::{checksum, u8_at, u32_at, u64_at};
use crate::sdt::{Signature, TableError};

/// Bytes of the pointer in ACPI 1.0, and what its first checksum covers.
pub const SIZE_V1: usize = 20;
/// Bytes of the pointer since ACPI 2.0.
pub const SIZE_V2: usize = 36;

/// A checked root pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rsdp {
    /// 0 for ACPI 1.0, else 2 or more.
    pub revision: u8,
    /// Physical address of the root table with 32-bit pointers, if there is one.
    pub rsdt: Option<u64>,
    /// Physical address of the root table with 64-bit pointers, if there is one: to be preferred.
    pub xsdt: Option<u64>,
}

impl Rsdp {
    /// Checks the pointer at the beginning of `bytes`: [`SIZE_V1`] of them are enough for revision
    /// 0 and [`SIZE_V2`] for the others; more do no harm.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        const NAME: Signature = Signature(*b"RSDP");
        if bytes.get(..8) != Some(b"RSD PTR ") {
            return Err(TableError::NotRsdp);
        }
        let short = TableError::Length {
            signature: NAME,
            length: bytes.len() as u64,
        };
        let first = bytes.get(..SIZE_V1).ok_or(short)?;
        if checksum(first) != 0 {
            return Err(TableError::Checksum { signature: NAME });
        }
        let revision = u8_at(bytes, 15).ok_or(short)?;
        let rsdt = u32_at(bytes, 16)
            .map(u64::from)
            .filter(|address| *address != 0);
        let mut xsdt = None;
        // Revision 1 was never assigned; firmware that writes it has the short structure.
        if revision >= 2 {
            let length = u32_at(bytes, 20).ok_or(short)?;
            let wrong = TableError::Length {
                signature: NAME,
                length: u64::from(length),
            };
            let size = usize::try_from(length).map_err(|_| wrong)?;
            if size < SIZE_V2 {
                return Err(wrong);
            }
            if checksum(bytes.get(..size).ok_or(wrong)?) != 0 {
                return Err(TableError::Checksum { signature: NAME });
            }
            xsdt = u64_at(bytes, 24).filter(|address| *address != 0);
        }
        if rsdt.is_none() && xsdt.is_none() {
            return Err(TableError::NoRoot);
        }
        Ok(Self {
            revision,
            rsdt,
            xsdt,
        })
    }
}
