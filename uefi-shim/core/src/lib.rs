//! The decisions of the shim: configuration, kernel image, memory map, protocol answers.
//!
//! Nothing here touches firmware or hardware: data goes in, data comes out, and every input from
//! outside (files, firmware tables, the kernel's own requests) is read without a panic. The edge,
//! `uefi-shim/src`, calls the firmware and acts. In the order of a boot: [`cpu`], [`config`], [`choice`],
//! [`image`], [`requests`], [`modules`], [`video`], [`processors`], [`response`], [`memory_map`],
//! [`direct_map`], [`paging`], [`exit_boot`], [`handoff`].

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod choice;
pub mod clock;
pub mod config;
pub mod console;
pub mod cpu;
pub mod direct_map;
pub mod disk;
pub mod error;
pub mod exit_boot;
pub mod handoff;
pub mod image;
pub mod memory_map;
pub mod modules;
pub mod paging;
pub mod processors;
pub mod requests;
pub mod response;
pub mod video;

pub use error::Error;
