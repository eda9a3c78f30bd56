//! Makes processes from ELF files.
//!
//! ```ignore
//! let child = Builder::new("hello", &file)
//!     .argument("world")
//!     .env("TERM", "xterm-256color")
//!     .bundle("stdout", output)
//!     .spawn()?;
//! let exit = child.wait()?;
//! ```
//!
//! What is started again and again is made a [`Program`] of first, whose processes share their code.
//!
//! A process is built by handing memory over: each part of the program is an area that is mapped here, filled, unmapped, and mapped into the
//! new process, where it can never get more access than it needs. What the process is told (`docs/process-initialisation.md`) lies on
//! its initial stack.
//!
//! [`layout`] and [`stack`] decide what goes where and are tested on the host; [`builder`] does it.

#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

pub mod builder;
pub mod child;
pub mod error;
pub mod layout;
mod memory;
pub mod program;
mod random;
pub mod report;
pub mod stack;

pub use builder::Builder;
pub use child::{Child, Exit};
pub use error::{Reason, SpawnError, Step};
pub use program::Program;
