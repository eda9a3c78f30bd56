//! Areas: memory that owns its pages, however and wherever it is mapped.
//!
//! An [`Area`] says for each of its pages whether there is a frame, makes one at the first access, and shares frames with
//! its snapshots until one side writes. It knows nothing of mappings: whoever changes or takes pages of an area has
//! unmapped them first, and every processor has forgotten them.
//!
//! Invariants:
//! - A frame belongs to one area, or is counted as shared by several; it is given back when the last of them lets it go.
//! - A frame is zeroed once, when it comes to an area.
//! - An area is charged for each page that it has, shared or not, until the page goes.
//! - A page lies in the tree of small pages, or within one of the tree of large ones, never in both.
//! - Each operation does all it says or, on an error, nothing.
//! - Every large page below [`Area`]'s `sifted` is settled: there is nothing in it to give back.

mod ahead;
mod change;
mod kind;
mod pressure;
mod provide;
mod supply;

use core::marker::PhantomData;

pub use ahead::{AHEAD_MAX, Ahead, FrameRun};
use kaddr::{Frame, PAGE_SIZE, PhysRange};
pub use kind::{Kind, Location};
use ksync::Arc;
pub use provide::{Access, Change, ProvideError, Provided};
pub use supply::{OwnedFrame, OwnedLarge, Supply};

use crate::account::OverLimit;
use crate::page_tree::PageTree;

/// Small pages in a large one.
pub const LARGE_PAGES: u64 = 512;

/// The most pages of an area: as many as physical memory can have.
pub const PAGES_MAX: u64 = Frame::LIMIT;

/// A small page of an area.
#[derive(Debug)]
enum Page<P> {
    /// Its own.
    Own(P),
    /// Shared with snapshots; nobody writes to it while there is more than one reference.
    Shared(Arc<P>),
    /// On its way from one to the other.
    Moving,
}

/// A large page of an area.
#[derive(Debug)]
struct LargePage<L> {
    frames: L,
    /// It is not looked into when memory is short: all of it was found in use once, or was asked for by a commit.
    is_settled: bool,
}

impl<P: OwnedFrame> Page<P> {
    /// The frame, and whether it may be written to; `None` on its way.
    fn as_it_is(&mut self) -> Option<(Frame, bool)> {
        match self {
            Self::Own(own) => Some((own.frame(), true)),
            // Where nobody else has it, nobody can get it: a reference is only made from this one, under the area's lock.
            Self::Shared(shared) => Some((shared.frame(), Arc::get_mut(shared).is_some())),
            Self::Moving => None,
        }
    }
}

/// Why an area could not be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaError {
    /// A size of zero, or of more than [`PAGES_MAX`] pages; a range that is not within the area.
    OutOfRange,
    /// Areas of this kind cannot do this.
    NotSupported,
    /// Memory is short.
    OutOfMemory,
    /// The limit of the account is reached.
    OverLimit,
}

impl core::fmt::Display for AreaError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "a size or a range is outside of what the area can have",
            Self::NotSupported => "areas of this kind cannot do this",
            Self::OutOfMemory => "memory is short",
            Self::OverLimit => "the memory limit of the area's account is reached",
        })
    }
}

impl From<OverLimit> for AreaError {
    fn from(_: OverLimit) -> Self {
        Self::OverLimit
    }
}

impl From<ksync::AllocError> for AreaError {
    fn from(_: ksync::AllocError) -> Self {
        Self::OutOfMemory
    }
}

/// Memory that owns its pages.
#[derive(Debug)]
pub struct Area<S: Supply> {
    kind: Kind,
    /// Pages of the area, as a mapping counts them.
    pages: u64,
    small: PageTree<Page<S::Small>>,
    /// Large pages, by the number of the first small page divided by [`LARGE_PAGES`].
    large: PageTree<LargePage<S::Large>>,
    /// The number of the first large page that may be one to split when memory is short.
    sifted: u64,
    supply: PhantomData<fn() -> S>,
}

impl<S: Supply> Area<S> {
    const fn new(kind: Kind, pages: u64) -> Self {
        Self {
            kind,
            pages,
            small: PageTree::new(),
            large: PageTree::new(),
            sifted: u64::MAX,
            supply: PhantomData,
        }
    }

