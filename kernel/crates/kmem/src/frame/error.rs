//! What can go wrong when frames are set up or given back.

use core::fmt;

use kaddr::{Frame, PhysRange};

/// Why a [`super::FrameAllocator`] could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The storage has fewer blocks than the memory needs.
    StorageTooSmall {
        /// How many blocks it takes.
        needed: usize,
        /// How many there were.
        given: usize,
    },
    /// No range holds a whole frame.
    NoMemory,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StorageTooSmall { needed, given } => write!(
                f,
                "the frame allocator needs storage for {needed} blocks of 1 GiB but got {given}: \
                 size it with blocks_needed"
            ),
            Self::NoMemory => f.write_str(
                "the memory map has no whole usable frame: check what the boot loader reports",
            ),
        }
    }
}

impl core::error::Error for FrameError {}

/// Why memory could not be given back; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// The frame is free already.
    DoubleFree(Frame),
    /// The allocator does not manage the frame.
    Foreign(Frame),
    /// The range does not begin and end at frame boundaries, or no processor can address it.
    Misaligned(PhysRange),
}

impl fmt::Display for FreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleFree(frame) => {
                write!(f, "frame {frame} is free already: it was given back twice")
            }
            Self::Foreign(frame) => write!(
                f,
                "frame {frame} is not managed by the frame allocator: it is device memory or was \
                 never added"
            ),
            Self::Misaligned(range) => write!(
                f,
                "{range} is not a range of whole frames below the end of physical memory: give \
                 back what was allocated"
            ),
        }
    }
}

impl core::error::Error for FreeError {}
