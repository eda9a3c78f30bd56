//! The ACPI tables of the machine, checked, and what the kernel needs to know from them.
//!
//! [`Tables`] reads each table once through [`PhysRead`], checks its length and checksum and keeps
//! a copy, so that nothing later depends on memory that firmware may still write. [`Platform`] is
//! the answer to all the kernel's questions about processors, interrupts, timers and power. With
//! the `acpi` feature, `aml` hands the checked tables to the AML interpreter of the `acpi` crate.
//!
//! The walk is not left to that crate because it is not total: it reads the root table's 64-bit
//! entries without their alignment (which stops a debug build), maps tables at the length that they
//! claim, and reads a FADT at the size of its newest revision.

#[cfg(feature = "acpi")]
pub mod aml;
#[cfg(feature = "acpi")]
pub mod devices;
mod platform;
pub mod resources;
mod tables;

pub use platform::Platform;
pub use tables::{OwnedTable, PhysRead, Refused, Tables, Unreadable};
