//! `scripts/reproduce`: builds one commit twice, as two people would on two machines, and compares everything that came out.
//!
//! The builds share the downloaded crates, the compiler and nothing else: each has its own clone in a folder of another depth, its own
//! home, user name, locale, time zone, umask, order of processors and date of its files. `differ` says where two files differ.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::cli::ReproduceArgs;
use crate::differ;
use crate::dist;
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// How a build is done.
#[derive(Debug)]
struct Conditions {
    /// The folder of the clone, below that of the build.
    folder: &'static str,
    /// Variables.
    variables: &'static [(&'static str, &'static str)],
    /// What files that are made may be, in octal.
    umask: &'static str,
    /// How many jobs cargo runs at once.
    jobs: &'static str,
}

const CONDITIONS: [Conditions; 2] = [
    Conditions {
        folder: "a",
        variables: &[
            ("USER", "alice"),
            ("LOGNAME", "alice"),
            ("TZ", "UTC"),
            ("LC_ALL", "C"),
        ],
        umask: "022",
        jobs: "1",
    },
    Conditions {
        folder: "a much longer way/to the/sources",
        variables: &[
            ("USER", "bob"),
            ("LOGNAME", "bob"),
            ("TZ", "Pacific/Kiritimati"),
            ("LC_ALL", "C.UTF-8"),
        ],
        umask: "077",
        jobs: "3",
    },
];

/// The result says whether the builds are equal.
pub fn reproduce(args: &ReproduceArgs) -> Result<bool> {
    let workspace = Workspace::load()?;
    // Once: somebody may commit while this builds.
    let args = &ReproduceArgs {
        commit: resolve(&workspace, &args.commit)?,
        keep: args.keep.clone(),
    };
    let top = match &args.keep {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            Folder::Kept(folder.canonicalize().map_err(Error::io("find", folder))?)
        }
        None => Folder::Temporary(
            tempfile::tempdir().map_err(Error::io("create a folder in", env::temp_dir()))?,
        ),
    };
    let mut results = Vec::new();
    for (index, conditions) in CONDITIONS.iter().enumerate() {
        let start = Instant::now();
        let place = top.path().join(format!("build-{index}"));
        results.push(build(&workspace, args, conditions, &place)?);
        eprintln!("xtask: build {index} took {} s", start.elapsed().as_secs());
    }
    let [first, second] = results.as_slice() else {
        return Ok(false);
    };
    let (count, different) = compare(first, second)?;
    for report in &different {
        println!("{report}");
    }
    let sums = fs::read_to_string(first.join("SHA256SUMS")).unwrap_or_default();
    print!("{sums}");
    println!(
        "{count} files of two builds of {}, {} differ",
        fs::read_to_string(first.join("build"))
            .unwrap_or_default()
            .trim(),
        different.len()
    );
    Ok(different.is_empty() && count != 0)
}

/// How many files there are in two folders, and what differs.
fn compare(first: &Path, second: &Path) -> Result<(usize, Vec<String>)> {
    let mut names = BTreeSet::new();
    for folder in [first, second] {
        names.extend(files_below(folder)?);
    }
    let different = names.iter().filter_map(|name| {
        let report = differ::compare(&first.join(name), &second.join(name))?;
        Some(format!("{} differs: {report}", name.display()))
    });
    Ok((names.len(), different.collect()))
}

/// The hash of a commit that may be named by a branch.
fn resolve(workspace: &Workspace, name: &str) -> Result<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(&workspace.root);
    git.args(["rev-parse", "--verify", "--quiet", "--end-of-options"]);
    git.arg(format!("{name}^{{commit}}"));
    let output = git.output().map_err(Error::io("run", "git"))?;
    let hash = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !hash.is_empty() {
        return Ok(hash);
    }
    Err(Error::Input(format!("there is no commit '{name}'")))
}

/// Where the builds are.
#[derive(Debug)]
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// Builds the commit in `place`; the folder with what came out.
fn build(
    workspace: &Workspace,
    args: &ReproduceArgs,
    conditions: &Conditions,
    place: &Path,
) -> Result<PathBuf> {
    let result = place.join("result");
    let (source, mut shell) = prepare(workspace, &args.commit, conditions, place)?;
    shell
        .arg(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["run", "--quiet", "--package", "xtask", "--", "dist"])
        .arg(&result)
        .current_dir(&source);
    run(&mut shell)?;
    Ok(result)
}

