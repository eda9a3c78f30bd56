//! The commands of the command line, each a short sequence of steps of the other modules.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::bootconf::{KernelLine, Loader};
use crate::build::{self, Scope};
use crate::cli::{BootArgs, ImageArgs, RunArgs};
use crate::command_line::Runner;
use crate::console::{self, KeyMode, Keys, Plain};
use crate::contents::Contents;
use crate::error::{Error, Result};
use crate::firmware;
use crate::image;
use crate::prepare::{Image, Programs, Recipe};
use crate::qemu::args::{DEBUG_EXIT_PORT, Display, Engine, Medium, Spec};
use crate::qemu::outcome::Verdict;
use crate::qemu::{Qemu, accel};
use crate::remap::Remap;
use crate::run::{self, Ended, INTERRUPTED, Plan};
use crate::symbolize::Symbolizer;
use crate::toolchain::{TARGET_NONE, Toolchain};
use crate::trace::{self, Tap};
use crate::workspace::Workspace;

/// The time limit of a run with `--cmd`.
const COMMAND_LIMIT_S: u64 = 300;

/// What goes into the image: `--cmd` for the kernel or for the shell, then the developer's own words.
pub fn recipe(workspace: &Workspace, boot: &BootArgs) -> Result<Recipe> {
    let mut line = KernelLine::default();
    let runner = match &boot.cmd {
        // Of the conformance kernel nobody asks for a system.
        None if !boot.kernel.is_jsix() => Runner::Kernel,
        None => Runner::Shell,
        Some(_) if boot.bare => Runner::Kernel,
        Some(_) if boot.shell || !boot.add.is_empty() => Runner::Shell,
        Some(cmd) => Runner::of(workspace, cmd),
    };
    if let Some(cmd) = &boot.cmd {
        runner.put(&mut line, cmd)?;
    }
    if runner == Runner::Kernel && !boot.add.is_empty() {
        return Err(Error::Input(
            "--add puts files into the boot archive, which what the kernel runs by itself cannot read: leave out --bare".into(),
        ));
    }
    for words in &boot.append {
        line.raw(words)?;
    }
    Ok(Recipe {
        kernel: boot.kernel,
        loader: boot.loader,
        line,
        keys: &[],
        programs: match runner {
            Runner::Kernel => Programs::Bare,
            Runner::Shell => Programs::System(boot.add.clone()),
        },
    })
}

/// Builds what such an image holds, unless it shall be taken as it is.
pub fn build_for(workspace: &Workspace, boot: &BootArgs) -> Result<()> {
    if boot.no_build {
        return Ok(());
    }
    let scope = Scope {
        kernels: &[boot.kernel],
        shim: boot.loader != Loader::LimineOnly,
    };
    build::build(workspace, &scope)
}

/// `xtask image`.
pub fn image(args: &ImageArgs) -> Result<()> {
    let workspace = Workspace::load()?;
    build_for(&workspace, &args.boot)?;
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| workspace.target.join("jsix.img"));
    let recipe = recipe(&workspace, &args.boot)?;
    let contents = Contents::gather(&workspace, &recipe)?;
    image::write(&path, &contents)?;
    eprintln!("xtask: build {}", contents.identity);
    println!("{}", path.display());
    Ok(())
}

/// `xtask run`. The result is the exit status.
pub fn run(args: &RunArgs) -> Result<u8> {
    let workspace = Workspace::load()?;
    let qemu = Qemu::find()?;
    let firmware = firmware::find(&qemu.path)?;
    build_for(&workspace, &args.boot)?;

    let mut recipe = recipe(&workspace, &args.boot)?;
    recipe
        .line
        .raw(&format!("qemu-exit={DEBUG_EXIT_PORT:#x}"))?;
    let tap = args.trace.as_ref().map(|_| Tap::new()).transpose()?;
    if tap.is_some() {
        recipe.line.raw(&Tap::words(args.trace_kinds.as_deref())?)?;
    }
    let image = match args.medium {
        Medium::Disk => Image::write(&workspace, &recipe)?,
        _ => Image::write_iso(&workspace, &recipe)?,
    };

    let engine = accel::choose(args.machine.accel, &qemu, &firmware, image.disk())?;
    let spec = Spec {
        cpus: args.machine.smp,
        memory_mib: args.machine.memory,
        cpu: args.machine.cpu.clone().unwrap_or_else(|| match engine {
            Engine::Kvm => "host".into(),
            // Firmware parks processors in MWAIT where there is one, which TCG runs as a busy loop.
            Engine::Tcg => "max,-monitor".into(),
            Engine::TcgCounting => "max".into(),
        }),
        chipset: args.machine.machine,
        medium: args.medium,
        engine,
        display: display(args.headless, &qemu),
        gdb_port: args.gdb.map(free_port).transpose()?,
        // Nobody sees the screen. With arguments of the developer's the machine may be another one.
        is_quick: args.headless
            && args.qemu.is_empty()
            && args.boot.kernel.is_jsix()
            && args.medium == Medium::Disk,
        extra: [
            tap.as_ref().map(Tap::arguments).unwrap_or_default(),
            args.qemu.clone(),
        ]
        .concat(),
    };
    eprintln!(
        "xtask: booting on {} processors, {} MiB, QEMU {}.{}",
        spec.cpus, spec.memory_mib, qemu.version.0, qemu.version.1
    );
    if let Some(port) = spec.gdb_port {
        say_how_to_debug(&workspace, port);
    }
    let limit_s = args
        .timeout
        .or_else(|| args.boot.cmd.is_some().then_some(COMMAND_LIMIT_S));
    let plan = Plan {
        qemu: &qemu,
        firmware: &firmware,
        spec: &spec,
        disk: image.disk(),
        limit_s,
        stop_at: None,
    };
    let ended = follow(&workspace, args, &plan)?;
    if let (Some(path), Some(tap)) = (&args.trace, &tap) {
        let bytes = tap.read(&console::plain(&ended.watch.serial))?;
        let summary = trace::write(path, &bytes)?;
        eprintln!("xtask: {summary}; written to {}", path.display());
    }
    let verdict = args.boot.kernel.finished(ended.verdict);
    if verdict != Verdict::PoweredOff {
        eprintln!("\nxtask: {verdict}");
    }
    Ok(verdict.exit_code())
}

