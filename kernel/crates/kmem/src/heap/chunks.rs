//! Which chunks of the heap's address range are in use.
//!
//! A bitmap, first fit: low chunks are used again first, so that the page tables for the range stay few.

/// Chunks that one word of the bitmap stands for.
const PER_WORD: usize = 64;

/// A run of chunks, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first one.
    pub start: usize,
    /// How many.
    pub len: usize,
}

/// `64 * WORDS` chunks, all free at first.
#[derive(Debug)]
pub struct Chunks<const WORDS: usize> {
    /// A set bit is a chunk in use.
    used: [u64; WORDS],
    count: usize,
}

impl<const WORDS: usize> Chunks<WORDS> {
    /// All chunks are free.
    pub const fn new() -> Self {
        Self {
            used: [0; WORDS],
            count: 0,
        }
    }

    /// How many chunks there are.
    pub const fn capacity(&self) -> usize {
        WORDS * PER_WORD
    }

    /// How many are in use.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes the first `len` free chunks in a row; `None` when there is no such run, or `len` is 0.
    pub fn take(&mut self, len: usize) -> Option<Run> {
        if len == 0 {
            return None;
        }
        let mut start = 0usize;
        while start.checked_add(len)? <= self.capacity() {
            match (start..start + len)
                .rev()
                .find(|&chunk| self.is_used(chunk))
            {
                None => {
                    let run = Run { start, len };
                    self.set(run, true);
                    return Some(run);
                }
                // No run that begins at or before the last one that is in the way can be free.
                Some(last) => start = self.next_free(last + 1)?,
            }
        }
        None
    }

    /// Gives a run back; whether all of it was in use, without which nothing changes.
    #[must_use = "chunks that were not in use are the sign of a bug"]
    pub fn give_back(&mut self, run: Run) -> bool {
        let is_whole = run.start.checked_add(run.len).is_some_and(|end| {
            end <= self.capacity() && (run.start..end).all(|chunk| self.is_used(chunk))
        });
        if is_whole {
            self.set(run, false);
        }
        is_whole
    }

    fn is_used(&self, chunk: usize) -> bool {
        self.used[chunk / PER_WORD] >> (chunk % PER_WORD) & 1 != 0
    }

    /// The first free chunk from `from` on.
    fn next_free(&self, from: usize) -> Option<usize> {
        let mut word = from / PER_WORD;
        let mut free = !self.used.get(word)? & (u64::MAX << (from % PER_WORD));
        while free == 0 {
            word += 1;
            free = !*self.used.get(word)?;
        }
        Some(word * PER_WORD + free.trailing_zeros() as usize)
    }

    fn set(&mut self, run: Run, used: bool) {
        for chunk in run.start..run.start + run.len {
            let bit = 1 << (chunk % PER_WORD);
            let word = &mut self.used[chunk / PER_WORD];
            if used {
                *word |= bit;
            } else {
                *word &= !bit;
            }
        }
        if used {
            self.count += run.len;
        } else {
            self.count -= run.len;
        }
    }
}

impl<const WORDS: usize> Default for Chunks<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}
