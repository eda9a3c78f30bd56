//! The processor's side of page tables: CR3, INVLPG, and the small tables of the start-up trampoline.

use core::cell::UnsafeCell;

use kaddr::{Frame, PAGE_SIZE, Page, PageSize, PhysAddr, VirtAddr, VirtRange};
use kmem::pt::{Flags, FrameSource, Levels, PageTable, Protection};
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};

use crate::boot;
use crate::mm::frames::{self, Purpose};
use crate::mm::{self, DirectMemory};

/// The stack from the moment that our page tables are loaded; the boot CPU's idle thread keeps it.
#[repr(C, align(4096))]
struct BootStack {
    /// Not mapped in our tables, so that an overflow is a fault.
    guard: [u8; PAGE_SIZE as usize],
    stack: UnsafeCell<[u8; 64 * 1024]>,
}

// SAFETY: only the boot CPU's stack pointer refers to it.
unsafe impl Sync for BootStack {}

static BOOT_STACK: BootStack = BootStack {
    guard: [0; PAGE_SIZE as usize],
    stack: UnsafeCell::new([0; 64 * 1024]),
};

/// The page below the boot stack.
pub fn boot_stack_guard() -> VirtRange {
    let start = VirtAddr::new(BOOT_STACK.guard.as_ptr() as u64);
    VirtRange::new(start, VirtAddr::new(BOOT_STACK.stack.get() as u64))
}

/// The end of the boot stack.
pub fn boot_stack_top() -> u64 {
    BOOT_STACK.stack.get() as u64 + size_of_val(&BOOT_STACK.stack) as u64
}

fn current_tables() -> Option<PageTable> {
    let root = Frame::starting_at(PhysAddr::new(Cr3::read_raw().0.start_address().as_u64()))?;
    let five = Cr4::read().contains(Cr4Flags::L5_PAGING);
    Some(PageTable::from_root(
        root,
        if five { Levels::Five } else { Levels::Four },
    ))
}

/// Whether a word at this kernel address can be read without a fault, by a walk of the tables in use. Takes no lock.
pub fn is_kernel_readable(address: u64) -> bool {
    let address = VirtAddr::new(address);
    address.is_upper_half()
        && mm::direct::is_ready()
        && current_tables().is_some_and(|tables| tables.translate(&DirectMemory, address).is_some())
}

/// Frames below 4 GiB: the trampoline loads CR3 in 32-bit mode.
struct LowFrames;

impl FrameSource for LowFrames {
    fn allocate_table(&mut self) -> Option<Frame> {
        let range =
            frames::allocate_contiguous(1, 1, Some(PhysAddr::new(1 << 32)), Purpose::KernelTable)?;
        Frame::starting_at(range.start)
    }

    fn free_table(&mut self, table: Frame) {
        frames::free(table, Purpose::KernelTable);
    }
}

/// Page tables for the start of another CPU: the kernel's half, and the trampoline page at its physical address.
pub struct Trampoline(Option<PageTable>);

impl Trampoline {
    /// Tables for the trampoline at `page`, or `None` when there is no frame below 4 GiB.
    pub fn new(page: PhysAddr) -> Option<Self> {
        let mut tables =
            PageTable::new_sharing(&mm::kernel_tables(), &mut DirectMemory, &mut LowFrames).ok()?;
        let identity = Page::starting_at(VirtAddr::new(page.as_u64()))?;
        let frame = Frame::starting_at(page)?;
        let mapped = tables.edit(&mut DirectMemory, &mut LowFrames).map(
            identity,
            frame,
            PageSize::Small,
            Protection::new(Flags::EXECUTE),
        );
        let trampoline = Self(Some(tables));
        mapped.ok().map(|()| trampoline)
    }

    /// The root, for CR3.
    pub fn root(&self) -> u32 {
        self.0
            .as_ref()
            .map_or(0, |tables| tables.root().start().as_u64() as u32)
    }

    /// CR4 for the first instructions in long mode: PAE, and as many levels as the boot CPU has.
    pub fn cr4(&self) -> u32 {
        let levels = if boot::info().five_levels {
            Cr4Flags::L5_PAGING
        } else {
            Cr4Flags::empty()
        };
        (Cr4Flags::PHYSICAL_ADDRESS_EXTENSION | levels).bits() as u32
    }
}

impl Drop for Trampoline {
    fn drop(&mut self) {
        if let Some(tables) = self.0.take() {
            tables.destroy(&mut DirectMemory, &mut LowFrames);
        }
    }
}
