//! The checks that need no emulator, cheapest first: formatting, the repository's own rules, the
//! linter, documentation, unit tests, the linter on the bare-metal targets, model tests.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::lint;
use super::models;
use super::report::{Outcome, Report};
use crate::abi_doc;
use crate::c_header;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::toolchain::{DEBIAN_CLIPPY, TARGET_NONE, TARGET_UEFI, Toolchain};
use crate::workspace::Workspace;

struct Step {
    name: &'static str,
    /// Whether it runs tests that have names, of which it can get a part.
    has_names: bool,
    run: fn(&Workspace, &Report, Option<&str>) -> Result<Outcome>,
}

const STEPS: &[Step] = &[
    Step {
        name: "host/fmt",
        run: |workspace, _, _| {
            cargo(
                workspace,
                &["fmt", "--all", "--check", "--", "--files-with-diff"],
                &[],
            )
        },
        has_names: false,
    },
    Step {
        name: "host/rules",
        run: |workspace, _, _| lint::check(workspace),
        has_names: false,
    },
    Step {
        name: "host/abi-doc",
        run: |workspace, _, _| abi_doc::check(workspace),
        has_names: false,
    },
    Step {
        name: "host/abi-header",
        run: |workspace, _, _| c_header::check(workspace),
        has_names: false,
    },
    Step {
        name: "host/clippy",
        run: |workspace, _, _| {
            let words = [
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--",
                "-Dwarnings",
            ];
            cargo(workspace, &words, &[])
        },
        has_names: false,
    },
    Step {
        name: "host/doc",
        run: |workspace, _, _| {
            let words = ["doc", "--quiet", "--workspace", "--no-deps"];
            cargo(workspace, &words, &[("RUSTDOCFLAGS", "-Dwarnings")])
        },
        has_names: false,
    },
    Step {
        name: "host/unit",
        has_names: true,
        run: |workspace, report, filter| Ok(unit(workspace, report, filter)),
    },
    // These wait for cargo when it still builds what is booted.
    Step {
        name: "host/clippy-kernel",
        run: |workspace, _, _| {
            let mut packages = vec![Kernel::Jsix.package(), Kernel::Conformance.package()];
            packages.extend(
                workspace
                    .programs
                    .iter()
                    .map(|program| program.package.as_str()),
            );
            clippy_bare(workspace, TARGET_NONE, &packages)
        },
        has_names: false,
    },
    Step {
        name: "host/clippy-shim",
        run: |workspace, _, _| clippy_bare(workspace, TARGET_UEFI, &["uefi-shim"]),
        has_names: false,
    },
    Step {
        name: "host/loom",
        has_names: true,
        run: loom,
    },
];

/// The names of all steps.
pub fn names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|step| step.name)
}

/// Runs the steps whose name holds `filter`, or else the unit tests whose name does.
pub fn run(workspace: &Workspace, report: &Report, filter: Option<&str>, is_step: bool) {
    let wanted = |name: &str| filter.is_none_or(|filter| name.contains(filter));
    let name_filter = filter.filter(|_| !is_step);
    for step in STEPS {
        if wanted(step.name) || (step.has_names && name_filter.is_some()) {
            report.measure(step.name, || {
                (step.run)(workspace, report, name_filter).unwrap_or_else(Outcome::from)
            });
        }
    }
}

fn unit(workspace: &Workspace, report: &Report, filter: Option<&str>) -> Outcome {
    let mut command = host_cargo(workspace);
    command
        .args(["test", "--quiet", "--no-fail-fast"])
        .args(filter);
    counted(command, report)
}

fn loom(workspace: &Workspace, report: &Report, filter: Option<&str>) -> Result<Outcome> {
    let mut command = host_cargo(workspace);
    command
        .args([
            "test",
            "--quiet",
            "--no-fail-fast",
            "--release",
            "--target-dir",
        ])
        // Its own folder: the flag would make cargo build everything again each time.
        .arg(workspace.target.join("loom"))
        .env("RUSTFLAGS", "--cfg loom")
        // A release for its speed alone: nobody debugs it.
        .envs([
            ("CARGO_PROFILE_RELEASE_LTO", "off"),
            ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
        ])
        // Loom's own advice: races show with two or three preemptions, and each more takes far longer.
        .env("LOOM_MAX_PREEMPTIONS", "4");
    for name in models::files(&workspace.root)? {
        command.args(["--package", &name.package, "--test", &name.test]);
    }
    command.arg(filter.unwrap_or(models::PREFIX));
    Ok(counted(command, report))
}

