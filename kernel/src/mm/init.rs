//! From the boot loader's memory map to our own frames and page tables.

use core::sync::atomic::{AtomicBool, Ordering};

use kaddr::{PAGE_SIZE, PageSize, PhysAddr, PhysRange, VirtRange};
use kboot::memory_map::{Region, RegionKind};
use kmem::frame::{Block, FrameAllocator, blocks_needed};
use kmem::pt::{Levels, MapError, PageTable, Protection};
use spin::Once;

use super::direct::{self, DirectMemory, range_of, runs};
use super::layout::{self, DEVICES, DIRECT_MAP, HEAP, IMAGE, STACKS};
use super::{KERNEL_TABLES, TableFrames, frames, poison};
use crate::arch::current::{IrqLock, cpuid, paging, shootdown};
use crate::boot::{self, BootInfo};

/// One frame in so many is left to the kernel when programs ask.
const KERNEL_SHARE: usize = 64;
/// And so many besides: 1 MiB.
const KERNEL_FRAMES: usize = 256;

/// Why memory could not be set up.
#[derive(Clone, Copy, Debug)]
pub enum InitError {
    /// No usable region can hold the frame allocator's own tables.
    NoRoom,
    /// The frame allocator refused the memory map.
    Frames(kmem::frame::FrameError),
    /// The page tables could not be built.
    Tables(MapError),
}

impl core::fmt::Display for InitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoRoom => f.write_str(
                "no usable memory region is large enough for the frame allocator's tables",
            ),
            Self::Frames(error) => write!(f, "the memory map cannot be used: {error}"),
            Self::Tables(error) => write!(f, "the kernel's page tables cannot be built: {error}"),
        }
    }
}

impl From<MapError> for InitError {
    fn from(error: MapError) -> Self {
        Self::Tables(error)
    }
}

/// The physical range of the kernel image.
pub(super) fn image(info: &BootInfo) -> PhysRange {
    let len = layout::data()
        .end
        .offset_from(layout::image_start())
        .unwrap_or(0);
    PhysRange::new(
        info.kernel,
        info.kernel.checked_add(len).unwrap_or(info.kernel),
    )
}

/// Whether an address lies in the part of the image that only the start needed, and the direct map shows that now.
pub(super) fn is_former_image(info: &BootInfo, address: PhysAddr) -> bool {
    let is_inside = |part: PhysRange| part.contains(address);
    IS_START_SHOWN.load(Ordering::Acquire) && physical(layout::init(), info).is_some_and(is_inside)
}

/// Whether the direct map shows what only the start needed.
static IS_START_SHOWN: AtomicBool = AtomicBool::new(false);

/// Where a part of the kernel image lies in memory.
fn physical(part: VirtRange, info: &BootInfo) -> Option<PhysRange> {
    let offset = part.start.offset_from(layout::image_start())?;
    PhysRange::from_len(info.kernel.checked_add(offset)?, part.len())
}

/// Sets frames and kernel page tables up; returns the root that is to be loaded. Until it is loaded, only frames and
/// tables may be used: heap, stacks and devices are mapped in the new tables alone.
///
/// # Errors
/// See [`InitError`].
///
/// # Safety
/// Once, on the boot CPU, on the boot loader's page tables (invariant 3).
#[unsafe(link_section = ".init.text")]
pub unsafe fn init(info: &'static BootInfo) -> Result<u64, InitError> {
    // SAFETY: nothing of the memory that is marked usable is in use (boot protocol).
    let allocator = unsafe { allocator(info.regions()) }?;
    // What the kernel needs to go on, and to end programs, when they have used up everything else.
    frames::set_reserve(allocator.total_frames() / KERNEL_SHARE + KERNEL_FRAMES);
    frames::init(allocator);
    // Page 0 is worth more as the target of null pointers of devices and firmware than as 4 KiB of memory.
    frames::reserve(PhysRange::new(PhysAddr::ZERO, PhysAddr::new(PAGE_SIZE)));

    let levels = if info.five_levels {
        Levels::Five
    } else {
        Levels::Four
    };
    let mut tables = PageTable::new(levels, &mut DirectMemory, &mut TableFrames)?;
    map_image(&mut tables, info)?;
    map_direct(&mut tables, info)?;
    for range in [HEAP, STACKS, DEVICES] {
        tables
            .edit(&mut DirectMemory, &mut TableFrames)
            .ensure_top_level(range)?;
    }
    shootdown::set_kernel_root(tables.root().start());
    let root = tables.root().start().as_u64();
    KERNEL_TABLES.call_once(|| IrqLock::new(tables));
    Ok(root)
}

