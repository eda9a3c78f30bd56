//! The driver of the clock of every PC, an MC146818: the date.
//!
//! [`chip`] reads and sets it, by the trait [`registers::Registers`]; [`wall`] is the date between two looks at the chip, by the monotonic
//! clock; [`server`] answers clients.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod chip;
pub mod registers;
pub mod server;
pub mod wall;
