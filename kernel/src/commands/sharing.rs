//! `@locks`: a program is run, and then it is said which locks processors took from each other meanwhile, and for which they waited.

use crate::locks::{NAMES, TALLY};
use crate::sched::thread::Affinity;

/// Runs a program, and counts.
pub fn run(words: &[&str]) -> u64 {
    // What was counted before is not meant.
    for (rank, _) in (0..).zip(NAMES) {
        TALLY.take(rank);
    }
    ksync::take_waits();
    let status = super::start_and_wait(words, core::iter::once(Affinity::Any));
    for (rank, name) in (0..).zip(NAMES) {
        let shared = TALLY.take(rank);
        log::info!("{name}: {} passed, {} waited", shared.passed, shared.waited);
    }
    log::info!("tables of handles: {} waited", ksync::take_waits());
    status
}
