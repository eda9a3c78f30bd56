//! `scripts/bench`: figures in guest instructions, the same on every machine.
//!
//! Under `-icount shift=0,sleep=off` one tick of the TSC is one guest instruction, which the kernel
//! measures itself; waiting for a timer counts too, as time that passed.

use crate::bootconf::{KernelLine, Loader};
use crate::build::{self, Scope};
use crate::cli::{BenchArgs, Benchmark};
use crate::console;
use crate::error::{Error, Result};
use crate::firmware;
use crate::kernel::Kernel;
use crate::prepare::{self, Recipe};
use crate::qemu::Qemu;
use crate::qemu::args::{DEBUG_EXIT_PORT, Engine, Spec};
use crate::qemu::outcome::Verdict;
use crate::run::{self, Plan};
use crate::workspace::Workspace;

/// The most that a boot may cost: from kernel entry to the first user instruction.
const BOOT_BUDGET: u64 = 60_000_000;
/// In the kernel's line about it, in ticks of the TSC, the figure follows this.
const BOOT_LINE: &str = "boot cost ";
/// Counting makes the firmware slow.
const LIMIT_S: u64 = 300;

/// Runs a benchmark. The result says whether it is within its budget, or was not to be checked.
pub fn bench(args: &BenchArgs) -> Result<bool> {
    match args.benchmark {
        Benchmark::Boot => boot(args),
    }
}

fn boot(args: &BenchArgs) -> Result<bool> {
    let workspace = Workspace::load()?;
    let qemu = Qemu::find()?;
    let firmware = firmware::find(&qemu.path)?;
    let scope = Scope {
        kernels: &[Kernel::Jsix],
        shim: true,
    };
    build::build(&workspace, &scope)?;
    let mut line = KernelLine::default();
    line.quoted("cmd", "hello")?
        .raw(&format!("qemu-exit={DEBUG_EXIT_PORT:#x}"))?;
    let recipe = Recipe {
        kernel: Kernel::Jsix,
        loader: Loader::Shim,
        line,
        keys: &[],
    };
    let folder =
        tempfile::tempdir().map_err(Error::io("create a folder in", std::env::temp_dir()))?;
    let disk = folder.path().join("jsix.img");
    prepare::write_image(&workspace, &recipe, &disk)?;
    let spec = Spec {
        cpus: 1,
        memory_mib: 256,
        cpu: "max,-erms".into(),
        engine: Engine::TcgCounting,
        ..Spec::default()
    };
    let plan = Plan {
        qemu: &qemu,
        firmware: &firmware,
        spec: &spec,
        disk: &disk,
        limit_s: Some(LIMIT_S),
        stop_at: None,
    };
    let ended = run::run(&plan, |_| Ok(()), |_| {})?;
    let log = console::plain(&ended.watch.serial);
    if ended.verdict != Verdict::PoweredOff {
        return Err(Error::tool(
            "the boot",
            format!("did not end well: {}\n{log}", ended.verdict),
        ));
    }
    let cost = figure(&log, BOOT_LINE).ok_or_else(|| {
        Error::tool(
            "the kernel",
            format!("did not print what its boot cost:\n{log}"),
        )
    })?;
    println!(
        "boot: {cost} instructions from kernel entry to the first user instruction, budget {BOOT_BUDGET}"
    );
    let fits = cost <= BOOT_BUDGET;
    if !fits {
        eprintln!("xtask: the boot is above its budget");
    }
    Ok(fits || !args.check)
}

/// The number after a text.
fn figure(log: &str, before: &str) -> Option<u64> {
    log.lines().find_map(|line| {
        let (_, rest) = line.split_once(before)?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::{BOOT_LINE, figure};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn the_figure_is_read_from_among_other_lines(cost in any::<u64>(), noise in "[a-z \n]{0,40}") {
            let log = format!("{noise}\n[ 0.1] power: boot cost {cost} ticks from kernel entry\n{noise}");
            prop_assert_eq!(figure(&log, BOOT_LINE), Some(cost));
            prop_assert_eq!(figure(&noise, BOOT_LINE), None);
        }
    }
}
