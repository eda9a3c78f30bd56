//! What an access to a page needs: a fresh frame, a copy of a shared one, or nothing.

use kaddr::{Frame, PageSize};
use ksync::Arc;

use super::{
    Area, AreaError, LARGE_PAGES, LargePage, Location, OwnedFrame, OwnedLarge, Page, Supply,
};

/// Room that a large page leaves in the account. An instruction needs a few pages at once, and each of them may be taken
/// back from a large page that holds nothing when the next one is needed: that one must come as a small page, which stays.
const ROOM: u64 = LARGE_PAGES / 2;

/// How a page is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// A page as a mapping may show it now.
#[derive(Debug)]
#[must_use]
pub struct Provided<P> {
    /// Its frame; the first one of a large page.
    pub frame: Frame,
    /// Its size: `Large` only where that was asked for.
    pub size: PageSize,
    /// Whether it may be mapped writable; if not, it is shared.
    pub is_writable: bool,
    /// What had to be done.
    pub change: Change<P>,
}

/// What providing a page did.
#[derive(Debug)]
#[must_use]
pub enum Change<P> {
    /// Nothing: it was there.
    None,
    /// It was given a frame.
    Added,
    /// It was shared and is now a copy. Mappings may still show the old frame, read-only; when every processor has forgotten it,
    /// this is to be dropped.
    Copied(SharedPage<P>),
}

/// An area's part in a shared frame.
#[derive(Debug)]
pub struct SharedPage<P>(#[expect(dead_code, reason = "kept to be dropped")] Arc<P>);

/// Why a page cannot be provided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvideError {
    /// It is a guard page.
    Guard,
    /// The area ends before it.
    Beyond,
    /// Memory is short.
    OutOfMemory,
    /// The limit of the account is reached.
    OverLimit,
}

impl From<AreaError> for ProvideError {
    fn from(error: AreaError) -> Self {
        match error {
            AreaError::OverLimit => Self::OverLimit,
            AreaError::OutOfRange => Self::Beyond,
            AreaError::OutOfMemory | AreaError::NotSupported => Self::OutOfMemory,
        }
    }
}

impl<P> Provided<P> {
    fn small(frame: Frame, is_writable: bool, change: Change<P>) -> Self {
        Self {
            frame,
            size: PageSize::Small,
            is_writable,
            change,
        }
    }
}

impl<S: Supply> Area<S> {
    /// Sees to it that a page can be accessed.
    ///
    /// With `largest` at `Large` the whole aligned run of 512 pages around it, if the area has it, may become one large page;
    /// the caller says so when its mapping can show that.
    ///
    /// # Errors
    /// See [`ProvideError`]; nothing has changed then.
    pub fn provide(
        &mut self,
        page: u64,
        access: Access,
        largest: PageSize,
        supply: &mut S,
    ) -> Result<Provided<S::Small>, ProvideError> {
        let key = match self.locate(page) {
            Location::Page(key) => key,
            Location::Frame(frame) => return Ok(Provided::small(frame, true, Change::None)),
            Location::Guard => return Err(ProvideError::Guard),
            Location::Beyond => return Err(ProvideError::Beyond),
        };
        if let Some(large) = self.large_at(key) {
            return large_page(large, key, largest, Change::None);
        }
        if let Some(page) = self.small.find_mut(key) {
            return shared_or_own(page, access, supply);
        }
        if largest >= PageSize::Large
            && let Some(large) = self.add_large(key, supply)
        {
            return large_page(large, key, largest, Change::Added);
        }
        let frame = self.add(key, supply)?;
        Ok(Provided::small(frame, true, Change::Added))
    }

