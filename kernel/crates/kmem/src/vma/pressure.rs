//! When memory is short: large pages give back what they hold without use.
//!
//! A large page is charged as a whole at the first touch, although a single page of it may be all that is ever used. A
//! small page of it that holds only zeros can be taken away: it reads the same when it comes back.

use super::{Area, AreaError, Kind, LARGE_PAGES, OwnedLarge, Page, Supply};

/// Which small pages of a large one are in use: a bit each, and a word for each leaf of the tree of small pages.
type Used = [u64; (LARGE_PAGES / 64) as usize];

impl<S: Supply> Area<S> {
    /// The first page of a large page that may hold something without use. `None` when there is none in the area: all were
    /// found to be [in use](Self::is_in_use), or committed.
    pub fn idle_large(&mut self) -> Option<u64> {
        let visited = self
            .large
            .visit_mut(self.sifted, u64::MAX, |number, large| {
                if large.is_settled {
                    Ok(())
                } else {
                    Err(number)
                }
            });
        self.sifted = visited.err().unwrap_or(u64::MAX);
        let number = visited.err()?;
        Some(number * LARGE_PAGES)
    }

    /// Whether each small page of a large page holds something. It is noted, so that the page is not looked into again. Mappings may
    /// go on to write meanwhile: what they write is found in use, now or by [`Self::shed`].
    pub fn is_in_use(&mut self, first: u64, supply: &S) -> bool {
        let Some(large) = self.large.find_mut(first / LARGE_PAGES) else {
            return true;
        };
        let start = large.frames.frame();
        large.is_settled = (0..LARGE_PAGES)
            .filter_map(|index| start.checked_add(index))
            .all(|frame| !supply.is_zero(frame));
        large.is_settled
    }

    /// Splits a large page and gives back the small pages of it that hold only zeros; returns how many. If there are none it
    /// stays whole. No mapping may show any of it, and every processor has forgotten them.
    ///
    /// # Errors
    /// `OutOfMemory` when what is left cannot be noted; nothing has changed then.
    pub fn shed(&mut self, first: u64, supply: &mut S) -> Result<u64, AreaError> {
        let number = first / LARGE_PAGES;
        let Some(large) = self.large.find_mut(number) else {
            return Ok(0);
        };
        let mut used: Used = [0; _];
        let start = large.frames.frame();
        for index in 0..LARGE_PAGES {
            let is_zero = start
                .checked_add(index)
                .is_some_and(|frame| supply.is_zero(frame));
            if !is_zero && let Some(word) = used.get_mut((index / 64) as usize) {
                *word |= 1 << (index % 64);
            }
        }
        let kept: u64 = used.iter().map(|word| u64::from(word.count_ones())).sum();
        if kept == LARGE_PAGES {
            large.is_settled = true;
            return Ok(0);
        }
        if kept != 0 {
            let leaves = used.iter().filter(|word| **word != 0).count();
            self.small.reserve_part(leaves)?;
        }
        let large = self.large.remove(number);
        if kept != 0
            && let Some(large) = large
        {
            for (index, page) in (0..LARGE_PAGES).zip(large.frames.into_small()) {
                let word = used.get((index / 64) as usize).copied().unwrap_or(0);
                if word & 1 << (index % 64) != 0 {
                    let inserted = self
                        .small
                        .insert(number * LARGE_PAGES + index, Page::Own(page));
                    debug_assert!(inserted.is_ok(), "there was memory in reserve");
                }
            }
            self.small.drop_reserve();
        }
        supply.uncharge(LARGE_PAGES - kept);
        Ok(LARGE_PAGES - kept)
    }

    /// About how many pages a [commit](Self::commit) of a range would add; not fewer than it does.
    pub fn missing(&mut self, start: u64, pages: u64) -> u64 {
        if let Kind::Ring { buffer_pages } = self.kind {
            return pages.min(buffer_pages - self.committed());
        }
        let end = start.saturating_add(pages);
        let mut present = 0;
        let mut count = |part: u64| -> Result<(), core::convert::Infallible> {
            present += part;
            Ok(())
        };
        let Ok(()) = self.small.visit_mut(start, end, |_, _| count(1));
        let (first, last) = (start / LARGE_PAGES, end.div_ceil(LARGE_PAGES));
        let Ok(()) = self.large.visit_mut(first, last, |number, _| {
            let from = start.max(number * LARGE_PAGES);
            count(end.min((number + 1) * LARGE_PAGES) - from)
        });
        pages - present
    }

    /// Whether a page lies in a large one, which is kept whole from now on.
    pub(super) fn settle(&mut self, key: u64) -> bool {
        if self.large.is_empty() {
            return false;
        }
        let large = self.large.find_mut(key / LARGE_PAGES);
        large.is_some_and(|large| {
            large.is_settled = true;
            true
        })
    }
}
