//! What clients and servers say to each other: a module for each protocol, with its requests and its answers.
//!
//! A request travels in a message of a mailbox, and so does its answer (`userland/lib/ipc`): handles first, then a word with the
//! number of bytes, then the bytes, in the form of [postcard](https://postcard.jamesmunns.com/wire-format). The label of a message
//! names the protocol and its version, so that who speaks another one is told so.
//!
//! An answer is a [`Result`]: a server says with a [`Fault`] why it did not do what it was asked.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use core::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub mod clock;
pub mod directory;
pub mod files;
pub mod keyboard;
pub mod logger;
pub mod power;
pub mod services;
pub mod terminal;

/// The most bytes that a request or an answer takes: 64 words, less the word for the length. Each handle takes 8 of them.
pub const BYTES_MAX: usize = 63 * 8;
/// The most handles of a message.
pub const HANDLES_MAX: usize = 8;
/// The longest name of a service, in bytes.
pub const NAME_MAX: usize = 64;
/// The longest path of a file, in bytes.
pub const PATH_MAX: usize = 255;

/// A protocol: what can be asked, and what is answered.
pub trait Protocol {
    /// Label of its messages: [`label`] of a number and a version.
    const LABEL: u64;
    /// What a client asks.
    type Request: Serialize + DeserializeOwned;
    /// What a server answers when it did what it was asked.
    type Answer: Serialize + DeserializeOwned;
}

/// The label of a protocol's messages.
pub const fn label(number: u32, version: u8) -> u64 {
    (number as u64) << 8 | version as u64
}

/// Why a server did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fault {
    /// The request could not be understood.
    Malformed,
    /// The server speaks another protocol or another version of it.
    WrongProtocol,
    /// There is nothing of this name.
    NotFound,
    /// There is something of this name already.
    Exists,
    /// The client may not do this.
    AccessDenied,
    /// An argument is outside of what the request takes.
    InvalidArgument,
    /// A directory is there where a file is needed.
    IsDirectory,
    /// A file is there where a directory is needed.
    NotDirectory,
    /// The directory has entries.
    NotEmpty,
    /// Nothing can be changed here.
    ReadOnly,
    /// There is no room, or the client has as much as it may have.
    NoRoom,
    /// Memory is short.
    OutOfMemory,
    /// It did not happen in time.
    TimedOut,
    /// It cannot be done now.
    Busy,
    /// The server does not do this.
    NotSupported,
    /// A device or another service did not do what was needed.
    Failed,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the request could not be understood",
            Self::WrongProtocol => "the server speaks another protocol",
            Self::NotFound => "not found",
            Self::Exists => "it exists already",
            Self::AccessDenied => "access denied",
            Self::InvalidArgument => "an argument cannot be",
            Self::IsDirectory => "it is a directory",
            Self::NotDirectory => "it is not a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::ReadOnly => "it cannot be changed",
            Self::NoRoom => "no room",
            Self::OutOfMemory => "memory is short",
            Self::TimedOut => "it took too long",
            Self::Busy => "it is busy",
            Self::NotSupported => "it cannot do this",
            Self::Failed => "it failed",
        })
    }
}

impl core::error::Error for Fault {}

/// Why bytes could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// It does not fit in a message.
    TooLong,
    /// The bytes are none of this type.
    Malformed,
}

/// The bytes of a request or an answer, in `room`.
///
/// # Errors
/// [`WireError::TooLong`] when they do not fit.
pub fn encode<'a, T: Serialize>(value: &T, room: &'a mut [u8]) -> Result<&'a [u8], WireError> {
    postcard::to_slice(value, room)
        .map(|bytes| &*bytes)
        .map_err(|_| WireError::TooLong)
}

/// A request or an answer of bytes: all of them.
///
/// # Errors
/// [`WireError::Malformed`] for bytes that are none, or more than one.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(WireError::Malformed),
    }
}

/// Bytes, told as such and not as a list of numbers.
pub type Bytes = Vec<u8>;

#[cfg(test)]
mod tests;
