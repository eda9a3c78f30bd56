//! Which processor may report a panic, decided without a lock.

use crate::atomic::{AtomicU32, Ordering, const_new};

/// What a processor that panics is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Claim {
    /// It is the first: stop the others and report.
    First,
    /// It panicked again while reporting, for the `depth`th time (from 1): report less, or halt.
    Recursive {
        /// How often this happened.
        depth: u32,
    },
    /// Another processor reports: halt and wait to be asked for a backtrace.
    Lost {
        /// The one that reports.
        owner: u32,
    },
}

/// The right to report, given once.
pub struct PanicClaim {
    /// Number of the processor plus 1, or 0.
    owner: AtomicU32,
    depth: AtomicU32,
}

impl PanicClaim {
    const_new! {
        /// Nobody has panicked.
        pub fn new() -> Self {
            Self { owner: AtomicU32::new(0), depth: AtomicU32::new(0) }
        }
    }

    /// Asks for the right, from any context.
    pub fn claim(&self, cpu: u32) -> Claim {
        let me = cpu.saturating_add(1);
        match self
            .owner
            .compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => Claim::First,
            Err(owner) if owner == me => {
                let depth = self.depth.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                Claim::Recursive { depth }
            }
            Err(owner) => Claim::Lost {
                owner: owner.saturating_sub(1),
            },
        }
    }

    /// The processor that reports, if there is one: the others look at this to know whether to stop.
    pub fn owner(&self) -> Option<u32> {
        self.owner.load(Ordering::Acquire).checked_sub(1)
    }
}

impl Default for PanicClaim {
    fn default() -> Self {
        Self::new()
    }
}
