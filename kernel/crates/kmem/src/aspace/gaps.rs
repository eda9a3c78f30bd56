//! Choosing an address.
//!
//! The first chosen mapping of a space lies anywhere (its number is random); the next ones follow it at small random
//! distances, so that neighbours share page tables: scattered over the whole space, each would need three of its own.
//! When the place behind the last one is taken, the first gap that is large enough serves.

use super::{AddressMap, PageRun};

/// Chosen mappings begin at one of this many pages behind the guard page after their neighbour.
const JITTER: u64 = 16;

/// A page near which nothing is chosen at first: this much of the space, in its upper part, stays for the stack.
const KEEP_FREE: u64 = 16;

/// Where the first chosen mapping of a space with these bounds is tried.
pub(super) fn first_cursor(bounds: PageRun, random: u64) -> u64 {
    let pages = bounds.end.saturating_sub(bounds.start);
    // In the middle half, a multiple of 512 pages: programs and their stacks lie at the ends.
    let span = (pages / 2).max(1);
    let offset = pages / KEEP_FREE + (random >> JITTER.trailing_zeros()) % span;
    (bounds.start + offset.min(pages)) & !511
}

/// The next page at or after `page` whose number is a multiple of `align` (a power of two).
fn align_up(page: u64, align: u64) -> Option<u64> {
    Some(page.checked_add(align - 1)? & !(align - 1))
}

impl<A: Clone> AddressMap<A> {
    /// A place for so many pages, with a free page on each side.
    pub(super) fn choose(&self, pages: u64, align: u64, random: u64) -> Option<u64> {
        let wanted = self.cursor.checked_add(1 + random % JITTER)?;
        self.fit(wanted, pages, align)
            .filter(|&start| self.is_free_with_guards(start, pages))
            .or_else(|| self.first_fit(pages, align))
    }

    /// Where the pages go if they begin at or after `from`, regardless of what is there.
    fn fit(&self, from: u64, pages: u64, align: u64) -> Option<u64> {
        let start = align_up(from, align)?;
        let end = start.checked_add(pages)?;
        (start >= self.bounds.start && end <= self.bounds.end).then_some(start)
    }

    fn is_free_with_guards(&self, start: u64, pages: u64) -> bool {
        let run = PageRun {
            start: start.saturating_sub(1),
            end: start + pages + 1,
        };
        self.first_in(run).is_none()
    }

    /// The first gap that is large enough.
    fn first_fit(&self, pages: u64, align: u64) -> Option<u64> {
        let mut from = self.bounds.start;
        for mapping in self.iter() {
            let start = self.fit(from, pages, align)?;
            // One page stays free before the next mapping.
            if start + pages < mapping.start {
                return Some(start);
            }
            from = mapping.end() + 1;
        }
        self.fit(from, pages, align)
    }
}
