//! The order of locks: who holds one takes only such as come later.
//!
//! Each lock has a [`Level`] as a type. A processor notes in a [`Held`] which levels it holds; whoever takes a lock while it holds one of
//! the same level or a later one is found at once, even when nobody else is there to make a deadlock of it.

use core::fmt;

use crate::atomic::{AtomicU64, Ordering};

/// The most levels.
pub const LEVELS_MAX: u8 = 64;

/// A place in the order of locks.
pub trait Level {
    /// The number in the order, below [`LEVELS_MAX`]; none for locks that are not checked.
    const RANK: Option<u8>;
    /// What it is called in reports.
    const NAME: &'static str;
    /// Whether a processor may hold several of this level, in an order of their own.
    const IS_SHARED: bool = false;
}

/// The level of locks that are not checked.
#[derive(Clone, Copy, Debug)]
pub struct Unranked;

impl Level for Unranked {
    const RANK: Option<u8> = None;
    const NAME: &'static str = "unranked";
}

/// The levels of which a processor holds locks. It is touched by that processor only, with interrupts off.
pub struct Held(AtomicU64);

/// A lock was taken out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder {
    /// The latest level that is held.
    pub held: u8,
    /// The one that was to be taken.
    pub wanted: u8,
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, wanted } = self;
        write!(
            f,
            "a lock of level {wanted} while one of level {held} is held"
        )
    }
}

/// Shows that a level was noted: to be given to [`Held::release`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Noted(u64);

impl Held {
    /// None.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// None.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether no lock with a level is held.
    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Whether a lock of this level may be waited for now.
    ///
    /// # Errors
    /// When one of the same level, or of a later one, is held.
    pub fn check<L: Level>(&self) -> Result<(), OutOfOrder> {
        let Some(wanted) = L::RANK else {
            return Ok(());
        };
        let first = if L::IS_SHARED { wanted + 1 } else { wanted };
        let later =
            self.0.load(Ordering::Relaxed) & u64::MAX.checked_shl(first.into()).unwrap_or(0);
        if later == 0 {
            return Ok(());
        }
        Err(OutOfOrder {
            held: (u64::BITS - 1 - later.leading_zeros()) as u8,
            wanted,
        })
    }

    /// Notes that a lock of this level is held.
    pub fn note<L: Level>(&self) -> Noted {
        let Some(rank) = L::RANK else {
            return Noted::default();
        };
        let held = self.0.load(Ordering::Relaxed);
        // Of several of one level the first one has the note, and goes last.
        let new = 1 << rank & !held;
        self.0.store(held | new, Ordering::Relaxed);
        Noted(new)
    }

    /// The lock is free again.
    pub fn release(&self, noted: Noted) {
        let held = self.0.load(Ordering::Relaxed);
        self.0.store(held & !noted.0, Ordering::Relaxed);
    }
}

impl Default for Held {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Rank<const N: u8>;
    impl<const N: u8> Level for Rank<N> {
        const RANK: Option<u8> = Some(N);
        const NAME: &'static str = "test";
    }

    struct Shared;
    impl Level for Shared {
        const RANK: Option<u8> = Some(5);
        const NAME: &'static str = "shared";
        const IS_SHARED: bool = true;
    }

    #[test]
    fn later_levels_can_be_taken_and_earlier_ones_cannot() {
        let held = Held::new();
        let five = held.note::<Rank<5>>();
        assert_eq!(held.check::<Rank<6>>(), Ok(()));
        assert_eq!(held.check::<Rank<63>>(), Ok(()));
        for result in [
            held.check::<Rank<5>>(),
            held.check::<Rank<4>>(),
            held.check::<Rank<0>>(),
        ] {
            assert!(result.is_err_and(|error| error.held == 5), "{result:?}");
        }
        let last = held.note::<Rank<63>>();
        assert!(
            held.check::<Rank<63>>()
                .is_err_and(|error| error.held == 63)
        );
        held.release(last);
        held.release(five);
        assert!(held.is_empty());
        assert_eq!(held.check::<Rank<0>>(), Ok(()));
    }

    #[test]
    fn several_of_a_shared_level_are_one_note() {
        let held = Held::new();
        let first = held.note::<Shared>();
        assert_eq!(held.check::<Shared>(), Ok(()));
        let second = held.note::<Shared>();
        held.release(second);
        assert!(held.check::<Rank<4>>().is_err());
        held.release(first);
        assert!(held.is_empty());
    }

    #[test]
    fn unranked_locks_are_neither_noted_nor_refused() {
        let held = Held::new();
        let five = held.note::<Rank<5>>();
        assert_eq!(held.check::<Unranked>(), Ok(()));
        let none = held.note::<Unranked>();
        held.release(five);
        assert!(held.is_empty());
        held.release(none);
    }
}
