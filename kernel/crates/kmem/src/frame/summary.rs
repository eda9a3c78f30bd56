//! Finding the highest block that has something, without looking at each.
//!
//! A tree of words over the blocks: bit `i` of a word says that child `i` has something. Word `k`
//! of tree level `l` lies in the header of block `k`, so the tree needs no storage of its own and
//! grows with the number of blocks. There is one tree for free frames and one for free groups of
//! 2 MiB.

use super::block::Block;

/// Tree levels: 64^4 blocks of 1 GiB are more than 52 address bits can name.
pub(super) const LEVELS: usize = 4;

/// What a tree is about.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Blocks with a free frame.
    Frames = 0,
    /// Blocks with a free, aligned 2 MiB.
    Groups = 1,
}

/// The words of one block's header.
pub(super) type Words = [[u64; LEVELS]; 2];

/// How many levels it takes to cover `blocks` blocks.
pub(super) fn height(blocks: usize) -> usize {
    let mut height = 1;
    let mut covered = 64;
    while covered < blocks && height < LEVELS {
        covered *= 64;
        height += 1;
    }
    height
}

/// Notes whether block `index` has something.
pub(super) fn note(blocks: &mut [Block], height: usize, kind: Kind, index: usize, has: bool) {
    let mut index = index;
    let mut has = has;
    for level in 0..height {
        let word = &mut blocks[index / 64].summary[kind as usize][level];
        let before = *word;
        let bit = 1 << (index % 64);
        *word = if has { before | bit } else { before & !bit };
        if (before == 0) == (*word == 0) {
            return;
        }
        has = *word != 0;
        index /= 64;
    }
}

/// The highest block that has something.
pub(super) fn highest(blocks: &[Block], height: usize, kind: Kind) -> Option<usize> {
    let mut index = 0;
    for level in (0..height).rev() {
        let word = blocks[index].summary[kind as usize][level];
        index = index * 64 + word.checked_ilog2()? as usize;
    }
    Some(index)
}
