//! How processors wait for each other when they start.
//!
//! An AP checks in ([`CheckIn`]) when it is ready and waits at the [`Gate`]; the boot processor
//! waits for the check-ins until a deadline, goes on without those that are missing, and opens the
//! gate. [`Barrier`] is for the rarer case that all must meet at one point.

use crate::atomic::{AtomicBool, AtomicU32, Ordering, const_new, relax};
use crate::flags::PerCpuFlags;

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Waited {
    /// What was waited for has happened.
    Done,
    /// It had not happened when the time was up.
    TimedOut,
}

/// Spins until `done`, or until `expired` says that the time is up; `done` has the last word.
fn wait_until(mut done: impl FnMut() -> bool, mut expired: impl FnMut() -> bool) -> Waited {
    loop {
        if done() {
            return Waited::Done;
        }
        if expired() {
            return if done() {
                Waited::Done
            } else {
                Waited::TimedOut
            };
        }
        relax();
    }
}

/// The processors that have reported.
pub struct CheckIn {
    cpus: PerCpuFlags,
    count: AtomicU32,
}

impl CheckIn {
    const_new! {
        /// Nobody has reported.
        pub fn new() -> Self {
            Self { cpus: PerCpuFlags::new(), count: AtomicU32::new(0) }
        }
    }

    /// Reports this processor. Everything it wrote before is seen by whoever sees the report. A
    /// second report of the same processor counts for nothing; returns whether it was the first.
    pub fn check_in(&self, cpu: u32) -> bool {
        let first = self.cpus.set(cpu);
        if first {
            self.count.fetch_add(1, Ordering::Release);
        }
        first
    }

    /// Whether a processor has reported.
    pub fn has(&self, cpu: u32) -> bool {
        self.cpus.get(cpu)
    }

    /// How many have reported.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// Waits until `expected` processors have reported or `expired` returns true, which is asked on
    /// each turn and should compare a clock with a deadline.
    pub fn wait(&self, expected: u32, expired: impl FnMut() -> bool) -> Waited {
        wait_until(|| self.count() >= expected, expired)
    }

    /// Waits for one processor.
    pub fn wait_for(&self, cpu: u32, expired: impl FnMut() -> bool) -> Waited {
        wait_until(|| self.has(cpu), expired)
    }

    /// The processors below `cpus` that have not reported, the boot processor's own number included
    /// unless it reported too.
    pub fn missing(&self, cpus: u32) -> impl Iterator<Item = u32> {
        (0..cpus).filter(|cpu| !self.has(*cpu))
    }
}

impl Default for CheckIn {
    fn default() -> Self {
        Self::new()
    }
}

/// A gate that is opened once, by one processor, for all.
pub struct Gate {
    open: AtomicBool,
}

impl Gate {
    const_new! {
        /// A closed gate.
        pub fn new() -> Self {
            Self { open: AtomicBool::new(false) }
        }
    }

    /// Opens it. Everything written before is seen by all that pass.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Spins until it is open.
    pub fn pass(&self) {
        while !self.is_open() {
            relax();
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// A point that a fixed number of processors pass together, as often as they like.
pub struct Barrier {
    expected: u32,
    arrived: AtomicU32,
    generation: AtomicU32,
}

impl Barrier {
    /// A barrier for `expected` processors; 0 counts as 1.
    #[cfg(not(loom))]
    pub const fn new(expected: u32) -> Self {
        Self {
            expected,
            arrived: AtomicU32::new(0),
            generation: AtomicU32::new(0),
        }
    }

    /// A barrier for `expected` processors; 0 counts as 1.
    #[cfg(loom)]
    pub fn new(expected: u32) -> Self {
        Self {
            expected,
            arrived: AtomicU32::new(0),
            generation: AtomicU32::new(0),
        }
    }

    /// Waits until all have arrived. Everything that any of them wrote before is then seen by all.
    /// Returns true on exactly one of them, the last to arrive.
    pub fn wait(&self) -> bool {
        let generation = self.generation.load(Ordering::Acquire);
        let arrived = self.arrived.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        if arrived >= self.expected {
            // The next round may begin as soon as the generation changes, so count from 0 first.
            self.arrived.store(0, Ordering::Relaxed);
            self.generation
                .store(generation.wrapping_add(1), Ordering::Release);
            return true;
        }
        while self.generation.load(Ordering::Acquire) == generation {
            relax();
        }
        false
    }
}
