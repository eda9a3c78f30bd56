//! `scripts/bench`: figures in guest instructions, the same on every machine.
//!
//! Under `-icount shift=0,sleep=off` one tick of the TSC is one guest instruction of whichever processor runs: the program
//! `bench`, and for its start the kernel, measure themselves. `figures` says what there is and what it may cost, `report` reads
//! and writes it; here are the boots.

mod figures;
mod report;
mod scale;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::bootconf::KernelLine;
use crate::build::{self, Scope};
use crate::cli::{BenchArgs, Benchmark};
use crate::console;
use crate::error::{Error, Result};
use crate::firmware::{self, Firmware};
use crate::kernel::Kernel;
use crate::prepare::{Image, Recipe};
use crate::qemu::Qemu;
use crate::qemu::args::{DEBUG_EXIT_PORT, Engine, Spec};
use crate::qemu::outcome::Verdict;
use crate::run::{self, Plan};
use crate::workspace::Workspace;
use figures::{GROUPS, Group, Sample};
pub use report::Measured;

/// A boot takes a few seconds to a minute when it is alone.
const LIMIT_S: u64 = 400;

/// What boots are made of.
#[derive(Debug, Clone, Copy)]
pub struct Tools<'a> {
    /// The repository; everything is built.
    pub workspace: &'a Workspace,
    /// The emulator.
    pub qemu: &'a Qemu,
    /// The firmware.
    pub firmware: &'a Firmware,
}

/// Runs benchmarks. The result says whether they are within their budgets, or were not to be checked.
pub fn bench(args: &BenchArgs) -> Result<bool> {
    let workspace = Workspace::load()?;
    let qemu = Qemu::find()?;
    let firmware = firmware::find(&qemu.path)?;
    if !args.no_build {
        let scope = Scope {
            kernels: &[Kernel::Jsix],
            shim: true,
        };
        build::build(&workspace, &scope)?;
    }
    let tools = Tools {
        workspace: &workspace,
        qemu: &qemu,
        firmware: &firmware,
    };
    let measured = measure(tools, args.benchmark, &args.cpus)?;
    if args.json {
        let all: Vec<_> = measured.iter().map(Measured::json).collect();
        println!("{}", serde_json::Value::from(all));
    } else {
        for group in &measured {
            println!("{}", group.table());
        }
    }
    let failures: Vec<String> = measured.iter().flat_map(Measured::failures).collect();
    for failure in &failures {
        eprintln!("xtask: {failure}");
    }
    Ok(failures.is_empty() || !args.check)
}

/// Boots for what was asked, as many machines at once as there are processors, and reads the figures. `cpus` replaces the numbers of
/// processors that the groups have, unless it is empty.
pub fn measure(tools: Tools<'_>, benchmark: Benchmark, cpus: &[u32]) -> Result<Vec<Measured>> {
    let groups: Vec<&'static Group> = GROUPS
        .iter()
        .filter(|group| benchmark == Benchmark::All || benchmark == group.benchmark)
        .collect();
    let boots: Vec<(&'static Group, u32)> = groups
        .iter()
        .flat_map(|group| {
            let numbers = if cpus.is_empty() { group.cpus } else { cpus };
            // The machines with the most processors take longest.
            numbers.iter().rev().map(|&cpus| (*group, cpus))
        })
        .collect();
    let left = Mutex::new(boots.into_iter());
    let done = Mutex::new(Vec::new());
    let worker = || {
        let next = || locked(&left).next();
        while let Some((group, cpus)) = next() {
            let figures = boot(tools, group, cpus);
            locked(&done).push((group.name, cpus, figures));
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(worker);
        }
    });
    let mut measured: Vec<Measured> = groups
        .into_iter()
        .map(|group| Measured {
            group,
            samples: BTreeMap::new(),
        })
        .collect();
    for (name, cpus, figures) in locked(&done).drain(..) {
        let figures = figures?;
        if let Some(group) = measured.iter_mut().find(|group| group.group.name == name) {
            group.samples.insert(cpus, figures);
        }
    }
    Ok(measured)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Boots once and reads what was printed.
fn boot(tools: Tools<'_>, group: &Group, cpus: u32) -> Result<BTreeMap<String, Sample>> {
    let mut line = KernelLine::default();
    line.quoted("cmd", group.command)?
        .raw(&format!("qemu-exit={DEBUG_EXIT_PORT:#x}"))?;
    let recipe = Recipe::jsix(line);
    let image = Image::write(tools.workspace, &recipe)?;
    let spec = Spec {
        cpus,
        memory_mib: group.memory_mib,
        // Without MWAIT, in which firmware parks processors and which the translator runs as a busy loop.
        cpu: "max,-erms,-monitor".into(),
        engine: Engine::TcgCounting,
        is_quick: true,
        ..Spec::default()
    };
    let plan = Plan {
        qemu: tools.qemu,
        firmware: tools.firmware,
        spec: &spec,
        disk: image.disk(),
        limit_s: Some(LIMIT_S),
        stop_at: None,
    };
    let ended = run::run(&plan, |_| Ok(()), |_| {})?;
    let log = console::plain(&ended.watch.serial);
    let failed = |reason: String| {
        let name = group.name;
        Error::tool(
            format!("the boot for '{name}' with {cpus} processors"),
            format!("{reason}\n{log}"),
        )
    };
    if ended.verdict != Verdict::PoweredOff {
        return Err(failed(format!("did not end well: {}", ended.verdict)));
    }
    let figures = report::read(&log);
    let names = group.rows.iter().map(|row| row.needs());
    for (name, boots) in names {
        if boots.contains(&cpus) && !figures.contains_key(name) {
            return Err(failed(format!("did not print the figure '{name}'")));
        }
    }
    Ok(figures)
}
