//! The `crash=` option: breaks the kernel on purpose, to show that each way to fail ends in a readable report.

use core::fmt;
use core::hint::black_box;

use crate::arch::current::{percpu, time};
use crate::boot;
use crate::process::loader;
use crate::sched::thread::Affinity;

/// The kinds that [`crash`] knows.
pub const KINDS: &str = "page-fault double-fault stack-overflow logger panic user";

/// Breaks the kernel in the given way; returns when it does not know it.
pub fn crash(kind: &str) {
    match kind {
        "page-fault" => page_fault(),
        "double-fault" => double_fault(),
        "stack-overflow" => {
            log::info!("depth {}", stack_overflow(1));
        }
        "logger" => log::info!("a value that cannot be shown: {}", PanicsWhenShown),
        "panic" => panic!("on purpose"),
        "user" => with_user_programs(),
        other => log::error!("crash={other} is unknown; there are: {KINDS}"),
    }
}

#[inline(never)]
fn page_fault() {
    // Not mapped: between the heap's range and that of the stacks.
    let nowhere = black_box(0xffff_c2ff_0000_1000 as *mut u64);
    // SAFETY: nothing is mapped there, so that no memory changes: the access faults, which is what this is for.
    unsafe { nowhere.write_volatile(1) };
}

#[inline(never)]
fn double_fault() {
    // A page fault whose handler's stack is not mapped either: the second fault has nowhere to go but to its own stack.
    // SAFETY: control does not come back: the push faults, and with no stack for that fault the double fault ends the system.
    unsafe {
        core::arch::asm!("mov rsp, {}", "push 0", in(reg) 0xffff_c2ff_0000_1000u64, options(noreturn))
    }
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "this is what it is for")]
fn stack_overflow(depth: u64) -> u64 {
    let filler = black_box([depth; 32]);
    stack_overflow(depth + 1) + filler[0]
}

struct PanicsWhenShown;

impl fmt::Display for PanicsWhenShown {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("inside the logger, on purpose")
    }
}

/// A panic while every other CPU is in user mode.
fn with_user_programs() {
    let Some(module) = boot::info().module("spin") else {
        log::error!("crash=user needs the boot module 'spin'");
        return;
    };
    // The kernel is not preempted: this processor stays the one that breaks.
    let own = percpu::current().index;
    for cpu in percpu::all().filter(|cpu| cpu.queue.is_online() && cpu.index != own) {
        if let Err(error) = loader::start(module, &["spin"], Affinity::Pinned(cpu.index)) {
            log::error!("cannot start 'spin': {error}");
        }
    }
    time::spin_ns(200_000_000);
    panic!("on purpose, with user programs on the other processors");
}
