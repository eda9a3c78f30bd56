//! Log records, the lock-free log ring and symbolizer markup.
//!
//! [`Ring`] takes records from any context, interrupt and panic included; [`Formatter`] lays one
//! out as lines for a console; [`Filter`] decides which records are made at all; [`markup`] is the
//! text by which the kernel hands addresses to `xtask symbolize`. Only the ring's slots use
//! `unsafe`, in one leaf module.

#![cfg_attr(not(any(test, loom)), no_std)]
#![deny(unsafe_code)]

pub mod markup;
