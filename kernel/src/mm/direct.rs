//! The direct map: all memory at a fixed distance, through which the kernel reaches frames and page tables.

use core::sync::atomic::{AtomicU64, Ordering};

use kaddr::{Frame, PAGE_SIZE, PhysAddr, PhysRange, VirtAddr};
use kboot::memory_map::{Region, RegionKind};
use kmem::pt::TableMemory;

use crate::arch::current::IrqLock;
use crate::boot;
use crate::locks;

/// Distance from a physical address to its virtual one: first the boot loader's, then ours.
static OFFSET: AtomicU64 = AtomicU64::new(0);

/// Whether the direct map can be used yet.
pub fn is_ready() -> bool {
    OFFSET.load(Ordering::Relaxed) != 0
}

/// Sets the distance that is valid from now on.
pub fn set_offset(offset: u64) {
    OFFSET.store(offset, Ordering::Relaxed);
}

/// Where the direct map has a physical address. Only for memory that it [`covers`].
pub fn phys_to_virt(address: PhysAddr) -> VirtAddr {
    VirtAddr::new(
        OFFSET
            .load(Ordering::Relaxed)
            .wrapping_add(address.as_u64()),
    )
}

/// Whether memory of this kind is in the direct map.
fn is_mapped(kind: RegionKind) -> bool {
    matches!(
        kind,
        RegionKind::Usable
            | RegionKind::BootloaderReclaimable
            | RegionKind::ExecutableAndModules
            | RegionKind::AcpiReclaimable
            | RegionKind::AcpiNvs
    )
}

/// The physical range of a region.
pub(super) fn range_of(region: &Region) -> PhysRange {
    PhysRange::new(
        PhysAddr::new(region.range.start),
        PhysAddr::new(region.range.end),
    )
}

/// The runs of memory that the direct map covers: neighbouring regions joined.
pub(super) fn runs(regions: &[Region]) -> impl Iterator<Item = PhysRange> {
    let mut mapped = regions
        .iter()
        .filter(|region| is_mapped(region.kind))
        .map(range_of)
        .peekable();
    core::iter::from_fn(move || {
        let mut run = mapped.next()?;
        while let Some(next) = mapped.next_if(|next| next.start == run.end) {
            run = PhysRange::new(run.start, next.end);
        }
        Some(run)
    })
}

/// Whether the direct map has this address, outside of the kernel image (which has mappings of its own).
pub fn covers(address: PhysAddr) -> bool {
    let Some(info) = boot::try_info() else {
        return false;
    };
    let inside = |region: &Region| is_mapped(region.kind) && range_of(region).contains(address);
    info.regions().iter().any(inside)
        && (!super::init::image(info).contains(address)
            || super::init::is_former_image(info, address))
}

/// Devices that the kernel drives itself, by their registers.
static DEVICES: IrqLock<Devices, locks::Devices> = IrqLock::new(Devices {
    ranges: [const { None }; DEVICES_MAX],
    is_full: false,
});

/// More than a machine has of those that the kernel drives: interrupt controllers and a timer.
const DEVICES_MAX: usize = 64;

struct Devices {
    ranges: [Option<PhysRange>; DEVICES_MAX],
    is_full: bool,
}

/// Notes that the kernel drives a device by registers in these pages.
pub(super) fn keep_device(range: PhysRange) {
    let mut devices = DEVICES.lock();
    let known = |known: &Option<PhysRange>| known.is_some_and(|known| known.contains_range(&range));
    if devices.ranges.iter().any(known) {
        return;
    }
    match devices.ranges.iter_mut().find(|place| place.is_none()) {
        Some(place) => *place = Some(range),
        // Then programs get nothing, rather than something that is the kernel's.
        None => devices.is_full = true,
    }
}

/// Whether the kernel has anything in a range: memory of any kind, its image, registers of a device that it drives.
pub fn is_kernels(range: PhysRange) -> bool {
    let Some(info) = boot::try_info() else {
        return true;
    };
    let is_memory = |region: &Region| is_mapped(region.kind) && range_of(region).overlaps(&range);
    let devices = DEVICES.lock();
    let mut driven = devices.ranges.iter().flatten();
    devices.is_full
        || info.regions().iter().any(is_memory)
        || super::init::image(info).overlaps(&range)
        || driven.any(|device| device.overlaps(&range))
}

/// Page tables, reached through the direct map.
pub struct DirectMemory;

impl TableMemory for DirectMemory {
    fn read(&self, entry: PhysAddr) -> u64 {
        // SAFETY: an aligned word of a page table, which lies in the direct map (invariant 1).
        unsafe { (phys_to_virt(entry).as_u64() as *const u64).read_volatile() }
    }

    fn write(&mut self, entry: PhysAddr, value: u64) {
        // SAFETY: as in `read`; the caller of the page-table code holds the lock of these tables.
        unsafe { (phys_to_virt(entry).as_u64() as *mut u64).write_volatile(value) }
    }

    fn clear(&mut self, table: Frame) {
        zero(table);
    }
}

/// Fills a frame with zeros.
#[inline]
pub fn zero(frame: Frame) {
    let address = phys_to_virt(frame.start()).as_u64() as *mut u64;
    // SAFETY: a frame of memory in the direct map, owned by the caller (invariants 1 and 4).
    unsafe {
        core::arch::asm!(
            "rep stosq",
            inout("rdi") address => _,
            inout("rcx") PAGE_SIZE / 8 => _,
            in("rax") 0u64,
            options(nostack, preserves_flags),
        );
    }
}

/// Whether a frame holds nothing but zeros. A program may write to it meanwhile; then it is so or not.
pub fn is_zero(frame: Frame) -> bool {
    /// Words that are looked at before it is decided whether to go on.
    const STEP: usize = 8;
    const STEPS: usize = PAGE_SIZE as usize / 8 / STEP;
    let start = phys_to_virt(frame.start()).as_u64() as *const [u64; STEP];
    // SAFETY: a frame of memory in the direct map, which somebody owns (invariants 1 and 4). Volatile, as others may write.
    (0..STEPS).all(|step| unsafe { start.add(step).read_volatile() } == [0; STEP])
}