    /// Demand-allocated memory that can change its size.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn open(pages: u64) -> Result<Self, AreaError> {
        check_size(pages)?;
        Ok(Self::new(Kind::Open, pages))
    }

    /// Equal sections, with a page before each that can never be touched.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn guarded(sections: u64, section_pages: u64) -> Result<Self, AreaError> {
        check_size(sections)?;
        check_size(section_pages)?;
        let stride = section_pages + 1;
        let pages = sections.checked_mul(stride).ok_or(AreaError::OutOfRange)?;
        check_size(pages)?;
        Ok(Self::new(Kind::Guarded { stride }, pages))
    }

    /// A buffer of so many pages that is seen twice, back to back: the area is twice as long.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn ring(buffer_pages: u64) -> Result<Self, AreaError> {
        check_size(buffer_pages)?;
        let pages = buffer_pages.checked_mul(2).ok_or(AreaError::OutOfRange)?;
        check_size(pages)?;
        Ok(Self::new(Kind::Ring { buffer_pages }, pages))
    }

    /// A given range of physical memory, of whole pages, which the area never gives back.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn fixed(range: PhysRange) -> Result<Self, AreaError> {
        let first = Frame::starting_at(range.start).ok_or(AreaError::OutOfRange)?;
        if !range.is_aligned(PAGE_SIZE) {
            return Err(AreaError::OutOfRange);
        }
        let pages = range.len() / PAGE_SIZE;
        check_size(pages)?;
        // The last page must be a frame, too.
        first.checked_add(pages - 1).ok_or(AreaError::OutOfRange)?;
        Ok(Self::new(Kind::Fixed { first }, pages))
    }

    /// As [`Self::fixed`], for frames that go with the area when it goes: they come in order and without holes.
    ///
    /// # Errors
    /// `OutOfRange` when they are none or have holes; `OutOfMemory`, `OverLimit`. The frames are dropped then.
    pub fn fixed_owned(
        frames: impl Iterator<Item = S::Small>,
        supply: &mut S,
    ) -> Result<Self, AreaError> {
        let mut tree: PageTree<Page<S::Small>> = PageTree::new();
        let mut first = None;
        let mut next = None;
        for page in frames {
            let frame = page.frame();
            let start = *first.get_or_insert(frame);
            if next.is_some() && next != Some(frame) {
                return Err(AreaError::OutOfRange);
            }
            next = frame.checked_add(1);
            let key = frame.number() - start.number();
            tree.insert(key, Page::Own(page))
                .map_err(|_| AreaError::OutOfMemory)?;
        }
        let first = first.ok_or(AreaError::OutOfRange)?;
        supply.charge(tree.len())?;
        let mut area = Self::new(Kind::Fixed { first }, tree.len());
        area.small = tree;
        Ok(area)
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How many pages it has, as a mapping counts them: guard pages and the second view of a ring included.
    pub const fn pages(&self) -> u64 {
        self.pages
    }

    /// How many pages have frames that the area owns or shares; so many are charged.
    pub const fn committed(&self) -> u64 {
        self.small.len() + self.large.len() * LARGE_PAGES
    }

    /// How many of the committed pages lie in large pages.
    pub const fn committed_large(&self) -> u64 {
        self.large.len() * LARGE_PAGES
    }

    /// How many pages it shares with snapshots at this moment. Takes time in proportion to its size.
    pub fn shared(&mut self) -> u64 {
        let mut shared = 0;
        let visited: Result<(), core::convert::Infallible> =
            self.small.visit_mut(0, u64::MAX, |_, page| {
                let is_shared = matches!(page, Page::Shared(page) if Arc::count(page) > 1);
                shared += u64::from(is_shared);
                Ok(())
            });
        match visited {
            Ok(()) => shared,
        }
    }

    /// What a page of the area stands for.
    pub fn locate(&self, page: u64) -> Location {
        self.kind.locate(page, self.pages)
    }
}

fn check_size(pages: u64) -> Result<(), AreaError> {
    if pages == 0 || pages > PAGES_MAX {
        return Err(AreaError::OutOfRange);
    }
    Ok(())
}
