//! The date between two looks at the chip: it goes on with the monotonic clock.

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    /// Nanoseconds since 1970.
    wall: u64,
    /// Nanoseconds on the monotonic clock.
    monotonic: u64,
}

impl Wall {
    /// The chip said `seconds` at this moment; `None` for dates that do not fit in nanoseconds.
    pub fn new(seconds: u64, monotonic: u64) -> Option<Self> {
        Some(Self {
            wall: seconds.checked_mul(SECOND)?,
            monotonic,
        })
    }

    /// The date at another moment, in nanoseconds since 1970.
    pub fn at(&self, monotonic: u64) -> u64 {
        if monotonic >= self.monotonic {
            self.wall.saturating_add(monotonic - self.monotonic)
        } else {
            self.wall.saturating_sub(self.monotonic - monotonic)
        }
    }

    /// How far the date of another look at the chip is from what this one says, in nanoseconds.
    pub fn difference(&self, other: &Self) -> u64 {
        self.at(other.monotonic).abs_diff(other.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn it_goes_on_as_the_monotonic_clock_does(seconds in 0u64..1 << 33, at in 0u64..1 << 60, later in 0u64..1 << 60) {
            let wall = Wall::new(seconds, at).expect("it fits");
            prop_assert_eq!(wall.at(at), seconds * SECOND);
            prop_assert_eq!(wall.at(at + later) - wall.at(at), later);
            let next_day = Wall::new(seconds + 86_400, at + later).expect("it fits");
            prop_assert_eq!(wall.difference(&next_day), (86_400 * SECOND).abs_diff(later));
            prop_assert_eq!(wall.difference(&wall), 0);
        }

        #[test]
        fn nothing_overflows(seconds in any::<u64>(), at in any::<u64>(), other in any::<u64>()) {
            if let Some(wall) = Wall::new(seconds, at) {
                wall.at(other);
                wall.difference(&Wall { wall: other, monotonic: seconds });
            }
        }
    }
}
