//! Where a frame's block is, and where a run of free frames is.

use super::block::{Block, FRAMES_SHIFT};

/// The position of block `number`.
///
/// Physical memory has few holes, mostly one below 4 GiB: the distance from the first or from the
/// last block is nearly always right, and saves a walk over blocks that lie 64 KiB apart.
pub(super) fn position(blocks: &[Block], number: u64) -> Option<usize> {
    let is_at = |index: usize| {
        blocks
            .get(index)
            .is_some_and(|block| block.number == number)
    };
    let from_first = number.checked_sub(blocks.first()?.number)?;
    let from_last = blocks.last()?.number.checked_sub(number)?;
    if let Ok(index) = usize::try_from(from_first)
        && is_at(index)
    {
        return Some(index);
    }
    if let Ok(back) = usize::try_from(from_last)
        && let Some(index) = (blocks.len() - 1).checked_sub(back)
        && is_at(index)
    {
        return Some(index);
    }
    blocks
        .binary_search_by_key(&number, |block| block.number)
        .ok()
}

/// The number of the highest frame `start`, a multiple of `align`, such that the `count` frames
/// from it on are all free and end at or below frame `limit`.
///
/// `align` must be a power of two and `count` not zero. The search goes down and looks at no word
/// twice: when a frame is in the way, the next try ends below it.
pub(super) fn highest_run(blocks: &[Block], count: u64, align: u64, limit: u64) -> Option<u64> {
    let mut end = limit;
    loop {
        let start = end.checked_sub(count)? & !(align - 1);
        match obstacle(blocks, start, start + count) {
            None => return Some(start),
            Some(at) => end = at,
        }
    }
}

/// [`Block::obstacle`] over all blocks; a frame without a block is not free.
fn obstacle(blocks: &[Block], first: u64, end: u64) -> Option<u64> {
    let mut end = end;
    while first < end {
        let number = (end - 1) >> FRAMES_SHIFT;
        let above = blocks.partition_point(|block| block.number <= number);
        let Some(block) = above.checked_sub(1).and_then(|index| blocks.get(index)) else {
            return Some(0);
        };
        if block.number != number {
            return Some((block.number + 1) << FRAMES_SHIFT);
        }
        let base = number << FRAMES_SHIFT;
        let low = first.max(base);
        if let Some(at) = block.obstacle((low - base) as usize, (end - base) as usize) {
            return Some(base + at as u64);
        }
        end = low;
    }
    None
}
