//! Suites that check what the kernel promises: `test vm` runs all tests of the memory system, `test vm NAME` one,
//! `test handles` those of handles, `test kernel` those of events, threads, mailboxes, ports and interrupts, `test vectors` those of
//! extended registers, `test list` names them;
//! `test stress SECONDS [SEED]` changes memory on all processors at once, and `test hog ROUNDS` lets programs take all
//! memory that they can get, again and again; `test supervision`, which the shell has to run, kills services. Status 0: everything
//! holds, and nothing is lost.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod area;
mod child;
mod handles;
mod harness;
mod hog;
mod kernel;
mod stress;
mod supervision;
mod threads;
mod vectors;
mod vm;

use sys::{Context, log_line};

/// Status for arguments that are not understood.
const USAGE: u64 = 2;

fn main_of_program(context: &Context) -> u64 {
    if context.argument(1) == Some("supervision") {
        return supervision::run(context);
    }
    let Some(env) = harness::Env::new(context) else {
        log_line!(context, "a handle is missing");
        return USAGE;
    };
    harness::touch_stack();
    sys::twin::touch_image();
    env.touch_handles();
    let number = |index: usize, default: u64| match context.argument(index) {
        None => Some(default),
        Some(text) => text.parse().ok(),
    };
    if let (Some(suite), Some(name), Some("cold")) = (
        context.argument(1),
        context.argument(2),
        context.argument(3),
    ) {
        return match suite {
            "vm" => harness::run_cold(env, vm::TESTS, name),
            "handles" => harness::run_cold(env, handles::TESTS, name),
            "kernel" => harness::run_cold(env, kernel::TESTS, name),
            _ => usage(context),
        };
    }
    match (context.argument(1), context.argument(2)) {
        (Some("vm"), name) => vm::run(&env, name),
        (Some("handles"), name) => handles::run(&env, name),
        (Some("kernel"), name) => kernel::run(&env, name),
        (Some("vectors"), name) => vectors::run(&env, name),
        (Some("list"), None) => {
            vm::list(&env);
            handles::list(&env);
            kernel::list(&env);
            vectors::list(&env);
            0
        }
        (Some("stress"), _) => match (number(2, 10), number(3, 1)) {
            (Some(seconds), Some(seed)) => stress::run(&env, seconds, seed),
            _ => usage(context),
        },
        (Some("hog"), _) => {
            number(2, 10).map_or_else(|| usage(context), |rounds| hog::run(&env, rounds))
        }
        _ => usage(context),
    }
}

fn usage(context: &Context) -> u64 {
    log_line!(
        context,
        "usage: test vm|handles|kernel [NAME [cold]] | vectors [NAME] | list | supervision [--seed N] [--kills N] | stress [SECONDS [SEED]] | hog [ROUNDS]"
    );
    USAGE
}

sys::bare_program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
