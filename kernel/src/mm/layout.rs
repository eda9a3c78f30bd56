//! The kernel's part of the address space, and the sections of its own image.
//!
//! All addresses are valid with four and with five levels of page tables: they lie in the last 128 TiB.

use kaddr::{VirtAddr, VirtRange};

/// All physical memory, for the kernel's own use: 64 TiB.
pub const DIRECT_MAP: VirtRange = VirtRange::new(
    VirtAddr::new(0xffff_8000_0000_0000),
    VirtAddr::new(0xffff_c000_0000_0000),
);
/// The kernel heap: 1 TiB.
pub const HEAP: VirtRange = VirtRange::new(
    VirtAddr::new(0xffff_c100_0000_0000),
    VirtAddr::new(0xffff_c200_0000_0000),
);
/// Kernel stacks with their guard pages: 1 TiB.
pub const STACKS: VirtRange = VirtRange::new(
    VirtAddr::new(0xffff_c300_0000_0000),
    VirtAddr::new(0xffff_c400_0000_0000),
);
/// Registers of devices and the framebuffer: 1 TiB.
pub const DEVICES: VirtRange = VirtRange::new(
    VirtAddr::new(0xffff_c500_0000_0000),
    VirtAddr::new(0xffff_c600_0000_0000),
);
/// The kernel image.
pub const IMAGE: VirtRange = VirtRange::new(
    VirtAddr::new(0xffff_ffff_8000_0000),
    VirtAddr::new(0xffff_ffff_ffff_f000),
);

unsafe extern "C" {
    static __image_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __init_start: u8;
    static __init_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __data_end: u8;
    static __fixups_start: [u64; 2];
    static __fixups_end: [u64; 2];
}

fn range(start: *const u8, end: *const u8) -> VirtRange {
    VirtRange::new(VirtAddr::new(start as u64), VirtAddr::new(end as u64))
}

/// Code.
pub fn text() -> VirtRange {
    range(&raw const __text_start, &raw const __text_end)
}

/// Code that only the start needs: functions with `link_section = ".init.text"`.
pub fn init() -> VirtRange {
    range(&raw const __init_start, &raw const __init_end)
}

/// Constants.
pub fn rodata() -> VirtRange {
    range(&raw const __rodata_start, &raw const __rodata_end)
}

/// Variables.
pub fn data() -> VirtRange {
    range(&raw const __data_start, &raw const __data_end)
}

/// First address of the image.
pub fn image_start() -> VirtAddr {
    VirtAddr::new(&raw const __image_start as u64)
}

/// The fix-up table: pairs of an instruction that may fault on user memory, and where to go on then.
pub fn fixups() -> &'static [[u64; 2]] {
    let start = &raw const __fixups_start;
    let count = (&raw const __fixups_end as usize - start as usize) / size_of::<[u64; 2]>();
    // SAFETY: the linker script puts both symbols around an aligned, constant array of pairs (invariant 9).
    unsafe { core::slice::from_raw_parts(start, count) }
}
