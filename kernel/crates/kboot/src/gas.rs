//! Generic address structures: registers in memory or behind I/O ports (ACPI 6.5, 5.2.3.2).

use crate::bytes::{u8_at, u64_at};

/// Where a register lives. Numbers that are not known here are kept as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressSpace(pub u8);

impl AddressSpace {
    /// Physical memory.
    pub const SYSTEM_MEMORY: Self = Self(0);
    /// I/O ports.
    pub const SYSTEM_IO: Self = Self(1);
    /// Configuration space of a PCI function on bus 0.
    pub const PCI_CONFIG: Self = Self(2);
}

/// One register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gas {
    /// Where it lives.
    pub space: AddressSpace,
    /// Its width in bits.
    pub bit_width: u8,
    /// The number of its lowest bit.
    pub bit_offset: u8,
    /// Access size: 1 to 4 for 8, 16, 32 and 64 bits; 0 for any.
    pub access_size: u8,
    /// Physical address, port, or coordinates in configuration space.
    pub address: u64,
}

impl Gas {
    /// Bytes that the structure takes in a table.
    pub const SIZE: usize = 12;

    /// The register described at `offset`; `None` when it is outside of `bytes` or all zeros in its
    /// address, by which tables say that there is no such register.
    pub fn parse(bytes: &[u8], offset: usize) -> Option<Self> {
        let gas = Self {
            space: AddressSpace(u8_at(bytes, offset)?),
            bit_width: u8_at(bytes, offset.checked_add(1)?)?,
            bit_offset: u8_at(bytes, offset.checked_add(2)?)?,
            access_size: u8_at(bytes, offset.checked_add(3)?)?,
            address: u64_at(bytes, offset.checked_add(4)?)?,
        };
        (gas.address != 0).then_some(gas)
    }

    /// A block of I/O ports, as old tables name it: a port number and a length in bytes.
    pub fn port(port: u32, bytes: u8) -> Option<Self> {
        (port != 0).then(|| Self {
            space: AddressSpace::SYSTEM_IO,
            bit_width: bytes.saturating_mul(8),
            bit_offset: 0,
            access_size: 0,
            address: u64::from(port),
        })
    }

    /// The port, when the register is behind one that exists.
    pub fn as_port(&self) -> Option<u16> {
        if self.space == AddressSpace::SYSTEM_IO {
            u16::try_from(self.address).ok()
        } else {
            None
        }
    }
}
