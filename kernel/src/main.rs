//! The jsix kernel: boot order, glue and everything that is privileged.
//!
//! Algorithms live in the crates under `kernel/crates`, which decide and are tested on the host; this image acts.
//! docs/architecture.md is the map, docs/invariants.md numbers what the SAFETY arguments lean on.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(
    not(target_os = "none"),
    allow(dead_code, reason = "on the host the kernel is only type-checked")
)]

extern crate alloc;

mod acpi;
mod arch;
mod boot;
mod commands;
mod console;
mod crash;
mod identity;
mod init;
mod ktest;
mod locks;
mod mm;
mod object;
mod panic;
mod power;
mod process;
mod sched;
mod syscall;
mod trace;
mod vm;

use arch::current::{boot as entry, cpuid, idt, paging, percpu, serial, shootdown, time};

/// First Rust code, on the boot loader's stack and page tables; `entered` is the time-stamp counter at the first
/// instruction.
#[unsafe(link_section = ".init.text")]
extern "C" fn start(entered: u64) -> ! {
    time::set_start(entered);
    serial::init();
    console::init();
    // SAFETY: the boot CPU's first steps, each once and in this order (invariants 2 and 3).
    let root = unsafe {
        percpu::init_boot();
        idt::init_boot();
        cpuid::enable();
        match boot::limine::collect() {
            Ok(info) => boot::set(info),
            Err(error) => panic!("{error}"),
        }
        init::options();
        init::early_screen();
        match mm::init(boot::info()) {
            Ok(root) => root,
            Err(error) => panic!("{error}"),
        }
    };
    // SAFETY: the new tables map the image, in which the stack lies; nothing on the old stack is used again.
    unsafe { entry::move_to(root, paging::boot_stack_top(), continue_on_own_tables) }
}

#[unsafe(link_section = ".init.text")]
extern "C" fn continue_on_own_tables() -> ! {
    // SAFETY: the boot CPU's first step on its own tables.
    unsafe {
        mm::tables_are_loaded();
        shootdown::join();
    }
    panic::drop_early_screen();
    init::run()
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("The kernel runs on its own: try scripts/run.");
}
