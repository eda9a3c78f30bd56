//! The direct map: all memory at a fixed distance, through which the kernel reaches frames and page tables.

use core::sync::atomic::{AtomicU64, Ordering};

use kaddr::{Frame, PAGE_SIZE, PhysAddr, PhysRange, VirtAddr};
use kboot::memory_map::{Region, RegionKind};
use kmem::pt::TableMemory;

use crate::boot;

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
    info.regions().iter().any(inside) && !super::init::image(info).contains(address)
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
