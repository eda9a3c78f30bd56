//! A process's address space: its page tables and the frames that it owns.

use alloc::vec::Vec;

use kaddr::{Frame, PAGE_SIZE, Page, PageSize, PhysAddr, VirtAddr, VirtRange};
use kmem::pt::{MapError, PageTable, Protection};

use crate::arch::current::IrqLock;
use crate::arch::current::usercopy::USER_END;
use crate::mm::{self, DirectMemory, TableFrames, direct, phys_to_virt};

struct Inner {
    tables: Option<PageTable>,
    /// Every frame that is mapped, by page, in the order of mapping.
    owned: Vec<(Page, Frame)>,
}

/// The lower half of a process, and with it the shared upper half of the kernel.
pub struct AddressSpace {
    root: PhysAddr,
    inner: IrqLock<Inner>,
}

impl AddressSpace {
    /// An empty space.
    ///
    /// # Errors
    /// When there is no frame for its top-level table.
    pub fn new() -> Result<Self, MapError> {
        let tables =
            PageTable::new_sharing(&mm::kernel_tables(), &mut DirectMemory, &mut TableFrames)?;
        Ok(Self {
            root: tables.root().start(),
            inner: IrqLock::new(Inner {
                tables: Some(tables),
                owned: Vec::new(),
            }),
        })
    }

    /// The root of its page tables, for CR3.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// Maps fresh, zeroed pages at a page-aligned range of user space.
    ///
    /// # Errors
    /// When the range is not in user space or in use, or memory is short; a part may then be mapped.
    pub fn map_zeroed(&self, range: VirtRange, protection: Protection) -> Result<(), MapError> {
        if range.end.as_u64() > USER_END || range.start.as_u64() < PAGE_SIZE {
            return Err(MapError::WrongHalf);
        }
        if !range.is_aligned(PAGE_SIZE) {
            return Err(MapError::Misaligned);
        }
        let mut inner = self.inner.lock();
        let Inner {
            tables: Some(tables),
            owned,
        } = &mut *inner
        else {
            return Err(MapError::OutOfFrames);
        };
        for page in range.pages() {
            owned.try_reserve(1).map_err(|_| MapError::OutOfFrames)?;
            let frame = mm::frames().allocate().ok_or(MapError::OutOfFrames)?;
            direct::zero(frame);
            let result = tables.edit(&mut DirectMemory, &mut TableFrames).map(
                page,
                frame,
                PageSize::Small,
                protection,
            );
            if let Err(error) = result {
                mm::free(frame);
                return Err(error);
            }
            owned.push((page, frame));
        }
        Ok(())
    }

    /// Writes bytes into mapped pages of a space that does not run yet, whatever their protection.
    ///
    /// # Errors
    /// When a part of the range is not mapped.
    pub fn fill(&self, at: VirtAddr, bytes: &[u8]) -> Result<(), MapError> {
        let inner = self.inner.lock();
        let Some(tables) = &inner.tables else {
            return Err(MapError::OutOfFrames);
        };
        let mut done = 0;
        while done < bytes.len() {
            let address = at.checked_add(done as u64).ok_or(MapError::Misaligned)?;
            let target = tables
                .translate(&DirectMemory, address)
                .ok_or(MapError::NotMapped { at: address })?;
            let len = (bytes.len() - done).min((PAGE_SIZE - address.page_offset()) as usize);
            let piece = &bytes[done..done + len];
            // SAFETY: a frame of this space, in the direct map, up to its end (invariants 1 and 4).
            unsafe {
                (phys_to_virt(target.phys).as_u64() as *mut u8)
                    .copy_from_nonoverlapping(piece.as_ptr(), len);
            }
            done += len;
        }
        Ok(())
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        // No CPU has the space loaded: its last thread dropped it after switching away, and switching away loads
        // other tables.
        let mut inner = self.inner.lock();
        for (_, frame) in core::mem::take(&mut inner.owned) {
            mm::free(frame);
        }
        if let Some(tables) = inner.tables.take() {
            tables.destroy(&mut DirectMemory, &mut TableFrames);
        }
    }
}
