//! The physical frame allocator: which 4 KiB frames are free.
//!
//! Memory is cut into blocks of 1 GiB, aligned to 1 GiB; each has a three-level bitmap (64 x 64 x
//! 64, bit set = free) and a bitmap of the frames that it manages at all. The blocks lie sorted by
//! address in storage that the caller provides: [`blocks_needed`] tells how many. Words that
//! summarise the blocks themselves are spread over the blocks' headers (`summary`), so that one
//! allocation costs a few `leading_zeros`, on a machine of 64 MiB as on one of 4 TiB.
//!
//! Invariants:
//! - A frame is free, or handed out, or not managed; `total = free + handed out`.
//! - Every search takes the highest fitting address, so that memory below 4 GiB and below 1 MiB,
//!   which some devices and the start of processors need, is used last.
//! - Whatever the ranges look like, no function panics, and no frame is given out twice.
//!
//! [`pool`] puts a cache for each processor ([`Cache`]) in front of the allocator, and counts what frames
//! are used for ([`Purpose`]).
//!
//! Neighbours: `kboot` delivers the usable ranges; [`crate::pt`] takes frames for tables through
//! its `FrameSource`, which the kernel implements with this allocator.

mod allocator;
mod block;
mod cache;
mod error;
pub mod pool;
mod search;
mod span;
mod summary;
mod usage;

pub use allocator::{Added, FrameAllocator};
pub use block::Block;
pub use cache::{CAPACITY, Cache, limit_for};
pub use error::{FrameError, FreeError};
pub use span::blocks_needed;
pub use usage::{Node, PURPOSES, Purpose, Statistics};
