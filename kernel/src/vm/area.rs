//! Areas as kernel objects: a lock, an account, and the list of mappings that show them.

use core::num::NonZeroU64;

use kaddr::{PAGE_SHIFT, PAGE_SIZE, PageSize, PhysRange};
use kmem::aspace::{PageRun, Rights};
use kmem::few::FewMap;
use kmem::pt::{CacheMode, Protection};
pub use kmem::vma::AreaError;
use kmem::vma::{Access, Ahead, Area, Change, Kind, LARGE_PAGES, ProvideError, Provided};
use ksync::{AllocError, Arc};

use super::futex::Sleepers;
use super::pages::{Bin, Frames, Small};
use super::pressure::{Lack, Place};
use super::view::{View, protection};
use super::{Account, FaultError, pressure};
use crate::arch::current::IrqLock;
use crate::locks;
use crate::mm::phys_to_virt;

/// A mapping that shows the area: `pages` pages of the view, from the area's page `offset` on. Its first page is in the key.
struct Shown {
    view: Arc<View>,
    pages: u64,
    offset: u64,
}

/// Number of a view, and of the mapping's first page in it.
type ShownKey = (u64, u64);

/// What the lock of an area guards.
pub(super) struct Inner {
    pub(super) area: Area<Frames>,
    pub(super) supply: Frames,
    pub(super) ahead: Ahead,
    shown: FewMap<ShownKey, Shown>,
    /// Whether it ever had a snapshot, or is one: pages may be shared.
    may_share: bool,
    /// Whether it is in the list of areas whose large pages can be split when memory is short.
    pub(super) is_listed: bool,
    /// What it is entered as.
    pub(super) place: Place,
}

/// Memory that owns its pages. It goes, with them, when no handle and no mapping refers to it any more.
pub struct VmArea {
    pub(super) inner: IrqLock<Inner, locks::Area>,
    pub(super) cache: CacheMode,
    /// How many pages a ring has, each of which it shows twice.
    ring_pages: Option<NonZeroU64>,
    /// Who waits for words of it.
    pub(super) sleepers: IrqLock<Sleepers, locks::Sleepers>,
}

impl VmArea {
    fn with(
        area: Area<Frames>,
        supply: Frames,
        cache: CacheMode,
        may_share: bool,
    ) -> Result<Arc<Self>, AllocError> {
        let ring_pages = match area.kind() {
            Kind::Ring { buffer_pages } => NonZeroU64::new(buffer_pages),
            Kind::Open | Kind::Guarded { .. } | Kind::Fixed { .. } => None,
        };
        let area = Arc::try_new(Self {
            inner: IrqLock::new(Inner {
                area,
                supply,
                ahead: Ahead::new(),
                shown: FewMap::new(),
                may_share,
                is_listed: false,
                place: Place::NONE,
            }),
            cache,
            ring_pages,
            sleepers: IrqLock::new(Sleepers::new()),
        })?;
        area.inner.lock().place = Place::of(&area);
        Ok(area)
    }

    /// A demand-allocated area; see [`Area`] for the kinds. The account pays for its pages.
    ///
    /// # Errors
    /// For sizes that cannot be, or when memory is short.
    pub fn new(kind: NewArea, account: Arc<Account>) -> Result<Arc<Self>, AreaError> {
        let area = match kind {
            NewArea::Open { pages } => Area::open(pages),
            NewArea::Guarded {
                sections,
                section_pages,
            } => Area::guarded(sections, section_pages),
            NewArea::Ring { pages } => Area::ring(pages),
        }?;
        Ok(Self::with(
            area,
            Frames(account),
            CacheMode::WriteBack,
            false,
        )?)
    }

    /// A given range of physical memory, which is never given back: what drivers get their registers by.
    ///
    /// # Errors
    /// For ranges that cannot be, or when memory is short.
    pub fn fixed(
        range: PhysRange,
        cache: CacheMode,
        account: Arc<Account>,
    ) -> Result<Arc<Self>, AreaError> {
        Ok(Self::with(
            Area::fixed(range)?,
            Frames(account),
            cache,
            false,
        )?)
    }

