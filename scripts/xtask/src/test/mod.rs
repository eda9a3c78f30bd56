//! `scripts/test`: checks of the host and boots in QEMU, side by side, then the closing line.
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
mod models;
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
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};

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
    let filter = args.filter.as_deref();
    let host = (args.part != Part::Qemu).then_some(|| {
        let is_known = |filter: &str| names(Part::All).iter().any(|name| name.contains(filter));
        host::run(&workspace, &report, filter, filter.is_some_and(is_known));
    });
    let mut boots: VecDeque<Job> = VecDeque::new();
    if args.part != Part::Host {
        boots.extend(jobs().into_iter().filter(|job| wanted(&job.name())));
    }
    match host {
        Some(host) if boots.is_empty() => host(),
        host => side_by_side(&workspace, &report, host, boots, args.jobs)?,
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

/// Boots that take long, and stand at the end of their tables.
const LONG: [&str; 5] = [
    "qemu/supervision",
    "qemu/vm-stress-4",
    "qemu/hog-1000",
    "qemu/shell-script",
    "qemu/same-bits",
];
/// What uses cargo as somebody does who sits here, and would wait while the checks of the host do.
const AFTER_THE_HOST: &str = "qemu/first-program";
/// How many short boots are left for the other workers then.
const SHORT: usize = 20;

/// What is to be done, the long ones first: they keep the workers busy evenly.
fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> = special::SPECIALS
        .iter()
        .chain(iso::SPECIALS)
        .map(Job::Special)
        .chain(system::cases().into_iter().map(Job::Case))
        .chain(cases::all().into_iter().map(Job::Case))
        .collect();
    jobs.sort_by_key(|job| !LONG.contains(&job.name().as_str()));
    if let Some(at) = jobs.iter().position(|job| job.name() == AFTER_THE_HOST) {
        let job = jobs.remove(at);
        jobs.insert(jobs.len().saturating_sub(SHORT), job);
    }
    jobs
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

/// Runs `host` and `boots`. Much of either keeps only one processor busy: so one worker begins with the checks of the host while another
/// builds, and whoever is done takes boots.
fn side_by_side(
    workspace: &Workspace,
    report: &Report,
    host: Option<impl FnOnce() + Send>,
    boots: VecDeque<Job>,
    workers: Option<usize>,
) -> Result<()> {
    thread::scope(|scope| {
        let host = host.map(|host| scope.spawn(host));
        if boots.is_empty() {
            return Ok(());
        }
        let bench = prepare(workspace, boots.len())?;
        let workers = workers
            .or_else(|| thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1)
            .clamp(1, 8);
        let queue = Mutex::new(boots);
        let next = || {
            queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        };
        let work = || {
            while let Some(job) = next() {
                report.measure(&job.name(), || match &job {
                    Job::Case(case) => boot::run(&bench, case),
                    Job::Special(special) => (special.run)(&bench),
                });
            }
        };
        thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(work);
            }
            if let Some(Err(panic)) = host.map(ScopedJoinHandle::join) {
                resume_unwind(panic);
            }
            work();
        });
        Ok(())
    })
}

/// Builds all that boots, and finds what boots it.
fn prepare(workspace: &Workspace, boots: usize) -> Result<Bench<'_>> {
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
        "booting {boots} times and more in QEMU {}.{}; logs are in {}",
        bench.qemu.version.0,
        bench.qemu.version.1,
        bench.logs.display()
    );
    Ok(bench)
}

#[cfg(test)]
mod tests {
    use super::{AFTER_THE_HOST, LONG, SHORT, jobs};

    /// A boot that has another name now would lose its place.
    #[test]
    fn boots_have_their_places() {
        let names: Vec<String> = jobs().iter().map(super::Job::name).collect();
        let is_long = |name: &String| LONG.contains(&name.as_str());
        let (first, rest) = names.split_at(LONG.len());
        assert!(first.iter().all(is_long), "{first:?}");
        assert!(!rest.iter().any(is_long), "twice");
        assert_eq!(names[names.len() - 1 - SHORT], AFTER_THE_HOST);
    }
}
