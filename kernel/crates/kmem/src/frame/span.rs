//! Spans of frame numbers, and how many blocks a list of ranges touches.

use kaddr::{Frame, PAGE_SHIFT, PAGE_SIZE, PhysRange};

use super::block::FRAMES_SHIFT;

/// Frame numbers from `first` up to, but not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) end: u64,
}

impl Span {
    /// The frames that lie wholly in `range` and that a processor can address.
    pub(super) fn inside(range: PhysRange) -> Option<Self> {
        let inner = range.align_inward(PAGE_SIZE);
        Self::new(
            inner.start.as_u64() >> PAGE_SHIFT,
            inner.end.as_u64() >> PAGE_SHIFT,
        )
    }

    /// The frames that have a byte in `range` and that a processor can address.
    pub(super) fn touched(range: PhysRange) -> Option<Self> {
        if range.is_empty() {
            return None;
        }
        // The last byte exists, as the range is not empty; rounding its frame up cannot overflow.
        let last = (range.end.as_u64() - 1) >> PAGE_SHIFT;
        Self::new(range.start.as_u64() >> PAGE_SHIFT, last + 1)
    }

    fn new(first: u64, end: u64) -> Option<Self> {
        let end = end.min(Frame::LIMIT);
        (first < end).then_some(Self { first, end })
    }

    fn first_block(self) -> u64 {
        self.first >> FRAMES_SHIFT
    }

    fn last_block(self) -> u64 {
        (self.end - 1) >> FRAMES_SHIFT
    }
}

/// How many [`super::Block`]s a [`super::FrameAllocator`] over these ranges needs.
///
/// The ranges may be unsorted, overlapping, tiny and unaligned; only whole frames count.
pub fn blocks_needed(usable: impl Iterator<Item = PhysRange> + Clone) -> usize {
    let blocks: u64 = block_runs(usable)
        .map(|(first, last)| last - first + 1)
        .sum();
    usize::try_from(blocks).unwrap_or(usize::MAX)
}

/// The numbers of the blocks that the ranges touch, as ascending runs `(first, last)`.
///
/// Nothing can be sorted without memory, so each step looks at all ranges again: quadratic in the
/// number of runs, which is small on every machine.
pub(super) fn block_runs(
    usable: impl Iterator<Item = PhysRange> + Clone,
) -> impl Iterator<Item = (u64, u64)> {
    let mut from = 0;
    core::iter::from_fn(move || {
        let mut next: Option<(u64, u64)> = None;
        for span in usable.clone().filter_map(Span::inside) {
            if span.last_block() < from {
                continue;
            }
            let first = span.first_block().max(from);
            let last = span.last_block();
            next = match next {
                Some((low, high)) if low < first => Some((low, high)),
                Some((low, high)) if low == first => Some((low, high.max(last))),
                _ => Some((first, last)),
            };
        }
        from = next?.1 + 1;
        next
    })
}
