//! Which compiler builds the bare-metal images, found in one of three ways, and why that one.
//!
//! 1. Inside `nix develop` the flake brings a compiler that has both targets.
//! 2. A rustup toolchain with both targets, or one that may still download them.
//! 3. Debian's `rustc-web`, `cargo-web` and `rust-web-src`: the targets' `core` and `alloc` are
//!    built from the compiler's own library source.
//!
//! `decide` is pure and tested; `probe` asks the machine.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::remap::{Library, Remap};
use crate::workspace::Workspace;

/// The target of the kernel and of the user programs.
pub const TARGET_NONE: &str = "x86_64-unknown-none";
/// The target of the shim.
pub const TARGET_UEFI: &str = "x86_64-unknown-uefi";

/// Debian's cargo and its linter.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// See [`DEBIAN_CARGO`].
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// See [`DEBIAN_CARGO`].
pub const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";

/// The way that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toolchain {
    /// Plain cargo with precompiled targets.
    Precompiled {
        /// Why, for the reader.
        why: String,
    },
    /// Debian's cargo with the library built from source.
    Debian {
        /// Why, for the reader.
        why: String,
    },
}

/// What was found on this machine.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Running inside `nix develop` or a nix build.
    pub in_nix: bool,
    /// The compiler on the path has both targets.
    pub has_targets: bool,
    /// rustup manages the compiler on the path.
    pub has_rustup: bool,
    /// rustup may download (RUSTUP_AUTO_INSTALL is not 0).
    pub may_download: bool,
    /// Debian's compiler, if it is installed with its source: its version.
    pub debian: Option<String>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    Use(Toolchain),
    /// Ask rustup for the two targets, then decide again without that possibility.
    AddTargets,
    NothingFits,
}

fn decide(found: &Found) -> Decision {
    if found.in_nix && found.has_targets {
        return Decision::Use(Toolchain::Precompiled {
            why: "nix: the flake's compiler has both targets".into(),
        });
    }
    if found.has_targets {
        return Decision::Use(Toolchain::Precompiled {
            why: if found.has_rustup {
                "rustup: the toolchain has both targets installed".into()
            } else {
                "the compiler on the path has both targets installed".into()
            },
        });
    }
    if found.has_rustup && found.may_download {
        return Decision::AddTargets;
    }
    if let Some(version) = &found.debian {
        let reason = if !found.has_rustup {
            "there is no rustup here"
        } else if found.may_download {
            "rustup could not download the two targets"
        } else {
            "rustup lacks the two targets and RUSTUP_AUTO_INSTALL=0 forbids to download them"
        };
        return Decision::Use(Toolchain::Debian {
            why: format!("Debian's {version} with its library source: {reason}"),
        });
    }
    Decision::NothingFits
}

impl Toolchain {
    /// Chooses a toolchain. May ask rustup to download the targets, never against
    /// `RUSTUP_AUTO_INSTALL=0`.
    pub fn choose() -> Result<Self> {
        let mut found = probe();
        let mut decision = decide(&found);
        if decision == Decision::AddTargets {
            eprintln!("xtask: asking rustup for the targets {TARGET_NONE} and {TARGET_UEFI}");
            let added = Command::new("rustup")
                .args(["target", "add", TARGET_NONE, TARGET_UEFI])
                .status()
                .is_ok_and(|status| status.success());
            found.has_targets = added;
            // What is left to decide is whether Debian's compiler can step in.
            decision = if added {
                decide(&found)
            } else {
                match decide(&Found {
                    has_rustup: false,
                    ..found.clone()
                }) {
                    Decision::Use(Toolchain::Debian { .. }) => Decision::Use(Toolchain::Debian {
                        why: format!(
                            "Debian's {} with its library source: rustup could not download the two targets",
                            found.debian.as_deref().unwrap_or("compiler")
                        ),
                    }),
                    other => other,
                }
            };
        }
        match decision {
            Decision::Use(toolchain) => Ok(toolchain),
            Decision::AddTargets | Decision::NothingFits => Err(Error::missing(
                format!("a compiler for {TARGET_NONE} and {TARGET_UEFI}"),
                "run scripts/setup, or `rustup target add x86_64-unknown-none x86_64-unknown-uefi`, \
                 or on Debian `apt-get install rustc-web cargo-web rust-web-src lld`",
            )),
        }
    }

    /// One line for the reader: which way and why.
    pub fn explain(&self) -> &str {
        match self {
            Self::Precompiled { why } | Self::Debian { why } => why,
        }
    }

    /// The cargo of this toolchain, with the compiler that goes with it, for `target` or for none in particular.
    fn command(&self, program: &str, target: Option<&str>) -> Result<Command> {
        let mut cargo = match self {
            Self::Precompiled { .. } => {
                Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
            }
            Self::Debian { .. } => {
                let mut cargo = Command::new(program);
                cargo
                    .env("CARGO", DEBIAN_CARGO)
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1")
                    // `cargo run` of another toolchain leaves its own choices behind.
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("RUSTUP_HOME")
                    .env_remove("LD_LIBRARY_PATH");
                match target {
                    Some(TARGET_NONE) => cargo.env(
                        "CARGO_TARGET_X86_64_UNKNOWN_NONE_LINKER",
                        find_linker("ld.lld")?,
                    ),
                    Some(_) => cargo.env(
                        "CARGO_TARGET_X86_64_UNKNOWN_UEFI_LINKER",
                        find_linker("lld-link")?,
                    ),
                    None => &mut cargo,
                };
                cargo
            }
        };
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
        Ok(cargo)
    }

