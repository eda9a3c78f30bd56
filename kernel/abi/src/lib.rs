//! The contract between the kernel and user programs: system calls, errors, rights, start-up values.
//!
//! One table, [`table::CALLS`] and the macro behind it, gives the numbers, the kernel's dispatcher and the
//! user's stubs, so that they cannot drift apart. Nothing here has a dependency or unsafe code, so both sides, the
//! host's tools and tests can use it.
//!
//! Registers: the number goes in RAX, arguments in RDI, RSI, RDX, R10, R8, R9; the error comes back in RAX
//! (0: none), a value in RDX. RCX and R11 are lost.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[macro_use]
mod wire;

pub mod area;
pub mod auxv;
pub mod error;
pub mod handle;
pub mod process;
pub mod statistics;
pub mod table;

pub use error::Error;
pub use handle::{Handle, ObjectType, Rights};
pub use table::{Call, Sysno};

/// Version of this contract. It rises with every change that an existing program could notice.
pub const VERSION: u64 = 2;

/// Bytes of a page: addresses, offsets and lengths of mappings are multiples of it.
pub const PAGE_SIZE: u64 = 4096;

/// The first address above user space.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// The longest name of a process, in bytes; longer ones are refused.
pub const NAME_MAX: usize = 32;

/// The longest text that one `log_write` takes, in bytes.
pub const LOG_WRITE_MAX: usize = 1024;
