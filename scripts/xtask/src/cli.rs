//! The command line of xtask. Each shell in `scripts/` is one of these commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::add::Addition;
use crate::bootconf::Loader;
use crate::kernel::Kernel;
use crate::qemu::accel::Accel;
use crate::qemu::args::{Chipset, Medium};

/// Builds, boots and tests jsix.
#[derive(Debug, Parser)]
#[command(name = "xtask")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Builds kernel, user programs and shim
    Build,
    /// Builds and writes a bootable disk image
    Image(ImageArgs),
    /// Builds and writes an ISO for discs and sticks
    Iso(ImageArgs),
    /// Builds, and writes everything that is handed out into a folder: kernel, shim, programs, disk image, ISO, sums
    Dist(DistArgs),
    /// Builds a commit twice under other conditions, and compares all that comes out
    ///
    /// Exit status: 1 when something differs. It takes as long as two builds from nothing.
    Reproduce(ReproduceArgs),
    /// Builds, boots in QEMU, and follows the system to its end
    ///
    /// Without --cmd this terminal is the serial console: what you type goes to the system, Ctrl-C too. `poweroff` ends the run, and so
    /// does Ctrl-A x; Ctrl-A Ctrl-A sends Ctrl-A.
    ///
    /// Exit status: 0 when the system powered itself off with status 0; 1 to 62 the status of a
    /// command of --cmd; 101 kernel panic; 102 powered off without the kernel's closing line; 103
    /// triple fault or reset; 104 QEMU failed; 124 time limit; 130 interrupted; 2 nothing was booted.
    #[command(verbatim_doc_comment)]
    Run(RunArgs),
    /// Checks and tests everything; ends with the line `N passed, N failed, N skipped`
    Test(TestArgs),
    /// Measures in guest instructions, beside budgets and other systems
    ///
    /// QEMU counts instructions instead of time, so that the figures are the same on every machine and in every run; a boot takes up to
    /// a minute. docs/performance.md says what each figure is. Exit status: 1 when --check found a figure above its budget.
    Bench(BenchArgs),
    /// Writes docs/abi.md and userland/include/jsix.h from the table of system calls
    AbiDoc,
    /// Runs cargo for a program of your own, in its folder: `scripts/cargo build`
    ///
    /// Cargo gets --release and the target of jsix's programs, with the compiler that builds jsix. The program lies in
    /// target/x86_64-unknown-none/release then. docs/first-program.md shows how to begin one.
    Cargo {
        /// The command, `build` or `clippy`, and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Boots, runs a command, and writes the screen to a PNG file
    Screenshot(ScreenshotArgs),
    /// Makes JSON or a picture of a trace that was recorded before
    Trace(TraceArgs),
    /// Replaces addresses in a log with function, file and line
    Symbolize {
        /// The log; standard input if not given
        file: Option<PathBuf>,
    },
}

/// What the image holds.
#[derive(Debug, Clone, Args)]
pub struct BootArgs {
    /// Which boot loader loads the kernel
    #[arg(long, value_enum, default_value_t)]
    pub loader: Loader,
    /// Which kernel boots
    #[arg(long, value_enum, default_value_t)]
    pub kernel: Kernel,
    /// Commands to run; the system then powers off with the last non-zero status
    ///
    /// A line for the shell, as one would type it. If the first word of every command is a program that the kernel can run by itself
    /// (hello, test, stress ...) or one of the kernel's own words (@all ...), the kernel runs them, without any service; --bare and
    /// --shell say which it shall be. Without --cmd the system is interactive: a shell on the serial port, which is this
    /// terminal, and one on the screen.
    #[arg(long, value_name = "LINE; LINE")]
    pub cmd: Option<String>,
    /// Let the kernel itself run the commands of --cmd, without init, services and shell
    #[arg(long, requires = "cmd", conflicts_with = "shell")]
    pub bare: bool,
    /// Let the shell run the commands of --cmd, with all services
    #[arg(long, requires = "cmd")]
    pub shell: bool,
    /// Put a file into the boot archive; the system sees it at PATH (may be repeated)
    ///
    /// Without PATH a program (an ELF file for x86-64, statically linked) is at /boot/bin/NAME, where the shell finds it, and any other
    /// file at /boot/NAME. A PATH that ends with / is a folder. What was there before is replaced.
    #[arg(long, value_name = "FILE[=PATH]", value_parser = crate::add::parse)]
    pub add: Vec<Addition>,
    /// Take what was built last, as it is
    #[arg(long)]
    pub no_build: bool,
    /// More words for the kernel's command line, as they are (may be repeated)
    #[arg(long, value_name = "WORDS")]
    pub append: Vec<String>,
}

/// Arguments of `image`.
#[derive(Debug, Args)]
pub struct ImageArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "its fields carry the help")]
    pub boot: BootArgs,
    /// Where to write it [default: target/jsix.img or target/jsix.iso]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `dist`.
