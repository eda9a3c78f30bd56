//! Log records, the lock-free log ring and symbolizer markup.
//!
//! [`Ring`] takes records from any context, interrupt and panic included; [`Formatter`] lays one
//! out as lines for a console; [`Filter`] decides which records are made at all; [`markup`] is the
//! text by which the kernel hands addresses to `xtask symbolize`.

#![cfg_attr(not(any(test, loom)), no_std)]
#![forbid(unsafe_code)]

mod filter;
mod format;
pub mod markup;
mod meta;
mod record;
mod ring;

pub use filter::{Filter, FilterError};
pub use format::Formatter;
pub use record::{Completeness, Header, MAX_TARGET, Record};
pub use ring::{ReadError, Ring, Written};