/// Builds everything of the last commit again, under other conditions than those of this process, and compares it with what is built in
/// `workspace`, which must be of that commit: how many files there are, and the differences.
pub fn again(workspace: &Workspace) -> Result<(usize, Vec<String>)> {
    let [_, conditions] = CONDITIONS;
    // One, as others work beside this.
    let conditions = Conditions {
        jobs: "1",
        ..conditions
    };
    // Once, as in `reproduce`.
    let commit = resolve(workspace, "HEAD")?;
    let place = tempfile::tempdir().map_err(Error::io("create a folder in", env::temp_dir()))?;
    let [ours, theirs] = ["ours", "theirs"].map(|name| place.path().join(name));
    dist::write(workspace, &ours)?;
    let (source, mut shell) = prepare(workspace, &commit, &conditions, place.path())?;
    let xtask = env::current_exe().map_err(Error::io("find", "xtask itself"))?;
    shell
        .arg(xtask)
        .arg("dist")
        .arg(&theirs)
        .env("JSIX_ROOT", &source)
        .current_dir(&source);
    run(&mut shell)?;
    compare(&ours, &theirs)
}

/// Clones the commit into `place`: the folder, and a shell that runs what its further arguments say under the conditions.
fn prepare(
    workspace: &Workspace,
    commit: &str,
    conditions: &Conditions,
    place: &Path,
) -> Result<(PathBuf, Command)> {
    let home = place.join("home");
    let source = place.join(conditions.folder);
    for folder in [&home, &source] {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    // The source only has what the commit has.
    run(Command::new("git")
        .args(["clone", "--quiet", "--no-hardlinks", "--no-checkout"])
        .arg(&workspace.root)
        .arg(&source))?;
    run(Command::new("git")
        .arg("-C")
        .arg(&source)
        .args(["-c", "advice.detachedHead=false", "checkout", "--quiet"])
        .arg(commit))?;
    let cargo_home = own_cargo_home(&home)?;

    eprintln!(
        "xtask: building in {} with {} jobs, umask {}",
        source.display(),
        conditions.jobs,
        conditions.umask
    );
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg("umask \"$1\"; shift; exec \"$@\"")
        .arg("sh")
        .arg(conditions.umask)
        .envs(conditions.variables.iter().copied())
        .env("HOME", &home)
        .env("CARGO_HOME", &cargo_home)
        // The compiler is the same for both, wherever rustup keeps it.
        .envs(rustup_home().map(|folder| ("RUSTUP_HOME", folder)))
        .env("CARGO_BUILD_JOBS", conditions.jobs)
        .env("CARGO_INCREMENTAL", "0");
    // What this process was told must not be the same for both.
    for name in [
        "SOURCE_DATE_EPOCH",
        "JSIX_COMMIT",
        "CARGO_TARGET_DIR",
        "CARGO_MANIFEST_DIR",
        "JSIX_ROOT",
    ] {
        shell.env_remove(name);
    }
    Ok((source, shell))
}

/// Where rustup keeps its compilers, if it does: in the home that the builds do not have.
pub fn rustup_home() -> Option<PathBuf> {
    let in_home = || Some(PathBuf::from(env::var_os("HOME")?).join(".rustup"));
    let folder = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    folder.or_else(in_home).filter(|folder| folder.is_dir())
}

/// A cargo home of its own, which shares nothing but downloads: another folder for the unpacked crates, so that their paths differ.
fn own_cargo_home(home: &Path) -> Result<PathBuf> {
    let ours = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let theirs = home.join(".cargo");
    let registry = theirs.join("registry");
    fs::create_dir_all(&registry).map_err(Error::io("create", &registry))?;
    for (name, to) in [
        ("registry/cache", registry.join("cache")),
        ("registry/index", registry.join("index")),
        ("config.toml", theirs.join("config.toml")),
    ] {
        let Some(from) = ours.as_ref().map(|ours| ours.join(name)) else {
            continue;
        };
        if from.exists() {
            symlink(&from, &to).map_err(Error::io("link", &to))?;
        }
    }
    Ok(theirs)
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(Error::io("run", &program))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::tool(program, "failed: its messages are above"))
}

/// All files below a folder, relative to it.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).map_err(Error::io("read", &next))? {
            let path = entry.map_err(Error::io("read", &next))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).unwrap_or(&path).to_path_buf());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::workspace::Workspace;
    use std::process::Command;

    #[test]
    fn a_commit_is_named_once() {
        let folder = tempfile::tempdir().unwrap();
        let git = |words: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"]);
            assert!(
                git.arg(folder.path())
                    .args(words)
                    .status()
                    .unwrap()
                    .success()
            );
        };
        git(&["init", "--quiet"]);
        git(&["commit", "--quiet", "--allow-empty", "-m", "first"]);
        let workspace = Workspace {
            root: folder.path().into(),
            target: folder.path().join("target"),
            programs: Vec::new(),
        };
        let first = resolve(&workspace, "HEAD").unwrap();
        git(&["commit", "--quiet", "--allow-empty", "-m", "second"]);
        assert_eq!(resolve(&workspace, "HEAD~1").unwrap(), first);
        assert_ne!(resolve(&workspace, "HEAD").unwrap(), first);
        assert!(resolve(&workspace, "no-such-commit").is_err());
    }
}
