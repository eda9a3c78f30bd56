//! The driver of serial ports: a terminal on each 16550, by interrupt, both ways at once.
//!
//! [`port`] is the machine of registers, FIFOs and flow control; it knows nothing of the system, and touches the device by the
//! trait [`registers::Registers`] only, so that a model of the device stands in for it in tests. [`terminal`] is what clients see of it, and
//! [`driver`] has all ports of the machine.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod detect;
pub mod driver;
pub mod port;
pub mod registers;
pub mod settings;
pub mod terminal;
pub mod wiring;
