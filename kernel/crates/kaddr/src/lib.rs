//! Physical and virtual addresses, frames, pages and ranges.
//!
//! Everything that names memory in the kernel uses these types, so that a physical address can
//! never be taken for a virtual one, nor a frame number for an address. They are plain numbers:
//! nothing here touches memory. All arithmetic that could leave the number's range returns an
//! `Option`.
//!
//! Neighbours: `kmem` hands out [`Frame`]s and maps them at [`Page`]s; `kboot` reports memory
//! as [`PhysRange`]s.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod addr;
mod page;
mod range;

pub use addr::{PhysAddr, VirtAddr};
pub use page::{Frame, Page, PageSize};
pub use range::{Frames, Pages, PhysRange, VirtRange};

/// The size of a page and of a frame, in bytes.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
/// The binary logarithm of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// The size of a large page (one entry of a page directory), in bytes.
pub const LARGE: u64 = 2 << 20;
/// The size of a huge page (one entry of a page-directory-pointer table), in bytes.
pub const HUGE: u64 = 1 << 30;
/// How many bits a physical address has at most (Intel SDM Vol. 3A section 4.1.4, MAXPHYADDR).
pub const PHYS_BITS: u32 = 52;
