//! The page tables of one address space, and how they follow what its areas have.

use kaddr::{Frame, LARGE, PAGE_SIZE, Page, PageSize, VirtAddr, VirtRange};
use kmem::aspace::{PageRun, Rights};
use kmem::pt::{CacheMode, Flags, Flush, MapError, PageTable, Protection};
use ksync::{AllocError, Arc};

use super::pages::Tables;
use super::pressure::{self, Lack};
use super::{Account, FaultError};
use crate::arch::current::IrqLock;
use crate::arch::current::shootdown::{self, SpaceTlb};
use crate::locks;
use crate::mm::{self, DirectMemory};

/// Page tables, and what the processors have loaded of them. Every change is complete when the function returns: no
/// processor uses the old state any more.
pub struct View {
    /// Unique for the life of the system.
    pub id: u64,
    /// What the processors know of the space.
    pub tlb: SpaceTlb,
    /// `None` only while the view is dropped.
    tables: IrqLock<Option<PageTable>, locks::Tables>,
    account: Arc<Account>,
}

impl View {
    /// Tables without any user page.
    ///
    /// # Errors
    /// When memory is short, or the account has no room for the top-level table.
    pub fn new(account: Arc<Account>) -> Result<Arc<Self>, AllocError> {
        let place = Arc::try_reserve()?;
        let top = || {
            let mut source = Tables::of(&account);
            let kernel = mm::kernel_tables();
            PageTable::new_sharing(&kernel, &mut DirectMemory, &mut source)
                .map_err(|_| source.lack())
        };
        let tables = pressure::twice(top, |lack| pressure::relieve(lack, &account, 1))
            .map_err(|_| AllocError)?;
        let tlb = SpaceTlb::new(tables.root().start());
        Ok(place.fill(Self {
            id: tlb.id(),
            tlb,
            tables: IrqLock::new(Some(tables)),
            account,
        }))
    }

    /// The account that pays for the tables.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Shows a page of the given size at the page number `page`.
    #[inline]
    pub fn show(
        &self,
        page: u64,
        frame: Frame,
        size: PageSize,
        protection: Protection,
    ) -> Result<(), FaultError> {
        let mut tables = self.tables.lock();
        let tables = tables.as_mut().ok_or(FaultError::NotMapped)?;
        let place = Page::containing(VirtAddr::new(page * PAGE_SIZE));
        let mut source = Tables::of(&self.account);
        let map = |tables: &mut PageTable, source: &mut Tables<'_>| {
            let mut memory = DirectMemory;
            let mut edit = tables.edit(&mut memory, source);
            edit.map(place, frame, size, protection)
        };
        let mut result = map(tables, &mut source);
        if let Err(MapError::AlreadyMapped { .. }) = result {
            let shown = tables.translate(&DirectMemory, place.start());
            if shown.is_some_and(|shown| {
                shown.phys == frame.start() && shown.size == size && shown.protection == protection
            }) {
                // Another thread faulted on the page, too, and was first.
                return Ok(());
            }
            let range = VirtRange::from_len(place.start(), size.bytes());
            self.unmap(tables, range.ok_or(FaultError::NotMapped)?);
            result = map(tables, &mut source);
        }
        result.map_err(|_| match source.lack() {
            Lack::Limit => FaultError::OverLimit,
            Lack::Frames => FaultError::OutOfMemory,
        })
    }

    /// Shows small pages from the page number `page` on, where nothing is shown and no table is missing.
    pub fn show_ahead(&self, page: u64, frames: &[Frame], protection: Protection) {
        if let Some(tables) = self.tables.lock().as_mut() {
            let place = Page::containing(VirtAddr::new(page * PAGE_SIZE));
            let mut source = Tables::of(&self.account);
            let result = tables
                .edit(&mut DirectMemory, &mut source)
                .fill(place, frames, protection);
            debug_assert!(result.is_ok(), "the page before it could be shown");
        }
    }

    /// Shows nothing any more in a run of pages: the next access faults.
    pub fn hide(&self, run: PageRun) {
        if let Some(tables) = self.tables.lock().as_mut() {
            self.unmap(tables, range(run));
        }
    }

    /// Changes what the pages that are shown in a run allow.
    pub fn protect(&self, run: PageRun, protection: Protection) {
        let mut tables = self.tables.lock();
        let Some(tables) = tables.as_mut() else {
            return;
        };
        let mut source = Tables::of(&self.account);
        let result = tables
            .edit(&mut DirectMemory, &mut source)
            .protect_range(range(run), protection);
        match result {
            Ok(flush) => self.complete(flush),
            // There is no table to split a large page with: whoever needs it faults.
            Err(_) => self.unmap(tables, range(run)),
        }
    }

    fn unmap(&self, tables: &mut PageTable, range: VirtRange) {
        let mut source = Tables::of(&self.account);
        let mut memory = DirectMemory;
        let mut edit = tables.edit(&mut memory, &mut source);
        let flush = edit.unmap_range(range, |_| {}).or_else(|_| {
            // No table to split a large page with: all of it goes, and what is beside the range faults, and is shown again.
            let wider = range.align_outward(LARGE).unwrap_or(range);
            edit.unmap_range(wider, |_| {})
        });
        match flush {
            Ok(flush) => self.complete(flush),
            Err(error) => unreachable!("whole large pages need no table: {error}"),
        }
    }

    fn complete(&self, flush: Flush) {
        shootdown::flush(&self.tlb, &flush);
        flush.finish(&mut DirectMemory, &mut Tables::of(&self.account));
    }
}

impl Drop for View {
    fn drop(&mut self) {
        shootdown::retire(&self.tlb);
        if let Some(tables) = self.tables.lock().take() {
            tables.destroy(&mut DirectMemory, &mut Tables::of(&self.account));
        }
    }
}

fn range(run: PageRun) -> VirtRange {
    VirtRange::new(
        VirtAddr::new(run.start * PAGE_SIZE),
        VirtAddr::new(run.end * PAGE_SIZE),
    )
}

/// The protection of a page that a mapping with these rights shows.
pub fn protection(rights: Rights, is_writable: bool, cache: CacheMode) -> Protection {
    let mut flags = Flags::USER;
    flags.set(Flags::WRITE, rights.contains(Rights::WRITE) && is_writable);
    flags.set(Flags::EXECUTE, rights.contains(Rights::EXECUTE));
    Protection::new(flags).with_cache(cache)
}
