//! The entry points: they save the state of the machine before anything changes it.

use core::arch::naked_asm;
use core::cell::UnsafeCell;

/// The registers at entry: rax, rbx, rcx, rdx, rsi, rdi, rbp, r8 to r15, rsp, rflags.
#[repr(transparent)]
pub struct Saved(UnsafeCell<[u64; 17]>);

// SAFETY: written by the boot processor before any other runs, only read afterwards.
unsafe impl Sync for Saved {}

/// The state of the boot processor at entry.
static SAVED: Saved = Saved(UnsafeCell::new([0; 17]));

impl Saved {
    /// The registers of the boot processor.
    pub fn get() -> [u64; 17] {
        // SAFETY: written before any Rust code ran.
        unsafe { *SAVED.0.get() }
    }
}

/// The entry point that the request names.
#[unsafe(naked)]
pub extern "C" fn start() -> ! {
    naked_asm!(
        "mov [rip + {saved}], rax",
        "lea rax, [rip + {saved}]",
        "mov [rax + 8], rbx",
        "mov [rax + 16], rcx",
        "mov [rax + 24], rdx",
        "mov [rax + 32], rsi",
        "mov [rax + 40], rdi",
        "mov [rax + 48], rbp",
        "mov [rax + 56], r8",
        "mov [rax + 64], r9",
        "mov [rax + 72], r10",
        "mov [rax + 80], r11",
        "mov [rax + 88], r12",
        "mov [rax + 96], r13",
        "mov [rax + 104], r14",
        "mov [rax + 112], r15",
        "mov [rax + 120], rsp",
        "pushfq",
        "pop rcx",
        "mov [rax + 128], rcx",
        "call {main}",
        "ud2",
        saved = sym SAVED,
        main = sym crate::report::main,
    )
}

/// The entry point of the file, which the loader must not use as there is a request.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn wrong_entry() -> ! {
    naked_asm!("call {wrong}", "ud2", wrong = sym wrong)
}

extern "C" fn wrong() -> ! {
    panic!("entered through the ELF header instead of the entry point request")
}
