//! The extended register state of user threads: saved and restored whole at every switch between them.
//!
//! The kernel itself is compiled without vector instructions, so the registers hold the state of the user thread
//! that ran last on this CPU until another one is loaded.
//!
//! What is saved: x87, SSE, AVX and AVX-512, as far as the processor has them. Left out on purpose are PKRU (protection keys stay off in
//! CR4, so that no program can use them), AMX (8 KiB for each thread), MPX (withdrawn), and all supervisor components. What is left out
//! is off in XCR0 and cannot be used.
//!
//! The instructions that know of initial and unmodified components write and read only what is needed. That an unmodified component
//! is left out of a save is sound: each save is to the area that this CPU has loaded last before it, and if another CPU has
//! written there meanwhile, the area was loaded here anew (Intel SDM vol. 1, 13.5.6 and 13.10).
//!
//! No load can fault: an area is written by [`State::new`] and by the processor only, so that no reserved bit of MXCSR, of the header
//! or of XCOMP_BV is set, whatever a program does; it cannot even load such an MXCSR.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::arch::asm;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use spin::Once;
use x86_64::registers::model_specific::Msr;
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use super::cpuid;

/// How state is saved, in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Method {
    /// x87 and SSE only; there is no XCR0.
    Fxsave = 0,
    /// Everything, at its fixed place.
    Xsave = 1,
    /// The same without what is initial or unmodified.
    Xsaveopt = 2,
    /// Compact, without what is initial.
    Xsavec = 3,
    /// Compact, without what is initial or unmodified.
    Xsaves = 4,
}

/// How this machine keeps extended state; the same on every CPU.
#[derive(Clone, Copy, Debug)]
struct Format {
    method: Method,
    /// The state components in XCR0; 0 where only FXSAVE exists.
    components: u64,
    /// Bytes of a save area.
    size: usize,
}

static FORMAT: Once<Format> = Once::new();
/// The method, for the switch.
static METHOD: AtomicU8 = AtomicU8::new(Method::Fxsave as u8);
/// Whether loads leave the x87 pointers of the thread before in place; see [`keeps_pointers`].
static KEEPS_POINTERS: AtomicBool = AtomicBool::new(false);

/// How [`State::exchange`] goes about it: one of the ways that most processors have, or [`BY_TABLE`].
static EXCHANGE: AtomicU8 = AtomicU8::new(BY_TABLE);
const BY_TABLE: u8 = 0;
const BY_XSAVEOPT_WITHOUT_POINTERS: u8 = 1;
const BY_XSAVEOPT: u8 = 2;
const BY_XSAVES: u8 = 3;

/// Makes the x87 pointers ours: no exception is pending then, and a register is free.
macro_rules! forget_pointers {
    () => {
        "fnclex; emms; fild dword ptr [rsp]"
    };
}

/// x87 and SSE, AVX, the three parts of AVX-512.
const WANTED: u64 = 0b11 | AVX | AVX512;
const AVX: u64 = 1 << 2;
const AVX512: u64 = 0b111 << 5;
/// The supervisor components that XSAVES saves.
const IA32_XSS: u32 = 0xda0;
/// Offset of XCOMP_BV in an area, and its bit that says that the area is compact (Intel SDM vol. 1, 13.4.2).
const XCOMP_BV: usize = 520;
const COMPACT: u64 = 1 << 63;
/// Bytes of the part that FXSAVE knows, and with the header.
const LEGACY_SIZE: usize = 512;
const HEADER_END: usize = 576;

/// Turns the state components on that the first CPU has.
///
/// # Panics
/// When this CPU has less than the first one: no thread could move between them.
pub fn init_cpu() {
    let format = FORMAT.call_once(choose);
    METHOD.store(format.method as u8, Ordering::Relaxed);
    let keeps_pointers = KEEPS_POINTERS.load(Ordering::Relaxed);
    let exchange = match (format.method, keeps_pointers) {
        (Method::Xsaveopt, false) => BY_XSAVEOPT,
        (Method::Xsaveopt, true) => BY_XSAVEOPT_WITHOUT_POINTERS,
        (Method::Xsaves, false) => BY_XSAVES,
        _ => BY_TABLE,
    };
    EXCHANGE.store(exchange, Ordering::Relaxed);
    if format.components != 0 {
        assert!(
            offered() & format.components == format.components
                && methods() & 1 << (format.method as u8) != 0,
            "a processor lacks vector registers that the first one has"
        );
        set_components(format);
    }
}