/// Where the frame allocator's blocks lie, and how many there are.
static STORAGE: Once<(PhysAddr, usize)> = Once::new();

/// The frame allocator's blocks, as the direct map in use shows them.
///
/// # Safety
/// At most one of the returned references is used at a time.
unsafe fn storage(start: PhysAddr, count: usize) -> &'static mut [Block] {
    let place = direct::phys_to_virt(start).as_u64() as *mut Block;
    // SAFETY: page-aligned memory of the right size that nobody else gets. `Block` is plain numbers, so that any content is
    // valid; the allocator sets all of it before it reads any.
    unsafe { core::slice::from_raw_parts_mut(place, count) }
}

/// To be called first thing on the new tables: from here on the direct map is ours, wherever the boot loader's was.
///
/// # Safety
/// Once, by the boot CPU (invariant 3).
#[unsafe(link_section = ".init.text")]
pub unsafe fn tables_are_loaded() {
    direct::set_offset(DIRECT_MAP.start.as_u64());
    if let Some(&(start, count)) = STORAGE.get() {
        // SAFETY: the allocator drops the old reference for this one.
        let moved = frames::with_shared(|shared| shared.relocate(unsafe { storage(start, count) }));
        debug_assert!(
            matches!(moved, Some(Ok(()))),
            "the storage has the size that it was made with"
        );
    }
}

/// Makes the frame allocator, its tables at the end of the largest usable region.
///
/// # Safety
/// Usable memory is not in use.
#[unsafe(link_section = ".init.text")]
unsafe fn allocator(regions: &[Region]) -> Result<FrameAllocator<'static>, InitError> {
    let of_kind = |wanted: fn(RegionKind) -> bool| {
        regions
            .iter()
            .filter(move |region| wanted(region.kind))
            .map(range_of)
    };
    // Blocks also for what becomes free later.
    let cover = of_kind(|kind| {
        matches!(
            kind,
            RegionKind::Usable | RegionKind::BootloaderReclaimable | RegionKind::AcpiReclaimable
        )
    });
    let count = blocks_needed(cover.clone());
    let bytes = (count * size_of::<Block>()) as u64;
    let bytes = bytes
        .checked_next_multiple_of(PAGE_SIZE)
        .ok_or(InitError::NoRoom)?;
    let home = of_kind(|kind| kind == RegionKind::Usable)
        .max_by_key(PhysRange::len)
        .filter(|home| home.len() > bytes)
        .ok_or(InitError::NoRoom)?;
    let start = home.end.checked_sub(bytes).ok_or(InitError::NoRoom)?;
    STORAGE.call_once(|| (start, count));
    // SAFETY: the only use before `tables_are_loaded`; the memory is cut off from what is usable below.
    let storage = unsafe { storage(start, count) };
    let usable = of_kind(|kind| kind == RegionKind::Usable).map(move |range| {
        if range.end == home.end {
            PhysRange::new(range.start, start)
        } else {
            range
        }
    });
    if poison::is_on() {
        usable
            .clone()
            .flat_map(|range| range.align_inward(PAGE_SIZE).frames())
            .for_each(poison::fill);
    }
    FrameAllocator::new_covering(storage, cover, usable).map_err(InitError::Frames)
}

