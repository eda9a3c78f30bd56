//! Poison: what free frames hold in builds with checks, so that a write to a frame after its return is seen.
//!
//! On with debug assertions and with the feature `frame-debug`; otherwise nothing of it is left in the image. Every free
//! frame is filled, from the start: with much memory the start takes long. A frame that comes back full of poison was
//! perhaps given back before: then all caches are searched for it. When two processors give one frame back at the same
//! moment, that search may find nothing; the frame is then handed out twice, and the second time its poison is gone.

use kaddr::{Frame, PAGE_SIZE};

use super::direct::{self, phys_to_virt};

/// What every word of a free frame is.
const POISON: u64 = 0xfee1_dead_f4a3_e000;
const WORDS: usize = PAGE_SIZE as usize / 8;

/// Whether this build poisons.
pub const fn is_on() -> bool {
    cfg!(any(debug_assertions, feature = "frame-debug"))
}

fn words(frame: Frame) -> *mut u64 {
    phys_to_virt(frame.start()).as_u64() as *mut u64
}

/// The first word that is not poison: its index, and what it holds.
fn intact(frame: Frame) -> Result<(), (usize, u64)> {
    let words = words(frame);
    for index in 0..WORDS {
        // SAFETY: a frame of memory in the direct map, read only (invariant 1); it may change meanwhile, hence volatile.
        let word = unsafe { words.add(index).read_volatile() };
        if word != POISON {
            return Err((index, word));
        }
    }
    Ok(())
}

/// Whether a frame is memory that can be looked at.
pub fn is_ours(frame: Frame) -> bool {
    direct::covers(frame.start())
}

/// Whether a frame holds nothing but poison.
pub fn is_filled(frame: Frame) -> bool {
    is_ours(frame) && intact(frame).is_ok()
}

/// Fills a frame that is free, or is to be in a moment.
pub fn fill(frame: Frame) {
    // SAFETY: a frame of memory in the direct map that nobody owns but the caller (invariants 1 and 4).
    unsafe {
        core::arch::asm!(
            "rep stosq",
            inout("rdi") words(frame) => _,
            inout("rcx") WORDS => _,
            in("rax") POISON,
            options(nostack, preserves_flags),
        );
    }
}

/// Looks whether a frame is as [`fill`] left it; nothing in builds without checks.
///
/// # Panics
/// When it is not: somebody wrote to it after it was given back.
#[inline]
pub fn check(frame: Frame) {
    if !is_on() {
        return;
    }
    if let Err((index, word)) = intact(frame) {
        panic!(
            "frame {frame} was written to after it was given back, or was given back twice: byte {:#x} begins {word:#018x}",
            index * 8
        );
    }
}
