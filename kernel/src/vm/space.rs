//! Address spaces of processes.

use alloc::vec::Vec;

use abi::Error;
use kaddr::{PAGE_SHIFT, PAGE_SIZE, VirtAddr, VirtRange};
use kmem::aspace::{AddressMap, Mapping, PageRun, Place, Rights, SpaceError};
use kmem::vma::{Access, LARGE_PAGES, ProvideError};
use ksync::{AllocError, Arc};

use super::area::AreaError;
use super::pressure::{Lack, Lacking};
use super::view::View;
use super::{Account, VmArea, pressure};
use crate::arch::current::shootdown::SpaceTlb;
use crate::arch::current::usercopy::USER_END;
use crate::arch::current::{IrqLock, IrqOff, random};
use crate::locks;

/// What a fault takes at most: a page, and the page tables that lead there.
const FAULT_PAGES: u64 = 5;

/// Why an access cannot succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// Nothing is mapped there.
    NotMapped,
    /// The mapping does not allow it.
    Protection,
    /// It is a guard page.
    Guard,
    /// The area is shorter than the mapping by now.
    Beyond,
    /// Memory is short.
    OutOfMemory,
    /// The limit of the area's, or of the space's, account.
    OverLimit,
}

impl From<ProvideError> for FaultError {
    fn from(error: ProvideError) -> Self {
        match error {
            ProvideError::Guard => Self::Guard,
            ProvideError::Beyond => Self::Beyond,
            ProvideError::OutOfMemory => Self::OutOfMemory,
            ProvideError::OverLimit => Self::OverLimit,
        }
    }
}

/// Why a mapping could not be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappingError {
    /// The range, or what is there.
    Space(SpaceError),
    /// The part of the area is not within it.
    OutOfArea,
    /// The process is ending.
    Closed,
}

impl From<SpaceError> for MappingError {
    fn from(error: SpaceError) -> Self {
        Self::Space(error)
    }
}

impl From<AllocError> for MappingError {
    fn from(_: AllocError) -> Self {
        Self::Space(SpaceError::OutOfMemory)
    }
}

/// A mapping as others see it.
pub struct Mapped {
    /// Where it begins.
    pub address: u64,
    /// Bytes.
    pub len: u64,
    /// The byte of its area that it begins with.
    pub offset: u64,
    /// What it allows.
    pub rights: Rights,
}

struct Mappings {
    map: AddressMap<Arc<VmArea>>,
    /// Nothing is mapped any more: the process is ending.
    is_closed: bool,
}

/// Mappings that were removed. To note a few takes no memory, so that unmapping them cannot fail for want of it.
struct Gone {
    few: [Option<Mapping<Arc<VmArea>>>; 16],
    many: Vec<Mapping<Arc<VmArea>>>,
}

impl Gone {
    fn with_room_for(count: usize) -> Result<Self, AllocError> {
        let few = [const { None }; 16];
        let mut many = Vec::new();
        many.try_reserve_exact(count.saturating_sub(few.len()))
            .map_err(|_| AllocError)?;
        Ok(Self { few, many })
    }
}

/// The user half of a process's memory.
pub struct AddressSpace {
    mappings: IrqLock<Mappings, locks::Mappings>,
    view: Arc<View>,
}

impl AddressSpace {
    /// A space without mappings; the account pays for its page tables.
    ///
    /// # Errors
    /// When memory is short or the account has no room.
    pub fn new(account: Arc<Account>) -> Result<Self, AllocError> {
        let bounds = VirtRange::new(VirtAddr::new(PAGE_SIZE), VirtAddr::new(USER_END));
        Ok(Self {
            mappings: IrqLock::new(Mappings {
                map: AddressMap::new(bounds, random::next()),
                is_closed: false,
            }),
            view: View::new(account)?,
        })
    }

    /// What the processors know of the space.
    pub fn tlb(&self) -> &SpaceTlb {
        &self.view.tlb
    }

    /// How many mappings there are.
    pub fn mapping_count(&self) -> usize {
        self.mappings.lock().map.len()
    }

