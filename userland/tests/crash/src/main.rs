//! Does one forbidden thing in user mode: `crash KIND`. The kernel must end this process with 128 plus the vector of
//! the exception, and nothing else may happen.
//!
//! The kinds are in `kinds`, each with the vector that it must end in. A kind that does not end the process makes it
//! exit with [`SURVIVED`].

#![cfg_attr(target_os = "none", no_std, no_main)]

mod kinds;

use sys::{Context, log_line};

/// Status when the forbidden thing was let through.
const SURVIVED: u64 = 1;
/// Status for a kind that does not exist.
const USAGE: u64 = 2;

fn main_of_program(context: &Context) -> u64 {
    let Some(name) = context.argument(1) else {
        for kind in kinds::KINDS {
            let status = 128 + kind.vector;
            if kind.vector == kinds::STACK {
                // QEMU's translator reports every fault of this kind as a protection fault.
                log_line!(
                    context,
                    "{}: ends with status {status} or {}",
                    kind.name,
                    128 + kinds::PROTECTION
                );
            } else {
                log_line!(context, "{}: ends with status {status}", kind.name);
            }
        }
        return USAGE;
    };
    let Some(kind) = kinds::KINDS.iter().find(|kind| kind.name == name) else {
        log_line!(
            context,
            "there is no kind '{name}'; run without argument for a list"
        );
        return USAGE;
    };
    (kind.act)();
    log_line!(
        context,
        "'{name}' was let through; vector {} was due",
        kind.vector
    );
    SURVIVED
}

sys::bare_program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
