//! The switch between two kernel stacks, and the first entry into user mode.

use core::arch::naked_asm;

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{FsBase, KernelGsBase};

use super::trap::TrapFrame;

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

/// Goes on with a context, and leaves the running one for good.
///
/// # Safety
/// As [`switch_stacks`]; nothing that lies on the stack is to be dropped.
#[unsafe(naked)]
pub unsafe extern "C" fn go_on(next: u64) -> ! {
    naked_asm!(
        "mov rsp, rdi",
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

/// Goes (back) to user mode with all registers of a frame.
///
/// # Safety
/// The process's address space is active, interrupts are off, the per-CPU kernel stack is set, and `frame` is that of the running
/// thread at the top of that stack (invariant 13), with user selectors and an address in user space to go on at. Nothing that
/// lies on the stack is to be dropped.
#[unsafe(naked)]
pub unsafe extern "C" fn enter_user(frame: *const TrapFrame) -> ! {
    naked_asm!(
        "mov rsp, rdi",
        "pop r15; pop r14; pop r13; pop r12; pop r11; pop r10; pop r9; pop r8",
        "pop rbp; pop rdi; pop rsi; pop rdx; pop rcx; pop rbx; pop rax",
        "add rsp, 16",
        "swapgs",
        "iretq",
    )
}

/// Loads the FS and GS base of a user thread. In the kernel that of GS waits in the register that `SWAPGS` exchanges it with.
///
/// # Safety
/// In the kernel, interrupts off; both are addresses in user space.
pub unsafe fn load_bases(fs: u64, gs: u64) {
    FsBase::write(VirtAddr::new_truncate(fs));
    KernelGsBase::write(VirtAddr::new_truncate(gs));
}
