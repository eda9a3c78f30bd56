//! `scripts/test`: all checks of the host, then boots in QEMU, then the closing line.
//!
//! `host` runs cargo's checks and `lint` the repository's own; `cases` is the table of boots and
//! `boot` runs one of them; `special` holds those that are more than one boot.

mod boot;
mod cases;
mod faults;
mod first_program;
mod gdb;
mod host;
mod injection;
mod iso;
mod isolation;
mod lint;
mod nix;
mod prompt;
pub mod report;
mod screen;
mod sharing;
mod shell;
mod special;
mod system;
mod tracing;
mod typist;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::build;
use crate::cli::{Part, TestArgs};
use crate::error::Result;
use crate::firmware;
use crate::limine::Limine;
use crate::qemu::Qemu;
use crate::workspace::Workspace;
use boot::Bench;
use report::Report;

/// Runs what `args` selects. The result says whether all of it passed.
pub fn test(args: &TestArgs) -> Result<bool> {
    let workspace = Workspace::load()?;
    if args.list {
        for name in names(args.part) {
            println!("{name}");
        }
        return Ok(true);
    }
    let report = Report::default();
    let wanted = |name: &str| {
        args.filter
            .as_deref()
            .is_none_or(|filter| name.contains(filter))
    };
    if args.part == Part::Nix {
        nix::run(&workspace, &report, args.filter.as_deref())?;
        return Ok(report.close());
    }
    if args.part != Part::Qemu {
        let is_known = |filter: &str| names(Part::All).iter().any(|name| name.contains(filter));
        let filter = args.filter.as_deref();
        host::run(&workspace, &report, filter, filter.is_some_and(is_known));
    }
    if args.part != Part::Host {
        let jobs: Vec<Job> = jobs()
            .into_iter()
            .filter(|job| wanted(&job.name()))
            .collect();
        if !jobs.is_empty() {
            qemu(&workspace, &report, jobs, args.jobs)?;
        }
    }
    Ok(report.close())
}

/// A piece of work for a worker.
enum Job {
    Case(cases::Case),
    Special(&'static special::Special),
}

impl Job {
    fn name(&self) -> String {
        match self {
            Self::Case(case) => format!("qemu/{}", case.name),
            Self::Special(special) => format!("qemu/{}", special.name),
        }
    }
}

fn jobs() -> Vec<Job> {
    special::SPECIALS
        .iter()
        .chain(iso::SPECIALS)
        .map(Job::Special)
        .chain(cases::all().into_iter().map(Job::Case))
        .chain(system::cases().into_iter().map(Job::Case))
        .collect()
}

fn names(part: Part) -> Vec<String> {
    let host = host::names().map(str::to_owned).collect();
    let qemu: Vec<String> = jobs().iter().map(Job::name).collect();
    match part {
        Part::Host => host,
        Part::Qemu => qemu,
        Part::Nix => nix::names().map(str::to_owned).collect(),
        Part::All => [host, qemu].concat(),
    }
}

fn qemu(
    workspace: &Workspace,
    report: &Report,
    jobs: Vec<Job>,
    workers: Option<usize>,
) -> Result<()> {
    let qemu = Qemu::find()?;
    let firmware = firmware::find(&qemu.path)?;
    build::build(workspace, &build::EVERYTHING)?;
    let bench = Bench {
        workspace,
        limine: Limine::find()?.is_some(),
        logs: workspace.target.join("test-logs"),
        qemu,
        firmware,
    };
    bench.prepare()?;
    println!(
        "booting {} times and more in QEMU {}.{}; logs are in {}",
        jobs.len(),
        bench.qemu.version.0,
        bench.qemu.version.1,
        bench.logs.display()
    );
    let workers = workers
        .or_else(|| thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1)
        .clamp(1, 8);
    let queue = Mutex::new(VecDeque::from(jobs));
    let next = || {
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = next() {
                    report.measure(&job.name(), || match &job {
                        Job::Case(case) => boot::run(&bench, case),
                        Job::Special(special) => (special.run)(&bench),
                    });
                }
            });
        }
    });
    Ok(())
}
