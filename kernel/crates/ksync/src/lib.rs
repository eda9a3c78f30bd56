//! Locks, once cells and hand-shakes of the kernel.
//!
//! Everything that spins executes [`atomic::relax`], the pause instruction: under an emulator that
//! counts instructions a loop without it would starve the processor that it waits for. [`atomic`]
//! is the one place that names atomic types, so that the same code runs under loom, which tries all
//! interleavings of the tests whose names begin with `loom_`.

#![cfg_attr(not(any(test, loom)), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

#[allow(unsafe_code, reason = "a counted pointer owns and frees memory")]
mod arc;
pub mod atomic;
mod call;
pub mod chain;
mod flags;
mod given;
mod handshake;
mod irq;
#[allow(
    unsafe_code,
    reason = "a lock that is a key gives access to what it guards"
)]
mod keyed;
mod lock;
pub mod order;
mod panic;
mod requests;
mod residency;
mod tally;
mod wake;
mod whereabouts;

pub use arc::{AllocError, Arc, Count, Reserved, try_box};
pub use call::{Answer, Call, Serial};
pub use flags::{CpuBit, MAX_CPUS, PerCpuFlags};
pub use given::Given;
pub use handshake::{Barrier, CheckIn, Gate, Waited};
pub use irq::{IrqControl, IrqGuard, IrqHeld, IrqLock, IrqLockGuard, IrqOff};
pub use keyed::{Key, Keyed, KeyedGuard, KeyedVacancy};
#[cfg(all(feature = "tally", not(loom)))]
pub use lock::take_waits;
pub use lock::{SpinLock, SpinLockGuard};
pub use order::{Held, Level, Unranked};
pub use panic::{Claim, PanicClaim};
pub use requests::{Request, Requests};
pub use residency::Residency;
/// A cell that is filled once; whoever comes while it is being filled waits. Not for interrupt
/// handlers unless it is filled before they can run.
pub use spin::Once;
pub use tally::{Shared, Tally};
pub use wake::Wake;
pub use whereabouts::Whereabouts;
