//! `scripts/test nix`: the flake with a real Nix, and a stand-in for the package collection (`scripts/nix-host`).
//!
//! It shows that the lock is in step with the flake, that every output evaluates, that the checks pass, that each package builds from
//! nothing but what the flake names, and that the ISO boots. It does not show that nixpkgs and rust-overlay have what the flake takes from
//! them, nor what their versions of the tools do: that takes a machine with a network. docs/reproducible.md has the list.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::boot::tail;
use super::iso::PROMPT;
use super::report::{Outcome, Report};
use crate::console;
use crate::error::{Error, Result};
use crate::firmware;
use crate::qemu::Qemu;
use crate::qemu::args::{Medium, Spec};
use crate::reproduce::rustup_home;
use crate::run::{self, Plan};
use crate::workspace::Workspace;

/// The hosts that the flake has outputs for; the first is that of the test.
const SYSTEMS: [&str; 3] = ["x86_64-linux", "aarch64-linux", "aarch64-darwin"];
/// What it must have for each.
const OUTPUTS: [(&str, &[&str]); 4] = [
    (
        "packages",
        &[
            "default",
            "disk",
            "docs",
            "iso",
            "kernel",
            "uefi-shim",
            "userland",
        ],
    ),
    ("apps", &["bench", "default", "qemu", "test"]),
    ("devShells", &["default"]),
    (
        "checks",
        &[
            "boot-disc",
            "boot-stick",
            "clippy",
            "docs",
            "format",
            "iso",
            "tests",
        ],
    ),
];
/// How long the boots may take.
const LIMIT_S: u64 = 300;

/// What a step does.
type Step = fn(&Nix<'_>) -> Result<Outcome>;

/// The steps, in order: each needs those before it.
const STEPS: [(&str, Step); 7] = [
    ("nix/lock", lock),
    ("nix/evaluate", evaluate),
    ("nix/commit", commit),
    ("nix/shell", shell),
    ("nix/packages", packages),
    ("nix/boot", boot),
    ("nix/check", check),
];

/// The names of all steps.
pub fn names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|(name, _)| *name)
}

/// Runs the steps whose names hold `filter`.
pub fn run(workspace: &Workspace, report: &Report, filter: Option<&str>) -> Result<()> {
    let wanted = |name: &str| filter.is_none_or(|filter| name.contains(filter));
    let nix = if Command::new("nix").arg("--version").output().is_ok() {
        Some(Nix::new(workspace)?)
    } else {
        None
    };
    for (name, step) in STEPS.iter().filter(|(name, _)| wanted(name)) {
        report.measure(name, || match &nix {
            Some(nix) => step(nix).unwrap_or_else(Outcome::from),
            None => Outcome::Skipped(
                "there is no Nix here: scripts/setup --nix installs Debian's, or see nixos.org"
                    .into(),
            ),
        });
    }
    Ok(())
}

/// What a builder sees of this machine: where the programs are that the stand-in links to. It has no network and no home; Nix does without
/// all that where the machine forbids it.
fn visible() -> Vec<String> {
    let fixed = [
        "/usr",
        "/bin",
        "/lib",
        "/lib64",
        "/etc/alternatives",
        "/var/lib/dpkg",
    ];
    let fixed = fixed.map(PathBuf::from).into_iter();
    let limine = env::var_os("LIMINE_DIR").map(PathBuf::from);
    fixed
        .chain(rustup_home())
        .chain(limine)
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect()
}

/// A Nix that writes nowhere but below `target/nix`, and asks nobody.
struct Nix<'a> {
    workspace: &'a Workspace,
    home: PathBuf,
    standin: PathBuf,
}

impl<'a> Nix<'a> {
    fn new(workspace: &'a Workspace) -> Result<Self> {
        let home = workspace.target.join("nix");
        let configuration = home.join("etc");
        fs::create_dir_all(&configuration).map_err(Error::io("create", &configuration))?;
        let file = configuration.join("nix.conf");
        fs::write(
            &file,
            format!(
                "experimental-features = nix-command flakes\nbuild-users-group =\nsubstituters =\nflake-registry =\n\
                 warn-dirty = false\nsandbox = relaxed\nsandbox-paths = {}\n",
                visible().join(" ")
            ),
        )
        .map_err(Error::io("write", &file))?;
        let nix = Self {
            workspace,
            standin: home.join("standin"),
            home,
        };
        nix.prepare()?;
        Ok(nix)
    }

