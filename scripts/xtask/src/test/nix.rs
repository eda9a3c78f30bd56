//! `scripts/test nix`: the flake with a real Nix, and a stand-in for the package collection (`scripts/nix-host`).
//!
//! It shows that the lock is in step with the flake, that every output evaluates, that the checks pass, that each package builds from
//! nothing but what the flake names, and that the ISO boots. It does not show that nixpkgs and rust-overlay have what the flake takes from
//! them, nor what their versions of the tools do: that takes a machine with a network. docs/reproducible.md has the list.

use std::env;
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
/// What of that only the first has: it is made from what runs on the host.
const NATIVE: [&str; 3] = ["clippy", "docs", "tests"];
/// How long the boots may take.
const LIMIT_S: u64 = 300;

/// What a step does.
type Step = fn(&Nix<'_>) -> Result<Outcome>;

/// The steps, in order: each needs those before it.
const STEPS: [(&str, Step); 8] = [
    ("nix/lock", lock),
    ("nix/evaluate", evaluate),
    ("nix/commit", commit),
    ("nix/shell", shell),
    ("nix/packages", packages),
    ("nix/apps", apps),
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
    /// A copy of the stand-in, with what this machine has.
    standin: PathBuf,
    /// A clone of the repository, whose lock names the stand-in: with inputs that are named in its place, Nix tells a flake no commit.
    clone: PathBuf,
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
            clone: home.join("clone"),
            home,
        };
        nix.prepare()?;
        nix.clone_all()?;
        Ok(nix)
    }

    /// Makes the copy of the stand-in. Nothing in it depends on the time: what was built before is there again.
    fn prepare(&self) -> Result<()> {
        if self.standin.exists() {
            fs::remove_dir_all(&self.standin).map_err(Error::io("remove", &self.standin))?;
        }
        let from = self.workspace.root.join("scripts/nix-host");
        run_tool(Command::new("cp").arg("-r").arg(&from).arg(&self.standin))?;
        run_tool(Command::new("python3").arg(self.standin.join("nixpkgs/gen-host.py")))?;
        run_tool(Command::new("find").arg(&self.standin).args([
            "-exec",
            "touch",
            "-d",
            "1980-01-01 UTC",
            "{}",
            "+",
        ]))?;
        Ok(())
    }

    /// Makes the clone, of the last commit and what was changed since in files that git knows. Its own commit has the time of that.
    fn clone_all(&self) -> Result<()> {
        if self.clone.exists() {
            fs::remove_dir_all(&self.clone).map_err(Error::io("remove", &self.clone))?;
        }
        let root = &self.workspace.root;
        let time = git(root, &["log", "-1", "--format=%cI"])?;
        // Nothing where nothing was changed. It is in no branch: a clone does not copy it.
        let changed = git(root, &["stash", "create"])?;
        let mut clone = Command::new("git");
        clone.args(["clone", "--quiet", "--shared", "--no-tags"]);
        run_tool(clone.arg(root).arg(&self.clone))?;
        if !changed.is_empty() {
            git(
                &self.clone,
                &["read-tree", "-u", "--reset", &format!("{changed}^{{tree}}")],
            )?;
        }
        let mut lock = self.command(&["flake", "lock"]);
        for input in ["nixpkgs", "rust-overlay"] {
            lock.args(["--override-input", input]);
            lock.arg(format!("path:{}", self.standin.join(input).display()));
        }
        self.output(lock)?;
        let mut commit = Command::new("git");
        commit.arg("-C").arg(&self.clone);
        commit.args(["-c", "user.name=test", "-c", "user.email=test@localhost"]);
        commit.args([
            "commit",
            "--quiet",
            "--all",
            "--message",
            "lock the stand-in",
        ]);
        for name in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
            commit.env(name, &time);
        }
        run_tool(&mut commit)?;
        Ok(())
    }

    /// `nix` with these words, in the clone.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nix");
        command
            .args(words)
            .current_dir(&self.clone)
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

/// What a tool prints that must succeed.
fn run_tool(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(Error::io("run", &name))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::tool(name, format!("failed: {said}")))
}

/// git in a folder.
fn git(folder: &Path, words: &[&str]) -> Result<String> {
    run_tool(Command::new("git").arg("-C").arg(folder).args(words))
}