#[derive(Debug, Args)]
pub struct DistArgs {
    /// Where to write it
    pub folder: PathBuf,
    /// Take what was built last, as it is
    #[arg(long)]
    pub no_build: bool,
}

/// Arguments of `reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// Which commit
    #[arg(default_value = "HEAD")]
    pub commit: String,
    /// Build in this new folder, and leave it there
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
}

/// The machine.
#[derive(Debug, Clone, Args)]
pub struct MachineArgs {
    /// Number of processors
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub smp: u32,
    /// Memory
    #[arg(long, value_name = "MiB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(32..))]
    pub memory: u32,
    /// CPU as QEMU names it, with flags: Haswell, max,-la57 [default: max,-monitor, with KVM host]
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// Chipset
    #[arg(long, value_enum, default_value_t)]
    pub machine: Chipset,
    /// What executes the guest
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accel,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "its fields carry the help")]
    pub boot: BootArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its fields carry the help")]
    pub machine: MachineArgs,
    /// What the machine boots from; for anything but a disk, an ISO is made
    #[arg(long, value_enum, default_value_t)]
    pub medium: Medium,
    /// No window; the framebuffer exists all the same
    #[arg(long)]
    pub headless: bool,
    /// End the run after this time, as a failure [default: none, with --cmd 300]
    #[arg(long, value_name = "S")]
    pub timeout: Option<u64>,
    /// Ask the kernel for a trace and write it here: JSON for Perfetto or chrome://tracing, or a picture if FILE ends with .svg
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Which events: some of switch,wake,migrate,ipc,call,fault,interrupt,ipi [default: all]
    #[arg(long, value_name = "LIST", requires = "trace")]
    pub trace_kinds: Option<String>,
    /// Wait for gdb before the first instruction, on this or a free port
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub gdb: Option<u16>,
    /// More arguments for QEMU
    #[arg(last = true, value_name = "QEMU ARGS")]
    pub qemu: Vec<String>,
}

/// Which tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Part {
    /// what needs no emulator: formatting, lints, documentation, unit and model tests
    Host,
    /// boots in QEMU
    Qemu,
    /// both
    #[default]
    All,
    /// the flake, with a real Nix and a stand-in for its inputs; it builds everything again
    Nix,
}

/// Arguments of `test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Which tests
    #[arg(value_enum, default_value_t)]
    pub part: Part,
    /// Only those whose name holds this; a name of no step or boot is one of unit tests
    #[arg(long, value_name = "NAME")]
    pub filter: Option<String>,
    /// Print the names of the steps and boots, and run nothing
    #[arg(long)]
    pub list: bool,
    /// How many machines run at once [default: one a processor]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Benchmark {
    /// from kernel entry to the first user instruction
    Boot,
    /// messages between processes and threads, events
    Ipc,
    /// switches and lives of threads, the timer
    Sched,
    /// the empty system call, handles, the life of a process
    Objects,
    /// page faults, mappings, TLB shootdowns
    Vm,
    /// what independent workers on all processors cost each other
    Scale,
    /// all of these
    #[default]
    All,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum, default_value_t)]
    pub benchmark: Benchmark,
    /// Boot with these numbers of processors; what needs others is not measured [default: those that the figures need]
    #[arg(long, visible_alias = "smp", value_name = "N,N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cpus: Vec<u32>,
    /// Fail when a figure that was measured is above its budget, and docs/performance.md does not say why
    #[arg(long)]
    pub check: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,
    /// Take what was built last, as it is
    #[arg(long)]
    pub no_build: bool,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// A log of the console with lines of a trace, the bytes of the trace port, or a JSON file of `run --trace`
    pub input: PathBuf,
    /// Where to write it: JSON, or a picture if its name ends with .svg
    pub output: PathBuf,
    /// Where the picture begins [default: before the first message]
    #[arg(long, value_name = "US")]
    pub from: Option<f64>,
    /// How much time the picture shows [default: some sixty slices]
    #[arg(long, value_name = "US")]
    pub len: Option<f64>,
}

/// Arguments of `screenshot`.
#[derive(Debug, Args)]
pub struct ScreenshotArgs {
    /// The PNG file to write
    pub file: PathBuf,
    /// Commands to run; the picture is of the screen at power-off
    #[arg(long, value_name = "LINE; LINE", default_value = "hello")]
    pub cmd: String,
    /// Type this line on the keyboard, at the prompt on the screen, instead; may be given more than once
    #[arg(long = "type", value_name = "LINE", conflicts_with = "cmd")]
    pub keys: Vec<String>,
    /// After the last line that was typed, wait until the screen shows this; else for the prompt
    #[arg(long, value_name = "TEXT", requires = "keys")]
    pub until: Option<String>,
    /// Print the text that can be read on the screen, too
    #[arg(long)]
    pub text: bool,
    /// Number of processors
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub smp: u32,
}