    /// A copy of the stand-in, with what this machine has.
    fn prepare(&self) -> Result<()> {
        if self.standin.exists() {
            fs::remove_dir_all(&self.standin).map_err(Error::io("remove", &self.standin))?;
        }
        let from = self.workspace.root.join("scripts/nix-host");
        let copied = Command::new("cp")
            .arg("-r")
            .arg(&from)
            .arg(&self.standin)
            .status();
        let described = Command::new("python3")
            .arg(self.standin.join("nixpkgs/gen-host.py"))
            .status();
        for (what, status) in [("cp", copied), ("gen-host.py", described)] {
            if !status.map_err(Error::io("run", what))?.success() {
                return Err(Error::tool(what, "failed: its messages are above"));
            }
        }
        Ok(())
    }

    /// `nix` with these words, in the repository.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nix");
        command
            .args(words)
            .current_dir(&self.workspace.root)
            .stdin(Stdio::null())
            .env("XDG_CACHE_HOME", self.home.join("cache"))
            .env_remove("NIX_PATH");
        for (name, folder) in [
            ("NIX_STORE_DIR", "store"),
            ("NIX_STATE_DIR", "state"),
            ("NIX_LOG_DIR", "log"),
            ("NIX_CONF_DIR", "etc"),
        ] {
            command.env(name, self.home.join(folder));
        }
        command
    }

    /// The same with the stand-in in place of the inputs: they come behind the command's name, before everything else.
    fn with_standin(&self, name: &[&str], words: &[&str]) -> Command {
        let mut command = self.command(name);
        for input in ["nixpkgs", "rust-overlay"] {
            command.args(["--override-input", input]);
            command.arg(format!("path:{}", self.standin.join(input).display()));
        }
        command.args(words);
        command
    }

    /// Standard output of a command that must succeed.
    fn output(&self, mut command: Command) -> Result<String> {
        let output = command.output().map_err(Error::io("run", "nix"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        let start = lines.len().saturating_sub(40);
        let tail = lines.get(start..).unwrap_or_default().join("\n");
        Err(Error::tool("nix", format!("failed:\n{tail}")))
    }
}

/// The lock names exactly the inputs of the flake: nothing would have to be resolved.
fn lock(nix: &Nix<'_>) -> Result<Outcome> {
    let text =
        nix.output(nix.command(&["flake", "metadata", "--json", "--no-update-lock-file", "."]))?;
    let metadata: Value = serde_json::from_str(&text)
        .map_err(|e| Error::tool("nix", format!("printed no JSON: {e}")))?;
    let nodes = &metadata["locks"]["nodes"];
    for input in ["nixpkgs", "rust-overlay"] {
        let locked = &nodes[input]["locked"];
        if locked["rev"].as_str().is_none_or(|rev| rev.len() != 40)
            || !locked["narHash"].is_string()
        {
            return Ok(Outcome::Failed(format!(
                "flake.lock does not pin {input}: {locked}"
            )));
        }
    }
    Ok(Outcome::Passed)
}

/// Every output of every system is a derivation, and none is missing.
fn evaluate(nix: &Nix<'_>) -> Result<Outcome> {
    let mut wrong = Vec::new();
    for system in SYSTEMS {
        for (output, names) in OUTPUTS {
            let path = format!(".#{output}.{system}");
            let apply = match output {
                "apps" => "builtins.mapAttrs (_: app: app.program)",
                _ => "builtins.mapAttrs (_: drv: drv.drvPath)",
            };
            let text =
                nix.output(nix.with_standin(&["eval"], &["--json", &path, "--apply", apply]))?;
            let values: Value = serde_json::from_str(&text)
                .map_err(|e| Error::tool("nix", format!("printed no JSON: {e}")))?;
            for name in names {
                if !values[name].is_string() {
                    wrong.push(format!("there is no {output}.{system}.{name}"));
                }
            }
        }
        let path = format!(".#formatter.{system}.drvPath");
        nix.output(nix.with_standin(&["eval"], &["--raw", &path]))?;
    }
    Ok(if wrong.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(wrong.join("\n"))
    })
}

