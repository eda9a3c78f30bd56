//! Says hello from user mode, with what it was given.

#![cfg_attr(target_os = "none", no_std, no_main)]

use sys::{Context, call, println};

fn main_of_program(context: &Context) -> u64 {
    println!("hello from user mode");
    let name = context.argument(0).unwrap_or("?");
    println!(
        "I am {name}, speaking ABI {} at {} us",
        call::abi_version(),
        call::clock_read() / 1000
    );
    let mut index = 1;
    while let Some(argument) = context.argument(index) {
        println!("argument {index}: {argument}");
        index += 1;
    }
    0
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
