//! What is in use at one moment, so that a leak shows.

use core::fmt;

use kaddr::PAGE_SIZE;

use super::{Purpose, heap, stack, statistics};
use crate::sched;

/// Two of these are equal when nothing was lost in between: every frame is free, or mapped for the heap, or in a kernel
/// stack, or a page table of the kernel's half, or somebody has it; so what nobody has is constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Frames that are free, or that heap, stacks and kernel page tables have.
    pub frames: u64,
    /// Bytes on the heap, as [`heap_in_use`] counts them.
    pub heap: u64,
    /// Kernel stacks that are not in the pool.
    pub stacks: usize,
}

impl Held {
    /// Counts.
    pub fn now() -> Self {
        let heap = heap::usage();
        let (mapped, pooled) = stack::counts();
        let memory = statistics();
        let stacks = mapped as u64 * (stack::SIZE / PAGE_SIZE);
        let tables = memory.used_for(Purpose::KernelTable);
        Self {
            frames: memory.free + heap.mapped / PAGE_SIZE + stacks + tables,
            heap: heap_in_use(),
            stacks: mapped - pooled,
        }
    }

    /// Whether more of anything is in use than at another moment.
    #[cfg(feature = "fault-injection")]
    pub fn is_more_than(&self, other: &Self) -> bool {
        self.frames < other.frames || self.heap > other.heap || self.stacks > other.stacks
    }
}

/// Bytes of the heap that somebody uses. Objects that processors keep at hand do not count, nor does the room that is kept
/// for as many threads and stacks as there ever were: so it is the same as before when whatever was made meanwhile has gone.
pub fn heap_in_use() -> u64 {
    let room = sched::room_bytes() + stack::room_bytes();
    // Not all is counted at the same moment.
    heap::usage().used.saturating_sub(room as u64)
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            frames,
            heap,
            stacks,
        } = self;
        write!(f, "{frames} frames, {heap} bytes of heap, {stacks} stacks")
    }
}
