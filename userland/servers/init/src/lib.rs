//! What `srv.init` decides, without the system calls that do it.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod archive;
pub mod directory;
pub mod files;
pub mod manifest;
pub mod options;
pub mod supervise;
pub mod system;