/// The components that this CPU offers, of those that we save.
fn offered() -> u64 {
    let components = u64::from(cpuid::leaf(0xd, 0).eax) & WANTED;
    // The parts of AVX-512 are only allowed together, and with AVX (Intel SDM vol. 1, 13.3).
    if components & AVX == 0 || components & AVX512 != AVX512 {
        components & !AVX512
    } else {
        components
    }
}

/// The methods of this CPU, a bit each.
fn methods() -> u8 {
    let extended = cpuid::leaf(0xd, 1).eax;
    let has = |bit: u32, method: Method| u8::from(extended >> bit & 1 != 0) << method as u8;
    1 << Method::Xsave as u8
        | has(0, Method::Xsaveopt)
        | has(1, Method::Xsavec)
        | has(3, Method::Xsaves)
}

/// Decides, on the first CPU, and turns the components on there.
fn choose() -> Format {
    KEEPS_POINTERS.store(keeps_pointers(), Ordering::Relaxed);
    let mut format = Format {
        method: Method::Fxsave,
        components: 0,
        size: LEGACY_SIZE,
    };
    if cpuid::features().xsave {
        let methods = methods();
        let best = [Method::Xsaves, Method::Xsavec, Method::Xsaveopt];
        let best = best
            .into_iter()
            .find(|method| methods & 1 << (*method as u8) != 0);
        format.method = best.unwrap_or(Method::Xsave);
        format.components = offered();
        set_components(&format);
        // Only now: these sizes are those of the components that are on, the second one in the compact format.
        let size = match format.method {
            Method::Xsaves | Method::Xsavec => cpuid::leaf(0xd, 1).ebx,
            _ => cpuid::leaf(0xd, 0).ebx,
        };
        format.size = (size as usize).max(HEADER_END);
    }
    log::info!(
        "extended state: {:?}, components {:#x}, {} bytes a thread",
        format.method,
        format.components,
        format.size
    );
    format
}

/// Whether the processor loads the x87 pointers to the last instruction and operand only when an exception is pending, so that a thread
/// could see those of another (CVE-2006-1056): processors of AMD and Hygon, unless they say otherwise (AMD64 manual vol. 3, E.4.5,
/// XSaveErPtr).
fn keeps_pointers() -> bool {
    let vendor = cpuid::leaf(0, 0);
    let vendor = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
    let is_of_amd = vendor == [*b"Auth", *b"enti", *b"cAMD"];
    let is_of_hygon = vendor == [*b"Hygo", *b"nGen", *b"uine"];
    (is_of_amd || is_of_hygon) && cpuid::leaf(0x8000_0008, 0).ebx & 1 << 2 == 0
}