    /// How many pages it has.
    pub fn pages(&self) -> u64 {
        self.inner.lock().area.pages()
    }

    /// The same page for all that show the same memory: rings show each page twice.
    #[inline]
    pub(super) fn own_page(&self, page: u64) -> u64 {
        self.ring_pages.map_or(page, |pages| page % pages)
    }

    /// What `vm_area_info` tells.
    pub fn info(&self) -> abi::area::Info {
        let mut inner = self.inner.lock();
        abi::area::Info {
            kind: match inner.area.kind() {
                Kind::Open => abi::area::OPEN,
                Kind::Guarded { .. } => abi::area::GUARDED,
                Kind::Ring { .. } => abi::area::RING,
                Kind::Fixed { .. } => abi::area::FIXED,
            },
            size: inner.area.pages() * PAGE_SIZE,
            committed: inner.area.committed() * PAGE_SIZE,
            mappings: inner.shown.len() as u64,
            shared: inner.area.shared() * PAGE_SIZE,
            large: inner.area.committed_large() * PAGE_SIZE,
        }
    }

    /// Gives pages to a run of the area.
    ///
    /// # Errors
    /// As [`Area::commit`].
    pub fn commit(&self, start: u64, pages: u64) -> Result<(), AreaError> {
        let attempt = || {
            let Inner { area, supply, .. } = &mut *self.inner.lock();
            area.commit(start, pages, supply)
        };
        pressure::twice(attempt, |lack| {
            let missing = self.inner.lock().area.missing(start, pages);
            pressure::relieve(lack, &self.account(), missing)
        })
    }

    /// Takes the pages of a run away.
    ///
    /// # Errors
    /// As [`Area::decommit`].
    pub fn decommit(&self, start: u64, pages: u64) -> Result<(), AreaError> {
        let mut inner = self.inner.lock();
        inner.hide(start, start.saturating_add(pages));
        let Inner { area, supply, .. } = &mut *inner;
        area.decommit(start, pages, supply)
    }

    /// Changes the size.
    ///
    /// # Errors
    /// As [`Area::resize`].
    pub fn resize(&self, pages: u64) -> Result<(), AreaError> {
        let mut inner = self.inner.lock();
        inner.hide(pages, u64::MAX);
        let Inner { area, supply, .. } = &mut *inner;
        area.resize(pages, supply)
    }

    /// An area with the same content, which shares the pages until one side writes; the account pays for it.
    ///
    /// # Errors
    /// As [`Area::snapshot`].
    pub fn snapshot(&self, account: Arc<Account>) -> Result<Arc<Self>, AreaError> {
        pressure::twice(
            || self.try_snapshot(account.clone()),
            |lack| {
                // Its pages are shared: only nodes and counts take frames.
                let pages = match lack {
                    Lack::Limit => self.inner.lock().area.committed(),
                    Lack::Frames => 1,
                };
                pressure::relieve(lack, &account, pages)
            },
        )
    }

    fn try_snapshot(&self, account: Arc<Account>) -> Result<Arc<Self>, AreaError> {
        let mut supply = Frames(account);
        let copy = {
            let mut inner = self.inner.lock();
            // No mapping may go on to write to what is shared: all fault, and are shown what they may have.
            inner.hide(0, u64::MAX);
            inner.may_share = true;
            inner.area.snapshot(&mut supply)?
        };
        let charged = copy.committed();
        let account = supply.0.clone();
        Self::with(copy, supply, self.cache, true).map_err(|error| {
            account.uncharge(charged);
            error.into()
        })
    }

