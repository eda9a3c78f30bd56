//! `fuzz [--calls N] [--seed N] [--workers N]`: random and mutated system calls, with random handles and addresses, from several
//! processes at once. Status 0: all calls were made, everybody could be ended, and the kernel holds what it held before.
//!
//! Each worker is a process with a seed of its own, made from the seed that is printed: what it calls depends on that and on what the
//! kernel answers. A worker that ends, or makes no call for a while, as it waits for what does not come, is ended and the next one
//! started.

#![cfg_attr(target_os = "none", no_std, no_main)]

mod arguments;
mod crew;
mod worker;

use sys::{Context, call, log_line};

/// Status for arguments that are not understood.
const USAGE: u64 = 2;

/// What is asked for.
struct Wanted {
    calls: u64,
    seed: u64,
    workers: u64,
}

impl Wanted {
    fn from(context: &Context) -> Option<Self> {
        let mut wanted = Self {
            calls: 100_000,
            seed: call::clock_read(),
            workers: 4,
        };
        let mut index = 1;
        while let Some(name) = context.argument(index) {
            let value = context.argument(index + 1)?.parse().ok()?;
            match name {
                "--calls" => wanted.calls = value,
                "--seed" => wanted.seed = value,
                "--workers" => wanted.workers = value,
                _ => return None,
            }
            index += 2;
        }
        let is_possible = (1..=crew::WORKERS_MAX).contains(&wanted.workers);
        is_possible.then_some(wanted)
    }
}

fn main_of_program(context: &Context) -> u64 {
    let Some(wanted) = Wanted::from(context) else {
        log_line!(
            context,
            "usage: fuzz [--calls N] [--seed N] [--workers 1..16]"
        );
        return USAGE;
    };
    log_line!(
        context,
        "{} calls by {} workers at a time, seed {}",
        wanted.calls,
        wanted.workers,
        wanted.seed
    );
    match crew::run(context, &wanted) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            log_line!(context, "the crew cannot be set up: {error}");
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
