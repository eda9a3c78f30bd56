//! The header that all ACPI tables begin with, and the checks that come before any use of one.
//!
//! A [`Table`] exists only when its length lies within the bytes at hand and its checksum is right;
//! the parsers of single tables ([`crate::madt`], [`crate::fadt`], ...) take nothing else.

use crate::bytes::{array, checksum, u8_at, u32_at};
use core::fmt;

/// Size of the header of every table (ACPI 6.5, 5.2.6).
pub const HEADER_SIZE: usize = 36;

/// The four characters that name a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 4]);

impl Signature {
    /// Differentiated system description table.
    pub const DSDT: Self = Self(*b"DSDT");
    /// Fixed ACPI description table.
    pub const FADT: Self = Self(*b"FACP");
    /// High precision event timer.
    pub const HPET: Self = Self(*b"HPET");
    /// Multiple APIC description table.
    pub const MADT: Self = Self(*b"APIC");
    /// PCI Express memory-mapped configuration space.
    pub const MCFG: Self = Self(*b"MCFG");
    /// Root table with 32-bit pointers.
    pub const RSDT: Self = Self(*b"RSDT");
    /// Secondary system description table.
    pub const SSDT: Self = Self(*b"SSDT");
    /// Root table with 64-bit pointers.
    pub const XSDT: Self = Self(*b"XSDT");
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            let shown = if byte.is_ascii_graphic() || byte == b' ' {
                byte
            } else {
                b'?'
            };
            fmt::Write::write_char(f, char::from(shown))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The reason for which an ACPI structure was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// The root pointer does not begin with `RSD PTR `.
    NotRsdp,
    /// The memory at this physical address cannot be read.
    Unreadable {
        /// Where it was tried.
        address: u64,
    },
    /// The structure says that it is shorter than its fixed part, or longer than what is there.
    Length {
        /// Its name.
        signature: Signature,
        /// Its length by its own account.
        length: u64,
    },
    /// The bytes do not add up to zero.
    Checksum {
        /// Its name.
        signature: Signature,
    },
    /// There is a table of another name.
    Unexpected {
        /// What is there.
        found: Signature,
        /// What should be there.
        wanted: Signature,
    },
    /// The root table does not list a table that is needed.
    Missing {
        /// Its name.
        signature: Signature,
    },
    /// The root pointer names no root table.
    NoRoot,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotRsdp => f.write_str(
                "the ACPI root pointer has no 'RSD PTR ' signature; the boot loader passed a wrong address",
            ),
            Self::Unreadable { address } => write!(
                f,
                "physical memory at {address:#x} cannot be read; the ACPI tables point outside of memory"
            ),
            Self::Length { signature, length } => write!(
                f,
                "ACPI table {signature} has an impossible length of {length} bytes; update the firmware"
            ),
            Self::Checksum { signature } => {
                write!(f, "ACPI table {signature} has a wrong checksum; update the firmware")
            }
            Self::Unexpected { found, wanted } => {
                write!(f, "ACPI table {wanted} was expected but {found} is there; update the firmware")
            }
            Self::Missing { signature } => {
                write!(f, "the firmware provides no ACPI table {signature}; enable ACPI in its setup")
            }
            Self::NoRoot => f.write_str(
                "the ACPI root pointer names neither RSDT nor XSDT; enable ACPI in the firmware setup",
            ),
        }
    }
}

impl core::error::Error for TableError {}

/// The first fields of a header, before the table itself was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub signature: Signature,
    /// The length of the whole table by its own account; nothing checked yet.
    pub length: u32,
}

impl Header {
    /// Reads the header at the beginning of `bytes`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_SIZE {
            return None;
        }
        Some(Self {
            signature: Signature(array(bytes, 0)?),
            length: u32_at(bytes, 4)?,
        })
    }
}

/// A table whose length and checksum are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    bytes: &'a [u8],
    signature: Signature,
}

impl<'a> Table<'a> {
    /// Checks the table at the beginning of `bytes`; what follows its length is cut off.
    pub fn check(bytes: &'a [u8]) -> Result<Self, TableError> {
        let unnamed = TableError::Length {
            signature: Signature(*b"????"),
            length: bytes.len() as u64,
        };
        let Header { signature, length } = Header::parse(bytes).ok_or(unnamed)?;
        let wrong = TableError::Length {
            signature,
            length: u64::from(length),
        };
        let size = usize::try_from(length).map_err(|_| wrong)?;
        if size < HEADER_SIZE {
            return Err(wrong);
        }
        let bytes = bytes.get(..size).ok_or(wrong)?;
        if checksum(bytes) != 0 {
            return Err(TableError::Checksum { signature });
        }
        Ok(Self { bytes, signature })
    }

    /// The same table if it has this name.
    pub fn expect(self, wanted: Signature) -> Result<Self, TableError> {
        if self.signature == wanted {
            Ok(self)
        } else {
            Err(TableError::Unexpected {
                found: self.signature,
                wanted,
            })
        }
    }

    /// Its name.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// Its revision.
    pub fn revision(&self) -> u8 {
        u8_at(self.bytes, 8).unwrap_or(0)
    }

    /// All of its bytes, header included; at least [`HEADER_SIZE`].
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the header: entries, or AML code.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER_SIZE..).unwrap_or(&[])
    }
}
