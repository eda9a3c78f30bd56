//! The trace of a real machine: it must come out whole, be one that a machine can have run, and hold what was done.

use std::collections::BTreeMap;

use super::boot::{Bench, Booted, tail};
use super::report::Outcome;
use crate::bootconf::KernelLine;
use crate::error::{Error, Result};
use crate::prepare::Recipe;
use crate::qemu::args::Spec;
use crate::qemu::outcome::Verdict;
use crate::trace::check::{Summary, check};
use crate::trace::{self, Tap};

/// Clients and servers on all processors, more than the rings hold. What waits for memory to come to rest at their end asks for the time
/// again and again, on a slow host so often that the rings hold nothing else: so there are calls once more, and then a program on each
/// processor.
const COMMAND: &str = "test kernel clients-on-all-processors; bench ipc call-thread; @all hello";
const CPUS: u32 = 4;

/// Boots with a trace through the port: all kinds of events, which wrap around.
pub fn through_the_port(bench: &Bench<'_>) -> Outcome {
    record(bench).unwrap_or_else(Outcome::from)
}

/// Boots with a trace on the console, of some kinds only.
pub fn on_the_console(bench: &Bench<'_>) -> Outcome {
    read_console(bench).unwrap_or_else(Outcome::from)
}

/// A kernel that panics writes what its processors did last.
pub fn of_a_panic(bench: &Bench<'_>) -> Outcome {
    read_panic(bench).unwrap_or_else(Outcome::from)
}

fn boot(bench: &Bench<'_>, name: &str, cmd: &str, words: &str, spec: &Spec) -> Result<Booted> {
    let mut line = KernelLine::default();
    line.quoted("cmd", cmd)?.raw(words)?;
    bench.boot(name, Recipe::jsix(line), spec, 240)
}

fn record(bench: &Bench<'_>) -> Result<Outcome> {
    let tap = Tap::new()?;
    let spec = Spec {
        cpus: CPUS,
        extra: tap.arguments(),
        ..Spec::default()
    };
    let words = format!("{} trace-events=10000", Tap::words(None)?);
    let booted = boot(bench, "trace", COMMAND, &words, &spec)?;
    if booted.verdict != Verdict::PoweredOff {
        return Ok(failed(booted.verdict.to_string(), &booted));
    }
    let path = bench.logs.join("trace.json");
    if let Err(error) = trace::write(&path, &tap.read("")?) {
        return Ok(failed(error.to_string(), &booted));
    }
    // As a reader of the file has it.
    let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let document = serde_json::from_slice(&text);
    let document =
        document.map_err(|e| Error::Input(format!("{} is no JSON: {e}", path.display())))?;
    let wrong = match check(&document) {
        Ok(summary) => missing(&summary),
        Err(wrong) => vec![wrong],
    };
    Ok(if wrong.is_empty() {
        Outcome::Passed
    } else {
        failed(wrong.join("\n"), &booted)
    })
}

/// What the trace of [`COMMAND`] lacks.
fn missing(summary: &Summary) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut want = |is_there: bool, what: &str| {
        if !is_there {
            wrong.push(format!("the trace lacks {what}: {summary:?}"));
        }
    };
    let count = |map: &BTreeMap<String, usize>, name: &str| map.get(name).copied().unwrap_or(0);
    want(summary.processors.len() == CPUS as usize, "a processor");
    want(
        summary.processors.values().all(|&slices| slices > 1),
        "slices of a processor",
    );
    want(summary.lost > 0, "events that were overwritten");
    for flow in ["call", "reply", "wake"] {
        want(count(&summary.flows, flow) >= CPUS as usize, flow);
    }
    let states = ["running", "runnable", "waiting"];
    let calls = ["mailbox_call", "mailbox_reply_receive", "system_log_write"];
    for slice in states.into_iter().chain(calls) {
        want(count(&summary.slices, slice) >= CPUS as usize, slice);
    }
    for instant in ["interrupt", "ipi", "fault"] {
        want(count(&summary.instants, instant) > 0, instant);
    }
    wrong
}

fn read_console(bench: &Bench<'_>) -> Result<Outcome> {
    let spec = Spec {
        cpus: 2,
        memory_mib: 256,
        ..Spec::default()
    };
    let words = "trace=call trace-events=200";
    let booted = boot(bench, "trace-console", "hello", words, &spec)?;
    let checked = trace::document(booted.log.as_bytes());
    let checked = checked.and_then(|document| check(&document).map_err(Error::Input));
    Ok(match checked {
        Err(error) => failed(error.to_string(), &booted),
        Ok(summary) if !summary.slices.contains_key("system_log_write") => {
            failed(format!("the trace lacks a call: {summary:?}"), &booted)
        }
        Ok(summary)
            if summary.processors.len() != 2
                || !summary.instants.is_empty()
                || !summary.flows.is_empty() =>
        {
            failed(
                format!("the trace has what was not asked for: {summary:?}"),
                &booted,
            )
        }
        Ok(_) => Outcome::Passed,
    })
}

fn read_panic(bench: &Bench<'_>) -> Result<Outcome> {
    let tap = Tap::new()?;
    let spec = Spec {
        cpus: 2,
        memory_mib: 256,
        extra: tap.arguments(),
        ..Spec::default()
    };
    let words = format!("{} crash=page-fault", Tap::words(None)?);
    let booted = boot(bench, "trace-of-a-panic", "hello", &words, &spec)?;
    let checked = trace::document(&tap.read("")?);
    let checked = checked.and_then(|document| check(&document).map_err(Error::Input));
    Ok(match checked {
        _ if booted.verdict != Verdict::Panicked => failed(booted.verdict.to_string(), &booted),
        Err(error) => failed(error.to_string(), &booted),
        // The thread that was to fail was put on a processor, and ran there.
        Ok(summary) if !summary.slices.contains_key("running") => failed(
            format!("the trace lacks what ran last: {summary:?}"),
            &booted,
        ),
        Ok(_) => Outcome::Passed,
    })
}

fn failed(reason: String, booted: &Booted) -> Outcome {
    Outcome::Failed(format!("{reason}\n{}", tail(&booted.log, &booted.path)))
}
