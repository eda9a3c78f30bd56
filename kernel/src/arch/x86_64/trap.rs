//! What happens after an interrupt or exception has been entered: decide who is to answer it.

use core::sync::atomic::Ordering;

use kirq::{FIRST_VECTOR, LAST_VECTOR};
use ktrace::Group;
use x86_64::registers::control::Cr2;

use super::apic::{
    self, VECTOR_LOG, VECTOR_RESCHEDULE, VECTOR_SHOOTDOWN, VECTOR_SPURIOUS, VECTOR_TIMER,
};
use super::gdt::{USER_CODE, USER_DATA};
use super::{percpu, shootdown};
use crate::object::interrupt;
use crate::process::exception;
use crate::{console, panic, sched, trace};

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
    /// That of a thread which begins in user mode: at an instruction, with a stack pointer and an argument in RDI, all other registers
    /// zero, interrupts on.
    pub const fn start(entry: u64, stack: u64, argument: u64) -> Self {
        Self {
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rbp: 0,
            rdi: argument,
            rsi: 0,
            rdx: 0,
            rcx: 0,
            rbx: 0,
            rax: 0,
            vector: START,
            error: 0,
            rip: entry,
            cs: USER_CODE as u64,
            rflags: ALWAYS_SET,
            rsp: stack,
            ss: USER_DATA as u64,
        }
    }

    /// Whether user code was interrupted.
    pub fn is_from_user(&self) -> bool {
        self.cs & 3 != 0
    }
}

/// [`TrapFrame::vector`] of a thread that was not in user mode yet: no vector of the processor.
pub const START: u64 = 0x101;
/// Bits of RFLAGS that are set whenever user code runs: interrupts, and one that is always set.
pub const ALWAYS_SET: u64 = 1 << 9 | 1 << 1;

/// Vector of the non-maskable interrupt.
pub const NMI: u64 = 2;
/// Vector of the double fault.
pub const DOUBLE_FAULT: u64 = 8;
/// Vector of the machine check.
pub const MACHINE_CHECK: u64 = 18;
/// Vector of the general protection fault.
pub const GENERAL_PROTECTION: u64 = 13;
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

/// Called by the entry code with interrupts off and the kernel's GS base. The frame is a pointer, as a debugger may write to that of
/// a thread that is stopped here (invariant 13).
pub extern "C" fn handle_trap(frame: *mut TrapFrame) {
    // SAFETY: the frame that the entry code has pushed; nobody else touches it while the thread runs.
    let (vector, is_from_user) = unsafe { ((*frame).vector, (*frame).is_from_user()) };
    match vector {
        0..32 => exception(frame, vector, is_from_user),
        vector => interrupt(vector as u8),
    }
    // Never on the stack of the NMI, which the next one would overwrite: the request stands until the next interrupt.
    if is_from_user && vector != NMI {
        sched::before_user_return();
    }
}

fn interrupt(vector: u8) {
    percpu::current().interrupts.fetch_add(1, Ordering::Relaxed);
    if trace::is_on(Group::Interrupt) {
        trace::interrupt(vector);
    }
    match vector {
        VECTOR_SPURIOUS => return,
        VECTOR_TIMER => sched::on_timer(),
        VECTOR_RESCHEDULE => sched::on_reschedule(),
        VECTOR_SHOOTDOWN => shootdown::serve(),
        VECTOR_LOG => console::tell(),
        FIRST_VECTOR..=LAST_VECTOR => interrupt::on_vector(vector),
        vector => log::warn!("interrupt {vector:#x} has no handler"),
    }
    apic::end_of_interrupt();
}

fn exception(frame: *mut TrapFrame, vector: u64, is_from_user: bool) {
    if is_from_user && !matches!(vector, NMI | DOUBLE_FAULT | MACHINE_CHECK) {
        // The address is read before anything can fault again.
        return exception::on_user_exception(frame, Cr2::read_raw());
    }
    // SAFETY: the frame that the entry code has pushed. No thread stops in what follows.
    let frame = unsafe { &mut *frame };
    match vector {
        NMI => return panic::on_nmi(frame),
        DOUBLE_FAULT | MACHINE_CHECK => panic::on_exception(frame),
        _ => {}
    }
    let address = Cr2::read_raw();
    if vector == PAGE_FAULT && exception::on_kernel_page_fault(frame, address) {
        return;
    }
    panic::on_exception(frame)
}
