//! Why an edit of a page table was refused.

use core::fmt;

use kaddr::VirtAddr;

/// Why an edit was refused; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// There is no frame for a table.
    OutOfFrames,
    /// Something is mapped there.
    AlreadyMapped {
        /// The address that is taken.
        at: VirtAddr,
    },
    /// Nothing is mapped there.
    NotMapped {
        /// The address without a mapping.
        at: VirtAddr,
    },
    /// An address or a length is not a multiple of the page size.
    Misaligned,
    /// The mapping would be writable and executable.
    WriteExecute,
    /// The range is not canonical with this number of levels, or spans both halves.
    NotCanonical,
    /// A user mapping in the upper half, a global one in the lower half, or kernel tables wanted
    /// in the lower half.
    WrongHalf,
    /// A physical address has more than 52 bits.
    PhysicalOutOfRange,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfFrames => {
                f.write_str("there is no free frame for a page table: free memory and try again")
            }
            Self::AlreadyMapped { at } => {
                write!(f, "address {at} is mapped already: unmap it first")
            }
            Self::NotMapped { at } => write!(f, "address {at} is not mapped: map it first"),
            Self::Misaligned => f.write_str(
                "an address or a length is not a multiple of the page size: align it or choose a \
                 smaller page",
            ),
            Self::WriteExecute => f.write_str(
                "a mapping must not be writable and executable: choose one, or map the memory twice",
            ),
            Self::NotCanonical => f.write_str(
                "the virtual range is not canonical or spans both halves: choose one that lies in \
                 one half",
            ),
            Self::WrongHalf => f.write_str(
                "user mappings belong in the lower half, global ones and shared tables in the \
                 upper half: choose another address or protection",
            ),
            Self::PhysicalOutOfRange => f.write_str(
                "the physical address has more than 52 bits: check where it comes from",
            ),
        }
    }
}

impl core::error::Error for MapError {}
