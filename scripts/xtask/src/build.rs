//! Builds the images for the bare-metal targets: kernel, user programs, shim.

use std::process::Command;

use crate::error::{Error, Result};
use crate::toolchain::{TARGET_NONE, TARGET_UEFI, Toolchain};
use crate::workspace::Workspace;

/// The package of the kernel itself.
pub const KERNEL: &str = "kernel";
/// The package of the kernel that prints what the boot loader told it.
pub const CONFORMANCE: &str = "conformance";

/// What to build besides the user programs.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The kernels, by package.
    pub kernels: &'a [&'a str],
    /// Whether the shim is wanted.
    pub shim: bool,
}

/// All that any image can hold.
pub const EVERYTHING: Scope<'_> = Scope {
    kernels: &[KERNEL, CONFORMANCE],
    shim: true,
};

/// Builds what `scope` names, and all user programs. Prints cargo's own progress.
pub fn build(workspace: &Workspace, scope: &Scope<'_>) -> Result<()> {
    let toolchain = Toolchain::choose()?;
    eprintln!("xtask: toolchain: {}", toolchain.explain());

    let mut packages: Vec<&str> = scope.kernels.to_vec();
    for program in &workspace.programs {
        if !packages.contains(&program.package.as_str()) {
            packages.push(&program.package);
        }
    }
    cargo(workspace, &toolchain, TARGET_NONE, &packages)?;
    if scope.shim {
        cargo(workspace, &toolchain, TARGET_UEFI, &["uefi-shim"])?;
    }
    Ok(())
}

fn cargo(
    workspace: &Workspace,
    toolchain: &Toolchain,
    target: &str,
    packages: &[&str],
) -> Result<()> {
    eprintln!("xtask: building {} for {target}", packages.join(", "));
    let mut command: Command = toolchain.cargo("build", target, &workspace.bare_target())?;
    command
        .arg("--manifest-path")
        .arg(workspace.root.join("Cargo.toml"));
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