fn set_components(format: &Format) {
    // SAFETY: the components are among those that the CPU offers, x87 and SSE always among them; CR4.OSXSAVE is set. The register
    // of supervisor components exists where XSAVES does.
    unsafe {
        XCr0::write(XCr0Flags::from_bits_truncate(format.components));
        if format.method == Method::Xsaves {
            Msr::new(IA32_XSS).write(0);
        }
    }
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
        let format = FORMAT.get()?;
        let layout = Layout::from_size_align(format.size, 64).ok()?;
        // SAFETY: the size is not zero.
        let area = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        // An all-zero XSTATE_BV means "initial state" to XRSTOR; these two words lie in the legacy part and count for
        // FXRSTOR, MXCSR for XRSTOR of the standard format, too (Intel SDM vol. 1, 13.8.1 and 10.5.1).
        // SAFETY: the offsets lie in the area of at least 512 bytes, or 576 where there is a header.
        unsafe {
            area.as_ptr().cast::<u16>().write(0x037f);
            area.as_ptr().add(24).cast::<u32>().write(0x1f80);
            if matches!(format.method, Method::Xsavec | Method::Xsaves) {
                let components = area.as_ptr().add(XCOMP_BV).cast::<u64>();
                components.write(COMPACT | format.components);
            }
        }
        Some(Self { area, layout })
    }

    /// Saves this CPU's registers here, and loads those of another thread: as [`Self::save`] and [`Self::restore`], with the
    /// instructions that most processors have chosen at once, without looking for them in a table.
    #[inline(always)]
    pub fn exchange(&self, next: &Self) {
        let (area, next_area) = (self.area.as_ptr(), next.area.as_ptr());
        macro_rules! exchange {
            ($save:literal, $between:expr, $restore:literal) => {
                // SAFETY: as in `save` and `restore`.
                unsafe {
                    asm!(concat!($save, " [{}]"), $between, concat!($restore, " [{}]"), in(reg) area, in(reg) next_area,
                        in("eax") u32::MAX, in("edx") u32::MAX, options(preserves_flags))
                }
            };
        }
        match EXCHANGE.load(Ordering::Relaxed) {
            BY_XSAVEOPT_WITHOUT_POINTERS => {
                exchange!("xsaveopt64", forget_pointers!(), "xrstor64");
            }
            BY_XSAVEOPT => exchange!("xsaveopt64", "", "xrstor64"),
            BY_XSAVES => exchange!("xsaves64", "", "xrstors64"),
            _ => self.exchange_otherwise(next),
        }
    }

    #[inline(never)]
    fn exchange_otherwise(&self, next: &Self) {
        self.save();
        next.restore();
    }

    /// Saves this CPU's registers.
    #[inline]
    pub fn save(&self) {
        let area = self.area.as_ptr();
        // All components that are on: the mask in EDX:EAX is cut by the processor.
        macro_rules! save {
            ($instruction:literal) => {
                asm!(concat!($instruction, " [{}]"), in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX,
                    options(nostack, preserves_flags))
            };
        }
        // SAFETY: the area is 64-byte aligned and large enough for all components that are on; this CPU has the instruction, and runs
        // the thread that the area belongs to (invariant 6).
        unsafe {
            match METHOD.load(Ordering::Relaxed) {
                XSAVEOPT => save!("xsaveopt64"),
                XSAVES => save!("xsaves64"),
                XSAVEC => save!("xsavec64"),
                XSAVE => save!("xsave64"),
                _ => asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags)),
            }
        }
    }

    /// Loads this CPU's registers.
    #[inline]
    pub fn restore(&self) {
        let area = self.area.as_ptr();
        macro_rules! restore {
            ($instruction:literal) => {
                asm!(concat!($instruction, " [{}]"), in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX,
                    options(nostack, preserves_flags))
            };
        }
        // SAFETY: as in `save`; the content was written by it or by `new`, so no reserved bit is set, and the format is that of the
        // instruction.
        unsafe {
            if KEEPS_POINTERS.load(Ordering::Relaxed) {
                // No exception is pending, a register is free, and the pointers are ours.
                asm!(forget_pointers!(), options(preserves_flags));
            }
            match METHOD.load(Ordering::Relaxed) {
                XSAVES => restore!("xrstors64"),
                XSAVEOPT | XSAVEC | XSAVE => restore!("xrstor64"),
                _ => asm!("fxrstor64 [{}]", in(reg) area, options(nostack, preserves_flags)),
            }
        }
    }
}

const XSAVE: u8 = Method::Xsave as u8;
const XSAVEOPT: u8 = Method::Xsaveopt as u8;
const XSAVEC: u8 = Method::Xsavec as u8;
const XSAVES: u8 = Method::Xsaves as u8;

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout.
        unsafe { dealloc(self.area.as_ptr(), self.layout) };
    }
}
