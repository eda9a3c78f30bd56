//! The mappings of an address space: which pages of which area are seen where, and for what.
//!
//! [`AddressMap`] decides, and changes nothing but itself: the kernel carries every step over to the areas' lists of
//! mappings and to the page tables. So that an operation on a range happens wholly or not at all, it is made of small
//! steps: first the mappings at the two ends of the range are [split](AddressMap::split_at), which can fail but changes
//! nothing that a program could notice; then whole mappings are removed or changed, which cannot fail.
//!
//! Invariants:
//! - Mappings do not overlap and lie within the bounds; none is empty.
//! - A mapping is never writable and executable, and never allows what its limit does not.
//! - An address that the map chose has at least one free page on both sides, at that time.
//! - No number from outside, however large, leads to a wrong answer or a panic.

mod error;
mod gaps;
mod rights;

pub use error::SpaceError;
use kaddr::{PAGE_SHIFT, PAGE_SIZE, VirtRange};
pub use rights::Rights;

use crate::sorted::SortedMap;

/// The most mappings of one space.
pub const MAPPINGS_MAX: usize = 1 << 16;

/// A view of a run of an area's pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping<A> {
    /// Number of its first page.
    pub start: u64,
    /// How many pages it has.
    pub pages: u64,
    /// The area that it shows.
    pub area: A,
    /// The area's page that is seen at the first page.
    pub offset: u64,
    /// What it allows.
    pub rights: Rights,
    /// What it may be changed to allow: what the handle of the area allowed.
    pub limit: Rights,
}

impl<A> Mapping<A> {
    /// The number of the page after the last.
    pub fn end(&self) -> u64 {
        self.start + self.pages
    }

    /// The area's page that is seen at a page of the mapping.
    pub fn area_page(&self, page: u64) -> u64 {
        self.offset + (page - self.start)
    }
}

/// A run of whole pages within the bounds of a space; not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRun {
    /// Number of the first page.
    pub start: u64,
    /// Number of the page after the last.
    pub end: u64,
}

impl PageRun {
    /// How many pages it has.
    pub const fn pages(self) -> u64 {
        self.end - self.start
    }
}

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this page, or not at all.
    Fixed(u64),
    /// Where the map likes; the number makes the choice hard to guess.
    Chosen {
        /// Any number, new for each choice.
        random: u64,
        /// The first page's number is a multiple of this power of two.
        align: u64,
    },
}

/// The mappings of one space.
#[derive(Debug)]
pub struct AddressMap<A> {
    bounds: PageRun,
    mappings: SortedMap<u64, Mapping<A>>,
    pages: u64,
    /// Where the next chosen mapping is tried.
    cursor: u64,
    /// Where the last chosen one was tried.
    last_cursor: u64,
}

impl<A: Clone> AddressMap<A> {
    /// A map without mappings for a range of whole pages; `random` decides where chosen mappings begin.
    pub fn new(bounds: VirtRange, random: u64) -> Self {
        let bounds = PageRun {
            start: bounds.start.as_u64().div_ceil(PAGE_SIZE),
            end: (bounds.end.as_u64() >> PAGE_SHIFT).max(bounds.start.as_u64().div_ceil(PAGE_SIZE)),
        };
        let cursor = gaps::first_cursor(bounds, random);
        Self {
            bounds,
            mappings: SortedMap::new(),
            pages: 0,
            cursor,
            last_cursor: cursor,
        }
    }

    /// The run of pages that a program means by an address and a length in bytes.
    ///
    /// # Errors
    /// `Empty`, `Misaligned`, `NotUserSpace`.
    pub fn run(&self, address: u64, len: u64) -> Result<PageRun, SpaceError> {
        if len == 0 {
            return Err(SpaceError::Empty);
        }
        if !(address | len).is_multiple_of(PAGE_SIZE) {
            return Err(SpaceError::Misaligned);
        }
        let end = address.checked_add(len).ok_or(SpaceError::NotUserSpace)?;
        let run = PageRun {
            start: address >> PAGE_SHIFT,
            end: end >> PAGE_SHIFT,
        };
        if run.start < self.bounds.start || run.end > self.bounds.end {
            return Err(SpaceError::NotUserSpace);
        }
        Ok(run)
    }

    /// How many mappings there are.
    pub fn len(&self) -> usize {
        self.mappings.len()
    }

    /// Whether there is no mapping.
    pub fn is_empty(&self) -> bool {
        self.mappings.is_empty()
    }

    /// How many pages are mapped.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// The mapping that a page lies in.
    #[inline(always)]
    pub fn find(&self, page: u64) -> Option<&Mapping<A>> {
        match self.mappings.recent() {
            Some((_, mapping)) if page.wrapping_sub(mapping.start) < mapping.pages => Some(mapping),
            _ => self.search(page),
        }
    }

    /// As [`Self::find`], wherever it is.
    #[inline(never)]
    fn search(&self, page: u64) -> Option<&Mapping<A>> {
        let (_, mapping) = self.mappings.floor(page)?;
        (page < mapping.end()).then_some(mapping)
    }

    /// Whether a run is exactly one mapping.
    pub fn is_whole(&self, run: PageRun) -> bool {
        self.find(run.start)
            .is_some_and(|mapping| mapping.start == run.start && mapping.end() == run.end)
    }

