//! Makes the memory type range registers of started processors those of the boot processor.
//!
//! Firmware keeps them equal, so there is almost never anything to write. Intel SDM volume 3,
//! section 12.11.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::cpu::{rdmsr, wrmsr};

/// The registers that say how physical memory is cached; copied to each started processor.
static MTRR_DEFAULT: AtomicU64 = AtomicU64::new(0);
static MTRR_FIXED: [AtomicU64; 11] = [const { AtomicU64::new(0) }; 11];
static MTRR_VARIABLE: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
static MTRR_COUNT: AtomicU32 = AtomicU32::new(0);
const MTRR_FIXED_MSRS: [u32; 11] = [
    0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
];
const MTRR_DEFAULT_MSR: u32 = 0x2ff;
const MTRR_VARIABLE_MSR: u32 = 0x200;

/// Keeps the registers of this processor for the others.
pub fn save() {
    if core::arch::x86_64::__cpuid(1).edx & (1 << 12) == 0 {
        return;
    }
    // SAFETY: MTRRs are there; register 0xfe says which of them.
    unsafe {
        let capabilities = rdmsr(0xfe);
        MTRR_DEFAULT.store(rdmsr(MTRR_DEFAULT_MSR), Ordering::Relaxed);
        if capabilities & (1 << 8) != 0 {
            for (value, msr) in MTRR_FIXED.iter().zip(MTRR_FIXED_MSRS) {
                value.store(rdmsr(msr), Ordering::Relaxed);
            }
        }
        let count = u32::try_from(capabilities & 0xff)
            .unwrap_or(0)
            .saturating_mul(2)
            .min(64);
        for (value, msr) in MTRR_VARIABLE
            .iter()
            .zip(MTRR_VARIABLE_MSR..MTRR_VARIABLE_MSR + count)
        {
            value.store(rdmsr(msr), Ordering::Relaxed);
        }
        // Bit 31: there are MTRRs; bit 30: there are fixed ones.
        let fixed = u32::from(capabilities & (1 << 8) != 0) << 30;
        MTRR_COUNT.store(count | fixed | 1 << 31, Ordering::Release);
    }
}

/// Called by a started processor on its own stack: makes its MTRRs those of the boot processor.
///
/// Firmware keeps them equal, so there is almost never anything to write; if there is, caches are
/// off meanwhile (Intel SDM volume 3, section 12.11.8).
pub extern "sysv64" fn on_start() {
    let shape = MTRR_COUNT.load(Ordering::Acquire);
    if shape & 1 << 31 == 0 {
        return;
    }
    let count = shape & 0xff;
    let fixed: &[AtomicU64] = if shape & 1 << 30 != 0 {
        &MTRR_FIXED
    } else {
        &[]
    };
    let registers = || {
        let variable = MTRR_VARIABLE
            .iter()
            .zip(MTRR_VARIABLE_MSR..MTRR_VARIABLE_MSR + count);
        fixed.iter().zip(MTRR_FIXED_MSRS).chain(variable)
    };
    let default = MTRR_DEFAULT.load(Ordering::Relaxed);
    // SAFETY: the boot processor found these registers, and all processors are of one kind.
    let differs = unsafe {
        rdmsr(MTRR_DEFAULT_MSR) != default
            || registers().any(|(value, msr)| rdmsr(msr) != value.load(Ordering::Relaxed))
    };
    if !differs {
        return;
    }
    // SAFETY: the sequence of the manual: caches off and flushed, MTRRs off, written, on, caches
    // on. Interrupts are off, and there are no global translations.
    unsafe {
        let cr0: u64;
        core::arch::asm!("mov {}, cr0", out(reg) cr0);
        core::arch::asm!("mov cr0, {}", "wbinvd", in(reg) cr0 | 1 << 30);
        wrmsr(MTRR_DEFAULT_MSR, default & !(3 << 10));
        for (value, msr) in registers() {
            wrmsr(msr, value.load(Ordering::Relaxed));
        }
        wrmsr(MTRR_DEFAULT_MSR, default);
        core::arch::asm!("wbinvd", "mov {0}, cr3", "mov cr3, {0}", out(reg) _);
        core::arch::asm!("mov cr0, {}", in(reg) cr0);
    }
}
