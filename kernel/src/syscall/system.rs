//! Calls that ask about the system and need no handle.

use abi::Error;

use crate::arch::current::time;

/// `abi_version`.
pub fn abi_version() -> Result<u64, Error> {
    Ok(abi::VERSION)
}

/// `clock_read`.
pub fn clock_read() -> Result<u64, Error> {
    Ok(time::now_ns())
}