    /// The first mapping that has a page in the run.
    pub fn first_in(&self, run: PageRun) -> Option<&Mapping<A>> {
        let (before, above) = self.mappings.around(run.start);
        match (before, above) {
            (Some((_, mapping)), _) if run.start < mapping.end() => Some(mapping),
            (_, Some((start, mapping))) if start < run.end => Some(mapping),
            _ => None,
        }
    }

    /// The mappings that have a page in the run, by address.
    pub fn overlapping(&self, run: PageRun) -> impl Iterator<Item = &Mapping<A>> {
        let before = self.find(run.start).filter(|first| first.start < run.start);
        let inside = self.mappings.range(run.start..run.end);
        before.into_iter().chain(inside.map(|(_, mapping)| mapping))
    }

    /// All mappings, by address.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping<A>> {
        self.mappings.iter().map(|(_, mapping)| mapping)
    }

    /// Adds a mapping; returns the number of its first page.
    ///
    /// # Errors
    /// Any but `NotMapped`; nothing has changed then. `AccessDenied` when the rights go beyond the limit.
    pub fn map(
        &mut self,
        place: Place,
        pages: u64,
        area: A,
        offset: u64,
        rights: Rights,
        limit: Rights,
    ) -> Result<u64, SpaceError> {
        rights.check(limit)?;
        if pages == 0 {
            return Err(SpaceError::Empty);
        }
        offset.checked_add(pages).ok_or(SpaceError::Overflow)?;
        if self.mappings.len() >= MAPPINGS_MAX {
            return Err(SpaceError::TooMany);
        }
        let start = self.place(place, pages)?;
        let mapping = Mapping {
            start,
            pages,
            area,
            offset,
            rights,
            limit,
        };
        match self.mappings.insert(start, mapping) {
            Ok(old) => debug_assert!(old.is_none(), "the place was free"),
            Err(_) => return Err(SpaceError::OutOfMemory),
        }
        self.pages += pages;
        if matches!(place, Place::Chosen { .. }) {
            self.last_cursor = self.cursor;
            self.cursor = start + pages;
        }
        Ok(start)
    }

    fn place(&self, place: Place, pages: u64) -> Result<u64, SpaceError> {
        match place {
            Place::Fixed(start) => {
                let end = start.checked_add(pages).ok_or(SpaceError::NotUserSpace)?;
                if start < self.bounds.start || end > self.bounds.end {
                    return Err(SpaceError::NotUserSpace);
                }
                let run = PageRun { start, end };
                match self.first_in(run) {
                    Some(_) => Err(SpaceError::Occupied),
                    None => Ok(start),
                }
            }
            Place::Chosen { random, align } => {
                if !align.is_power_of_two() {
                    return Err(SpaceError::Misaligned);
                }
                self.choose(pages, align, random).ok_or(SpaceError::NoRoom)
            }
        }
    }

    /// Makes room for one split, so that the next [`split_at`](Self::split_at) cannot fail.
    ///
    /// # Errors
    /// `TooMany`, `OutOfMemory`.
    pub fn reserve_split(&mut self) -> Result<(), SpaceError> {
        if self.mappings.len() >= MAPPINGS_MAX {
            return Err(SpaceError::TooMany);
        }
        self.mappings
            .reserve(1)
            .map_err(|_| SpaceError::OutOfMemory)
    }

    /// Cuts the mapping that a page lies in before that page, unless it begins there; returns the start of the first part.
    ///
    /// # Errors
    /// `TooMany`, `OutOfMemory`; nothing has changed then.
    pub fn split_at(&mut self, page: u64) -> Result<Option<u64>, SpaceError> {
        let Some(whole) = self.find(page).filter(|mapping| mapping.start < page) else {
            return Ok(None);
        };
        let start = whole.start;
        let second = Mapping {
            start: page,
            pages: whole.end() - page,
            offset: whole.area_page(page),
            ..whole.clone()
        };
        self.reserve_split()?;
        if self.mappings.insert(page, second).is_err() {
            return Err(SpaceError::OutOfMemory);
        }
        if let Some(first) = self.mappings.get_mut(start) {
            first.pages = page - start;
        }
        Ok(Some(start))
    }

    /// Removes the mapping that begins at a page.
    pub fn remove(&mut self, start: u64) -> Option<Mapping<A>> {
        let mapping = self.mappings.remove(start)?;
        self.pages -= mapping.pages;
        if self.cursor == mapping.end() {
            // What was chosen last and is gone can be used again, with the page tables that it had, and the gap before it:
            // else a mapping that comes and goes would wander through the space.
            self.cursor = self.last_cursor.min(mapping.start);
        }
        Some(mapping)
    }

    /// Whether all pages of a run are mapped and may get these rights.
    ///
    /// # Errors
    /// `NotMapped`, `AccessDenied`, `WriteExecute`.
    pub fn check_protect(&self, run: PageRun, rights: Rights) -> Result<(), SpaceError> {
        let mut next = run.start;
        while next < run.end {
            let mapping = self.find(next).ok_or(SpaceError::NotMapped)?;
            rights.check(mapping.limit)?;
            next = mapping.end();
        }
        Ok(())
    }

    /// Changes what the mapping that begins at a page allows.
    ///
    /// # Errors
    /// `NotMapped`, `AccessDenied`, `WriteExecute`.
    pub fn set_rights(&mut self, start: u64, rights: Rights) -> Result<(), SpaceError> {
        let mapping = self.mappings.get_mut(start).ok_or(SpaceError::NotMapped)?;
        rights.check(mapping.limit)?;
        mapping.rights = rights;
        Ok(())
    }
}