    /// Writes bytes at an offset, whoever maps it and how: what a loader does. The pages are made as needed.
    ///
    /// # Errors
    /// When pages cannot be provided.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), ProvideError> {
        pressure::twice(
            || self.try_write(offset, bytes),
            |lack| {
                let pages = bytes.len() as u64 / PAGE_SIZE + 2;
                let missing = self.inner.lock().area.missing(offset >> PAGE_SHIFT, pages);
                pressure::relieve(lack, &self.account(), missing)
            },
        )
    }

    fn try_write(&self, offset: u64, bytes: &[u8]) -> Result<(), ProvideError> {
        let mut inner = self.inner.lock();
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = at % PAGE_SIZE;
            let (piece, tail) = rest.split_at(rest.len().min((PAGE_SIZE - within) as usize));
            let Inner { area, supply, .. } = &mut *inner;
            let page = at >> PAGE_SHIFT;
            let provided = area.provide(page, Access::Write, PageSize::Small, supply)?;
            if let Change::Copied(_) = provided.change {
                inner.hide(page, page + 1);
            }
            let place = phys_to_virt(provided.frame.start()).as_u64() + within;
            // SAFETY: a frame of this area, which is locked, in the direct map, up to its end (invariants 1 and 4).
            unsafe { (place as *mut u8).copy_from_nonoverlapping(piece.as_ptr(), piece.len()) };
            at += piece.len() as u64;
            rest = tail;
        }
        Ok(())
    }

    /// Enters a mapping.
    ///
    /// # Errors
    /// `OutOfRange` when the area is shorter; `OutOfMemory`.
    pub(super) fn enter(
        &self,
        view: &Arc<View>,
        start: u64,
        pages: u64,
        offset: u64,
    ) -> Result<(), AreaError> {
        let mut inner = self.inner.lock();
        if offset
            .checked_add(pages)
            .is_none_or(|end| end > inner.area.pages())
        {
            return Err(AreaError::OutOfRange);
        }
        let shown = Shown {
            view: view.clone(),
            pages,
            offset,
        };
        let inserted = inner.shown.insert((view.id, start), shown);
        inserted.map(|_| ()).map_err(|_| AreaError::OutOfMemory)
    }

    /// Cuts a mapping in two before a page of it.
    ///
    /// # Errors
    /// When memory is short; nothing has changed then.
    pub(super) fn split(&self, view: &View, start: u64, page: u64) -> Result<(), AllocError> {
        let mut inner = self.inner.lock();
        let Some(whole) = inner.shown.get_mut((view.id, start)) else {
            return Ok(());
        };
        let first_pages = page - start;
        let second = Shown {
            view: whole.view.clone(),
            pages: whole.pages - first_pages,
            offset: whole.offset + first_pages,
        };
        let inserted = inner.shown.insert((view.id, page), second);
        if inserted.is_err() {
            return Err(AllocError);
        }
        if let Some(first) = inner.shown.get_mut((view.id, start)) {
            first.pages = first_pages;
        }
        Ok(())
    }

    /// Undoes a split, which another step after it made useless.
    pub(super) fn join(&self, view: &View, start: u64, page: u64) {
        let mut inner = self.inner.lock();
        let second = inner.shown.remove((view.id, page));
        if let (Some(second), Some(first)) = (second, inner.shown.get_mut((view.id, start))) {
            first.pages += second.pages;
        }
    }

    /// Takes a mapping out, when the view shows nothing of it any more.
    pub(super) fn leave(&self, view: &View, run: PageRun) {
        let shown = {
            let mut inner = self.inner.lock();
            // With the area's lock held: nobody frees a page while we are at it.
            view.hide(run);
            inner.shown.remove((view.id, run.start))
        };
        drop(shown);
    }

    /// Changes what a mapping allows.
    pub(super) fn protect(&self, view: &View, run: PageRun, rights: Rights) {
        let inner = self.inner.lock();
        if rights.is_empty() || (inner.may_share && rights.contains(Rights::WRITE)) {
            // Which pages may be written to is decided page by page.
            view.hide(run);
        } else {
            view.protect(run, protection(rights, true, self.cache));
        }
    }

    /// Sees to it that an access to a page of a mapping succeeds.
    pub(super) fn show(
        &self,
        view: &View,
        page: u64,
        mapping: PageRun,
        offset: u64,
        rights: Rights,
        access: Access,
    ) -> Result<(), FaultError> {
        let mut inner = self.inner.lock();
        let key = offset + (page - mapping.start);
        let Inner {
            area,
            supply,
            ahead,
            ..
        } = &mut *inner;
        let large = large_start(page, key, mapping);
        let largest = if large.is_some() {
            PageSize::Large
        } else {
            PageSize::Small
        };
        let follows = ahead.fault(key);
        let provided = area.provide(key, access, largest, supply)?;
        if let Change::Copied(_) = provided.change {
            inner.hide(key, key + 1);
        }
        let at = match (provided.size, large) {
            (PageSize::Large, Some(start)) => {
                if !inner.is_listed && matches!(provided.change, Change::Added) {
                    inner.is_listed = pressure::enter(inner.place);
                }
                start
            }
            _ => page,
        };
        let protection = protection(rights, provided.is_writable, self.cache);
        view.show(at, provided.frame, provided.size, protection)?;
        if follows {
            inner.show_ahead(view, page, mapping, key, &provided, protection);
        }
        Ok(())
        // A frame that was copied goes back here, when nobody can reach it any more.
    }

    /// The account that pays for it.
    pub(super) fn account(&self) -> Arc<Account> {
        self.inner.lock().supply.0.clone()
    }
}

