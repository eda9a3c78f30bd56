//! Every forbidden thing that the program `crash` knows ends that program, and nothing else.

use regex::Regex;

use super::boot::{Bench, Booted, tail};
use super::report::Outcome;
use crate::bootconf::KernelLine;
use crate::error::Result;
use crate::prepare::Recipe;
use crate::qemu::args::Spec;
use crate::qemu::outcome::Verdict;

/// As many lines as surely fit on a command line.
const LINES_A_BOOT: usize = 16;
/// The program's status when it only lists what it knows.
const LISTED: Verdict = Verdict::Status(2);

/// Asks the program for its list, then has it do everything, a few things a boot.
pub fn test(bench: &Bench<'_>) -> Outcome {
    all(bench).unwrap_or_else(Outcome::from)
}

fn all(bench: &Bench<'_>) -> Result<Outcome> {
    let list = boot(bench, "user-faults-list", "crash")?;
    let kinds = kinds(&list.log);
    if kinds.is_empty() || list.verdict != LISTED {
        return Ok(Outcome::Failed(format!(
            "the program crash gave no list: {}\n{}",
            list.verdict,
            tail(&list.log, &list.path)
        )));
    }
    let mut wrong = Vec::new();
    for (number, group) in kinds.chunks(LINES_A_BOOT).enumerate() {
        let lines: Vec<String> = group
            .iter()
            .map(|(name, _)| format!("crash {name}"))
            .collect();
        // The system must still be whole afterwards.
        let cmd = format!("{}; hello", lines.join("; "));
        let booted = boot(bench, &format!("user-faults-{number}"), &cmd)?;
        let before = wrong.len();
        for (name, allowed) in group {
            let ended = |status: &u32| {
                let line = format!("'crash {name}' ended with status {status}");
                booted.log.lines().any(|text| text.ends_with(&line))
            };
            if !allowed.iter().any(ended) {
                wrong.push(format!("crash {name} did not end with one of {allowed:?}"));
            }
        }
        if !booted.log.contains("hello from user mode") || booted.log.contains("KERNEL PANIC") {
            wrong.push(format!("the system did not survive: {}", booted.verdict));
        }
        if wrong.len() > before {
            wrong.push(tail(&booted.log, &booted.path));
        }
    }
    Ok(if wrong.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(wrong.join("\n"))
    })
}

fn boot(bench: &Bench<'_>, name: &str, cmd: &str) -> Result<Booted> {
    let mut line = KernelLine::default();
    line.quoted("cmd", cmd)?;
    let recipe = Recipe::jsix(line);
    let spec = Spec {
        cpus: 2,
        memory_mib: 256,
        ..Spec::default()
    };
    bench.boot(name, recipe, &spec, 120)
}

/// The names and statuses in lines like `null-read: ends with status 142` and `x: ends with status 140 or 141`.
fn kinds(log: &str) -> Vec<(String, Vec<u32>)> {
    let Ok(pattern) = Regex::new(r"([a-z0-9-]+): ends with status (\d+)(?: or (\d+))?") else {
        return Vec::new();
    };
    pattern
        .captures_iter(log)
        .map(|found| {
            let statuses = [found.get(2), found.get(3)];
            let numbers = statuses
                .iter()
                .flatten()
                .filter_map(|text| text.as_str().parse().ok());
            (found[1].to_owned(), numbers.collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::kinds;

    #[test]
    fn the_list_is_read_from_the_log() {
        let log = "[ 0.1] cpu1 INFO  crash: null-read: ends with status 142\nx\n cli: ends with status 141\n push: ends with status 140 or 141\n";
        assert_eq!(
            kinds(log),
            [
                ("null-read".into(), vec![142]),
                ("cli".into(), vec![141]),
                ("push".into(), vec![140, 141])
            ]
        );
    }
}
