//! Why an address space could not be changed.

use core::fmt;

/// Why an operation on an address space had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceError {
    /// The range has no pages.
    Empty,
    /// Address, length or offset is no multiple of the page size, or an alignment no power of two.
    Misaligned,
    /// A part of the range is not user space.
    NotUserSpace,
    /// Offset and length are more than there can be.
    Overflow,
    /// Something is mapped in the range.
    Occupied,
    /// There is no gap of this size.
    NoRoom,
    /// A part of the range is not mapped.
    NotMapped,
    /// The handle of the area did not allow this.
    AccessDenied,
    /// A mapping cannot be writable and executable.
    WriteExecute,
    /// The space has as many mappings as it may.
    TooMany,
    /// Memory is short.
    OutOfMemory,
}

impl fmt::Display for SpaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the range has no pages",
            Self::Misaligned => "the range does not begin and end at multiples of the page size",
            Self::NotUserSpace => "a part of the range is outside of user space",
            Self::Overflow => "the range is longer than any area",
            Self::Occupied => "something is mapped in the range; unmap it first",
            Self::NoRoom => "the address space has no gap of this size",
            Self::NotMapped => "a part of the range is not mapped",
            Self::AccessDenied => "the area was mapped by a handle that does not allow this",
            Self::WriteExecute => "a mapping cannot be writable and executable at the same time",
            Self::TooMany => "the address space has as many mappings as it may",
            Self::OutOfMemory => "memory is short",
        })
    }
}
