//! Tests in QEMU that are more than one boot with a fixed log.

use super::boot::{Bench, Booted, missing, tail};
use super::cases::Need;
use super::report::Outcome;
use super::{
    faults, first_program, gdb, injection, isolation, prompt, screen, sharing, shell, tracing,
};
use crate::bench::{self, Measured};
use crate::bootconf::Loader;
use crate::cli::Benchmark;
use crate::error::Result;
use crate::kernel::Kernel;
use crate::prepare::Recipe;
use crate::qemu::args::Spec;
use crate::qemu::outcome::Verdict;

/// A test with its own code.
#[derive(Debug)]
pub struct Special {
    /// The name, after `qemu/`.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&Bench<'_>) -> Outcome,
}

/// All of them.
pub const SPECIALS: &[Special] = &[
    Special {
        name: "conformance",
        run: |bench| conformance(bench, Kernel::Conformance, "max,-la57"),
    },
    Special {
        name: "conformance-rev3",
        run: |bench| conformance(bench, Kernel::ConformanceRev3, "max,-la57"),
    },
    Special {
        name: "conformance-pie",
        run: |bench| conformance(bench, Kernel::ConformancePie, "max,+la57"),
    },
    Special {
        name: "conformance-wide",
        run: |bench| conformance(bench, Kernel::ConformanceWide, "max,+la57"),
    },
    Special {
        name: "bench-boot",
        run: |bench| within_budgets(bench, Benchmark::Boot),
    },
    Special {
        name: "bench-ipc",
        run: |bench| within_budgets(bench, Benchmark::Ipc),
    },
    Special {
        name: "bench-sched",
        run: |bench| within_budgets(bench, Benchmark::Sched),
    },
    Special {
        name: "bench-objects",
        run: |bench| within_budgets(bench, Benchmark::Objects),
    },
    Special {
        name: "bench-vm",
        run: |bench| within_budgets(bench, Benchmark::Vm),
    },
    Special {
        name: "bench-scale",
        run: |bench| within_budgets(bench, Benchmark::Scale),
    },
    Special {
        name: "scale-locks",
        run: sharing::in_step,
    },
    Special {
        name: "scale-waits",
        run: sharing::at_once,
    },
    Special {
        name: "user-faults",
        run: faults::test,
    },
    Special {
        name: "first-program",
        run: first_program::test,
    },
    Special {
        name: "shell-pty",
        run: shell::test,
    },
    Special {
        name: "screen",
        run: screen::test,
    },
    Special {
        name: "screen-scroll",
        run: screen::scroll,
    },
    Special {
        name: "driver-isolation",
        run: isolation::test,
    },
    Special {
        name: "idle",
        run: prompt::idle,
    },
    Special {
        name: "log-follow",
        run: prompt::log_follow,
    },
    Special {
        name: "inject-start",
        run: injection::start,
    },
    Special {
        name: "inject-limits",
        run: injection::limits,
    },
    Special {
        name: "inject-kernel",
        run: injection::kernel,
    },
    Special {
        name: "inject-vm-0",
        run: |bench| injection::part(bench, 0),
    },
    Special {
        name: "inject-vm-1",
        run: |bench| injection::part(bench, 1),
    },
    Special {
        name: "inject-vm-2",
        run: |bench| injection::part(bench, 2),
    },
    Special {
        name: "inject-vm-3",
        run: |bench| injection::part(bench, 3),
    },
    Special {
        name: "trace",
        run: tracing::through_the_port,
    },
    Special {
        name: "trace-console",
        run: tracing::on_the_console,
    },
    Special {
        name: "trace-of-a-panic",
        run: tracing::of_a_panic,
    },
    Special {
        name: "gdb",
        run: gdb::test,
    },
];

/// No figure is above its budget.
fn within_budgets(bench: &Bench<'_>, benchmark: Benchmark) -> Outcome {
    let measured = match bench::measure(bench.tools(), benchmark, &[]) {
        Ok(measured) => measured,
        Err(error) => return error.into(),
    };
    let mut failures: Vec<String> = measured.iter().flat_map(Measured::failures).collect();
    if failures.is_empty() {
        return Outcome::Passed;
    }
    failures.extend(measured.iter().map(Measured::table));
    Outcome::Failed(failures.join("\n"))
}

/// Lines of the conformance kernel that begin so are the same for every loader.
const ANSWER: &str = "conf: ";
/// The first and the last of them.
const ENDS: [&str; 2] = ["conf: begin", "conf: end"];

