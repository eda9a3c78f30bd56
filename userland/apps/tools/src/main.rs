//! The commands of jsix, in one program: which one is asked for, its name says.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(
    not(target_os = "none"),
    allow(
        dead_code,
        reason = "programs run in jsix; on the host they are only type-checked"
    )
)]

extern crate alloc;

mod program;

use sys::Context;

fn main_of_program(context: &Context) -> u64 {
    program::main(context)
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    let _: fn(&Context) -> u64 = main_of_program;
}
