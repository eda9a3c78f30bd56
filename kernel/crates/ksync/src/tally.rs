//! Counts, for each level, of the locks that processors have taken from each other, and of those that they have waited for.
//!
//! Whoever takes a lock that another processor had last shares it with that one, whether or not the two ever meet. So these
//! counts show what is shared also where processors are executed in turn.

use crate::atomic::{AtomicU64, Ordering};
use crate::order::{LEVELS_MAX, Level};

/// The counts.
pub struct Tally {
    passed: [AtomicU64; LEVELS_MAX as usize],
    waited: [AtomicU64; LEVELS_MAX as usize],
}

/// What was counted of a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// How often a lock was taken that another processor had had last.
    pub passed: u64,
    /// How often a lock was not free.
    pub waited: u64,
}

impl Tally {
    /// Nothing yet.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            passed: [const { AtomicU64::new(0) }; LEVELS_MAX as usize],
            waited: [const { AtomicU64::new(0) }; LEVELS_MAX as usize],
        }
    }

    /// A lock has passed from one processor to another.
    pub(crate) fn count_passing<L: Level>(&self) {
        count::<L>(&self.passed);
    }

    /// A lock was not free.
    pub(crate) fn count_waiting<L: Level>(&self) {
        count::<L>(&self.waited);
    }

    /// What was counted of the level with this number since this was last asked.
    pub fn take(&self, rank: u8) -> Shared {
        let take = |counts: &[AtomicU64]| {
            let count = counts.get(usize::from(rank));
            count.map_or(0, |count| count.swap(0, Ordering::Relaxed))
        };
        Shared {
            passed: take(&self.passed),
            waited: take(&self.waited),
        }
    }
}

fn count<L: Level>(counts: &[AtomicU64]) {
    if let Some(count) = L::RANK.and_then(|rank| counts.get(usize::from(rank))) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(not(loom))]
impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}