    /// Maps `len` bytes of an area from byte `offset` on: at `address`, or where the space likes. Returns the address.
    ///
    /// # Errors
    /// See [`MappingError`]; nothing has changed then.
    pub fn map(
        &self,
        address: Option<u64>,
        len: u64,
        area: &Arc<VmArea>,
        offset: u64,
        rights: Rights,
        limit: Rights,
    ) -> Result<u64, MappingError> {
        if !(len | offset).is_multiple_of(PAGE_SIZE) {
            return Err(SpaceError::Misaligned.into());
        }
        let (pages, first) = (len >> PAGE_SHIFT, offset >> PAGE_SHIFT);
        let mut mappings = self.mappings.lock();
        if mappings.is_closed {
            return Err(MappingError::Closed);
        }
        let place = match address {
            Some(address) => Place::Fixed(mappings.map.run(address, len)?.start),
            None => Place::Chosen {
                random: random::next(),
                // So that large pages fit.
                align: if pages >= LARGE_PAGES { LARGE_PAGES } else { 1 },
            },
        };
        let map = &mut mappings.map;
        let start = map.map(place, pages, area.clone(), first, rights, limit)?;
        if let Err(error) = area.enter(&self.view, start, pages, first) {
            // The caller has a reference, too: nothing is freed here.
            map.remove(start);
            return Err(match error {
                AreaError::OutOfRange => MappingError::OutOfArea,
                _ => SpaceError::OutOfMemory.into(),
            });
        }
        Ok(start << PAGE_SHIFT)
    }

    /// Unmaps a range of bytes; what is not mapped in it is passed over.
    ///
    /// # Errors
    /// See [`MappingError`]; nothing has changed then.
    pub fn unmap(&self, address: u64, len: u64) -> Result<(), MappingError> {
        // Areas may go with their last mapping, and their pages with them, which takes time: not under the lock.
        let mut mappings = self.mappings.lock();
        let map = &mut mappings.map;
        let run = map.run(address, len)?;
        if map.is_whole(run) {
            let gone = self.remove(map, run.start);
            drop(mappings);
            drop(gone);
        } else {
            let gone = self.remove_parts(map, run)?;
            drop(mappings);
            drop(gone);
        }
        Ok(())
    }

    /// Removes what is mapped in a run, wherever mappings begin and end.
    #[cold]
    fn remove_parts(
        &self,
        map: &mut AddressMap<Arc<VmArea>>,
        run: PageRun,
    ) -> Result<Gone, MappingError> {
        self.split_both(map, run)?;
        let mut gone = Gone::with_room_for(map.overlapping(run).count())?;
        // From here on nothing can fail; with the lock held throughout, what other threads map there afterwards is safe.
        let mut places = gone.few.iter_mut();
        while let Some(start) = map.first_in(run).map(|mapping| mapping.start) {
            let mapping = self.remove(map, start);
            match places.next() {
                Some(place) => *place = mapping,
                None => gone.many.extend(mapping),
            }
        }
        Ok(gone)
    }

    fn remove(
        &self,
        map: &mut AddressMap<Arc<VmArea>>,
        start: u64,
    ) -> Option<Mapping<Arc<VmArea>>> {
        let mapping = map.remove(start)?;
        let run = PageRun {
            start: mapping.start,
            end: mapping.end(),
        };
        mapping.area.leave(&self.view, run);
        Some(mapping)
    }

    /// Splits mappings at both ends of a run: both or none.
    fn split_both(
        &self,
        map: &mut AddressMap<Arc<VmArea>>,
        run: PageRun,
    ) -> Result<(), MappingError> {
        // A split that the second one's failure leaves behind changes nothing that a program could notice.
        self.split(map, run.start)?;
        self.split(map, run.end)
    }

    fn split(&self, map: &mut AddressMap<Arc<VmArea>>, page: u64) -> Result<(), MappingError> {
        let Some(mapping) = map.find(page).filter(|mapping| mapping.start < page) else {
            return Ok(());
        };
        let (area, start) = (mapping.area.clone(), mapping.start);
        area.split(&self.view, start, page)?;
        if let Err(error) = map.split_at(page) {
            area.join(&self.view, start, page);
            return Err(error.into());
        }
        Ok(())
    }

    /// Changes what a range of bytes, all of which is mapped, allows.
    ///
    /// # Errors
    /// See [`MappingError`]; nothing has changed then.
    pub fn protect(&self, address: u64, len: u64, rights: Rights) -> Result<(), MappingError> {
        let mut mappings = self.mappings.lock();
        let map = &mut mappings.map;
        let run = map.run(address, len)?;
        map.check_protect(run, rights)?;
        self.split_both(map, run)?;
        let mut next = run.start;
        while next < run.end {
            map.set_rights(next, rights)?;
            let mapping = map.find(next).ok_or(SpaceError::NotMapped)?;
            let part = PageRun {
                start: mapping.start,
                end: mapping.end(),
            };
            mapping.area.protect(&self.view, part, rights);
            next = mapping.end();
        }
        Ok(())
    }

