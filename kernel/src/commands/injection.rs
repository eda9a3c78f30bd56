//! `@inject`: a program is run again and again, and each time the next of the allocations that it causes fails, until none is
//! left that could. Whatever happens to the program: the kernel goes on, the program ends, and all that it had comes back.

use abi::thread as states;

use super::{NOT_FOUND, find};
use crate::arch::current::time;
use crate::boot::Module;
use crate::mm::{Held, inject};
use crate::process::{self, Exit, Process, loader};
use crate::sched::{self, thread::Affinity};

/// Longer than any run takes.
const LIMIT_NS: u64 = 20_000_000_000;
/// How long what a program held may take to come back.
const SETTLE_NS: u64 = 3_000_000_000;
/// When no thread is left that could give back more, and nothing came for so long, nothing comes any more.
const STILL_NS: u64 = 50_000_000;
/// Status when something was lost, or a program did not end.
const FAILED: u64 = 1;
/// The exit code of a program that had to be ended.
const STUCK: u64 = 99;

/// Which allocations are counted.
#[derive(Clone, Copy)]
enum Since {
    /// Those by which the program is loaded, too.
    Load,
    /// Its own.
    Start,
}

/// Runs a program with each allocation failing in turn; 0 when all is well. Before its name there can be the word `late`, and the number of
/// the allocation to begin with.
pub fn run(words: &[&str]) -> u64 {
    let (since, words) = match words {
        ["late", rest @ ..] => (Since::Start, rest),
        _ => (Since::Load, words),
    };
    let number = |word: &&str| word.parse().ok().filter(|&number: &u64| number != 0);
    let (begin, words) = match words.split_first() {
        Some((first, rest)) => number(first).map_or((1, words), |begin| (begin, rest)),
        None => (1, words),
    };
    let Some(name) = words.first() else { return 0 };
    let Some(module) = find(name) else {
        return NOT_FOUND;
    };
    // Without failures first. There the kernel also makes what it keeps for good, which the program may take for a leak.
    once(module, words, since, 0);
    let (exit, _) = once(module, words, since, 0);
    if exit != Some(Exit::Status(0)) {
        log::error!("'{name}' fails even if no allocation does: {exit:?}");
        return FAILED;
    }
    let line = Line(words);
    let mut before = settle(None);
    let mut n = begin;
    let mut has_grown = false;
    loop {
        let (exit, was_reached) = once(module, words, since, n);
        if exit == Some(Exit::Status(STUCK)) {
            log::error!("'{line}' does not end when allocation {n} fails");
            return FAILED;
        }
        let after = settle(Some(before));
        let grows = after.is_more_than(&before);
        if grows && has_grown {
            log::error!("'{line}' leaks when allocation {n} fails: before {before}; after {after}");
            return FAILED;
        }
        if grows {
            // A list of the kernel's may have grown for good, as it does once; a leak grows again.
            log::debug!("'{line}', allocation {n}: before {before}; after {after}");
            (before, has_grown) = (after, true);
            continue;
        }
        (before, has_grown) = (after, false);
        if !was_reached {
            log::info!(
                "'{line}' was run with {} allocations failing, one at a time: nothing was lost",
                n - 1
            );
            return 0;
        }
        n += 1;
    }
}

/// Runs the program once, with the `n`-th allocation failing. Returns how it ended, if it was started at all, and whether
/// there were so many.
fn once(module: &Module, words: &[&str], since: Since, n: u64) -> (Option<Exit>, bool) {
    if let Since::Load = since {
        inject::arm(n);
    }
    let started = loader::start(module, words, Affinity::Any);
    if let Since::Start = since {
        inject::arm(n);
    }
    let exit = started.ok().map(|process| {
        let end = time::now_ns() + LIMIT_NS;
        loop {
            if let Some(exit) = process.ended() {
                return exit;
            }
            if time::now_ns() > end {
                report(n);
                process.end(Exit::Status(STUCK));
                return process.wait();
            }
            sched::yield_now();
        }
    });
    let was_reached = inject::disarm();
    // Those that it made and did not come to end.
    process::end_all(Exit::Status(STUCK));
    (exit, was_reached)
}

/// Which threads there are, of whom, and in what state.
fn report(n: u64) {
    log::error!("with allocation {n} failing, these go on:");
    let mut from = 0;
    while let Some(process) = Process::next(from) {
        from = process.id() + 1;
        let mut next = 0;
        while let Some(thread) = process.next_thread(next) {
            next = thread.id + 1;
            let state = match thread.state() {
                states::RUNNABLE => "runs",
                states::WAITING => "waits",
                states::SUSPENDED => "is suspended",
                _ => "is ending",
            };
            log::error!(
                "process {}, {}: thread {} {state}",
                process.id(),
                process.name(),
                thread.id
            );
        }
    }
}

/// What is in use when it is as expected, or does not change any more.
fn settle(expected: Option<Held>) -> Held {
    let mut since = time::now_ns();
    let end = since + SETTLE_NS;
    let mut last = Held::now();
    loop {
        let time = time::now_ns();
        let is_still = sched::thread_count() == 1 && time > since + STILL_NS;
        if Some(last) == expected || is_still || time > end {
            return last;
        }
        sched::yield_now();
        let now = Held::now();
        if now != last {
            (last, since) = (now, time);
        }
    }
}

/// The words of a command.
struct Line<'a>(&'a [&'a str]);

impl core::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{word}")?;
        }
        Ok(())
    }
}
