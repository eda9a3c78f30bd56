//! What the commands decide, without the system: options, tables, texts, dates. Tested on the host.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod date;
pub mod lines;
pub mod number;
pub mod options;
pub mod pattern;
pub mod table;
