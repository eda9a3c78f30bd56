//! Scheduling decisions: run queues, quanta, placement, deadlines.
//!
//! Pure state machines: time comes in as nanoseconds, decisions go out as values, and the kernel
//! acts on them. Each processor owns a [`RunQueue`] and a [`timer::TimerQueue`], under its own lock;
//! [`place`], [`steal_from`], [`takers`] and [`give_to`] choose among processors from a snapshot of their loads. Run queues are
//! intrusive: each thread brings its own [`Node`], so that making a thread runnable needs no memory and
//! cannot fail. Timers need a place in the queue, which is reserved before.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod balance;
mod cpuset;
mod fifo;
mod lists;
mod node;
mod priority;
mod queue;
mod slab;
pub mod timer;
mod wait;

pub use balance::{
    BALANCE_NS, Balance, Excess, Given, Load, ROTATE_NS, give_to, place, steal_from, takers,
};
pub use cpuset::{Cpu, CpuSet, MAX_CPUS};
pub use fifo::{Fifo, Link, Linked};
pub use node::{Node, Task};
pub use priority::{Config, LEVELS, Priority};
pub use queue::{Decision, Entered, Removed, RunQueue};
pub use wait::WaitQueue;

use core::fmt;

/// Why a queue did not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchedError {
    /// All reserved places of a timer queue are taken; reserve before adding.
    Full,
    /// There is no memory for the reservation.
    OutOfMemory,
}

impl fmt::Display for SchedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the queue has no free place; reserve one for each timer first",
            Self::OutOfMemory => "no memory for places in a queue; end a process or add memory",
        })
    }
}

impl core::error::Error for SchedError {}
