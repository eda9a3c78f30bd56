//! Parsers and decisions of the boot path: memory map, ACPI topology, ELF, command line.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
