//! One block: the bitmaps of 1 GiB of physical memory.
//!
//! Frame indices here count from the start of the block. Bit `i % 64` of `leaf[i / 64]` is set
//! when frame `i` is free; a bit of `mid` is set when its `leaf` word is not zero, a bit of `top`
//! when its `mid` word is not zero, and a bit of `groups` when its eight `leaf` words are all
//! ones (2 MiB free). `managed` is set for frames that the allocator ever got.

use kaddr::Frame;

use super::summary;

/// The binary logarithm of [`FRAMES`].
pub(super) const FRAMES_SHIFT: u32 = 18;
/// Frames in a block.
pub(super) const FRAMES: usize = 1 << FRAMES_SHIFT;
/// Frames in a group, the size of a large page.
pub(super) const GROUP: usize = 512;

const WORD: usize = 64;
const WORDS: usize = FRAMES / WORD;
const WORDS_IN_GROUP: usize = GROUP / WORD;

/// The bookkeeping for 1 GiB of physical memory, about 65 KiB.
///
/// A block consists of integers only: any bytes are a valid `Block`, and
/// [`super::FrameAllocator::new`] overwrites all of it. So storage for blocks need not be cleared.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Block {
    /// The address of the block, in GiB.
    pub(super) number: u64,
    pub(super) summary: summary::Words,
    top: u64,
    groups: [u64; FRAMES / GROUP / WORD],
    mid: [u64; WORDS / WORD],
    leaf: [u64; WORDS],
    managed: [u64; WORDS],
}

/// Why a frame cannot be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Free(usize),
    NotManaged(usize),
}

/// The words that hold the bits `first..end`, each with the mask of those bits.
fn words(first: usize, end: usize) -> impl DoubleEndedIterator<Item = (usize, u64)> {
    (first / WORD..end.div_ceil(WORD)).map(move |word| {
        let base = word * WORD;
        let low = first.saturating_sub(base);
        let high = (end - base).min(WORD);
        (word, (u64::MAX << low) & (u64::MAX >> (WORD - high)))
    })
}

fn set(word: &mut u64, bit: usize, value: bool) {
    let bit = 1 << bit;
    *word = if value { *word | bit } else { *word & !bit };
}

impl Block {
    /// A block that manages nothing.
    pub const EMPTY: Self = Self {
        number: 0,
        summary: [[0; summary::LEVELS]; 2],
        top: 0,
        groups: [0; FRAMES / GROUP / WORD],
        mid: [0; WORDS / WORD],
        leaf: [0; WORDS],
        managed: [0; WORDS],
    };

    /// Makes this the empty block `number`, field by field: a block is too big for the stack.
    pub(super) fn reset(&mut self, number: u64) {
        self.number = number;
        self.summary = [[0; summary::LEVELS]; 2];
        self.top = 0;
        self.groups.fill(0);
        self.mid.fill(0);
        self.leaf.fill(0);
        self.managed.fill(0);
    }

    pub(super) fn has_frame(&self) -> bool {
        self.top != 0
    }

    pub(super) fn has_group(&self) -> bool {
        self.groups.iter().any(|&word| word != 0)
    }

    /// Takes the frames into management, free, except those that are in it already; returns how
    /// many were new.
    pub(super) fn manage(&mut self, first: usize, end: usize) -> usize {
        if end - first == FRAMES && self.managed.iter().all(|&word| word == 0) {
            self.top = u64::MAX;
            self.groups.fill(u64::MAX);
            self.mid.fill(u64::MAX);
            self.leaf.fill(u64::MAX);
            self.managed.fill(u64::MAX);
            return FRAMES;
        }
        let mut added = 0;
        for (word, mask) in words(first, end) {
            let new = mask & !self.managed[word];
            self.managed[word] |= new;
            self.leaf[word] |= new;
            added += new.count_ones() as usize;
        }
        self.refresh(first, end);
        added
    }

    /// Takes the highest free frame.
    pub(super) fn take_highest(&mut self) -> Option<usize> {
        let word = self.highest_word()?;
        let bit = self.leaf[word].checked_ilog2()? as usize;
        self.leaf[word] &= !(1 << bit);
        self.note_taken(word);
        Some(word * WORD + bit)
    }

    /// Takes the highest free frames, one for each place as long as there are any, in descending order; returns how many. The first
    /// frame of the block has the number `base`.
    pub(super) fn take_many(&mut self, base: u64, places: &mut [Option<Frame>]) -> usize {
        let mut count = 0;
        // A word at a time: for the last frame of each, all that depends on it is brought up to date.
        while count < places.len()
            && let Some(word) = self.highest_word()
        {
            let mut left = self.leaf[word];
            let rest = places.get_mut(count..).unwrap_or_default();
            for place in rest.iter_mut().take(left.count_ones() as usize) {
                let bit = left.ilog2();
                left &= !(1 << bit);
                *place = Frame::from_number(base + (word * WORD) as u64 + u64::from(bit));
                count += 1;
            }
            self.leaf[word] = left;
            self.note_taken(word);
        }
        count
    }

