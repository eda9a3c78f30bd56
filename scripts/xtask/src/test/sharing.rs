//! Processes that share nothing share no lock: the checked kernel counts the locks that processors take from each other, and wait for.

use std::collections::BTreeMap;

use regex::Regex;

use super::boot::{Bench, Booted, tail};
use super::report::Outcome;
use crate::bootconf::KernelLine;
use crate::error::Result;
use crate::kernel::Kernel;
use crate::prepare::Recipe;
use crate::qemu::args::{Engine, Spec};
use crate::qemu::outcome::Verdict;

/// What the workers do, of each kind: `OPERATIONS`, `ROUNDS` and one round more in `userland/apps/bench/src/scale.rs`, of four workers.
const OPERATIONS: u64 = 2000 * 5 * 4;
/// Of each level less than one lock in so many operations of one kind may be shared: setting up and ending, refills.
const RARELY: u64 = 20;

/// How often a lock of a level has passed from one processor to another, and how often one was waited for.
type Counts = BTreeMap<String, (u64, u64)>;

/// Processors are executed in turn, each for one operation: a lock that two workers share passes with each operation.
pub fn in_step(bench: &Bench<'_>) -> Outcome {
    passing(bench).unwrap_or_else(Outcome::from)
}

/// Processors run at the same time: nobody waits.
pub fn at_once(bench: &Bench<'_>) -> Outcome {
    waiting(bench).unwrap_or_else(Outcome::from)
}

fn passing(bench: &Bench<'_>) -> Result<Outcome> {
    let booted = boot(
        bench,
        "scale-locks-shared",
        "@locks bench shared",
        Engine::TcgCounting,
    )?;
    let counts = counts(&booted.log);
    // Four workers with one event: were this not seen, the rest would mean nothing.
    let seen = counts.get("Event").map_or(0, |event| event.0);
    if booted.verdict != Verdict::PoweredOff || seen < OPERATIONS / 2 {
        return Ok(failed(
            &booted,
            &format!("a shared event passed {seen} times"),
        ));
    }
    let booted = boot(
        bench,
        "scale-locks",
        "@locks bench scale",
        Engine::TcgCounting,
    )?;
    Ok(judge(&booted, |(passed, _)| passed))
}

fn waiting(bench: &Bench<'_>) -> Result<Outcome> {
    let engine = Spec::default().engine;
    let booted = boot(bench, "scale-waits", "@locks bench scale", engine)?;
    Ok(judge(&booted, |(_, waited)| waited))
}

/// No level has a count that could come from the operations.
fn judge(booted: &Booted, count: impl Fn((u64, u64)) -> u64) -> Outcome {
    let counts = counts(&booted.log);
    if booted.verdict != Verdict::PoweredOff || counts.is_empty() {
        return failed(booted, "it did not end well");
    }
    let of_all = counts.iter().map(|(level, &counts)| (level, count(counts)));
    let shared: Vec<_> = of_all
        .filter(|(_, count)| *count > OPERATIONS / RARELY)
        .collect();
    if shared.is_empty() {
        return Outcome::Passed;
    }
    failed(booted, &format!("locks are shared: {shared:?}"))
}

fn failed(booted: &Booted, reason: &str) -> Outcome {
    Outcome::Failed(format!(
        "{reason} ({})\n{}",
        booted.verdict,
        tail(&booted.log, &booted.path)
    ))
}

fn boot(bench: &Bench<'_>, name: &str, cmd: &str, engine: Engine) -> Result<Booted> {
    let mut line = KernelLine::default();
    line.quoted("cmd", cmd)?;
    let recipe = Recipe {
        kernel: Kernel::JsixChecked,
        ..Recipe::jsix(line)
    };
    let spec = Spec {
        cpus: 4,
        memory_mib: 256,
        cpu: "max,-erms,-monitor".into(),
        engine,
        ..Spec::default()
    };
    bench.boot(name, recipe, &spec, 900)
}

/// The counts in lines like `Event: 3 passed, 0 waited`; of spin locks it is known only how often they were waited for.
fn counts(log: &str) -> Counts {
    let Ok(pattern) = Regex::new(r"commands: ([A-Za-z ]+): (?:(\d+) passed, )?(\d+) waited\s*$")
    else {
        return Counts::new();
    };
    let lines = log.lines().filter_map(|line| pattern.captures(line));
    lines
        .map(|found| {
            let number = |group: usize| {
                let text = found.get(group);
                text.and_then(|text| text.as_str().parse().ok())
                    .unwrap_or(0)
            };
            (found[1].to_owned(), (number(2), number(3)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn counts_are_read_from_among_other_lines() {
        let log = "[ 1.0] cpu0 INFO  commands: Event: 12 passed, 3 waited\n\
                   [ 1.0] cpu0 INFO  bench: call-1 1 2 3\n\
                   [ 1.0] cpu0 INFO  commands: tables of handles: 7 waited\n";
        let found = counts(log);
        assert_eq!(found.get("Event"), Some(&(12, 3)));
        assert_eq!(found.get("tables of handles"), Some(&(0, 7)));
        assert_eq!(found.len(), 2);
    }
}
