//! The log server: it reads the kernel's log, keeps the last records, and shows them.
//!
//! The kernel's own ring is small and overwritten; what is in it is read as fast as it is written, into a [`store`] whose size is fixed.
//! Nothing is lost silently: a gap in the sequence numbers becomes a record of its own, and so does what a slow follower missed.
//! Followers read from the store at their own pace, so that none of them holds up another one, or the server.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod filter;
pub mod format;
pub mod intake;
pub mod query;
pub mod server;
pub mod store;
