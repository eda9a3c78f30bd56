//! The SYSCALL entry and the way back by SYSRET.
//!
//! Register convention (docs/architecture.md): number in RAX; arguments in RDI, RSI, RDX, R10, R8, R9; back come
//! the error in RAX (0: none) and a value in RDX. RCX and R11 are lost to the instruction itself; all other
//! registers are kept.

use core::arch::naked_asm;

use x86_64::VirtAddr;
use x86_64::registers::control::{Efer, EferFlags};
use x86_64::registers::model_specific::{LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;

use super::gdt::{KERNEL_CODE, KERNEL_DATA, USER_CODE, USER_DATA};
use super::percpu::{KERNEL_STACK, USER_STACK};
use crate::syscall::dispatch;

const IA32_STAR: u32 = 0xc000_0081;

/// Turns SYSCALL on for this CPU.
///
/// # Safety
/// The per-CPU area is installed.
pub unsafe fn init() {
    // SYSCALL loads CS = STAR[47:32] and SS = that + 8; SYSRET loads SS = STAR[63:48] + 8 and CS = that + 16.
    const { assert!(KERNEL_DATA == KERNEL_CODE + 8 && USER_CODE == USER_DATA + 8) };
    let star = u64::from(KERNEL_CODE) << 32 | u64::from((USER_DATA - 8) | 3) << 48;
    // SAFETY: selectors of our GDT in the order that the instructions need; the entry is the function below, which
    // masks interrupts until it stands on a kernel stack.
    unsafe {
        Msr::new(IA32_STAR).write(star);
        LStar::write(VirtAddr::from_ptr(entry as *const ()));
        SFMask::write(
            RFlags::INTERRUPT_FLAG
                | RFlags::DIRECTION_FLAG
                | RFlags::TRAP_FLAG
                | RFlags::ALIGNMENT_CHECK
                | RFlags::NESTED_TASK
                | RFlags::IOPL_LOW
                | RFlags::IOPL_HIGH,
        );
        Efer::update(|flags| flags.insert(EferFlags::SYSTEM_CALL_EXTENSIONS));
    }
}

/// What [`TrapFrame::vector`](super::trap::TrapFrame::vector) says of a frame that a system call made: no vector of the processor.
pub const SYSTEM_CALL: u64 = 0x100;

/// Entry of every system call: interrupts off, user stack, user GS. Pushes the same frame as the entry of an interrupt, at the
/// same place, the top of the thread's kernel stack: there system calls, messages and debuggers find the registers of a thread.
///
/// On Intel CPUs a SYSRET to a non-canonical address faults in kernel mode with the user's stack pointer (CVE-2012-0217).
/// User space ends a page below the lower half (`usercopy::USER_END`), so that RCX cannot be such an address; it is
/// checked all the same, and an address outside the lower half traps in the kernel here instead.
#[unsafe(naked)]
extern "C" fn entry() {
    naked_asm!(
        "swapgs",
        "mov gs:[{user_stack}], rsp",
        "mov rsp, gs:[{kernel_stack}]",
        "push {data}",
        "push qword ptr gs:[{user_stack}]",
        "push r11",
        "push {code}",
        "push rcx",
        "push 0",
        "push {system_call}",
        "push rax; push rbx; push rcx; push rdx; push rsi; push rdi; push rbp",
        "push r8; push r9; push r10; push r11; push r12; push r13; push r14; push r15",
        // The end of backtraces. The frame has 22 words, which keeps the stack aligned.
        "xor ebp, ebp",
        "mov rdi, rsp",
        "call {dispatch}",
        "pop r15; pop r14; pop r13; pop r12; pop r11; pop r10; pop r9; pop r8",
        "pop rbp; pop rdi; pop rsi; pop rdx; pop rcx; pop rbx; pop rax",
        "mov rcx, [rsp + 16]",
        "bt rcx, 47",
        "jc 2f",
        "mov r11, [rsp + 32]",
        "mov rsp, [rsp + 40]",
        "swapgs",
        "sysretq",
        "2:",
        "ud2",
        user_stack = const USER_STACK,
        kernel_stack = const KERNEL_STACK,
        data = const USER_DATA,
        code = const USER_CODE,
        system_call = const SYSTEM_CALL,
        dispatch = sym dispatch,
    )
}
