//! Memory: frames, the kernel's page tables, its direct map, heap, stacks and device mappings.
//!
//! Lock order, outermost first: stack pool, heap, device addresses, kernel tables, frames. Whoever holds one may take only
//! later ones. The lock of a processor's kept objects (`objects`) is never held together with any of them.

pub mod direct;
pub mod frames;
pub mod heap;
mod held;
mod init;
pub mod inject;
pub mod layout;
mod objects;
mod poison;
pub mod stack;

pub use direct::{DirectMemory, is_kernels, phys_to_virt};
pub use frames::{
    GiveBack, Purpose, Stock, allocate, allocate_large, allocate_many, free, free_large,
    is_plentiful, statistics,
};
pub use held::{Held, heap_in_use};
pub use init::{init, reclaim_boot_loader, reclaim_start, tables_are_loaded};
pub use kmem::pt::MapError;
pub use objects::Objects;

use kaddr::{Frame, PAGE_SIZE, Page, PageSize, PhysAddr, PhysRange, VirtAddr, VirtRange};
use kmem::pt::{CacheMode, FrameSource, PageTable, Protection};
use ksync::IrqLockGuard;
use spin::Once;

use crate::arch::current::{Irq, IrqLock, shootdown};
use crate::boot;
use crate::locks;
use layout::DEVICES;

const MIB: u64 = 1 << 20;

static KERNEL_TABLES: Once<IrqLock<PageTable, locks::KernelTables>> = Once::new();
/// Next free address for device mappings; they are never undone.
static NEXT_DEVICE: IrqLock<VirtAddr, locks::NextDevice> = IrqLock::new(DEVICES.start);

/// The kernel's page tables, locked.
///
/// # Panics
/// Before [`init()`].
pub fn kernel_tables() -> IrqLockGuard<'static, PageTable, Irq> {
    KERNEL_TABLES
        .get()
        .expect("memory is initialised before tables are asked for")
        .lock()
}

/// Frames for the kernel's page tables.
pub struct TableFrames;

impl FrameSource for TableFrames {
    fn allocate_table(&mut self) -> Option<Frame> {
        allocate(Purpose::KernelTable)
    }

    fn free_table(&mut self, table: Frame) {
        free(table, Purpose::KernelTable);
    }
}

/// The most pages that a program of the command line may use, with the programs that it makes: what `program-memory=`
/// says, in MiB, or what is left when a quarter of all memory is kept for others.
pub fn default_limit() -> u64 {
    let total = statistics().total;
    let most = total - total / 4;
    let pages = |mib: u64| mib.saturating_mul(MIB / PAGE_SIZE);
    let option = boot::info().options().number("program-memory");
    option.map_or(most, |mib| pages(mib).min(most))
}

/// Maps fresh frames, with any content, at a range of the kernel's half.
///
/// # Errors
/// When frames run out or something is mapped there; then nothing has changed.
pub fn map_fresh(range: VirtRange, purpose: Purpose) -> Result<(), MapError> {
    let mut tables = kernel_tables();
    for page in range.pages() {
        let frame = allocate(purpose).ok_or(MapError::OutOfFrames);
        let mapped = frame.and_then(|frame| {
            let mut memory = DirectMemory;
            let result = tables.edit(&mut memory, &mut TableFrames).map(
                page,
                frame,
                PageSize::Small,
                Protection::KERNEL_DATA,
            );
            result.inspect_err(|_| free(frame, purpose))
        });
        if let Err(error) = mapped {
            unmap_locked(
                &mut tables,
                VirtRange::new(range.start, page.start()),
                purpose,
            );
            return Err(error);
        }
    }
    Ok(())
}

/// Unmaps what [`map_fresh`] has mapped, on all processors, and frees its frames.
pub fn unmap_fresh(range: VirtRange, purpose: Purpose) {
    unmap_locked(&mut kernel_tables(), range, purpose);
}

/// So many frames are freed after one flush.
const FREED_AT_ONCE: usize = 64;

fn unmap_locked(tables: &mut PageTable, range: VirtRange, purpose: Purpose) {
    let mut memory = DirectMemory;
    let mut start = range.start;
    while start < range.end {
        let end = start.checked_add(FREED_AT_ONCE as u64 * PAGE_SIZE);
        let part = VirtRange::new(start, end.map_or(range.end, |end| end.min(range.end)));
        let mut frames = [None; FREED_AT_ONCE];
        let mut places = frames.iter_mut();
        let unmapped = tables
            .edit(&mut memory, &mut TableFrames)
            .unmap_range(part, |unmapped| {
                if let Some(place) = places.next() {
                    *place = Some(unmapped.frame);
                }
            });
        match unmapped {
            Ok(flush) => {
                shootdown::flush_kernel(&flush);
                flush.finish(&mut memory, &mut TableFrames);
            }
            Err(error) => unreachable!("whole small pages need no table: {error}"),
        }
        for frame in frames.into_iter().flatten() {
            free(frame, purpose);
        }
        start = part.end;
    }
}

