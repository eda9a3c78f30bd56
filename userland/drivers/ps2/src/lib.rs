//! The PS/2 keyboard: its controller, and what its keys mean.
//!
//! [`start`] brings the controller (an Intel 8042, or what behaves like one) and the keyboard into a known state. From then on
//! everything comes by interrupt: [`Driver`] takes byte after byte, tells the keyboard what it has to know, and gives what a
//! terminal sends for a key: UTF-8, and the sequences of xterm. Ports are behind [`Bus`].
//! [`service`] gives it to clients.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod commands;
mod controller;
mod driver;
mod encode;
mod keys;
mod layout;
pub mod service;

pub use controller::{Bus, StartError, Started, start, status};
pub use driver::Driver;
pub use keys::Set;
pub use layout::Layout;
