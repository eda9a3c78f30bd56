//! What the workspace holds: its root, its target directory and the programs that go into the image.
//!
//! Everything comes from `cargo metadata`, so a new program under `userland/` needs no edit here.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::error::{Error, Result};

/// The folders whose binaries go into the image as boot modules.
const PROGRAM_DIRS: [&str; 4] = [
    "userland/apps",
    "userland/tests",
    "userland/servers",
    "userland/drivers",
];

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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// Name of the binary, and so of the boot module.
    pub name: String,
    /// The package that it is built from.
    pub package: String,
}

impl Workspace {
    /// Finds the workspace that this xtask was built from.
    pub fn load() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .map(Path::to_path_buf)
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

    /// An ELF file built for the kernel's target, with its debug information.
    pub fn elf(&self, name: &str) -> PathBuf {
        self.bare_target()
            .join("x86_64-unknown-none/release")
            .join(name)
    }

    /// The shim as built.
    pub fn shim(&self) -> PathBuf {
        self.bare_target()
            .join("x86_64-unknown-uefi/release/uefi-shim.efi")
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
        if !PROGRAM_DIRS.iter().any(|dir| relative.starts_with(dir)) {
            continue;
        }
        for target in package["targets"].as_array().into_iter().flatten() {
            let is_bin = target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
            if let (true, Some(bin)) = (is_bin, target["name"].as_str()) {
                found.push(Program {
                    name: bin.to_owned(),
                    package: name.to_owned(),
                });
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::{Program, programs};
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn only_binaries_below_the_program_folders_are_programs() {
        let metadata = json!({"packages": [
            {"name": "hello", "manifest_path": "/r/userland/apps/hello/Cargo.toml",
             "targets": [{"name": "hello", "kind": ["bin"]}]},
            {"name": "suite", "manifest_path": "/r/userland/tests/suite/Cargo.toml",
             "targets": [{"name": "b", "kind": ["bin"]}, {"name": "a", "kind": ["bin"]},
                         {"name": "suite", "kind": ["lib"]}]},
            {"name": "sys", "manifest_path": "/r/userland/sys/Cargo.toml",
             "targets": [{"name": "sys", "kind": ["lib"]}]},
            {"name": "kernel", "manifest_path": "/r/kernel/Cargo.toml",
             "targets": [{"name": "kernel", "kind": ["bin"]}]},
        ]});
        let program = |name: &str, package: &str| Program {
            name: name.into(),
            package: package.into(),
        };
        assert_eq!(
            programs(&metadata, Path::new("/r")),
            [
                program("a", "suite"),
                program("b", "suite"),
                program("hello", "hello")
            ]
        );
    }
}