/// Gives back what the kernel only keeps at hand: for exact accounts of what is in use, and when memory is short.
pub fn trim() {
    stack::trim();
    heap::trim();
}

/// Maps the registers of a device, uncached, for ever.
///
/// # Errors
/// When addresses or frames for tables run out.
pub fn map_device(address: PhysAddr, len: u64) -> Result<VirtAddr, MapError> {
    let range = PhysRange::from_len(address, len).and_then(|range| range.align_outward(PAGE_SIZE));
    direct::keep_device(range.ok_or(MapError::Misaligned)?);
    map_physical(address, len, CacheMode::Uncached)
}

/// As [`map_device`], where the device is not the kernel's.
///
/// # Errors
/// As [`map_device`].
pub fn map_registers(address: PhysAddr, len: u64) -> Result<VirtAddr, MapError> {
    map_physical(address, len, CacheMode::Uncached)
}

/// Maps a framebuffer, write-combining, for ever.
///
/// # Errors
/// As [`map_device`].
pub fn map_framebuffer(address: PhysAddr, len: u64) -> Result<VirtAddr, MapError> {
    map_physical(address, len, CacheMode::WriteCombining)
}

fn map_physical(address: PhysAddr, len: u64, cache: CacheMode) -> Result<VirtAddr, MapError> {
    let range = PhysRange::from_len(address, len)
        .and_then(|range| range.align_outward(PAGE_SIZE))
        .ok_or(MapError::Misaligned)?;
    // Large pages where the framebuffer allows them: the addresses agree modulo 2 MiB.
    let mut next = NEXT_DEVICE.lock();
    let step = if len >= kaddr::LARGE {
        kaddr::LARGE
    } else {
        PAGE_SIZE
    };
    let aligned = next.align_up(step).ok_or(MapError::OutOfFrames)?;
    let skew = range.start.as_u64() % step;
    let start = aligned.checked_add(skew).ok_or(MapError::OutOfFrames)?;
    let end = start
        .checked_add(range.len())
        .filter(|end| *end < DEVICES.end)
        .ok_or(MapError::OutOfFrames)?;
    let protection = Protection::KERNEL_DATA.with_cache(cache);
    kernel_tables()
        .edit(&mut DirectMemory, &mut TableFrames)
        .map_range(start, range, protection, PageSize::Large)?;
    // One page stays free in between, so that running over the end faults.
    *next = end.checked_add(PAGE_SIZE).ok_or(MapError::OutOfFrames)?;
    start
        .checked_add(address.page_offset())
        .ok_or(MapError::OutOfFrames)
}

/// Reads physical memory that may lie outside of the direct map: firmware's tables.
///
/// # Errors
/// When the memory cannot be mapped.
pub fn read_physical(address: PhysAddr, into: &mut [u8]) -> Result<(), MapError> {
    let mut done = 0;
    while done < into.len() {
        let at = address
            .checked_add(done as u64)
            .ok_or(MapError::Misaligned)?;
        let len = (into.len() - done).min((PAGE_SIZE - at.page_offset()) as usize);
        let piece = &mut into[done..done + len];
        if direct::covers(at) {
            // SAFETY: the direct map covers the page (invariant 1); firmware's tables do not change while we read.
            unsafe {
                (phys_to_virt(at).as_u64() as *const u8)
                    .copy_to_nonoverlapping(piece.as_mut_ptr(), len)
            };
        } else {
            read_through_window(at, piece)?;
        }
        done += len;
    }
    Ok(())
}

/// Maps one page just for the time of the read.
fn read_through_window(at: PhysAddr, into: &mut [u8]) -> Result<(), MapError> {
    let window = NEXT_DEVICE.lock();
    let page = Page::starting_at(*window).ok_or(MapError::Misaligned)?;
    let frame = Frame::containing(at).ok_or(MapError::Misaligned)?;
    let mut memory = DirectMemory;
    let mut tables = kernel_tables();
    tables.edit(&mut memory, &mut TableFrames).map(
        page,
        frame,
        PageSize::Small,
        Protection::KERNEL_READ,
    )?;
    let source = window.as_u64() + at.page_offset();
    // SAFETY: mapped just now; `into` does not reach over the end of the page.
    unsafe { (source as *const u8).copy_to_nonoverlapping(into.as_mut_ptr(), into.len()) };
    let (_, _, flush) = tables.edit(&mut memory, &mut TableFrames).unmap(page)?;
    shootdown::flush_kernel(&flush);
    flush.finish(&mut memory, &mut TableFrames);
    Ok(())
}
