//! `stress [SECONDS] [SEED]`: processes that make objects of all kinds, connect them, give them to each other, revoke and end them, at
//! random and on all processors, while the program ends some of them at random. Status 0: everybody could be ended, and the kernel
//! holds what it held before.
//!
//! Each [`peer`] is a process with a seed of its own, made from the seed that is printed. Peers know each other by what they find on
//! the [`market`]: a mailbox to which they send handles, and get others back.

#![cfg_attr(target_os = "none", no_std, no_main)]

mod market;
mod peer;
mod pool;
mod run;

use sys::{Context, call, log_line};

/// Status for arguments that are not understood.
const USAGE: u64 = 2;

/// What is asked for: seconds and seed.
fn wanted(context: &Context) -> Option<(u64, u64)> {
    let number = |index, default| match context.argument(index) {
        Some(text) => text.parse().ok(),
        None => Some(default),
    };
    let seconds = number(1, 10)?;
    let seed = number(2, call::clock_read())?;
    (seconds > 0).then_some((seconds, seed))
}

fn main_of_program(context: &Context) -> u64 {
    let Some((seconds, seed)) = wanted(context) else {
        log_line!(context, "usage: stress [SECONDS] [SEED]");
        return USAGE;
    };
    log_line!(context, "{seconds} s, seed {seed}");
    match run::run(context, seconds, seed) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            log_line!(
                context,
                "it cannot be set up, or not be taken down: {error}"
            );
            1
        }
    }
}

sys::bare_program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
