//! Files: one tree of paths over the file services that a process may use.
//!
//! ```no_run
//! # use files::{Files, How};
//! # fn f(context: &sys::Context, directory: &ipc::Directory) -> Result<(), Box<dyn core::error::Error>> {
//! let files = Files::of(context, directory)?;
//! let readme = files.read("/boot/readme")?;
//! files.open("/tmp/copy", How::Create)?.write_all(&readme)?;
//! # Ok(()) }
//! ```
//!
//! | path | service |
//! |---|---|
//! | `/boot` | `files.boot`, what came with the kernel; it cannot be changed |
//! | `/tmp` | `files.tmp`, in memory |
//! | `/` | the names of these |
//!
//! A service that has died is asked again when it is back; files that were open there are lost, and say so.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod file;
pub mod path;
mod tree;

pub use error::{FileError, Reason};
pub use file::{File, SeekFrom};
pub use protocols::files::{Entry, How, Info, Kind};
pub use tree::Files;
