//! Privileged and other special instructions, each as thin as can be.

use core::arch::asm;

use shim_core::cpu::{Cpuid, Leaf};

/// The CPUID instruction of this processor.
pub struct Instruction;

impl Cpuid for Instruction {
    fn leaf(&self, leaf: u32, subleaf: u32) -> Leaf {
        let answer = core::arch::x86_64::__cpuid_count(leaf, subleaf);
        Leaf {
            eax: answer.eax,
            ebx: answer.ebx,
            ecx: answer.ecx,
            edx: answer.edx,
        }
    }
}

/// Reads a port.
///
/// # Safety
/// Reading the port has no effect that breaks anything.
pub unsafe fn inb(port: u16) -> u8 {
    let value;
    // SAFETY: as the caller promises.
    unsafe {
        asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags))
    };
    value
}

/// Writes a port.
///
/// # Safety
/// Writing the port has no effect that breaks anything.
pub unsafe fn outb(port: u16, value: u8) {
    // SAFETY: as the caller promises.
    unsafe {
        asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags))
    };
}

/// Reads a model-specific register.
///
/// # Safety
/// The processor has the register.
pub unsafe fn rdmsr(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: as the caller promises; reading has no effect.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model-specific register.
///
/// # Safety
/// The processor has the register, and the value keeps what the program relies on.
pub unsafe fn wrmsr(register: u32, value: u64) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    let (low, high) = (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    );
    // SAFETY: as the caller promises.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") low, in("edx") high, options(nostack, preserves_flags));
    }
}

/// Reads CR4.
pub fn cr4() -> u64 {
    let value;
    // SAFETY: reading has no effect.
    unsafe { asm!("mov {}, cr4", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Reads the time stamp counter.
pub fn tsc() -> u64 {
    // SAFETY: the feature check found the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// A random number, if the processor has a source of them that works.
pub fn random() -> Option<u64> {
    if !shim_core::cpu::Optional::detect(&Instruction).rdrand {
        return None;
    }
    for _ in 0..32 {
        let (value, good): (u64, u8);
        // SAFETY: the instruction was found above and changes only its operands and flags.
        unsafe {
            asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) good, options(nomem, nostack))
        };
        // Some broken processors give all ones without end.
        if good == 1 && value != u64::MAX {
            return Some(value);
        }
    }
    None
}

/// Stops interrupts.
///
/// # Safety
/// Nobody relies on them any more.
pub unsafe fn disable_interrupts() {
    // SAFETY: as the caller promises.
    unsafe { asm!("cli", options(nomem, nostack)) };
}