    /// The highest word with a free frame.
    fn highest_word(&self) -> Option<usize> {
        let top = self.top.checked_ilog2()? as usize;
        Some(top * WORD + self.mid[top].checked_ilog2()? as usize)
    }

    /// Brings up to date what depends on a word from which frames were taken.
    fn note_taken(&mut self, word: usize) {
        let group = word / WORDS_IN_GROUP;
        self.groups[group / WORD] &= !(1 << (group % WORD));
        if self.leaf[word] == 0 {
            let top = word / WORD;
            self.mid[top] &= !(1 << (word % WORD));
            if self.mid[top] == 0 {
                self.top &= !(1 << top);
            }
        }
    }

    /// Takes the highest free group and returns its first frame.
    pub(super) fn take_highest_group(&mut self) -> Option<usize> {
        let (index, word) = self
            .groups
            .iter()
            .enumerate()
            .rev()
            .find(|(_, word)| **word != 0)?;
        let group = index * WORD + word.checked_ilog2()? as usize;
        let first = group * GROUP;
        self.take(first, first + GROUP);
        Some(first)
    }

    /// Takes those of the frames that are free; returns how many.
    pub(super) fn take(&mut self, first: usize, end: usize) -> usize {
        let mut taken = 0;
        for (word, mask) in words(first, end) {
            taken += (self.leaf[word] & mask).count_ones() as usize;
            self.leaf[word] &= !mask;
        }
        self.refresh(first, end);
        taken
    }

    /// Whether all the frames can be given back; if not, the first that cannot.
    pub(super) fn check_give(&self, first: usize, end: usize) -> Result<(), Refusal> {
        for (word, mask) in words(first, end) {
            let foreign = mask & !self.managed[word];
            let free = mask & self.leaf[word];
            if (foreign | free) != 0 {
                let bit = (foreign | free).trailing_zeros() as usize;
                let index = word * WORD + bit;
                let refusal = if foreign >> bit & 1 == 1 {
                    Refusal::NotManaged(index)
                } else {
                    Refusal::Free(index)
                };
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// Gives frames back that [`Self::check_give`] has accepted.
    pub(super) fn give(&mut self, first: usize, end: usize) {
        for (word, mask) in words(first, end) {
            self.leaf[word] |= mask;
        }
        self.refresh(first, end);
    }

    /// Gives one frame back: [`Self::check_give`] and [`Self::give`] in one, without their loops.
    pub(super) fn give_one(&mut self, at: usize) -> Result<(), Refusal> {
        let (word, bit) = (at / WORD, 1 << (at % WORD));
        if self.managed[word] & bit == 0 {
            return Err(Refusal::NotManaged(at));
        }
        if self.leaf[word] & bit != 0 {
            return Err(Refusal::Free(at));
        }
        self.leaf[word] |= bit;
        self.mid[word / WORD] |= 1 << (word % WORD);
        self.top |= 1 << (word / WORD);
        if self.leaf[word] == u64::MAX {
            self.refresh(at, at + 1);
        }
        Ok(())
    }

    /// Whether a frame in `first..end` is not free. If so, returns an index `at` such that the
    /// highest such frame is not below `at` and no frame from `at` up to it is free.
    pub(super) fn obstacle(&self, first: usize, end: usize) -> Option<usize> {
        if self.top == 0 {
            return Some(0);
        }
        for (word, mask) in words(first, end).rev() {
            let taken = mask & !self.leaf[word];
            if let Some(bit) = taken.checked_ilog2() {
                return Some(if self.mid[word / WORD] == 0 {
                    word / WORD * WORD * WORD
                } else if self.leaf[word] == 0 {
                    word * WORD
                } else {
                    word * WORD + bit as usize
                });
            }
        }
        None
    }

    /// Recomputes what depends on the leaf bits `first..end`.
    fn refresh(&mut self, first: usize, end: usize) {
        if first >= end {
            return;
        }
        let words = first / WORD..=(end - 1) / WORD;
        for word in words.clone() {
            set(
                &mut self.mid[word / WORD],
                word % WORD,
                self.leaf[word] != 0,
            );
        }
        for top in words.start() / WORD..=words.end() / WORD {
            set(&mut self.top, top, self.mid[top] != 0);
        }
        for group in words.start() / WORDS_IN_GROUP..=words.end() / WORDS_IN_GROUP {
            let start = group * WORDS_IN_GROUP;
            let leaves = &self.leaf[start..start + WORDS_IN_GROUP];
            let full = leaves.iter().all(|&leaf| leaf == u64::MAX);
            set(&mut self.groups[group / WORD], group % WORD, full);
        }
    }
}
