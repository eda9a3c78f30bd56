//! Parsers and decisions of the boot path: memory map, ACPI topology, ELF, command line.
//!
//! Everything here reads data that comes from outside (firmware, boot loader, files) and is total:
//! it returns a value or an error, and never panics, whatever the bytes are. Nothing here touches
//! hardware; the kernel and `uefi-shim` act on what these modules return. Without features nothing
//! allocates; `alloc` adds [`acpi`], and `acpi` the glue to the AML interpreter of the `acpi` crate.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
pub mod acpi;
mod bytes;
pub mod cmdline;
pub mod elf;
pub mod fadt;
pub mod gas;
pub mod hpet;
#[cfg(feature = "alloc")]
pub mod initial_stack;
pub mod madt;
pub mod mcfg;
pub mod memory_map;
pub mod power;
pub mod rsdp;
pub mod sdt;
