//! Stays in user mode: `spin` for ever, `spin MILLISECONDS` for that time.
//!
//! Without a time it makes no system call, so that only an interrupt ends its turn; with one it asks for the time
//! in every round, so that it is in user mode and in the kernel by turns.

#![cfg_attr(target_os = "none", no_std, no_main)]

use sys::{Context, call, log_line};

fn main_of_program(context: &Context) -> u64 {
    let Some(text) = context.argument(1) else {
        for_ever()
    };
    let Ok(milliseconds) = text.parse::<u64>() else {
        log_line!(context, "'{text}' is no number of milliseconds");
        return 2;
    };
    let end_ns = call::clock_read().saturating_add(milliseconds.saturating_mul(1_000_000));
    while call::clock_read() < end_ns {
        pause();
    }
    0
}

#[inline(never)]
fn for_ever() -> ! {
    loop {
        pause();
    }
}

#[inline(always)]
fn pause() {
    // SAFETY: a hint without effect. Not `spin_loop`, so that a backtrace names this program and not the library.
    unsafe { core::arch::asm!("pause", options(nomem, nostack, preserves_flags)) };
}

sys::bare_program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
