//! The UEFI chainloader: feature check, Limine or its own loader.
//!
//! In the order of a boot: `cpu` refuses processors that the system cannot run on, `files`
//! reads `limine.conf`, and then either `chainload` starts Limine or `loader` boots the kernel
//! itself. Everything that can be decided without the firmware is in `shim-core`; here are only
//! protocol calls and the unsafe edge.
//!
//! An error ends with its sentence on the screen and the serial port; after a key or ten seconds
//! the firmware gets the machine back and goes on with its next boot option.

#![cfg_attr(target_os = "uefi", no_std, no_main)]

#[cfg(target_os = "uefi")]
extern crate alloc;

#[cfg(target_os = "uefi")]
mod acpi;
#[cfg(target_os = "uefi")]
mod chainload;
#[cfg(target_os = "uefi")]
mod console;
#[cfg(target_os = "uefi")]
mod cpu;
#[cfg(target_os = "uefi")]
mod exit;
#[cfg(target_os = "uefi")]
mod files;
#[cfg(target_os = "uefi")]
mod handoff;
#[cfg(target_os = "uefi")]
mod launch;
#[cfg(target_os = "uefi")]
mod loader;
#[cfg(target_os = "uefi")]
mod memory;
#[cfg(target_os = "uefi")]
mod menu;
#[cfg(target_os = "uefi")]
mod mp;
#[cfg(target_os = "uefi")]
mod mtrr;
#[cfg(target_os = "uefi")]
mod run;
#[cfg(target_os = "uefi")]
mod screen;
#[cfg(target_os = "uefi")]
mod tables;

#[cfg(not(target_os = "uefi"))]
fn main() {
    println!("The shim runs on UEFI firmware; `scripts/run` builds it for that and boots it.");
}
