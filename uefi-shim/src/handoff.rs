//! The way out of the firmware: the code of the handoff page, and the jump to it.

use core::arch::{asm, global_asm};

use shim_core::handoff::{CodeOffsets, PAGE, PARAMETERS};

global_asm!(include_str!("handoff.s"), options(att_syntax));

unsafe extern "C" {
    static shim_handoff_start: u8;
    static shim_handoff_boot: u8;
    static shim_handoff_protected: u8;
    static shim_handoff_long: u8;
    static shim_handoff_end: u8;
}

fn distance(label: *const u8) -> u64 {
    (label as u64).wrapping_sub(&raw const shim_handoff_start as u64)
}

/// Where the parts of the code are in the page.
pub fn offsets() -> CodeOffsets {
    CodeOffsets {
        protected: distance(&raw const shim_handoff_protected),
        long: distance(&raw const shim_handoff_long),
    }
}

/// Copies the code to the beginning of its page.
pub fn copy_code(page: &mut [u8; PAGE]) {
    let size = usize::try_from(distance(&raw const shim_handoff_end))
        .unwrap_or(PAGE)
        .min(PARAMETERS);
    // SAFETY: the code lies between the two labels, and is at most as long as the room for it.
    let code = unsafe { core::slice::from_raw_parts(&raw const shim_handoff_start, size) };
    if let Some(target) = page.get_mut(..size) {
        target.copy_from_slice(code);
    }
}

/// Leaves the firmware's world for the kernel.
///
/// # Safety
/// The boot services are gone. `page` is the address of a handoff page with code and parameters,
/// and `bridge` that of page tables with as many levels as are in use now; both map the page and
/// the image of this program one to one, executable. The page tables in the parameters do so, too.
pub unsafe fn enter(page: u64, bridge: u64) -> ! {
    let entry = page.wrapping_add(distance(&raw const shim_handoff_boot));
    // Firmware may have made data pages not executable: the page is entered only under page tables
    // of our own. CR4: without PGE (7), PCIDE (17) and CET (23) no old translation survives.
    // SAFETY: as the caller promises; nothing behind the jump comes back here.
    unsafe {
        asm!(
            "mov {scratch}, cr4",
            "and {scratch}, {mask}",
            "mov cr4, {scratch}",
            "mov cr3, {bridge}",
            "jmp {entry}",
            scratch = in(reg) 0_u64,
            mask = in(reg) !((1_u64 << 7) | (1 << 17) | (1 << 23)),
            bridge = in(reg) bridge,
            entry = in(reg) entry,
            in("rdi") page,
            options(noreturn),
        )
    }
}
