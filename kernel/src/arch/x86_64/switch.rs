//! The switch between two kernel stacks, and the first entry into user mode.

use core::arch::naked_asm;

use super::gdt::{USER_CODE, USER_DATA};

/// Saves the callee-saved registers of the running context on its stack, its stack pointer in `*save`, and goes on
/// with the context whose stack pointer is `next`.
///
/// # Safety
/// Interrupts off. `next` was saved by this function or made by [`prepare`], and nobody else runs on that stack
/// (invariant 6). `save` stays valid until the context is resumed.
#[unsafe(naked)]
pub unsafe extern "C" fn switch_stacks(save: *mut u64, next: u64) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// First instruction of a new context: RBX holds the function to call. The zero frame pointer ends backtraces.
#[unsafe(naked)]
extern "C" fn start() {
    naked_asm!("xor ebp, ebp", "push 0", "push 0", "call rbx", "ud2")
}

/// Lays out a stack so that the first switch to it calls `entry`; returns its stack pointer.
///
/// # Safety
/// `top` is the 16-byte aligned end of a mapped stack that nobody uses.
pub unsafe fn prepare(top: u64, entry: extern "C" fn() -> !) -> u64 {
    // r15, r14, r13, r12, rbx, rbp, return address, and a word to keep the alignment.
    let words: [u64; 8] = [
        0,
        0,
        0,
        0,
        entry as usize as u64,
        0,
        start as *const () as u64,
        0,
    ];
    let base = top - size_of_val(&words) as u64;
    // SAFETY: the caller gives the stack; the words fit below its top.
    unsafe { (base as *mut [u64; 8]).write(words) };
    base
}

/// Enters user mode at `entry` with stack `stack` and `argument` in RDI, all other registers zero, interrupts on.
///
/// # Safety
/// The process's address space is active, interrupts are off, the per-CPU kernel stack is set, and `entry` is a
/// user address.
#[unsafe(naked)]
pub unsafe extern "C" fn enter_user(entry: u64, stack: u64, argument: u64) -> ! {
    naked_asm!(
        "push {data}",
        "push rsi",
        "push 0x202",
        "push {code}",
        "push rdi",
        "mov rdi, rdx",
        "xor eax, eax; xor ebx, ebx; xor ecx, ecx; xor edx, edx; xor esi, esi; xor ebp, ebp",
        "xor r8d, r8d; xor r9d, r9d; xor r10d, r10d; xor r11d, r11d",
        "xor r12d, r12d; xor r13d, r13d; xor r14d, r14d; xor r15d, r15d",
        "swapgs",
        "iretq",
        data = const USER_DATA,
        code = const USER_CODE,
    )
}