    /// A `cargo build --release`, or another of its commands, for `target`; not yet told what to build. `remap` says which paths
    /// the compiler must not write down.
    pub fn cargo(
        &self,
        subcommand: &str,
        target: &str,
        target_dir: &Path,
        remap: &Remap,
    ) -> Result<Command> {
        // Called directly: `cargo clippy` would take rustup's from the path.
        let program = match subcommand {
            "clippy" => DEBIAN_CLIPPY,
            _ => DEBIAN_CARGO,
        };
        let mut cargo = self.command(program, Some(target))?;
        let is_debian = matches!(self, Self::Debian { .. });
        let mut flags: Vec<String> = Vec::new();
        if target == TARGET_NONE {
            flags.push("-Cforce-frame-pointers=yes".into());
            flags.extend(is_debian.then(|| "-Clinker-flavor=ld.lld".into()));
        } else {
            flags.extend(is_debian.then(|| "-Clinker-flavor=lld-link".into()));
            // No time of the build, and no name of a file with debug information, which has the paths of all objects.
            flags.extend(["/Brepro", "/DEBUG:NONE"].map(|word| format!("-Clink-arg={word}")));
        }
        flags.extend(remap.flags());
        cargo
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .args([subcommand, "--release", "--target", target, "--target-dir"])
            .arg(target_dir);
        if is_debian {
            cargo.args([
                "-Zbuild-std=core,alloc,compiler_builtins",
                "-Zbuild-std-features=compiler-builtins-mem",
            ]);
        }
        Ok(cargo)
    }

    /// The paths of this machine that a build of `workspace` would show.
    pub fn remap(&self, workspace: &Workspace) -> Result<Remap> {
        let rustc: OsString = match self {
            Self::Precompiled { .. } => env::var_os("RUSTC").unwrap_or("rustc".into()),
            Self::Debian { .. } => DEBIAN_RUSTC.into(),
        };
        let library = output(&rustc, &["--print", "sysroot"]).and_then(|sysroot| {
            let version = output(&rustc, &["--version", "--verbose"])?;
            let commit = version
                .lines()
                .find_map(|line| line.strip_prefix("commit-hash: "))?;
            Some(Library {
                source: Path::new(&sysroot).join("lib/rustlib/src/rust"),
                commit: commit.to_owned(),
            })
        });
        Remap::find(workspace, self.command(DEBIAN_CARGO, None)?, library)
    }
}

/// Looks at this machine.
pub fn probe() -> Found {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let has_target = |target: &str| {
        output(&rustc, &["--print", "target-libdir", "--target", target])
            .map(PathBuf::from)
            .is_some_and(|dir| {
                dir.read_dir().is_ok_and(|mut entries| {
                    entries.any(|entry| {
                        entry.is_ok_and(|entry| {
                            entry.file_name().to_string_lossy().starts_with("libcore")
                        })
                    })
                })
            })
    };
    Found {
        in_nix: env::var_os("IN_NIX_SHELL").is_some() || env::var_os("NIX_BUILD_TOP").is_some(),
        has_targets: has_target(TARGET_NONE) && has_target(TARGET_UEFI),
        has_rustup: output("rustup", &["--version"]).is_some(),
        may_download: env::var("RUSTUP_AUTO_INSTALL").map_or(true, |value| value != "0"),
        debian: debian_version(),
    }
}

fn debian_version() -> Option<String> {
    if !Path::new(DEBIAN_CARGO).exists() {
        return None;
    }
    let sysroot = output(DEBIAN_RUSTC, &["--print", "sysroot"])?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/core/Cargo.toml");
    if !source.exists() {
        return None;
    }
    output(DEBIAN_RUSTC, &["--version"])?
        .split_whitespace()
        .nth(1)
        .map(|version| format!("rustc {version}"))
}

/// A linker on the path, plain or with a version suffix as Debian's `lld-14` has it.
fn find_linker(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = Vec::new();
    for dir in env::split_paths(&path) {
        let plain = dir.join(name);
        if plain.is_file() {
            return Ok(plain);
        }
        let prefix = format!("{name}-");
        candidates.extend(
            dir.read_dir()
                .into_iter()
                .flatten()
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
                .map(|entry| entry.path()),
        );
    }
    candidates.sort();
    candidates.pop().ok_or_else(|| {
        Error::missing(
            format!("the linker {name}"),
            "run scripts/setup, or `apt-get install lld`",
        )
    })
}

/// Standard output of a program, trimmed, if it ran and succeeded.
fn output(program: impl AsRef<OsStr>, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Decision, Found, Toolchain, decide};
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    fn found() -> impl Strategy<Value = Found> {
        (
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
        )
            .prop_map(
                |(in_nix, has_targets, has_rustup, may_download, debian)| Found {
                    in_nix,
                    has_targets,
                    has_rustup,
                    may_download,
                    debian: debian.then(|| "rustc 1.96.0".to_owned()),
                },
            )
    }

    proptest! {
        #[test]
        fn nothing_is_downloaded_when_that_is_forbidden(found in found()) {
            if !found.may_download {
                prop_assert!(decide(&found) != Decision::AddTargets);
            }
        }

        #[test]
        fn a_machine_with_any_way_gets_one(found in found()) {
            let fits = found.has_targets
                || found.debian.is_some()
                || (found.has_rustup && found.may_download);
            prop_assert_eq!(decide(&found) != Decision::NothingFits, fits);
        }

        #[test]
        fn installed_targets_win_over_debian(found in found()) {
            if found.has_targets {
                let precompiled =
                    matches!(decide(&found), Decision::Use(Toolchain::Precompiled { .. }));
                prop_assert!(precompiled);
            }
        }
    }
}
