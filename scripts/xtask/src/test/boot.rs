//! Runs one boot of the table and checks what it printed and how it ended.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::cases::{Case, Expect, Need, Want};
use super::report::Outcome;
use crate::add::Addition;
use crate::bench::Tools;
use crate::bootconf::KernelLine;
use crate::command_line::Runner;
use crate::console;
use crate::error::{Error, Result};
use crate::firmware::Firmware;
use crate::prepare::{Image, Programs, Recipe};
use crate::qemu::Qemu;
use crate::qemu::args::{DEBUG_EXIT_PORT, Spec};
use crate::qemu::machine::Machine;
use crate::qemu::outcome::Verdict;
use crate::run::{self, Plan};
use crate::symbolize::Symbolizer;
use crate::workspace::Workspace;

/// How many lines of a failed boot's log are shown.
const TAIL_LINES: usize = 30;

/// What all boots share.
#[derive(Debug)]
pub struct Bench<'a> {
    /// The repository.
    pub workspace: &'a Workspace,
    /// The emulator.
    pub qemu: Qemu,
    /// The firmware.
    pub firmware: Firmware,
    /// Whether Limine was found.
    pub limine: bool,
    /// Where the logs go.
    pub logs: PathBuf,
}

/// An ended boot.
#[derive(Debug)]
pub struct Booted {
    /// How it ended.
    pub verdict: Verdict,
    /// What it printed, with names, without escape sequences.
    pub log: String,
    /// Where that was written.
    pub path: PathBuf,
}

impl Bench<'_> {
    /// Makes the folder of the logs, and removes those of the last run.
    pub fn prepare(&self) -> Result<()> {
        if self.logs.exists() {
            fs::remove_dir_all(&self.logs).map_err(Error::io("remove", &self.logs))?;
        }
        fs::create_dir_all(&self.logs).map_err(Error::io("create", &self.logs))
    }

    /// Boots `recipe` on `spec`. `name` is the log's.
    pub fn boot(&self, name: &str, recipe: Recipe, spec: &Spec, limit_s: u64) -> Result<Booted> {
        self.boot_with(name, recipe, spec, limit_s, |_| Ok(()))
    }

    /// The same, giving the started machine once to `started`.
    pub fn boot_with(
        &self,
        name: &str,
        mut recipe: Recipe,
        spec: &Spec,
        limit_s: u64,
        started: impl FnOnce(&Machine) -> Result<()>,
    ) -> Result<Booted> {
        recipe
            .line
            .raw(&format!("qemu-exit={DEBUG_EXIT_PORT:#x}"))?;
        let image = Image::write(self.workspace, &recipe)?;
        // The conformance kernel tells of the screen's EDID.
        let spec = Spec {
            is_quick: recipe.kernel.is_jsix(),
            ..spec.clone()
        };
        let plan = Plan {
            qemu: &self.qemu,
            firmware: &self.firmware,
            spec: &spec,
            disk: image.disk(),
            limit_s: Some(limit_s),
            stop_at: None,
        };
        let ended = run::run(&plan, started, |_| {})?;
        let text = console::plain(&ended.watch.serial);
        let log = Symbolizer::new(self.workspace, recipe.kernel.file())
            .text(&text)
            .replace('\r', "");
        let path = self.log_path(name);
        fs::write(&path, format!("{log}\n--- {}\n", ended.verdict))
            .map_err(Error::io("write", &path))?;
        Ok(Booted {
            verdict: recipe.kernel.finished(ended.verdict),
            log,
            path,
        })
    }

    /// Where the log of a boot goes.
    pub fn log_path(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// What a machine is made with.
    pub fn tools(&self) -> Tools<'_> {
        Tools {
            workspace: self.workspace,
            qemu: &self.qemu,
            firmware: &self.firmware,
        }
    }
}

