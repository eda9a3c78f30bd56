//! What the workspace holds: its root, its target directory and the programs that go into the image.
//!
//! Everything comes from `cargo metadata`, so a new program under `userland/` needs no edit here.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::error::{Error, Result};

/// The folders whose binaries are programs, and the folder of the boot archive that each goes into.
const PROGRAM_DIRS: [(&str, &str); 4] = [
    ("userland/apps", "bin"),
    ("userland/tests", "bin"),
    ("userland/servers", "srv"),
    ("userland/drivers", "drv"),
];

/// The first program of the system: the kernel starts it from a boot module of its own.
pub const INIT: &str = "srv.init";

/// The checked-out repository.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Folder of the workspace manifest.
    pub root: PathBuf,
    /// Where cargo puts host artifacts.
    pub target: PathBuf,
    /// User programs that go into the image, sorted by name.
    pub programs: Vec<Program>,
}

/// A user program.
///
/// What is not plain from its place stands in its package's `Cargo.toml`, under `[package.metadata.jsix]`: `bare = true` for programs
/// that the kernel can run by itself, `links = ["ls", ...]` for the names of a program that is many commands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// Name in the system. It is that of the binary, but `srv.NAME` and `drv.NAME` for `srv-NAME` and `drv-NAME`: a dot is nothing
    /// that a crate can be called.
    pub name: String,
    /// The package that it is built from.
    pub package: String,
    /// The folder of the boot archive that it goes into.
    pub folder: &'static str,
    /// Whether it is a boot module too, which the kernel runs when its command line says so (`cmd=`).
    pub bare: bool,
    /// Other names for it, in the same folder.
    pub links: Vec<String>,
}

impl Workspace {
    /// Finds the workspace that this xtask was built from, or that `$JSIX_ROOT` names.
    pub fn load() -> Result<Self> {
        let built_from = || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let root = std::env::var_os("JSIX_ROOT")
            .map(PathBuf::from)
            .or_else(|| built_from().map(Path::to_path_buf))
            .ok_or_else(|| Error::Input("xtask does not lie two folders below the root".into()))?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(&cargo)
            .args([
                "metadata",
                "--no-deps",
                "--format-version",
                "1",
                "--offline",
            ])
            .arg("--manifest-path")
            .arg(root.join("Cargo.toml"))
            .output()
            .map_err(Error::io("run", &cargo))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::tool("cargo metadata", format!("failed: {reason}")));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| Error::tool("cargo metadata", format!("printed no JSON: {e}")))?;
        let target = metadata["target_directory"]
            .as_str()
            .ok_or_else(|| Error::tool("cargo metadata", "named no target directory"))?;
        Ok(Self {
            target: PathBuf::from(target),
            programs: programs(&metadata, &root),
            root,
        })
    }

    /// Where the images for the bare-metal targets are built, apart from the host's artifacts.
    pub fn bare_target(&self) -> PathBuf {
        self.target.join("bare")
    }

    /// An ELF file built for the kernel's target, with its debug information: that of the kernel, or of a program by its name in
    /// the system.
    pub fn elf(&self, name: &str) -> PathBuf {
        self.bare_target()
            .join("x86_64-unknown-none/release")
            .join(binary(name))
    }

    /// The shim as built.
    pub fn shim(&self) -> PathBuf {
        self.bare_target()
            .join("x86_64-unknown-uefi/release/uefi-shim.efi")
    }
}

/// The folders whose programs have a dot in their names.
const DOTTED: [&str; 2] = ["srv", "drv"];

/// The binary of a program with this name in the system.
fn binary(name: &str) -> String {
    match name.split_once('.') {
        Some((kind, rest)) if DOTTED.contains(&kind) => format!("{kind}-{rest}"),
        _ => name.to_owned(),
    }
}

/// The name in the system of the program of this binary.
fn name_of(binary: &str) -> String {
    match binary.split_once('-') {
        Some((kind, rest)) if DOTTED.contains(&kind) => format!("{kind}.{rest}"),
        _ => binary.to_owned(),
    }
}

fn programs(metadata: &Value, root: &Path) -> Vec<Program> {
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let (Some(name), Some(manifest)) =
            (package["name"].as_str(), package["manifest_path"].as_str())
        else {
            continue;
        };
        let Ok(relative) = Path::new(manifest).strip_prefix(root) else {
            continue;
        };
        let Some((_, folder)) = PROGRAM_DIRS
            .iter()
            .find(|(dir, _)| relative.starts_with(dir))
        else {
            continue;
        };
        let about = &package["metadata"]["jsix"];
        for target in package["targets"].as_array().into_iter().flatten() {
            let is_bin = target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
            if let (true, Some(bin)) = (is_bin, target["name"].as_str()) {
                found.push(Program {
                    name: name_of(bin),
                    package: name.to_owned(),
                    folder,
                    bare: about["bare"].as_bool().unwrap_or(false),
                    links: strings(&about["links"]),
                });
            }
        }
    }
    found.sort();
    found
}

/// The strings of a list; none of anything else.
fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Program, binary, programs};
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn only_binaries_below_the_program_folders_are_programs() {
        let metadata = json!({"packages": [
            {"name": "hello", "manifest_path": "/r/userland/apps/hello/Cargo.toml", "metadata": {"jsix": {"bare": true}},
             "targets": [{"name": "hello", "kind": ["bin"]}]},
            {"name": "tools", "manifest_path": "/r/userland/servers/tools/Cargo.toml", "metadata": {"jsix": {"links": ["ls", "cat"]}},
             "targets": [{"name": "srv-tools", "kind": ["bin"]}]},
            {"name": "suite", "manifest_path": "/r/userland/tests/suite/Cargo.toml",
             "targets": [{"name": "b", "kind": ["bin"]}, {"name": "a", "kind": ["bin"]},
                         {"name": "suite", "kind": ["lib"]}]},
            {"name": "sys", "manifest_path": "/r/userland/sys/Cargo.toml",
             "targets": [{"name": "sys", "kind": ["lib"]}]},
            {"name": "kernel", "manifest_path": "/r/kernel/Cargo.toml",
             "targets": [{"name": "kernel", "kind": ["bin"]}]},
        ]});
        let program = |name: &str, package: &str, folder: &'static str| Program {
            name: name.into(),
            package: package.into(),
            folder,
            bare: name == "hello",
            links: Vec::new(),
        };
        assert_eq!(
            programs(&metadata, Path::new("/r")),
            [
                program("a", "suite", "bin"),
                program("b", "suite", "bin"),
                program("hello", "hello", "bin"),
                Program {
                    links: vec!["ls".into(), "cat".into()],
                    ..program("srv.tools", "tools", "srv")
                }
            ]
        );
        assert_eq!(binary("srv.tools"), "srv-tools");
        assert_eq!(binary("a.b"), "a.b");
    }
}