/// The lock names exactly the inputs of the flake: nothing would have to be resolved.
fn lock(nix: &Nix<'_>) -> Result<Outcome> {
    let mut command = nix.command(&["flake", "metadata", "--json", "--no-update-lock-file", "."]);
    command.current_dir(&nix.workspace.root);
    let text = nix.output(command)?;
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
            let text = nix.output(nix.command(&["eval", "--json", &path, "--apply", apply]))?;
            let values: Value = serde_json::from_str(&text)
                .map_err(|e| Error::tool("nix", format!("printed no JSON: {e}")))?;
            for name in names {
                let wanted = system == SYSTEMS[0] || !NATIVE.contains(name);
                if values[name].is_string() != wanted {
                    let is = if wanted { "is no" } else { "should be no" };
                    wrong.push(format!("there {is} {output}.{system}.{name}"));
                }
            }
        }
        let path = format!(".#formatter.{system}.drvPath");
        nix.output(nix.command(&["eval", "--raw", &path]))?;
    }
    Ok(if wrong.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(wrong.join("\n"))
    })
}

/// What is built gets the name of its commit. When something was changed it gets another one; old Nix cannot tell which commit that was.
fn commit(nix: &Nix<'_>) -> Result<Outcome> {
    let name = || -> Result<Option<String>> {
        let words = ["show-derivation", "--recursive", ".#iso"];
        Ok(named_in(&nix.output(nix.command(&words))?))
    };
    let hash = git(&nix.clone, &["rev-parse", "HEAD"])?;
    let clean = name()?;
    let file = nix.clone.join("limine.conf");
    fs::write(&file, "changed").map_err(Error::io("write", &file))?;
    let changed = name();
    git(&nix.clone, &["checkout", "--quiet", "limine.conf"])?;
    let changed = changed?;
    let dirty = format!("{hash}-dirty");
    let expected = [Some(dirty.as_str()), Some("unknown")];
    Ok(
        if clean.as_deref() == Some(&hash) && expected.contains(&changed.as_deref()) {
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
    let text = nix.output(nix.command(&[&["develop", "."][..], &words].concat()))?;
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

/// The programs start; the formatter finds nothing to change.
fn apps(nix: &Nix<'_>) -> Result<Outcome> {
    let mut wrong = Vec::new();
    let version = nix.output(nix.command(&["run", ".", "--", "--version"]))?;
    if !version.contains("QEMU") {
        wrong.push(format!("nix run started something else: {version}"));
    }
    let folder = tempfile::tempdir().map_err(Error::io("create a folder in", env::temp_dir()))?;
    for name in ["test", "bench"] {
        let mut command =
            nix.command(&["run", &format!("git+file://{}#{name}", nix.clone.display())]);
        command.current_dir(folder.path());
        let output = command.output().map_err(Error::io("run", "nix"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() || !said.contains("call this in the folder of a working copy") {
            wrong.push(format!("nix run .#{name} in another folder: {said}"));
        }
    }
    nix.output(nix.command(&["fmt"]))?;
    let changed = git(&nix.clone, &["status", "--porcelain"])?;
    if !changed.is_empty() {
        wrong.push(format!("nix fmt has changed files:\n{changed}"));
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
    nix.output(nix.command(&["build", "--no-link", &path]))?;
    let path = format!(".#{name}.outPath");
    Ok(nix
        .output(nix.command(&["eval", "--raw", &path]))?
        .trim()
        .into())
}

/// The ISO that Nix built comes to the shell's prompt, as a disc and as a stick.
fn boot(nix: &Nix<'_>) -> Result<Outcome> {
    let folder = package(nix, "iso")?;
    let name = fs::read_to_string(folder.join("build")).map_err(Error::io("read", &folder))?;
    let hash = git(&nix.clone, &["rev-parse", "--short=12", "HEAD"])?;
    if !name.starts_with(&format!("{hash}/")) {
        return Ok(Outcome::Failed(format!(
            "what was built from {hash} is called {name}"
        )));
    }
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

/// All checks of the flake.
fn check(nix: &Nix<'_>) -> Result<Outcome> {
    nix.output(nix.command(&["flake", "check", "."]))?;
    Ok(Outcome::Passed)
}
