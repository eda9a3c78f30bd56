//! Requests and answers of [`protocols`] over mailboxes: for clients [`call`], [`Link`] and [`Directory`], for servers [`Incoming`] and [`serve`].
//!
//! In a message the handles come first, then a word with the number of bytes, then the bytes, eight to a word; the label is the
//! protocol's. An answer is a `Result<P::Answer, Fault>` with the same label.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod client;
mod directory;
mod failure;
mod link;
mod server;
mod wire;

pub use client::call;
pub use directory::Directory;
pub use failure::Failure;
pub use link::Link;
pub use server::{Incoming, Outcome, serve};
