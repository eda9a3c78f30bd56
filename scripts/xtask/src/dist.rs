//! `xtask iso` and `xtask dist`: what is handed out, with sums.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::bootconf::KernelLine;
use crate::build::{self, Scope};
use crate::cli::{DistArgs, ImageArgs};
use crate::commands;
use crate::contents::Contents;
use crate::error::{Error, Result};
use crate::identity::hex;
use crate::image;
use crate::iso::{self, Bios};
use crate::kernel::Kernel;
use crate::prepare::{Programs, Recipe};
use crate::workspace::Workspace;

/// The file with the sums, in the form that `sha256sum --check` takes.
const SUMS: &str = "SHA256SUMS";

/// `xtask iso`.
pub fn iso(args: &ImageArgs) -> Result<()> {
    let workspace = Workspace::load()?;
    commands::build_for(&workspace, &args.boot)?;
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| workspace.target.join("jsix.iso"));
    let contents = Contents::gather(&workspace, &commands::recipe(&workspace, &args.boot)?)?;
    say_bios(iso::write(&path, &contents)?);
    say_name(&contents);
    eprintln!("xtask: SHA-256 {}", sum(&path)?);
    println!("{}", path.display());
    Ok(())
}

/// `xtask dist`: kernel, shim, user programs and everything else that is on the boot volume as files, disk image and ISO, and their
/// sums.
pub fn dist(args: &DistArgs) -> Result<()> {
    let workspace = Workspace::load()?;
    if !args.no_build {
        let scope = Scope {
            kernels: &[Kernel::Jsix],
            shim: true,
        };
        build::build(&workspace, &scope)?;
    }
    let sums = write(&workspace, &args.folder)?;
    println!("{}", sums.display());
    Ok(())
}

/// The same of what is built already; the file with the sums.
pub fn write(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let recipe = Recipe {
        programs: Programs::System(Vec::new()),
        line: KernelLine::default(),
        ..Recipe::default()
    };
    let contents = Contents::gather(workspace, &recipe)?;
    let mut files: Vec<PathBuf> = Vec::new();
    for file in &contents.files {
        let path = Path::new("volume").join(&file.path);
        store(folder, &path, &file.data)?;
        files.push(path);
    }
    for (path, data) in crate::archive::files(workspace)? {
        let path = Path::new("userland").join(path);
        store(folder, &path, &data)?;
        files.push(path);
    }
    store(
        folder,
        Path::new("build"),
        format!("{}\n", contents.identity).as_bytes(),
    )?;
    image::write(&folder.join("jsix.img"), &contents)?;
    say_bios(iso::write(&folder.join("jsix.iso"), &contents)?);
    files.extend(["build", "jsix.img", "jsix.iso"].map(PathBuf::from));
    files.sort();

    let mut sums = String::new();
    for file in &files {
        let _ = writeln!(sums, "{}  {}", sum(&folder.join(file))?, file.display());
    }
    store(folder, Path::new(SUMS), sums.as_bytes())?;
    say_name(&contents);
    Ok(folder.join(SUMS))
}

fn say_name(contents: &Contents) {
    eprintln!("xtask: build {}", contents.identity);
}

fn say_bios(bios: Bios) {
    eprintln!(
        "xtask: the ISO starts on UEFI machines{}",
        match bios {
            Bios::No => " only: Limine's files for BIOS machines were not found",
            Bios::Disc =>
                ", and from a disc on BIOS machines; for sticks there, the program limine was not found",
            Bios::DiscAndStick => " and BIOS machines",
        }
    );
}

fn store(folder: &Path, name: &Path, data: &[u8]) -> Result<()> {
    let path = folder.join(name);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    fs::write(&path, data).map_err(Error::io("write", &path))
}

fn sum(path: &Path) -> Result<String> {
    let data = fs::read(path).map_err(Error::io("read", path))?;
    Ok(hex(&Sha256::digest(&data)))
}