/// Runs `case`.
pub fn run(bench: &Bench<'_>, case: &Case) -> Outcome {
    if let Some(reason) = missing(bench, case.need) {
        return Outcome::Skipped(reason);
    }
    match boot(bench, case) {
        Ok(booted) => judge(case, &booted),
        Err(error) => error.into(),
    }
}

/// Why a boot with this need cannot run here, if it cannot.
pub fn missing(bench: &Bench<'_>, need: Need) -> Option<String> {
    match need {
        Need::Nothing => None,
        Need::Limine => {
            (!bench.limine).then(|| "Limine's BOOTX64.EFI is not on this machine".into())
        }
        Need::Qemu(major, what) => (bench.qemu.version.0 < major).then(|| {
            format!(
                "this QEMU {}.{} has no {what} under TCG, QEMU {major}.0 does",
                bench.qemu.version.0, bench.qemu.version.1
            )
        }),
    }
}

fn boot(bench: &Bench<'_>, case: &Case) -> Result<Booted> {
    let mut line = KernelLine::default();
    let mut programs = Programs::Bare;
    if let Some(cmd) = case.cmd {
        let runner = match case.add {
            [] => Runner::of(bench.workspace, cmd),
            _ => Runner::Shell,
        };
        runner.put(&mut line, cmd)?;
        if runner == Runner::Shell {
            let root = &bench.workspace.root;
            let additions = case.add.iter().map(|(file, path)| Addition {
                file: root.join(file),
                path: Some((*path).into()),
            });
            programs = Programs::System(additions.collect());
        }
    }
    line.raw(case.words)?;
    let recipe = Recipe {
        kernel: case.kernel,
        loader: case.loader,
        line,
        keys: case.keys,
        programs,
    };
    let spec = Spec {
        cpus: case.smp,
        memory_mib: case.memory_mib,
        cpu: case.cpu.into(),
        chipset: case.chipset,
        extra: case.extra.iter().map(|&word| word.to_owned()).collect(),
        ..Spec::default()
    };
    bench.boot(case.name, recipe, &spec, case.limit_s)
}

fn judge(case: &Case, booted: &Booted) -> Outcome {
    let mut wrong: Vec<String> = Vec::new();
    if !fits(case.want, &booted.verdict) {
        wrong.push(format!("wanted {:?}, but: {}", case.want, booted.verdict));
    }
    for expect in &case.expect {
        if let Err(reason) = check(expect, &booted.log) {
            wrong.push(reason);
        }
    }
    if wrong.is_empty() {
        return Outcome::Passed;
    }
    wrong.push(tail(&booted.log, &booted.path));
    Outcome::Failed(wrong.join("\n"))
}

fn fits(want: Want, verdict: &Verdict) -> bool {
    match want {
        Want::PowerOff => *verdict == Verdict::PoweredOff,
        Want::Restart => *verdict == Verdict::Restarted,
        Want::Status(status) => *verdict == Verdict::Status(status),
        Want::Panic => *verdict == Verdict::Panicked,
        Want::Refusal => *verdict == Verdict::NotBooted,
    }
}

fn check(expect: &Expect, log: &str) -> std::result::Result<(), String> {
    match expect {
        Expect::Text(text) if log.contains(text) => Ok(()),
        Expect::Text(text) => Err(format!("the log lacks: {text}")),
        Expect::Never(text) if log.contains(text) => Err(format!("the log must not hold: {text}")),
        Expect::Never(_) => Ok(()),
        Expect::Pattern(pattern) => match Regex::new(&format!("(?m){pattern}")) {
            Ok(regex) if regex.is_match(log) => Ok(()),
            Ok(_) => Err(format!("the log has no match for: {pattern}")),
            Err(error) => Err(error.to_string()),
        },
    }
}

/// The end of a log, for the reader of a failure.
pub fn tail(log: &str, path: &Path) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let start = lines.len().saturating_sub(TAIL_LINES);
    let shown = lines.get(start..).unwrap_or_default().join("\n");
    format!("the end of {}:\n{shown}", path.display())
}
