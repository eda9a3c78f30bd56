//! Builds the images for the bare-metal targets: kernel, user programs, shim.

use std::fs;
use std::process::Command;

use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::remap::Remap;
use crate::toolchain::{TARGET_NONE, TARGET_UEFI, Toolchain};
use crate::workspace::Workspace;

/// What to build besides the user programs.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The kernels.
    pub kernels: &'a [Kernel],
    /// Whether the shim is wanted.
    pub shim: bool,
}

/// All that any image can hold.
pub const EVERYTHING: Scope<'_> = Scope {
    kernels: &Kernel::ALL,
    shim: true,
};

/// Builds what `scope` names, and all user programs. Prints cargo's own progress.
pub fn build(workspace: &Workspace, scope: &Scope<'_>) -> Result<()> {
    let toolchain = Toolchain::choose()?;
    eprintln!("xtask: toolchain: {}", toolchain.explain());
    let remap = toolchain.remap(workspace)?;
    let with = (&toolchain, &remap);

    // The variants of a kernel have one file name: each is set aside before the next is built.
    for kernel in scope.kernels {
        let Some(feature) = kernel.feature() else {
            continue;
        };
        let words = ["--features", feature];
        cargo(workspace, with, TARGET_NONE, &[kernel.package()], &words)?;
        let built = workspace.elf(kernel.package());
        let kept = workspace.elf(kernel.file());
        fs::copy(&built, &kept).map_err(Error::io("copy", &built))?;
    }
    let mut packages: Vec<&str> = Vec::new();
    let plain = scope
        .kernels
        .iter()
        .filter(|kernel| kernel.feature().is_none());
    let programs = workspace
        .programs
        .iter()
        .map(|program| program.package.as_str());
    for package in plain.map(|kernel| kernel.package()).chain(programs) {
        if !packages.contains(&package) {
            packages.push(package);
        }
    }
    cargo(workspace, with, TARGET_NONE, &packages, &[])?;
    if scope.shim {
        cargo(workspace, with, TARGET_UEFI, &["uefi-shim"], &[])?;
    }
    Ok(())
}

fn cargo(
    workspace: &Workspace,
    (toolchain, remap): (&Toolchain, &Remap),
    target: &str,
    packages: &[&str],
    words: &[&str],
) -> Result<()> {
    eprintln!(
        "xtask: building {} for {target} {}",
        packages.join(", "),
        words.join(" ")
    );
    let mut command: Command = toolchain.cargo("build", target, &workspace.bare_target(), remap)?;
    command
        .arg("--manifest-path")
        .arg(workspace.root.join("Cargo.toml"));
    command.args(words);
    for package in packages {
        command.args(["--package", package]);
    }
    let status = command
        .status()
        .map_err(Error::io("run", command.get_program()))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::tool(
        "cargo build",
        format!("failed for {target}: its messages are above"),
    ))
}
