//! The local APIC, by its memory page or, in x2APIC mode, by its registers (Intel SDM vol. 3A, chapter 11).

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kaddr::PhysAddr;
use x86_64::registers::model_specific::Msr;

use super::cpuid;
use crate::mm::{self, MapError};

/// Vector of the timer.
pub const VECTOR_TIMER: u8 = 0xf0;
/// Vector that makes a CPU look at its run queue.
pub const VECTOR_RESCHEDULE: u8 = 0xf1;
/// Vector that makes a CPU forget translations.
pub const VECTOR_SHOOTDOWN: u8 = 0xf2;
/// Vector that tells who listens to the log of a new record.
pub const VECTOR_LOG: u8 = 0xf3;
/// Vector of spurious interrupts: they are not acknowledged.
pub const VECTOR_SPURIOUS: u8 = 0xff;

const IA32_APIC_BASE: u32 = 0x1b;
const BASE_ENABLE: u64 = 1 << 11;
const BASE_X2APIC: u64 = 1 << 10;
const IA32_TSC_DEADLINE: u32 = 0x6e0;
const X2APIC_MSRS: u32 = 0x800;

const EOI: u32 = 0x0b;
const SPURIOUS: u32 = 0x0f;
const TASK_PRIORITY: u32 = 0x08;
const ERROR_STATUS: u32 = 0x28;
const COMMAND_LOW: u32 = 0x30;
const COMMAND_HIGH: u32 = 0x31;
const LVT_TIMER: u32 = 0x32;
const LVT_LINT0: u32 = 0x35;
const LVT_LINT1: u32 = 0x36;
const LVT_ERROR: u32 = 0x37;
const TIMER_INITIAL: u32 = 0x38;
const TIMER_CURRENT: u32 = 0x39;
const TIMER_DIVIDE: u32 = 0x3e;

const MASKED: u32 = 1 << 16;
const TIMER_DEADLINE_MODE: u32 = 0b10 << 17;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const DELIVER_NMI: u32 = 0b100 << 8;
const COMMAND_PENDING: u32 = 1 << 12;
const LEVEL_ASSERT: u32 = 1 << 14;
const TRIGGER_LEVEL: u32 = 1 << 15;
const DIVIDE_BY_ONE: u32 = 0b1011;

/// Polls for an inter-processor interrupt to leave before it is given up.
const SEND_PATIENCE: u32 = 1_000_000;

static X2APIC: AtomicBool = AtomicBool::new(false);
/// Virtual address of the register page; 0 in x2APIC mode.
static PAGE: AtomicU64 = AtomicU64::new(0);

/// Finds the APIC: keeps x2APIC mode if firmware left it on, turns it on where the CPU has it, else maps the page.
///
/// # Errors
/// When the register page cannot be mapped.
///
/// # Safety
/// Once on the boot CPU (invariant 3).
#[unsafe(link_section = ".init.text")]
pub unsafe fn init_boot(page: PhysAddr) -> Result<(), MapError> {
    if cpuid::features().x2apic {
        X2APIC.store(true, Ordering::Relaxed);
    } else {
        PAGE.store(mm::map_device(page, 4096)?.as_u64(), Ordering::Relaxed);
    }
    // SAFETY: this is the boot CPU.
    unsafe { init_cpu() };
    Ok(())
}

/// Turns this CPU's APIC on, with all local interrupts masked.
///
/// # Safety
/// On each CPU, after [`init_boot`] on the first.
pub unsafe fn init_cpu() {
    let mut base = Msr::new(IA32_APIC_BASE);
    // SAFETY: the APIC's own registers, in the order that the manual gives for enabling it (11.4.3, 11.12.1).
    unsafe {
        let mut value = base.read() | BASE_ENABLE;
        base.write(value);
        if is_x2apic() {
            value |= BASE_X2APIC;
            base.write(value);
        }
    }
    write(TASK_PRIORITY, 0);
    write(LVT_TIMER, MASKED);
    write(LVT_LINT0, MASKED);
    write(LVT_LINT1, MASKED);
    write(LVT_ERROR, MASKED);
    write(SPURIOUS, SOFTWARE_ENABLE | u32::from(VECTOR_SPURIOUS));
    write(ERROR_STATUS, 0);
    write(TIMER_DIVIDE, DIVIDE_BY_ONE);
}

/// Whether registers are reached as MSRs and ids have 32 bits.
#[inline]
pub fn is_x2apic() -> bool {
    X2APIC.load(Ordering::Relaxed)
}

fn read(register: u32) -> u32 {
    // SAFETY: a register of the local APIC, by the way that `init_boot` found (invariant 8).
    unsafe {
        if is_x2apic() {
            Msr::new(X2APIC_MSRS + register).read() as u32
        } else {
            in_page(register).read_volatile()
        }
    }
}

