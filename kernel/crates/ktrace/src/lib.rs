//! The kernel's trace: what an event is, the ring that a processor keeps its events in, and the bytes in which they leave the machine.
//!
//! The kernel records and encodes, `xtask` decodes: both by this crate, so that they cannot disagree. docs/tracing.md has the whole.

#![cfg_attr(not(any(test, loom)), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod event;
mod ring;
mod stream;

pub use event::{Event, Kind, Left, NAME, WORDS};
pub use kinds::{Group, Kinds};
pub use ring::{MIN_LEN, NoMemory, Ring};
pub use stream::{Damaged, MAGIC, MAX_BYTES, decode, encode};

mod kinds;
