//! When the next picture is due: at most sixty in a second, and fewer when drawing them costs much.

/// Nanoseconds from one picture to the next at least.
const FRAME_NS: u64 = 16_666_667;
/// Drawing takes at most one part in so many of the time of a processor.
const SHARE: u64 = 25;
/// The longest time from one picture to the next, however much one costs.
const FRAME_MAX_NS: u64 = 120_000_000;

/// Says when the next picture is due.
#[derive(Default)]
pub struct Pace {
    due: u64,
}

impl Pace {
    /// When the next picture may be drawn, on the monotonic clock.
    pub fn due(&self) -> u64 {
        self.due
    }

    /// A picture was drawn, from one time to another.
    pub fn drawn(&mut self, begin: u64, end: u64) {
        let cost = end.saturating_sub(begin);
        let wait = cost.saturating_mul(SHARE).clamp(FRAME_NS, FRAME_MAX_NS);
        self.due = begin.saturating_add(wait);
    }
}

#[cfg(test)]
mod tests {
    use super::{FRAME_MAX_NS, FRAME_NS, Pace, SHARE};
    use proptest::prelude::{prop_assert, proptest};

    proptest! {
        #[test]
        fn drawing_takes_its_share_only(begin in 0..1_u64 << 40, cost in 0..1_u64 << 30) {
            let mut pace = Pace::default();
            pace.drawn(begin, begin + cost);
            let wait = pace.due() - begin;
            prop_assert!((FRAME_NS..=FRAME_MAX_NS).contains(&wait));
            prop_assert!(wait == FRAME_MAX_NS || cost * SHARE <= wait);
        }
    }
}