/// What is built gets the commit's name, in a clone that is as it was committed. A changed one has another name; Nix cannot tell which
/// commit it is of before 2.17.
fn commit(nix: &Nix<'_>) -> Result<Outcome> {
    let folder = tempfile::tempdir().map_err(Error::io("create a folder in", env::temp_dir()))?;
    let clone = folder.path().join("clone");
    let git = |words: &[&OsStr]| -> Result<String> {
        let output = Command::new("git")
            .args(words)
            .output()
            .map_err(Error::io("run", "git"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::tool("git", format!("failed: {said}")))
    };
    let root = nix.workspace.root.as_os_str();
    git(&["clone".as_ref(), "--quiet".as_ref(), root, clone.as_ref()])?;
    let hash = git(&["-C".as_ref(), root, "rev-parse".as_ref(), "HEAD".as_ref()])?;
    let name = || -> Result<Option<String>> {
        let flake = format!("git+file://{}#iso", clone.display());
        let text = nix.output(nix.with_standin(&["show-derivation"], &["--recursive", &flake]))?;
        Ok(named_in(&text))
    };
    let clean = name()?;
    fs::write(clone.join("limine.conf"), "changed").map_err(Error::io("write", &clone))?;
    let changed = name()?;
    let dirty = format!("{hash}-dirty");
    Ok(
        if clean.as_deref() == Some(&hash)
            && [Some(dirty.as_str()), Some("unknown")].contains(&changed.as_deref())
        {
            Outcome::Passed
        } else {
            Outcome::Failed(format!(
                "{hash} is called {clean:?}, and with a change {changed:?}"
            ))
        },
    )
}

/// The commit that derivations in `text`, which is JSON, are told.
fn named_in(text: &str) -> Option<String> {
    let (_, behind) = text.split_once("\"JSIX_COMMIT\"")?;
    behind.split('"').nth(1).map(str::to_owned)
}

/// In the shell of the flake, the scripts find everything.
fn shell(nix: &Nix<'_>) -> Result<Outcome> {
    let words = ["-c", "scripts/setup", "--check", "--tests"];
    let text = nix.output(nix.with_standin(&["develop"], &[&["."][..], &words].concat()))?;
    Ok(if text.contains("nothing is missing") {
        Outcome::Passed
    } else {
        Outcome::Failed(text)
    })
}

/// The packages build, and hold what their names say.
fn packages(nix: &Nix<'_>) -> Result<Outcome> {
    let mut wrong = Vec::new();
    for (name, file) in [
        ("iso", "jsix.iso"),
        ("disk", "jsix.img"),
        ("kernel", "kernel"),
        ("uefi-shim", "EFI/BOOT/BOOTX64.EFI"),
        ("userland", "bin/6s"),
        ("docs", "api/sys/index.html"),
    ] {
        let path = package(nix, name)?.join(file);
        if fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
            wrong.push(format!("{} is not there or empty", path.display()));
        }
    }
    Ok(if wrong.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(wrong.join("\n"))
    })
}

/// Builds a package; where it is.
fn package(nix: &Nix<'_>, name: &str) -> Result<PathBuf> {
    let path = format!(".#{name}");
    nix.output(nix.with_standin(&["build"], &["--no-link", &path]))?;
    let path = format!(".#{name}.outPath");
    Ok(nix
        .output(nix.with_standin(&["eval"], &["--raw", &path]))?
        .trim()
        .into())
}

/// The ISO that Nix built comes to the shell's prompt, as a disc and as a stick.
fn boot(nix: &Nix<'_>) -> Result<Outcome> {
    let folder = package(nix, "iso")?;
    let name = fs::read_to_string(folder.join("build")).map_err(Error::io("read", &folder))?;
    let qemu = Qemu::find()?;
    let firmware = firmware::find(&qemu.path)?;
    let logs = nix.workspace.target.join("test-logs");
    fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
    for (kind, medium) in [("disc", Medium::Cdrom), ("stick", Medium::Usb)] {
        let spec = Spec {
            cpus: 2,
            cpu: "max,-monitor".into(),
            medium,
            ..Spec::default()
        };
        let plan = Plan {
            qemu: &qemu,
            firmware: &firmware,
            spec: &spec,
            disk: &folder.join("jsix.iso"),
            limit_s: Some(LIMIT_S),
            stop_at: Some(PROMPT),
        };
        let ended = run::run(&plan, |_| Ok(()), |_| {})?;
        let log = console::plain(&ended.watch.serial).replace('\r', "");
        let path = logs.join(format!("nix-{kind}.log"));
        fs::write(&path, &log).map_err(Error::io("write", &path))?;
        let first_line = format!("build {}, started by", name.trim());
        if !log.contains(PROMPT) || !log.contains(&first_line) {
            return Ok(Outcome::Failed(format!(
                "as a {kind}: no prompt, or not \"{first_line}\": {}\n{}",
                ended.verdict,
                tail(&log, Path::new(&path))
            )));
        }
    }
    Ok(Outcome::Passed)
}

/// `nix flake check`, after which the lock is what it was.
fn check(nix: &Nix<'_>) -> Result<Outcome> {
    let lock = nix.workspace.root.join("flake.lock");
    let read = || fs::read(&lock).map_err(Error::io("read", &lock));
    let before = read()?;
    nix.output(nix.with_standin(&["flake", "check"], &["."]))?;
    Ok(if before == read()? {
        Outcome::Passed
    } else {
        Outcome::Failed("nix flake check has changed flake.lock".into())
    })
}
