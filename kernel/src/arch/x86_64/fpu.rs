//! The extended register state of user threads: saved and restored whole at every switch between them.
//!
//! The kernel itself is compiled without vector instructions, so the registers hold the state of the user thread
//! that ran last on this CPU until another one is loaded.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::arch::asm;
use core::ptr::NonNull;

use spin::Once;
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use super::cpuid;

/// How this machine keeps extended state; the same on every CPU.
#[derive(Clone, Copy, Debug)]
struct Format {
    /// The state components in XCR0; 0 where only FXSAVE exists.
    components: u64,
    /// Bytes of a save area.
    size: usize,
}

static FORMAT: Once<Format> = Once::new();

/// x87, SSE, AVX, and the three parts of AVX-512.
const WANTED: u64 = 0b111 | 0b111 << 5;
const AVX: u64 = 1 << 2;
const AVX512: u64 = 0b111 << 5;

/// Turns the state components on that this CPU has.
pub fn init_cpu() {
    let format = FORMAT.call_once(|| {
        if !cpuid::features().xsave {
            return Format {
                components: 0,
                size: 512,
            };
        }
        let mut components = u64::from(cpuid::leaf(0xd, 0).eax) & WANTED;
        if components & AVX == 0 || components & AVX512 != AVX512 {
            components &= !AVX512;
        }
        set_components(components);
        // Only now: the size in EBX is that of the components that are on.
        Format {
            components,
            size: (cpuid::leaf(0xd, 0).ebx as usize).max(576),
        }
    });
    if format.components != 0 {
        set_components(format.components);
    }
}

fn set_components(components: u64) {
    // SAFETY: the components are among those that the CPU offers, x87 and SSE always among them; CR4.OSXSAVE is set.
    unsafe { XCr0::write(XCr0Flags::from_bits_truncate(components)) };
}

fn format() -> Format {
    FORMAT.get().copied().unwrap_or(Format {
        components: 0,
        size: 512,
    })
}

/// One thread's saved extended registers.
pub struct State {
    area: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the area is owned by the state, and only the CPU that switches the thread touches it (invariant 6).
unsafe impl Send for State {}
// SAFETY: as above.
unsafe impl Sync for State {}

impl State {
    /// The state that a new program starts with, or `None` when memory is short.
    pub fn new() -> Option<Self> {
        let layout = Layout::from_size_align(format().size, 64).ok()?;
        // SAFETY: the size is not zero.
        let area = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        // An all-zero header means "initial state" to XRSTOR; these two words lie in the legacy part and count for
        // FXRSTOR, MXCSR for both (Intel SDM vol. 1, 13.6 and 10.5.1).
        // SAFETY: both offsets lie in the area of at least 512 bytes.
        unsafe {
            area.as_ptr().cast::<u16>().write(0x037f);
            area.as_ptr().add(24).cast::<u32>().write(0x1f80);
        }
        Some(Self { area, layout })
    }

    /// Saves this CPU's registers.
    pub fn save(&self) {
        let area = self.area.as_ptr();
        // SAFETY: the area is 64-byte aligned and large enough for all components that are on; this CPU runs the thread that it
        // belongs to (invariant 6).
        unsafe {
            if format().components == 0 {
                asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags));
            } else {
                asm!("xsave64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags));
            }
        }
    }

    /// Loads this CPU's registers.
    pub fn restore(&self) {
        let area = self.area.as_ptr();
        // SAFETY: as in `save`; the content was written by it or by `new`, so no reserved bit is set.
        unsafe {
            if format().components == 0 {
                asm!("fxrstor64 [{}]", in(reg) area, options(nostack, preserves_flags));
            } else {
                asm!("xrstor64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags));
            }
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout.
        unsafe { dealloc(self.area.as_ptr(), self.layout) };
    }
}
