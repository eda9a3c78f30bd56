//! What happens after an interrupt or exception has been entered: decide who is to answer it.

use core::sync::atomic::Ordering;

use x86_64::registers::control::Cr2;

use super::apic::{self, VECTOR_RESCHEDULE, VECTOR_SHOOTDOWN, VECTOR_SPURIOUS, VECTOR_TIMER};
use super::{percpu, shootdown};
use crate::process::exception;
use crate::{panic, sched};

/// The registers at the interrupted instruction, as the entry code of `idt` pushed them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    pub vector: u64,
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl TrapFrame {
    /// Whether user code was interrupted.
    pub fn is_from_user(&self) -> bool {
        self.cs & 3 != 0
    }
}

/// Vector of the non-maskable interrupt.
pub const NMI: u64 = 2;
/// Vector of the double fault.
pub const DOUBLE_FAULT: u64 = 8;
/// Vector of the machine check.
pub const MACHINE_CHECK: u64 = 18;
/// Vector of the page fault.
pub const PAGE_FAULT: u64 = 14;

/// The name of an exception (Intel SDM vol. 3A, table 6-1).
pub fn exception_name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        2 => "non-maskable interrupt",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        8 => "double fault",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack-segment fault",
        13 => "general protection fault",
        14 => "page fault",
        16 => "x87 floating-point error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD floating-point exception",
        20 => "virtualization exception",
        21 => "control protection exception",
        28..=30 => "hypervisor or security exception",
        _ => "reserved exception",
    }
}

/// Called by the entry code with interrupts off and the kernel's GS base.
pub extern "C" fn handle_trap(frame: &mut TrapFrame) {
    match frame.vector {
        0..32 => exception(frame),
        vector => interrupt(vector as u8),
    }
    // Never on the stack of the NMI, which the next one would overwrite: the request stands until the next interrupt.
    if frame.is_from_user() && frame.vector != NMI {
        sched::before_user_return();
    }
}

fn interrupt(vector: u8) {
    percpu::current().interrupts.fetch_add(1, Ordering::Relaxed);
    match vector {
        VECTOR_SPURIOUS => return,
        VECTOR_TIMER => sched::on_timer(),
        VECTOR_RESCHEDULE => sched::on_reschedule(),
        VECTOR_SHOOTDOWN => shootdown::serve(),
        vector => log::warn!("interrupt {vector:#x} has no handler"),
    }
    apic::end_of_interrupt();
}

fn exception(frame: &mut TrapFrame) {
    match frame.vector {
        NMI => return panic::on_nmi(frame),
        DOUBLE_FAULT | MACHINE_CHECK => panic::on_exception(frame),
        _ => {}
    }
    // Read before anything can fault again.
    let address = Cr2::read_raw();
    if frame.is_from_user() {
        return exception::on_user_exception(frame, address);
    }
    if frame.vector == PAGE_FAULT && exception::on_kernel_page_fault(frame, address) {
        return;
    }
    panic::on_exception(frame)
}