    /// The frame that a page has now, if it has one; without one it reads as zeros. Nothing changes.
    ///
    /// # Errors
    /// `Guard`, `Beyond`.
    pub fn peek(&mut self, page: u64) -> Result<Option<Frame>, ProvideError> {
        let key = match self.locate(page) {
            Location::Page(key) => key,
            Location::Frame(frame) => return Ok(Some(frame)),
            Location::Guard => return Err(ProvideError::Guard),
            Location::Beyond => return Err(ProvideError::Beyond),
        };
        if let Some(first) = self.large_at(key) {
            return Ok(first.checked_add(key % LARGE_PAGES));
        }
        let small = self.small.find_mut(key).and_then(Page::as_it_is);
        Ok(small.map(|(frame, _)| frame))
    }

    pub(super) fn large_at(&self, key: u64) -> Option<Frame> {
        if self.large.is_empty() {
            return None;
        }
        let large = self.large.find(key / LARGE_PAGES)?;
        Some(large.frames.frame())
    }

    /// Gives a page that has none a frame.
    #[inline(always)]
    pub(super) fn add(&mut self, key: u64, supply: &mut S) -> Result<Frame, AreaError> {
        supply.charge(1)?;
        if let Some(page) = supply.zeroed() {
            let frame = page.frame();
            if self.small.insert(key, Page::Own(page)).is_ok() {
                return Ok(frame);
            }
        }
        supply.uncharge(1);
        Err(AreaError::OutOfMemory)
    }

    /// Gives a whole aligned run one large page, if the area has all of it, nothing is there yet, and there is one.
    #[inline(never)]
    fn add_large(&mut self, key: u64, supply: &mut S) -> Option<Frame> {
        let first = key - key % LARGE_PAGES;
        let is_whole = first.checked_add(LARGE_PAGES)? <= self.pages;
        if !self.kind.has_large()
            || !is_whole
            || self.small.first_in(first, first + LARGE_PAGES).is_some()
        {
            return None;
        }
        supply.charge(LARGE_PAGES + ROOM).ok()?;
        supply.uncharge(ROOM);
        let number = first / LARGE_PAGES;
        let added = supply.zeroed_large().and_then(|frames| {
            let frame = frames.frame();
            let large = LargePage {
                frames,
                is_settled: false,
            };
            self.large.insert(number, large).ok()?;
            self.sifted = self.sifted.min(number);
            Some(frame)
        });
        if added.is_none() {
            supply.uncharge(LARGE_PAGES);
        }
        added
    }
}

fn large_page<P>(
    first: Frame,
    key: u64,
    largest: PageSize,
    change: Change<P>,
) -> Result<Provided<P>, ProvideError> {
    if largest >= PageSize::Large {
        return Ok(Provided {
            frame: first,
            size: PageSize::Large,
            is_writable: true,
            change,
        });
    }
    let frame = first.checked_add(key % LARGE_PAGES);
    let frame = frame.ok_or(ProvideError::Beyond)?;
    Ok(Provided::small(frame, true, change))
}

fn shared_or_own<S: Supply>(
    page: &mut Page<S::Small>,
    access: Access,
    supply: &mut S,
) -> Result<Provided<S::Small>, ProvideError> {
    let shared = match page {
        Page::Own(own) => return Ok(Provided::small(own.frame(), true, Change::None)),
        Page::Shared(shared) => shared,
        Page::Moving => return Err(ProvideError::OutOfMemory),
    };
    if let Some(own) = Arc::get_mut(shared) {
        // Nobody else has it, and nobody can get it: a reference is only made from this one, under the area's lock. It stays in
        // its counted place, which costs nothing.
        return Ok(Provided::small(own.frame(), true, Change::None));
    }
    if access != Access::Write {
        return Ok(Provided::small(shared.frame(), false, Change::None));
    }
    let copy = supply
        .copy_of(shared.frame())
        .ok_or(ProvideError::OutOfMemory)?;
    let frame = copy.frame();
    match core::mem::replace(page, Page::Own(copy)) {
        Page::Shared(old) => Ok(Provided::small(
            frame,
            true,
            Change::Copied(SharedPage(old)),
        )),
        Page::Own(_) | Page::Moving => Ok(Provided::small(frame, true, Change::None)),
    }
}
