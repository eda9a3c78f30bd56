//! The only place where the kernel touches user memory.
//!
//! The copy instructions may fault; the fix-up table (section `.fixups`, filled here) tells the page-fault handler
//! where to go on then. No Rust reference to user memory is ever formed (invariant 7). With SMAP the access is
//! opened by STAC just around the copy.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::mm::layout;

/// The first address above user space: one page below the end of the lower half, so that the instruction after a
/// SYSCALL on the last user page is still canonical (Intel SDM vol. 2B, SYSRET).
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// An address range that is not, or not wholly, readable or writable user memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAddress;

/// Whether SMAP is on; read by the entry code of `idt`.
pub(super) static SMAP: AtomicBool = AtomicBool::new(false);

/// Tells this module that SMAP is on.
pub fn smap_is_on() {
    SMAP.store(true, Ordering::Relaxed);
}

/// Copies `count` bytes; returns how many were left when an access faulted. RDI: target, RSI: source, RDX: count.
#[unsafe(naked)]
unsafe extern "C" fn copy(target: *mut u8, source: *const u8, count: usize) -> usize {
    naked_asm!(
        // Words first, then the bytes that are left.
        "mov rcx, rdx",
        "shr rcx, 3",
        "2:",
        "rep movsq",
        "mov ecx, edx",
        "and ecx, 7",
        "3:",
        "rep movsb",
        "4:",
        "mov rax, rcx",
        "ret",
        // A fault among the words.
        "5:",
        "and edx, 7",
        "lea rax, [rcx * 8 + rdx]",
        "ret",
        ".pushsection .fixups, \"a\"",
        ".quad 2b, 5b",
        ".quad 3b, 4b",
        ".popsection",
    )
}

/// Loads four bytes in one access. RDI: where. Returns them, or a greater number when the access faulted.
#[unsafe(naked)]
unsafe extern "C" fn load_word(source: *const u32) -> u64 {
    naked_asm!(
        "2:",
        "mov eax, [rdi]",
        "ret",
        "3:",
        "mov rax, -1",
        "ret",
        ".pushsection .fixups, \"a\"",
        ".quad 2b, 3b",
        ".popsection",
    )
}

/// Where to go on after a fault at `rip`, if that is an instruction of this module.
pub fn fixup(rip: u64) -> Option<u64> {
    layout::fixups()
        .iter()
        .find(|[at, _]| *at == rip)
        .map(|[_, target]| *target)
}

#[inline]
fn check(address: u64, len: usize) -> Result<(), BadAddress> {
    let end = address.checked_add(len as u64).ok_or(BadAddress)?;
    if end <= USER_END {
        Ok(())
    } else {
        Err(BadAddress)
    }
}

/// Does something with access to user pages.
#[inline(always)]
fn guarded<R>(access: impl FnOnce() -> R) -> R {
    let smap = SMAP.load(Ordering::Relaxed);
    if smap {
        // SAFETY: opens user pages to this CPU for the access below; no memory operand.
        unsafe { asm!("stac", options(nomem, nostack)) };
    }
    let result = access();
    if smap {
        // SAFETY: closes what was opened above.
        unsafe { asm!("clac", options(nomem, nostack)) };
    }
    result
}

fn copy_guarded(target: *mut u8, source: *const u8, len: usize) -> Result<(), BadAddress> {
    // SAFETY: the callers checked that the user side lies in user space and own the kernel side; a fault on the user side is
    // fixed up (invariant 7).
    let left = guarded(|| unsafe { copy(target, source, len) });
    if left == 0 { Ok(()) } else { Err(BadAddress) }
}

/// Copies from user memory at `address` into `target`.
///
/// # Errors
/// [`BadAddress`] when any byte of the range cannot be read; `target` may then be partly filled.
pub fn read(address: u64, target: &mut [u8]) -> Result<(), BadAddress> {
    check(address, target.len())?;
    copy_guarded(target.as_mut_ptr(), address as *const u8, target.len())
}

/// Copies `source` to user memory at `address`.
///
/// # Errors
/// [`BadAddress`] when any byte of the range cannot be written; a part may then have been.
pub fn write(address: u64, source: &[u8]) -> Result<(), BadAddress> {
    check(address, source.len())?;
    copy_guarded(address as *mut u8, source.as_ptr(), source.len())
}

/// Loads the four bytes at `address`, a multiple of 4, in one access.
///
/// # Errors
/// [`BadAddress`] when they cannot be read.
#[inline(always)]
pub fn load(address: u64) -> Result<u32, BadAddress> {
    check(address, size_of::<u32>())?;
    // SAFETY: in user space; a fault is fixed up (invariant 7).
    let word = guarded(|| unsafe { load_word(address as *const u32) });
    u32::try_from(word).map_err(|_| BadAddress)
}
