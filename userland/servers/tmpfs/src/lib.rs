//! Files in memory: what `srv.tmpfs` keeps, decides and answers.
//!
//! - [`Tree`]: directories and files by numbers, within limits.
//! - [`Content`]: the bytes of a file, in pages; where nothing was written there is no page.
//! - [`Service`]: requests in, answers out; files that are open.
//! - [`server`]: receives, and answers.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod content;
mod lent;
pub mod server;
mod service;
#[cfg(test)]
mod tests;
mod tree;

pub use content::{Content, PAGE};
pub use service::{FileReply, OPEN_OF_CLIENT, Service};
pub use tree::{Client, Limits, Number, Tree};
