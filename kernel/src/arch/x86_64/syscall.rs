//! The SYSCALL entry and the way back by SYSRET.
//!
//! Register convention (docs/architecture.md): number in RAX; arguments in RDI, RSI, RDX, R10, R8, R9; back come
//! the error in RAX (0: none) and a value in RDX. RCX and R11 are lost to the instruction itself; all other
//! registers are kept.

use core::arch::naked_asm;
use core::mem::offset_of;

use x86_64::VirtAddr;
use x86_64::registers::control::{Efer, EferFlags};
use x86_64::registers::model_specific::{LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;

use super::gdt::{KERNEL_CODE, KERNEL_DATA, USER_CODE, USER_DATA};
use super::percpu::{KERNEL_STACK, PerCpu, USER_STACK};
use super::trap::TrapFrame;
use crate::sched::direct::{finish_switch, settle};
use crate::sched::look_after;
use crate::sched::thread::Thread;
use crate::syscall::{
    CALL, HANDLERS, REPLY_RECEIVE, UNWATCHED, carry_out, go_on, try_call, try_reply_and_receive,
};
use crate::trace;

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

/// The way back to user mode from a frame at the stack pointer, which a system call has made. RCX and R11 become the
/// instruction pointer and the flags, as SYSRET wants it.
///
/// On Intel CPUs a SYSRET to a non-canonical address faults in kernel mode with the user's stack pointer (CVE-2012-0217).
/// User space ends a page below the lower half (`usercopy::USER_END`), so that RCX cannot be such an address; it is
/// checked all the same, and an address outside the lower half traps in the kernel here instead.
macro_rules! sysret {
    () => {
        "pop r15; pop r14; pop r13; pop r12; pop r11; pop r10; pop r9; pop r8
         pop rbp; pop rdi; pop rsi; pop rdx; pop rcx; pop rbx; pop rax
         mov rcx, [rsp + 16]
         bt rcx, 47
         jc 2f
         mov r11, [rsp + 32]
         mov rsp, [rsp + 40]
         swapgs
         sysretq
         2:
         ud2"
    };
}

/// What [`TrapFrame::vector`](super::trap::TrapFrame::vector) says of a frame that a system call made: no vector of the processor.
pub const SYSTEM_CALL: u64 = 0x100;

/// Entry of every system call: interrupts off, user stack, user GS. Pushes the same frame as the entry of an interrupt, at the
/// same place, the top of the thread's kernel stack: there system calls, messages and debuggers find the registers of a thread.
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
        // What has a short way tries that first, with all registers for itself.
        "cmp rax, {call_number}",
        "je 5f",
        "cmp rax, {reply_receive_number}",
        "je 6f",
        // The handler of the call does all the rest, unless somebody wants to know of calls or there is no such call.
        "3:",
        "mov rsi, gs:[{current}]",
        "test dword ptr [rip + {wanted}], {of_calls}",
        "jnz 7f",
        "cmp rax, {unwatched}",
        "jae 7f",
        "lea rcx, [rip + {handlers}]",
        "call [rcx + rax * 8]",
        // As `sched::before_user_return`. The handler has left the stack pointer at the frame.
        "4:",
        "cmp byte ptr gs:[{need_resched}], 0",
        "jne 8f",
        "mov rcx, gs:[{current}]",
        "cmp dword ptr [rcx + {asked}], 0",
        "jne 8f",
        sysret!(),
        "5:",
        "call {try_call}",
        "jmp 9f",
        "6:",
        "call {try_reply_and_receive}",
        // Nothing has happened.
        "9:",
        "mov rdi, rsp",
        "mov rax, [rsp + {rax}]",
        "jmp 3b",
        "7:",
        "call {carry_out}",
        "jmp 4b",
        "8:",
        "call {look_after}",
        sysret!(),
        user_stack = const USER_STACK,
        kernel_stack = const KERNEL_STACK,
        data = const USER_DATA,
        code = const USER_CODE,
        system_call = const SYSTEM_CALL,
        call_number = const CALL,
        reply_receive_number = const REPLY_RECEIVE,
        try_call = sym try_call,
        try_reply_and_receive = sym try_reply_and_receive,
        current = const offset_of!(PerCpu, current),
        need_resched = const offset_of!(PerCpu, need_resched),
        asked = const Thread::ASKED,
        wanted = sym trace::WANTED,
        of_calls = const trace::OF_CALLS as i32,
        unwatched = const UNWATCHED,
        handlers = sym HANDLERS,
        rax = const offset_of!(TrapFrame, rax),
        carry_out = sym carry_out,
        look_after = sym look_after,
    )
}

/// Goes to a thread that is parked in a system call ([`crate::sched::direct`]) and has what it waits for in its frame: settles the
/// thread that is left, on the stack of the other one, and returns to user mode.
///
/// # Safety
/// Interrupts are off; the thread of `frame` was made the current one, with all that belongs to it, and is parked: nothing lies on its
/// stack but the frame (invariants 6 and 13), which a system call has made. `left` is the thread that runs this, and is parked, too.
#[unsafe(naked)]
pub unsafe extern "C" fn go_on_in_user(frame: *const TrapFrame, left: &Thread) -> ! {
    naked_asm!(
        "mov rsp, rdi",
        "mov rdi, rsi",
        "xor ebp, ebp",
        "call {settle}",
        sysret!(),
        settle = sym settle,
    )
}

/// As [`go_on_in_user`], for a thread that has something left to do in the kernel: it does what a thread does that is woken while it is
/// parked.
///
/// # Safety
/// As [`go_on_in_user`].
#[unsafe(naked)]
pub unsafe extern "C" fn go_on_in_kernel(frame: *const TrapFrame, left: &Thread) -> ! {
    naked_asm!(
        "mov rsp, rdi",
        "mov rdi, rsi",
        "xor ebp, ebp",
        "call {settle}",
        "call {go_on}",
        sysret!(),
        settle = sym settle,
        go_on = sym go_on,
    )
}

/// The first function of a context that was made for a parked thread; it is called with the frame above it on the stack, and
/// does what [`go_on_in_kernel`] does after a usual switch.
#[unsafe(naked)]
pub extern "C" fn unpark() -> ! {
    naked_asm!(
        "mov rsp, gs:[{kernel_stack}]",
        "sub rsp, {frame_size}",
        "xor ebp, ebp",
        "call {finish_switch}",
        "call {go_on}",
        sysret!(),
        kernel_stack = const KERNEL_STACK,
        frame_size = const size_of::<TrapFrame>(),
        finish_switch = sym finish_switch,
        go_on = sym go_on,
    )
}
