//! Physical and virtual addresses, frames, pages and ranges.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
