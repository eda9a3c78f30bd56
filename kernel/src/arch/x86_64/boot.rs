//! The kernel's first instructions, and the step from the boot loader's stack and page tables to ours.

use core::arch::naked_asm;

/// Entered by the boot loader: long mode, paging on, interrupts off, on a stack of its.
#[cfg(target_os = "none")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!(
        "rdtsc",
        "shl rdx, 32",
        "or rax, rdx",
        "mov rdi, rax",
        "xor ebp, ebp",
        "and rsp, -16",
        "call {start}",
        "ud2",
        start = sym crate::start,
    )
}

/// Loads the page tables at `root`, moves to the stack that ends at `stack` and calls `then`.
///
/// # Safety
/// The tables map the kernel image where it is, and the stack; nothing of the old stack is used any more.
#[unsafe(naked)]
pub unsafe extern "C" fn move_to(root: u64, stack: u64, then: extern "C" fn() -> !) -> ! {
    naked_asm!(
        "mov cr3, rdi",
        "mov rsp, rsi",
        "xor ebp, ebp",
        "push 0",
        "push 0",
        "call rdx",
        "ud2"
    )
}
