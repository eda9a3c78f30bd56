//! Changes of whole ranges: commit, decommit, resize, snapshot.

use alloc::vec::Vec;

use ksync::Arc;

use super::{Area, AreaError, Kind, LARGE_PAGES, Location, OwnedLarge, Page, Supply};

impl<S: Supply> Area<S> {
    fn check_range(&self, start: u64, pages: u64) -> Result<u64, AreaError> {
        let end = start.checked_add(pages).ok_or(AreaError::OutOfRange)?;
        if pages == 0 || end > self.pages {
            return Err(AreaError::OutOfRange);
        }
        Ok(end)
    }

    /// Gives all pages of a range that have none a frame; guard pages stay what they are. Large pages that have a part of it stay
    /// whole when memory is short.
    ///
    /// # Errors
    /// `OutOfRange`, `OutOfMemory`, `OverLimit`.
    pub fn commit(&mut self, start: u64, pages: u64, supply: &mut S) -> Result<(), AreaError> {
        let end = self.check_range(start, pages)?;
        // What was added, to be taken away again if the rest fails.
        let mut added: Vec<(u64, u64)> = Vec::new();
        for page in start..end {
            let Location::Page(key) = self.locate(page) else {
                continue;
            };
            if self.small.find(key).is_some() || self.settle(key) {
                continue;
            }
            let result = added
                .try_reserve(1)
                .map_err(|_| AreaError::OutOfMemory)
                .and_then(|()| self.add(key, supply));
            if let Err(error) = result {
                for (first, end) in added {
                    self.remove(first, end, supply);
                }
                return Err(error);
            }
            match added.last_mut() {
                Some((_, end)) if *end == key => *end += 1,
                _ => added.push((key, key + 1)),
            }
        }
        Ok(())
    }

    /// Takes the pages of a range away; they read as zeros when they are accessed again. In a ring a page is in the range when
    /// one of its two views is.
    ///
    /// # Errors
    /// `OutOfRange`; `NotSupported` for fixed areas; `OutOfMemory` when a large page has to be split.
    pub fn decommit(&mut self, start: u64, pages: u64, supply: &mut S) -> Result<(), AreaError> {
        let end = self.check_range(start, pages)?;
        match self.kind {
            Kind::Fixed { .. } => return Err(AreaError::NotSupported),
            Kind::Ring { buffer_pages } => {
                if pages >= buffer_pages {
                    self.remove(0, buffer_pages, supply);
                } else if start < buffer_pages && end > buffer_pages {
                    self.remove(start, buffer_pages, supply);
                    self.remove(0, end - buffer_pages, supply);
                } else {
                    let first = start % buffer_pages;
                    self.remove(first, first + pages, supply);
                }
            }
            Kind::Open | Kind::Guarded { .. } => {
                self.split_at(start)?;
                self.split_at(end)?;
                self.remove(start, end, supply);
            }
        }
        Ok(())
    }

    /// Changes the size; pages beyond a smaller one are taken away.
    ///
    /// # Errors
    /// `OutOfRange`; `NotSupported` for kinds but open ones; `OutOfMemory` when a large page has to be split.
    pub fn resize(&mut self, pages: u64, supply: &mut S) -> Result<(), AreaError> {
        if self.kind != Kind::Open {
            return Err(AreaError::NotSupported);
        }
        super::check_size(pages)?;
        if pages < self.pages {
            self.split_at(pages)?;
            self.remove(pages, self.pages, supply);
        }
        self.pages = pages;
        Ok(())
    }

    /// A second area with the same content. The pages of both are shared from now on: no mapping may show any of them
    /// writable when this is called. The new area's pages are charged to `supply`.
    ///
    /// # Errors
    /// `NotSupported` for fixed areas, `OutOfMemory`, `OverLimit`.
    pub fn snapshot(&mut self, supply: &mut S) -> Result<Self, AreaError> {
        if matches!(self.kind, Kind::Fixed { .. }) {
            return Err(AreaError::NotSupported);
        }
        while let Some((number, _)) = self.large.first_in(0, u64::MAX) {
            self.split_large(number)?;
        }
        let charge = self.committed();
        supply.charge(charge)?;
        let mut copy = Self::new(self.kind, self.pages);
        let shared = self.small.visit_mut(0, u64::MAX, |key, page| {
            // A page that is shared with nobody, because something fails later, is taken back when it is written to.
            let shared = share(page)?;
            let inserted = copy.small.insert(key, Page::Shared(shared));
            inserted.map(|_| ()).map_err(|_| AreaError::OutOfMemory)
        });
        if let Err(error) = shared {
            supply.uncharge(charge);
            return Err(error);
        }
        Ok(copy)
    }

    /// Splits the large page that reaches over the border before `page`, if there is one.
    fn split_at(&mut self, page: u64) -> Result<(), AreaError> {
        if page.is_multiple_of(LARGE_PAGES) || self.large.find(page / LARGE_PAGES).is_none() {
            return Ok(());
        }
        self.split_large(page / LARGE_PAGES)
    }

    /// Makes 512 small pages of a large one, in the same frames.
    fn split_large(&mut self, number: u64) -> Result<(), AreaError> {
        self.small.reserve_large()?;
        if let Some(large) = self.large.remove(number) {
            for (key, page) in (number * LARGE_PAGES..).zip(large.frames.into_small()) {
                let inserted = self.small.insert(key, Page::Own(page));
                debug_assert!(inserted.is_ok(), "there was memory in reserve");
            }
        }
        self.small.drop_reserve();
        Ok(())
    }

    /// Takes all pages away, at the end of the area. The small ones that it does not share are handed over, so that they can be
    /// given back together.
    pub fn clear(&mut self, supply: &mut S, mut take: impl FnMut(S::Small)) {
        let pages = self.committed();
        self.small.remove_range(0, u64::MAX, |_, page| {
            if let Page::Own(page) = page {
                take(page);
            }
        });
        self.large.remove_range(0, u64::MAX, |_, _| {});
        supply.uncharge(pages);
    }

    /// Takes pages away; no large page reaches over the ends.
    fn remove(&mut self, start: u64, end: u64, supply: &mut S) {
        let before = self.committed();
        self.small.remove_range(start, end, |_, _| {});
        self.large
            .remove_range(start.div_ceil(LARGE_PAGES), end / LARGE_PAGES, |_, _| {});
        supply.uncharge(before - self.committed());
    }
}

/// Makes a page a shared one; returns a second reference to it.
fn share<P>(page: &mut Page<P>) -> Result<Arc<P>, AreaError> {
    if let Page::Shared(shared) = page {
        return Ok(shared.clone());
    }
    // The frame moves from one owner to the other: memory for the count comes first.
    let place = Arc::try_reserve()?;
    match core::mem::replace(page, Page::Moving) {
        Page::Own(own) => {
            let shared = place.fill(own);
            *page = Page::Shared(shared.clone());
            Ok(shared)
        }
        other => {
            *page = other;
            Err(AreaError::OutOfMemory)
        }
    }
}