#[inline]
fn write(register: u32, value: u32) {
    // SAFETY: as in `read`.
    unsafe {
        if is_x2apic() {
            Msr::new(X2APIC_MSRS + register).write(u64::from(value));
        } else {
            in_page(register).write_volatile(value);
        }
    }
}

/// Where a register lies when they are not MSRs.
#[inline]
fn in_page(register: u32) -> *mut u32 {
    let page = PAGE.load(Ordering::Relaxed);
    page.wrapping_add(u64::from(register) * 16) as *mut u32
}

/// Acknowledges the interrupt that is being handled.
#[inline]
pub fn end_of_interrupt() {
    write(EOI, 0);
}

/// Routes the NMI input pin `lint` (0 or 1) of this CPU to the NMI vector, edge or level as the firmware says.
pub fn set_nmi_pin(lint: u8, active_low: bool, level: bool) {
    let register = if lint == 0 { LVT_LINT0 } else { LVT_LINT1 };
    write(
        register,
        DELIVER_NMI | u32::from(active_low) << 13 | u32::from(level) << 15,
    );
}

/// Sends a command to one CPU. Commands to xAPIC ids above 255 go nowhere: such CPUs exist only in x2APIC mode.
#[inline]
fn command(apic_id: u32, low: u32) {
    if is_x2apic() {
        // The MSR write is not serialising; the fence keeps stores that the target is to see before it (11.12.3).
        core::sync::atomic::fence(Ordering::SeqCst);
        let value = u64::from(apic_id) << 32 | u64::from(low);
        // SAFETY: the interrupt command register of this CPU's APIC.
        unsafe { Msr::new(X2APIC_MSRS + COMMAND_LOW).write(value) };
        return;
    }
    let (high_half, low_half) = (in_page(COMMAND_HIGH), in_page(COMMAND_LOW));
    // SAFETY: the two halves of the same register, mapped by `init_boot`; a write to the low one sends (invariant 8).
    unsafe {
        high_half.write_volatile(apic_id << 24);
        low_half.write_volatile(low);
        for _ in 0..SEND_PATIENCE {
            if low_half.read_volatile() & COMMAND_PENDING == 0 {
                return;
            }
            core::hint::spin_loop();
        }
    }
}

/// Sends an ordinary interrupt.
#[inline]
pub fn send(apic_id: u32, vector: u8) {
    x86_64::instructions::interrupts::without_interrupts(|| {
        command(apic_id, LEVEL_ASSERT | u32::from(vector))
    });
}

/// Sends a non-maskable interrupt.
pub fn send_nmi(apic_id: u32) {
    x86_64::instructions::interrupts::without_interrupts(|| {
        command(apic_id, LEVEL_ASSERT | DELIVER_NMI)
    });
}

/// Sends INIT, asserted and, for the APICs of old, de-asserted.
pub fn send_init(apic_id: u32) {
    command(apic_id, 0b101 << 8 | LEVEL_ASSERT | TRIGGER_LEVEL);
    if !is_x2apic() {
        command(apic_id, 0b101 << 8 | TRIGGER_LEVEL);
    }
}

/// Sends STARTUP: the CPU begins in real mode at `page` * 4096.
pub fn send_startup(apic_id: u32, page: u8) {
    command(apic_id, 0b110 << 8 | LEVEL_ASSERT | u32::from(page));
}

/// Lets the timer count down from its maximum, masked, to be measured with [`timer_elapsed`].
pub fn start_measuring() {
    write(LVT_TIMER, MASKED);
    write(TIMER_INITIAL, u32::MAX);
}

/// Ticks since [`start_measuring`].
pub fn timer_elapsed() -> u32 {
    u32::MAX - read(TIMER_CURRENT)
}

/// Stops the timer that [`start_measuring`] started.
pub fn stop_measuring() {
    write(TIMER_INITIAL, 0);
}

/// Makes the timer of this CPU ready for one-shot interrupts.
pub fn enable_timer() {
    let mode = if cpuid::features().tsc_deadline {
        TIMER_DEADLINE_MODE
    } else {
        0
    };
    write(LVT_TIMER, mode | u32::from(VECTOR_TIMER));
    if mode != 0 {
        // The mode must be in place before the first deadline (11.5.4.1).
        core::sync::atomic::fence(Ordering::SeqCst);
    }
}

/// Arms the one-shot timer: at the time-stamp `deadline`, not 0, where the CPU can, else after `ticks` timer ticks.
#[inline]
pub fn arm_timer(deadline: u64, ticks: impl FnOnce() -> u32) {
    if cpuid::features().tsc_deadline {
        // SAFETY: the CPU has the register.
        unsafe { Msr::new(IA32_TSC_DEADLINE).write(deadline) };
    } else {
        write(TIMER_INITIAL, ticks().max(1));
    }
}