/// Cargo with the host's toolchain.
fn host_cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(&workspace.root).stdin(Stdio::null());
    command
}

fn cargo(workspace: &Workspace, words: &[&str], env: &[(&str, &str)]) -> Result<Outcome> {
    let mut command = host_cargo(workspace);
    command.args(words).envs(env.iter().copied());
    finish(command)
}

/// The linter on code that the host's build leaves out.
fn clippy_bare(workspace: &Workspace, target: &str, packages: &[&str]) -> Result<Outcome> {
    let toolchain = Toolchain::choose()?;
    if matches!(toolchain, Toolchain::Debian { .. })
        && !std::path::Path::new(DEBIAN_CLIPPY).exists()
    {
        return Ok(Outcome::Skipped(
            "Debian's compiler has no clippy here (apt-get install rust-web-clippy)".into(),
        ));
    }
    let mut command = toolchain.cargo(
        "clippy",
        target,
        &workspace.bare_target(),
        &toolchain.remap(workspace)?,
    )?;
    command.current_dir(&workspace.root).arg("--quiet");
    for package in packages {
        command.args(["--package", package]);
    }
    command.args(["--", "-Dwarnings"]);
    finish(command)
}

fn finish(mut command: Command) -> Result<Outcome> {
    let status = command
        .status()
        .map_err(Error::io("run", command.get_program()))?;
    Ok(if status.success() {
        Outcome::Passed
    } else {
        Outcome::Failed("its messages are above".into())
    })
}

/// Runs `cargo test`, shows its output, and adds the tests that it counted.
fn counted(mut command: Command, report: &Report) -> Outcome {
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("cargo does not start: {error}")),
    };
    let mut sum = (0_u32, 0_u32, 0_u32);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout)
            .lines()
            .map_while(std::io::Result::ok)
        {
            if let Some((passed, failed, ignored)) = parse_result(&line) {
                sum = (sum.0 + passed, sum.1 + failed, sum.2 + ignored);
            } else if !line.trim().is_empty() && !is_noise(&line) {
                println!("{line}");
            }
        }
    }
    report.add(sum.0, sum.1, sum.2);
    match child.wait() {
        Ok(status) if status.success() && sum.0 > 0 => Outcome::Passed,
        Ok(status) if status.success() => Outcome::Failed("no test ran".into()),
        Ok(_) => Outcome::Failed("its messages are above".into()),
        Err(error) => Outcome::Failed(format!("cargo cannot be waited for: {error}")),
    }
}

/// The dots and counts of a quiet test run.
fn is_noise(line: &str) -> bool {
    line.starts_with("running ")
        || line
            .trim_start_matches(['.', 'i'])
            .trim()
            .chars()
            .all(|c| c.is_ascii_digit() || c == '/')
}

/// The counts in `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
fn parse_result(line: &str) -> Option<(u32, u32, u32)> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        rest.split(['.', ';'])
            .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
    };
    Some((number("passed")?, number("failed")?, number("ignored")?))
}

#[cfg(test)]
mod tests {
    use super::{is_noise, parse_result};
    use proptest::prelude::{prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn counts_are_read_as_cargo_prints_them(passed in 0_u32..9999, failed in 0_u32..99, ignored in 0_u32..9) {
            let word = if failed == 0 { "ok" } else { "FAILED" };
            let line = format!(
                "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; \
                 0 measured; 0 filtered out; finished in 4.55s"
            );
            prop_assert_eq!(parse_result(&line), Some((passed, failed, ignored)));
        }

        #[test]
        fn other_lines_are_no_counts(line in "[ -~]{0,80}") {
            prop_assert_eq!(parse_result(&format!("x{line}")), None);
        }
    }

    #[test]
    fn failures_are_no_noise() {
        assert!(is_noise("...................... 22/30"));
        assert!(is_noise("running 30 tests"));
        assert!(!is_noise("name --- FAILED"));
        assert!(!is_noise("thread 'x' panicked"));
    }
}
