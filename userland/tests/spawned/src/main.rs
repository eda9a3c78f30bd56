//! Starts processes from its own image, and is what they run: tests of process initialisation (`docs/process-initialisation.md`).
//!
//! Without arguments it is the suite. Its children have an argument: what to check, or how to break.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod child;
mod image;
mod suite;
mod told;

use sys::Context;

fn main_of_program(context: &Context) -> u64 {
    // First of all, as the image is that of a program that has not done anything yet.
    let file = image::file(context);
    match context.argument(1) {
        Some(what) => child::run(context, what),
        None => suite::run(context, file),
    }
}

sys::bare_program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