/// The shim answers the requests of a Limine-protocol kernel as Limine does.
fn conformance(bench: &Bench<'_>, kernel: Kernel, cpu: &str) -> Outcome {
    compare(bench, kernel, cpu).unwrap_or_else(Outcome::from)
}

fn compare(bench: &Bench<'_>, kernel: Kernel, cpu: &str) -> Result<Outcome> {
    let spec = Spec {
        cpus: 2,
        memory_mib: 256,
        cpu: cpu.into(),
        ..Spec::default()
    };
    let boot = |loader: Loader| {
        let recipe = Recipe {
            kernel,
            loader,
            ..Recipe::default()
        };
        bench.boot(
            &format!("{}-{}", kernel.file(), loader.key()),
            recipe,
            &spec,
            120,
        )
    };
    let ours = boot(Loader::Shim)?;
    let Some(our_lines) = answers(&ours) else {
        return Ok(Outcome::Failed(format!(
            "the conformance kernel did not finish under the shim: {}\n{}",
            ours.verdict,
            tail(&ours.log, &ours.path)
        )));
    };
    if let Some(reason) = missing(bench, Need::Limine) {
        return Ok(Outcome::Skipped(format!(
            "nothing to compare with: {reason}"
        )));
    }
    let theirs = boot(Loader::Limine)?;
    let Some(their_lines) = answers(&theirs) else {
        return Ok(Outcome::Failed(format!(
            "the conformance kernel did not finish under Limine: {}\n{}",
            theirs.verdict,
            tail(&theirs.log, &theirs.path)
        )));
    };
    let their_lines: Vec<String> = their_lines.into_iter().map(as_promised).collect();
    let their_lines: Vec<&str> = their_lines.iter().map(String::as_str).collect();
    let differences = differences(&our_lines, &their_lines);
    Ok(if differences.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!(
            "the shim (-) and Limine (+) answer differently:\n{}",
            differences.join("\n")
        ))
    })
}

/// The lines to compare, if the kernel came to its end.
fn answers(booted: &Booted) -> Option<Vec<&str>> {
    if booted.verdict != Verdict::PoweredOff {
        return None;
    }
    let lines: Vec<&str> = booted
        .log
        .lines()
        .map(str::trim_end)
        .filter(|line| line.starts_with(ANSWER))
        .collect();
    let ends = [*lines.first()?, *lines.last()?];
    (ends == ENDS && lines.len() > ENDS.len()).then_some(lines)
}

/// Limine's answer, but for what it does not do as its protocol has it: modules whose hash it has checked lie in memory that it calls
/// its own, and not in that of the kernel and its modules. Seen in Limine 8.2; the shim keeps to the protocol.
fn as_promised(line: &str) -> String {
    match line.strip_suffix("kernel memory no") {
        Some(start) if start.starts_with("conf: module: ") => format!("{start}kernel memory yes"),
        _ => line.to_owned(),
    }
}

/// Lines that only one side has, in the order of that side.
fn differences(ours: &[&str], theirs: &[&str]) -> Vec<String> {
    let only = |sign: char, here: &[&str], there: &[&str]| {
        let mut there: Vec<&str> = there.to_vec();
        let mut lines = Vec::new();
        for line in here {
            match there.iter().position(|other| other == line) {
                Some(at) => drop(there.swap_remove(at)),
                None => lines.push(format!("{sign} {line}")),
            }
        }
        lines
    };
    let mut lines = only('-', ours, theirs);
    lines.extend(only('+', theirs, ours));
    if lines.is_empty() && ours != theirs {
        lines.push("the same lines in another order".into());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{as_promised, differences};
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn only_the_memory_of_modules_is_excused() {
        let no = "aligned yes, direct map yes, kernel memory no";
        let module = as_promised(&format!("conf: module: {no}"));
        assert!(module.ends_with("aligned yes, direct map yes, kernel memory yes"));
        for line in [
            format!("conf: internal: {no}"),
            "conf: module: aligned no, direct map no, kernel memory yes".to_owned(),
        ] {
            assert_eq!(as_promised(&line), line);
        }
    }

    proptest! {
        #[test]
        fn equal_answers_have_no_differences_and_others_do(
            ours in prop::collection::vec("[ab]", 0..6), theirs in prop::collection::vec("[ab]", 0..6)
        ) {
            let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
            let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
            prop_assert_eq!(differences(&ours, &theirs).is_empty(), ours == theirs);
            prop_assert!(differences(&ours, &ours).is_empty());
        }
    }
}
