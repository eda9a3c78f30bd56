//! Priorities, and the times that go with them.

/// How many priorities there are.
pub const LEVELS: usize = 8;

/// A priority: 0 is the highest, 7 the lowest. Idle is none of them: it is what a processor does when
/// [`crate::RunQueue::pick`] gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// The highest.
    pub const HIGHEST: Self = Self(0);
    /// That of an ordinary thread.
    pub const NORMAL: Self = Self(4);
    /// The lowest.
    pub const LOWEST: Self = Self(LEVELS as u8 - 1);

    /// The priority with this number, if it is below 8.
    #[inline]
    pub const fn new(level: u8) -> Option<Self> {
        if (level as usize) < LEVELS {
            Some(Self(level))
        } else {
            None
        }
    }

    /// Its number.
    #[inline]
    pub const fn level(self) -> u8 {
        self.0
    }

    /// All of them, the highest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..LEVELS as u8).map(Self)
    }

    #[inline]
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    #[inline]
    pub(crate) fn raised(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    #[inline]
    pub(crate) fn lowered(self) -> Self {
        Self(self.0.saturating_add(1).min(Self::LOWEST.0))
    }
}

/// The times by which a queue decides, in ticks of the clock that it is told the time by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a thread of each level may run before others of its level have their turn. Lower
    /// levels have longer ones: what gets there computes, and is best left alone.
    pub quantum: [u64; LEVELS],
    /// How long a thread waits before it is moved up one level.
    pub boost_after: u64,
}

impl Config {
    /// From 5 ms at the highest level, twice as long every two levels, and a boost after 100 ms: for a clock that counts nanoseconds.
    pub const DEFAULT: Self = Self {
        quantum: [
            5_000_000, 5_000_000, 10_000_000, 10_000_000, 20_000_000, 20_000_000, 40_000_000,
            40_000_000,
        ],
        boost_after: 100_000_000,
    };

    /// The same times by another clock: `ticks` converts a length of time.
    #[must_use]
    pub fn by(self, ticks: impl Fn(u64) -> u64) -> Self {
        Self {
            quantum: self.quantum.map(&ticks),
            boost_after: ticks(self.boost_after),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}
