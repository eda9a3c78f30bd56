//! Measures what the system costs: `bench GROUP` all figures of a group, `bench GROUP NAME` one, `bench list` names them.
//!
//! It prints a line `NAME MIN MEDIAN P99` for each figure, in ticks of the time-stamp counter. `scripts/bench` runs it where a tick is
//! an instruction, reads the lines and compares them with the budgets; docs/performance.md has the results.

#![cfg_attr(target_os = "none", no_std, no_main)]

mod child;
mod crew;
mod ipc;
mod measure;
mod memory;
mod objects;
mod scale;
mod sched;
mod vm;

use core::sync::atomic::{AtomicU64, Ordering};

use measure::{Env, Figure, Samples};
use sys::abi::Error;
use sys::{Context, log_line};

/// The groups, by the word that selects them.
const GROUPS: &[(&str, &[Figure])] = &[
    ("ipc", ipc::FIGURES),
    ("sched", sched::FIGURES),
    ("objects", objects::FIGURES),
    ("vm", vm::FIGURES),
    ("scale", scale::FIGURES),
    ("shared", scale::SHARED),
];

/// Status when a measurement could not be made.
const FAILED: u64 = 1;
/// Status for arguments that are not understood.
const USAGE: u64 = 2;

fn main_of_program(context: &Context) -> u64 {
    let Some(env) = Env::new(context) else {
        log_line!(context, "a handle is missing");
        return USAGE;
    };
    let (word, name) = (context.argument(1), context.argument(2));
    if word == Some("list") && name.is_none() {
        for (group, figures) in GROUPS {
            for figure in *figures {
                log_line!(context, "{group} {}: {}", figure.name, figure.what);
            }
        }
        return 0;
    }
    let group = GROUPS.iter().find(|(group, _)| word == Some(group));
    let is_wanted = |figure: &&Figure| name.is_none_or(|name| name == figure.name);
    let Some((_, figures)) = group.filter(|(_, figures)| figures.iter().any(|f| is_wanted(&f)))
    else {
        log_line!(context, "usage: bench GROUP [NAME] | list");
        return USAGE;
    };
    for figure in figures.iter().filter(is_wanted) {
        if let Err(error) = on_first_cpu(&env, figure) {
            log_line!(context, "{} could not be measured: {error}", figure.name);
            return FAILED;
        }
    }
    0
}

/// What the measuring thread is given, and its answer.
struct Work<'a> {
    env: &'a Env<'a>,
    figure: &'a Figure,
    /// An error's number, or 0.
    error: AtomicU64,
}

/// Measures in a thread of its own, so that it is known on which processor, and which are the others.
fn on_first_cpu(env: &Env<'_>, figure: &Figure) -> Result<(), Error> {
    let work = Work {
        env,
        figure,
        error: AtomicU64::new(0),
    };
    let thread = crew::Thread::start(env, 0, measure, (&raw const work) as u64)?;
    crew::join(env, core::iter::once(&thread))?;
    Error::from_number(work.error.load(Ordering::Acquire)).map_or(Ok(()), Err)
}

fn measure(work: u64) {
    // SAFETY: `on_first_cpu` waits for this thread and keeps the value until then; nobody changes more of it than the atomic.
    let work = unsafe { &*(work as *const Work<'_>) };
    let mut samples = Samples::new();
    match (work.figure.run)(work.env, &mut samples) {
        Ok(()) => samples.print(work.env, work.figure.name),
        Err(error) => work.error.store(error.number(), Ordering::Release),
    }
}

sys::bare_program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
