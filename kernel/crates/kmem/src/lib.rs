//! Frame allocator and page tables.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