#[unsafe(link_section = ".init.text")]
fn map_image(tables: &mut PageTable, info: &BootInfo) -> Result<(), MapError> {
    tables
        .edit(&mut DirectMemory, &mut TableFrames)
        .ensure_top_level(IMAGE)?;
    let guard = paging::boot_stack_guard();
    let data = layout::data();
    let parts = [
        (layout::text(), Protection::KERNEL_CODE),
        (layout::init(), Protection::KERNEL_CODE),
        (layout::rodata(), Protection::KERNEL_READ),
        (
            VirtRange::new(data.start, guard.start),
            Protection::KERNEL_DATA,
        ),
        (VirtRange::new(guard.end, data.end), Protection::KERNEL_DATA),
    ];
    for (range, protection) in parts.into_iter().filter(|(range, _)| !range.is_empty()) {
        let phys = physical(range, info).ok_or(MapError::Misaligned)?;
        tables.edit(&mut DirectMemory, &mut TableFrames).map_range(
            range.start,
            phys,
            protection,
            PageSize::Large,
        )?;
    }
    Ok(())
}

/// Maps all memory but the kernel image, whose pages keep one mapping each, with the rights of their section.
#[unsafe(link_section = ".init.text")]
fn map_direct(tables: &mut PageTable, info: &BootInfo) -> Result<(), MapError> {
    let largest = if cpuid::features().huge_pages {
        PageSize::Huge
    } else {
        PageSize::Large
    };
    let image = image(info);
    for run in runs(info.regions()) {
        let below = PhysRange::new(run.start, run.end.min(image.start).max(run.start));
        let above = PhysRange::new(run.start.max(image.end).min(run.end), run.end);
        let parts = if run.overlaps(&image) {
            [Some(below), Some(above)]
        } else {
            [Some(run), None]
        };
        for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
            let virt = DIRECT_MAP
                .start
                .checked_add(part.start.as_u64())
                .ok_or(MapError::Misaligned)?;
            tables.edit(&mut DirectMemory, &mut TableFrames).map_range(
                virt,
                part,
                Protection::KERNEL_DATA,
                largest,
            )?;
        }
    }
    Ok(())
}

/// Gives the boot loader's memory to the frame allocator; returns how many frames that were. Nothing of the boot
/// loader's may be used any more: its page tables, stack, GDT and responses all lie there.
#[unsafe(link_section = ".init.text")]
pub fn reclaim_boot_loader() -> u64 {
    let reclaimable = |region: &&Region| region.kind == RegionKind::BootloaderReclaimable;
    boot::info()
        .regions()
        .iter()
        .filter(reclaimable)
        .map(|region| frames::add(range_of(region)).added)
        .sum()
}

/// Unmaps the code that only the start needed, and gives its memory to the frame allocator; returns how many frames that
/// were. No processor may run any of it any more, nor return to it.
///
/// # Errors
/// When there is no memory for the tables that show those frames in the direct map; then nothing is given back.
pub fn reclaim_start() -> Result<u64, MapError> {
    let code = layout::init();
    let phys = physical(code, boot::info()).ok_or(MapError::Misaligned)?;
    let shown = DIRECT_MAP.start.checked_add(phys.start.as_u64());
    let mut memory = DirectMemory;
    let mut tables = super::kernel_tables();
    let flush = tables
        .edit(&mut memory, &mut TableFrames)
        .unmap_range(code, |_| {})?;
    shootdown::flush_kernel(&flush);
    flush.finish(&mut memory, &mut TableFrames);
    tables.edit(&mut memory, &mut TableFrames).map_range(
        shown.ok_or(MapError::Misaligned)?,
        phys,
        Protection::KERNEL_DATA,
        PageSize::Large,
    )?;
    drop(tables);
    IS_START_SHOWN.store(true, Ordering::Release);
    Ok(frames::add(phys).added)
}
