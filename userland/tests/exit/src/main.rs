//! Ends with the status that its argument says, or with 0.

#![cfg_attr(target_os = "none", no_std, no_main)]

use sys::{Context, log_line};

/// Status for an argument that is no number.
const USAGE: u64 = 2;

fn main_of_program(context: &Context) -> u64 {
    match context.argument(1).map(str::parse) {
        None => 0,
        Some(Ok(status)) => status,
        Some(Err(_)) => {
            log_line!(context, "usage: exit STATUS, a number of 64 bits");
            USAGE
        }
    }
}

sys::bare_program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
