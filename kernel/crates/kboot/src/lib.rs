//! Parsers and decisions of the boot path: memory map, ACPI topology, ELF, command line.
//!
//! Everything here reads data that comes from outside (firmware, boot loader, files) and is total:
//! it returns a value or an error, and never panics, whatever the bytes are. Nothing here touches
//! hardware; the kernel and `uefi-shim` act on what these modules return.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod elf;
