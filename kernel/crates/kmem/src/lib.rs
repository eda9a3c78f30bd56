//! Memory: frames, page tables, areas and the mappings of address spaces.
//!
//! [`frame`] knows which physical memory is free; [`pt`] builds and edits the page tables that the
//! processor walks. Neither touches memory by itself: the frame allocator works in storage that
//! the caller hands over, and page tables are read and written through
//! [`pt::TableMemory`]. So both run unchanged on a host, where the tests in `tests/` drive them
//! against models and against the fake machine of `ktestkit`.
//!
//! Neither locks nor flushes anything: an edit of a page table returns a [`pt::Flush`] that says
//! what the processors must forget, [`tlb`] decides what that means for each of them, and the kernel
//! carries it out.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod account;
pub mod aspace;
pub mod few;
pub mod frame;
pub mod heap;
pub mod page_tree;
pub mod pt;
pub mod sorted;
pub mod tlb;
pub mod vma;
