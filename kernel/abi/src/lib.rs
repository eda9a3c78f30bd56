//! The contract between the kernel and user programs: system calls, errors, rights, start-up values.
//!
//! One table, [`with_calls`], gives the numbers, the kernel's dispatcher, the user's stubs, the text of traces, `docs/abi.md`
//! and the test of wrong arguments, so that they cannot drift apart. Nothing here has a dependency or unsafe code, so both
//! sides, the host's tools and tests can use it.
//!
//! Registers: the number goes in RAX, arguments in RDI, RSI, RDX, R10, R8, R9; the error comes back in RAX
//! (0: none), a value in RDX. RCX and R11 are lost.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

// The table's documentation names this crate as those see it that use the table.
extern crate self as abi;

#[macro_use]
mod wire;
#[macro_use]
mod table;

pub mod area;
pub mod auxv;
pub mod call;
pub mod console;
pub mod device;
pub mod error;
pub mod event;
mod format;
pub mod framebuffer;
pub mod futex;
pub mod handle;
pub mod interrupt;
pub mod log;
pub mod message;
pub mod power;
pub mod process;
pub mod resource;
pub mod statistics;
pub mod thread;
pub mod trace;

pub use call::{CALLS, Call, Sysno};
pub use error::Error;
pub use format::format_call;
pub use handle::{Handle, ObjectType, Rights};
pub use wire::Wire;

/// Version of this contract. It rises with every change that an existing program could notice.
pub const VERSION: u64 = 5;

/// Version of what a new process finds on its stack (`docs/process-initialisation.md`).
pub const INIT_VERSION: u64 = 1;

/// Bytes of a page: addresses, offsets and lengths of mappings are multiples of it.
pub const PAGE_SIZE: u64 = 4096;

/// A time on the monotonic clock that never comes: no deadline.
pub const NEVER: u64 = u64::MAX;

/// The most bytes of a set of processors; bit `n` of it, counted from the lowest bit of the first byte, stands for processor `n`.
pub const CPU_SET_MAX: usize = 128;

/// The first address above user space.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// Bytes of the registers of a thread, [`thread::Registers`].
pub const REGISTERS_SIZE: usize = thread::Registers::WORDS * 8;

/// The longest name of a process, in bytes; longer ones are refused.
pub const NAME_MAX: usize = 32;

/// The longest text that one `system_log_write` takes, in bytes.
pub const LOG_WRITE_MAX: usize = 1024;

/// The most bytes that one `system_log_read` or `system_trace_read` brings.
pub const LOG_READ_MAX: usize = 64 * 1024;

/// The most bytes that one `process_read` brings.
pub const PROCESS_READ_MAX: usize = 64 * 1024;

/// The longest list of kinds of events that `system_trace` takes, in bytes.
pub const TRACE_KINDS_MAX: usize = 128;
