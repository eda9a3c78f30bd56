//! Every allocation that a program causes fails once: the kernel goes on, and nothing is lost. The program `test` is run so
//! with each test of its suite.

use regex::Regex;

use super::boot::{Bench, Booted, tail};
use super::report::Outcome;
use crate::bootconf::KernelLine;
use crate::error::Result;
use crate::kernel::Kernel;
use crate::prepare::Recipe;
use crate::qemu::args::Spec;
use crate::qemu::outcome::Verdict;

/// The suite's tests are dealt out to so many boots.
const PARTS: usize = 4;
/// What the kernel says of a program that was run with every failure.
const DONE: &str = "allocations failing, one at a time: nothing was lost";
/// Programs that fault for want of memory would fill the log.
const WORDS: &str = "log=info,process=off,test=off program-memory=20";
/// Tests of limits use up all that they may: little, so that the end is near.
const WORDS_FOR_LIMITS: &str = "log=info,process=off,test=off program-memory=4";
/// How the names of these tests begin.
const LIMITS: &str = "vm limit-";
/// Suites whose tests bear it that any of their threads ends for want of memory.
const SUITES: [&str; 2] = ["vm ", "handles "];
/// Tests that cause thousands of allocations, nearly all alike: tables of other tests grow in the same way, less far.
const LONG: [&str; 4] = [
    "handles grow-to-the-quota",
    "handles revoke-a-full-table",
    "handles stale-handles",
    "vm large-pages",
];

/// Tests of events, threads and messages that end by themselves whatever fails. (Others wait for one whose thread could not be made.)
const KERNEL: [&str; 16] = [
    "call-words-and-labels",
    "call-on-readable",
    "call-late-reply",
    "call-reply-once",
    "long-handles",
    "reply-dropped",
    "reply-by-another-process",
    "reply-later",
    "close-with-the-last-server",
    "close-refuses-callers",
    "interrupt-bound-anew",
    "interrupt-one-at-a-time",
    "timer-replaced",
    "kill-in-queued-call",
    "kill-in-served-call",
    "futex-ends",
];

/// A small program, and its start on two processors.
pub fn start(bench: &Bench<'_>) -> Outcome {
    let lines = ["@inject hello".to_owned(), "@inject test list".to_owned()];
    inject(bench, "inject-start", 2, &lines, WORDS).unwrap_or_else(Outcome::from)
}

/// One part of the suite.
pub fn part(bench: &Bench<'_>, number: usize) -> Outcome {
    suite(bench, &format!("inject-vm-{number}"), WORDS, |names| {
        let is_chosen = |name: &&&str| {
            SUITES.iter().any(|suite| name.starts_with(suite))
                && !name.starts_with(LIMITS)
                && !LONG.contains(*name)
        };
        let others = names.iter().filter(is_chosen);
        others.skip(number).step_by(PARTS).copied().collect()
    })
    .unwrap_or_else(Outcome::from)
}

/// The tests of limits.
pub fn limits(bench: &Bench<'_>) -> Outcome {
    suite(bench, "inject-limits", WORDS_FOR_LIMITS, |names| {
        let limits = names.iter().filter(|name| name.starts_with(LIMITS));
        limits.copied().collect()
    })
    .unwrap_or_else(Outcome::from)
}

/// Tests of the suite `kernel`, from their start on: how the program is loaded is that of the others.
pub fn kernel(bench: &Bench<'_>) -> Outcome {
    let lines = KERNEL.map(|name| format!("@inject late test kernel {name} cold"));
    inject(bench, "inject-kernel", 1, &lines, WORDS).unwrap_or_else(Outcome::from)
}

fn suite(
    bench: &Bench<'_>,
    own: &str,
    words: &str,
    choose: impl for<'a> Fn(&[&'a str]) -> Vec<&'a str>,
) -> Result<Outcome> {
    let list = boot(bench, &format!("{own}-list"), 1, "test list", "")?;
    let names = names(&list.log);
    if names.len() < PARTS || list.verdict != Verdict::PoweredOff {
        return Ok(Outcome::Failed(format!(
            "the program test gave no list: {}\n{}",
            list.verdict,
            tail(&list.log, &list.path)
        )));
    }
    let lines: Vec<String> = choose(&names)
        .into_iter()
        // How a program is loaded, and what the suite does before its first test, is the same each time: `start` looks at the one, and the
        // other is tests itself.
        .map(|name| format!("@inject late test {name} cold"))
        .collect();
    inject(bench, own, 1, &lines, words)
}

fn inject(
    bench: &Bench<'_>,
    name: &str,
    cpus: u32,
    lines: &[String],
    words: &str,
) -> Result<Outcome> {
    let booted = boot(bench, name, cpus, &lines.join("; "), words)?;
    let done = booted.log.lines().filter(|line| line.ends_with(DONE));
    let is_done = done.count() == lines.len() && !lines.is_empty();
    if booted.verdict == Verdict::PoweredOff && is_done {
        return Ok(Outcome::Passed);
    }
    Ok(Outcome::Failed(format!(
        "{}\n{}",
        booted.verdict,
        tail(&booted.log, &booted.path)
    )))
}

fn boot(bench: &Bench<'_>, name: &str, cpus: u32, cmd: &str, words: &str) -> Result<Booted> {
    let mut line = KernelLine::default();
    line.quoted("cmd", cmd)?;
    line.raw(words)?;
    let recipe = Recipe {
        kernel: Kernel::JsixChecked,
        ..Recipe::jsix(line)
    };
    let spec = Spec {
        cpus,
        memory_mib: 256,
        ..Spec::default()
    };
    bench.boot(name, recipe, &spec, 900)
}

/// The tests in lines like `test: vm resize`: their suite and name.
fn names(log: &str) -> Vec<&str> {
    let Ok(pattern) = Regex::new(r"test: ([a-z]+ [a-z0-9-]+)\s*$") else {
        return Vec::new();
    };
    log.lines()
        .filter_map(|line| pattern.captures(line)?.get(1))
        .map(|name| name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_found_in_a_log() {
        let log = "[ 1.0] cpu0 INFO  test: vm resize\r\n[ 1.1] cpu0 INFO  init: vm other thing\n\
                   [ 1.2] cpu1 INFO  test: vm two-cpus\n[ 1.3] cpu1 INFO  test: vm: 2 passed, 0 failed\n";
        assert_eq!(names(log), ["vm resize", "vm two-cpus"]);
    }
}