/// How many pages of a mapping, from a page on, one page table shows.
fn room(page: u64, mapping: PageRun) -> u64 {
    // A table shows as many as make a large page.
    (LARGE_PAGES - page % LARGE_PAGES).min(mapping.end - page)
}

/// Where a large page around a page of a mapping would begin, if the mapping can show it.
fn large_start(page: u64, key: u64, mapping: PageRun) -> Option<u64> {
    if page % LARGE_PAGES != key % LARGE_PAGES {
        return None;
    }
    let start = page - page % LARGE_PAGES;
    (start >= mapping.start && start + LARGE_PAGES <= mapping.end).then_some(start)
}

impl Inner {
    /// Shows the pages behind one that was shown just now, and follows others, as far as they can be had.
    #[inline(never)]
    fn show_ahead(
        &mut self,
        view: &View,
        page: u64,
        mapping: PageRun,
        key: u64,
        provided: &Provided<Small>,
        protection: Protection,
    ) {
        let window = self.ahead.window(room(page, mapping));
        let is_copy = matches!(provided.change, Change::Copied(_));
        if window == 1 || provided.size != PageSize::Small || is_copy {
            return;
        }
        let area = &mut self.area;
        let more = area.provide_ahead(key + 1, window - 1, provided, &mut self.supply);
        self.ahead.provided(more.as_slice().len() as u64);
        view.show_ahead(page + 1, more.as_slice(), protection);
    }

    /// Makes every mapping of a run of the area's pages show nothing.
    pub(super) fn hide(&self, start: u64, end: u64) {
        // In a ring every page is seen twice; which ones are needed is not worth the arithmetic.
        let (start, end) = match self.area.kind() {
            Kind::Ring { .. } => (0, u64::MAX),
            _ => (start, end),
        };
        for ((_, first_page), shown) in self.shown.iter() {
            let from = start.max(shown.offset);
            let to = end.min(shown.offset + shown.pages);
            if from < to {
                shown.view.hide(PageRun {
                    start: first_page + (from - shown.offset),
                    end: first_page + (to - shown.offset),
                });
            }
        }
    }
}

impl Drop for VmArea {
    fn drop(&mut self) {
        let Inner {
            area,
            supply,
            shown,
            is_listed,
            place,
            ..
        } = &mut *self.inner.lock();
        debug_assert!(shown.is_empty(), "mappings hold references");
        if *is_listed {
            pressure::leave(*place);
        }
        if area.committed() == 1 {
            // Not worth a bin.
            area.clear(supply, drop);
        } else {
            let mut bin = Bin::new();
            area.clear(supply, |page| bin.put(page));
        }
    }
}

/// A kind of area that programs can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewArea {
    /// Resizable.
    Open {
        /// Its size in pages.
        pages: u64,
    },
    /// In sections with guard pages.
    Guarded {
        /// How many.
        sections: u64,
        /// Pages of each.
        section_pages: u64,
    },
    /// Seen twice.
    Ring {
        /// Pages of the buffer.
        pages: u64,
    },
}
