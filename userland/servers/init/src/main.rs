//! The first process: starts and supervises services, says who may use what, and serves the boot archive.

#![cfg_attr(target_os = "none", no_std, no_main)]

use sys::Context;

fn main_of_program(context: &Context) -> u64 {
    init::system::run(context)
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