    /// The area that is mapped at an address, and where in it that is, in bytes.
    #[inline(always)]
    pub fn area_at(&self, address: u64, off: IrqOff<'_>) -> Option<(Arc<VmArea>, u64)> {
        let page = address >> PAGE_SHIFT;
        let (area, page) = {
            let mappings = self.mappings.lock_within(off);
            let mapping = mappings.map.find(page)?;
            (
                mapping.area.clone(),
                mapping.offset + (page - mapping.start),
            )
        };
        let offset = area.own_page(page) << PAGE_SHIFT;
        Some((area, offset | address & (PAGE_SIZE - 1)))
    }

    /// The first mapping that ends behind an address, and its area.
    pub fn next(&self, address: u64) -> Option<(Mapped, Arc<VmArea>)> {
        if address >= USER_END {
            return None;
        }
        let page = address >> PAGE_SHIFT;
        let mappings = self.mappings.lock();
        let run = PageRun {
            start: page,
            end: USER_END >> PAGE_SHIFT,
        };
        let mapping = mappings.map.overlapping(run).next()?;
        let mapped = Mapped {
            address: mapping.start << PAGE_SHIFT,
            len: (mapping.end() - mapping.start) << PAGE_SHIFT,
            offset: mapping.offset << PAGE_SHIFT,
            rights: mapping.rights,
        };
        Some((mapped, mapping.area.clone()))
    }

    /// Copies bytes from an address on, which do not reach over the end of its page.
    ///
    /// # Errors
    /// `NotMapped` if they cannot be read; `NotSupported` if they are a device's.
    pub fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Error> {
        if address >= USER_END {
            return Err(Error::NotMapped);
        }
        let (area, page) = {
            let mappings = self.mappings.lock();
            let page = address >> PAGE_SHIFT;
            let mapping = mappings.map.find(page).ok_or(Error::NotMapped)?;
            if mapping.rights.is_empty() {
                return Err(Error::NotMapped);
            }
            let offset = mapping.offset + (page - mapping.start);
            (mapping.area.clone(), offset)
        };
        area.read(page, (address & (PAGE_SIZE - 1)) as usize, into)
    }

    /// Unmaps everything, for good.
    pub fn clear(&self) {
        loop {
            let gone = {
                let mut mappings = self.mappings.lock();
                mappings.is_closed = true;
                let first = mappings.map.iter().next().map(|mapping| mapping.start);
                let Some(start) = first else { return };
                self.remove(&mut mappings.map, start)
            };
            drop(gone);
        }
    }

    /// Sees to it that an access to an address succeeds.
    ///
    /// # Errors
    /// Why it cannot.
    #[inline]
    pub fn resolve(&self, address: u64, access: Access) -> Result<(), FaultError> {
        match self.try_resolve(address, access) {
            Err(error) => self.resolve_again(address, access, error),
            Ok(()) => Ok(()),
        }
    }

    /// After an error: tries once more if it was for want of memory, and room could be made for a page and for tables.
    #[cold]
    #[inline(never)]
    fn resolve_again(
        &self,
        address: u64,
        access: Access,
        error: FaultError,
    ) -> Result<(), FaultError> {
        match error.lack() {
            Some(lack) if self.relieve(lack, address) => self.try_resolve(address, access),
            _ => Err(error),
        }
    }

    /// Makes room for a fault at an address; whether there may be some now.
    fn relieve(&self, lack: Lack, address: u64) -> bool {
        let area = {
            let mappings = self.mappings.lock();
            let mapping = mappings.map.find(address >> PAGE_SHIFT);
            mapping.map(|mapping| mapping.area.clone())
        };
        let Some(account) = area.map(|area| area.account()) else {
            return false;
        };
        let own = self.view.account();
        let is_relieved = pressure::relieve(lack, &account, FAULT_PAGES);
        if lack == Lack::Frames || core::ptr::eq(account.as_ptr(), own.as_ptr()) {
            return is_relieved;
        }
        // The tables count for the space, whoever pays for the area.
        pressure::relieve(lack, own, FAULT_PAGES) || is_relieved
    }

    #[inline(always)]
    fn try_resolve(&self, address: u64, access: Access) -> Result<(), FaultError> {
        let page = address >> PAGE_SHIFT;
        let mappings = self.mappings.lock();
        let mapping = mappings.map.find(page).ok_or(FaultError::NotMapped)?;
        let is_allowed = match access {
            // The processor knows no page that can be written to or executed but not read.
            Access::Read => !mapping.rights.is_empty(),
            Access::Write => mapping.rights.contains(Rights::WRITE),
            Access::Execute => mapping.rights.contains(Rights::EXECUTE),
        };
        if !is_allowed {
            return Err(FaultError::Protection);
        }
        let run = PageRun {
            start: mapping.start,
            end: mapping.end(),
        };
        mapping.area.show(
            &self.view,
            page,
            run,
            mapping.offset,
            mapping.rights,
            access,
        )
    }
}