/// Runs the machine with the terminal as its serial port.
fn follow(workspace: &Workspace, args: &RunArgs, plan: &Plan<'_>) -> Result<Ended> {
    let mut symbolizer = Symbolizer::new(workspace, args.boot.kernel.file());
    let terminal = console::output_is_terminal();
    let mut filter = if terminal {
        Plain::until_the_kernel()
    } else {
        Plain::default()
    };
    let mut show = |bytes: &[u8]| {
        let mut text = filter.push(bytes);
        if !terminal {
            text.retain(|&byte| byte != b'\r');
        }
        let mut stdout = io::stdout().lock();
        // A closed standard output is no reason to stop the machine.
        let _ = stdout.write_all(&text).and_then(|()| stdout.flush());
    };
    let whose = match args.boot.cmd {
        None if args.boot.kernel.is_jsix() => Keys::System,
        _ => Keys::Run,
    };
    let keys = KeyMode::enter(whose);
    if whose == Keys::System && keys.is_active() {
        eprintln!("xtask: this terminal is the serial console; poweroff or Ctrl-A x ends the run");
    }
    let started = |machine: &crate::qemu::machine::Machine| {
        if keys.is_active() || args.boot.cmd.is_none() {
            console::forward_input(machine, whose)?;
        }
        Ok(())
    };
    let ended = run::run(plan, started, |bytes| show(&symbolizer.push(bytes)));
    show(&symbolizer.finish());
    drop(keys);
    ended
}

fn display(headless: bool, qemu: &Qemu) -> Display {
    if headless {
        return Display::None;
    }
    let has_screen = cfg!(target_os = "macos")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !has_screen {
        eprintln!(
            "xtask: no window: neither DISPLAY nor WAYLAND_DISPLAY is set (--headless says so)"
        );
        return Display::None;
    }
    if !qemu.has_window() {
        eprintln!(
            "xtask: no window: this QEMU was built without one (Debian: apt-get install qemu-system-gui)"
        );
        return Display::None;
    }
    Display::Window
}

/// `wanted`, or for 0 gdb's usual port if it is free, or any free one.
fn free_port(wanted: u16) -> Result<u16> {
    if wanted != 0 {
        return Ok(wanted);
    }
    let listener = TcpListener::bind(("127.0.0.1", 1234))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
        .map_err(|e| Error::tool("gdb", format!("gets no port: {e}")))?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|e| Error::tool("gdb", format!("gets no port: {e}")))
}

fn say_how_to_debug(workspace: &Workspace, port: u16) {
    eprintln!(
        "xtask: waiting for gdb; in another terminal:\n  gdb -x {} -ex 'jsix-connect {port}'",
        workspace.root.join("scripts/gdb/jsix.py").display()
    );
}

/// `xtask cargo`: cargo in the current folder, for the target of programs. The result is its exit status.
pub fn cargo(words: &[String]) -> Result<u8> {
    let (subcommand, rest) = words
        .split_first()
        .ok_or_else(|| Error::Input("cargo needs a command, such as build".into()))?;
    let toolchain = Toolchain::choose()?;
    let mut command = toolchain.cargo(
        subcommand,
        TARGET_NONE,
        Path::new("target"),
        &Remap::default(),
    )?;
    command.args(rest);
    let status = command
        .status()
        .map_err(Error::io("run", command.get_program()))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}

/// `xtask symbolize`.
pub fn symbolize(file: Option<&Path>) -> Result<()> {
    let workspace = Workspace::load()?;
    let mut symbolizer = Symbolizer::jsix(&workspace);
    let mut stdout = io::stdout().lock();
    let name = file.map_or_else(|| PathBuf::from("standard input"), Path::to_path_buf);
    let mut input: Box<dyn Read> = match file {
        Some(path) => Box::new(fs::File::open(path).map_err(Error::io("open", path))?),
        None => Box::new(io::stdin()),
    };
    let mut buffer = [0_u8; 8192];
    loop {
        let count = input.read(&mut buffer).map_err(Error::io("read", &name))?;
        let bytes = buffer.get(..count).unwrap_or_default();
        let text = if bytes.is_empty() {
            symbolizer.finish()
        } else {
            symbolizer.push(bytes)
        };
        stdout
            .write_all(&text)
            .and_then(|()| stdout.flush())
            .map_err(Error::io("write", "standard output"))?;
        if bytes.is_empty() {
            return Ok(());
        }
    }
}

/// Lets Ctrl-C, a hang-up and a termination end the run in order.
pub fn catch_signals() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .map_err(|e| Error::tool("xtask", format!("cannot catch signals: {e}")))
}
