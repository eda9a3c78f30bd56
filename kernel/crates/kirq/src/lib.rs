//! Decisions about interrupt lines and I/O ports: what is wired where, what a line does next, which ports a process may use.
//!
//! Nothing here touches hardware. [`Wiring`] says which input of which I/O APIC a global system interrupt is and how it is
//! wired, [`Entry`] what is written there, [`Vectors`] which vector of a processor it gets, and [`Line`] when it is to be
//! masked and when a program is to be told. [`PortSet`] and [`Permissions`] are the ports of a process and the bitmap that the
//! processor looks them up in.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod line;
mod ports;
mod redirection;
mod vectors;
mod wiring;

pub use line::{Line, MOST_UNACKNOWLEDGED, Step};
pub use ports::{PORTS, Permissions, PortRange, PortSet};
pub use redirection::{Destination, Entry};
pub use vectors::{FIRST_VECTOR, LAST_VECTOR, Vectors};
pub use wiring::{Chip, ISA_INTERRUPTS, Mode, Override, Pin, Polarity, Trigger, Wiring};

use core::fmt;

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IrqError {
    /// The line was not fired since it was acknowledged.
    NotFired,
    /// The set has as many ranges as it can hold.
    TooManyRanges,
}

impl fmt::Display for IrqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFired => "the line has not fired since it was acknowledged; wait for it first",
            Self::TooManyRanges => {
                "the set of ports has no place for another range; ask for ports that lie together"
            }
        })
    }
}

impl core::error::Error for IrqError {}
