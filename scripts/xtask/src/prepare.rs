//! From sources to a bootable disk: build, gather the files, write the image.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::add::Addition;
use crate::archive;
use crate::bootconf::{self, KernelLine, Loader};
use crate::error::{Error, Result};
use crate::image::{self, Entry};
use crate::kernel::Kernel;
use crate::strip::strip;
use crate::workspace::{INIT, Workspace};

/// What goes into an image.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// Which kernel.
    pub kernel: Kernel,
    /// Which loader the shim takes.
    pub loader: Loader,
    /// The kernel's command line.
    pub line: KernelLine,
    /// More lines of its entry in limine.conf.
    pub keys: &'static [&'static str],
    /// Which programs come with it.
    pub programs: Programs,
}

/// The programs in an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Programs {
    /// Those that the kernel runs by itself.
    #[default]
    Bare,
    /// These, and the system: `srv.init` and the boot archive, with what the developer adds.
    System(Vec<Addition>),
}

impl Recipe {
    /// The jsix kernel with this command line, loaded by the shim itself.
    pub fn jsix(line: KernelLine) -> Self {
        Self {
            kernel: Kernel::Jsix,
            loader: Loader::Shim,
            line,
            keys: &[],
            programs: Programs::Bare,
        }
    }
}

/// An image in a folder of its own, which is removed when this is dropped.
#[derive(Debug)]
pub struct Image {
    folder: TempDir,
    disk: PathBuf,
}

impl Image {
    /// Writes the image that `recipe` describes. Everything must have been built.
    pub fn write(workspace: &Workspace, recipe: &Recipe) -> Result<Self> {
        let folder =
            tempfile::tempdir().map_err(Error::io("create a folder in", env::temp_dir()))?;
        let disk = folder.path().join("jsix.img");
        write_image(workspace, recipe, &disk)?;
        Ok(Self { folder, disk })
    }

    /// The image's path.
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A file that the conformance kernel itself asks the boot loader for, beside itself.
const INTERNAL_MODULE: (&str, &[u8]) = ("boot/internal", b"the internal module\n");

/// Folders in which distributions and Limine's own `make install` put `BOOTX64.EFI`.
const LIMINE_DIRS: [&str; 3] = [
    "/usr/local/share/limine",
    "/usr/share/limine",
    "/usr/lib/limine",
];

/// The Limine binary: in `$LIMINE_DIR`, in the usual folders, or beside a `limine` on the path.
pub fn find_limine() -> Result<Option<PathBuf>> {
    const FILE: &str = "BOOTX64.EFI";
    if let Some(dir) = env::var_os("LIMINE_DIR").map(PathBuf::from) {
        let path = dir.join(FILE);
        if path.is_file() {
            return Ok(Some(path));
        }
        return Err(Error::missing(
            format!("{} (LIMINE_DIR is set)", path.display()),
            "correct or unset LIMINE_DIR",
        ));
    }
    let beside = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .filter(|dir| dir.join("limine").is_file())
        .filter_map(|dir| Some(dir.canonicalize().ok()?.parent()?.join("share/limine")))
        .collect::<Vec<_>>();
    Ok(LIMINE_DIRS
        .iter()
        .map(PathBuf::from)
        .chain(beside)
        .map(|dir| dir.join(FILE))
        .find(|path| path.is_file()))
}

/// Writes the image that `recipe` describes to `path`. Everything must have been built.
pub fn write_image(workspace: &Workspace, recipe: &Recipe, path: &Path) -> Result<()> {
    image::write(path, &entries(workspace, recipe)?)
}

fn entries(workspace: &Workspace, recipe: &Recipe) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut add = |path: &str, data: Vec<u8>| {
        entries.push(Entry {
            path: path.to_owned(),
            data,
        });
    };
    let limine = match (recipe.loader, find_limine()?) {
        (Loader::Shim, _) => None,
        (Loader::Limine | Loader::LimineOnly, None) => {
            return Err(Error::missing(
                "Limine's BOOTX64.EFI",
                "set LIMINE_DIR to its folder, or use --loader shim",
            ));
        }
        (_, found) => found.map(|path| read(&path)).transpose()?,
    };
    match (recipe.loader, limine) {
        (Loader::LimineOnly, Some(limine)) => add("EFI/BOOT/BOOTX64.EFI", limine),
        (_, limine) => {
            add("EFI/BOOT/BOOTX64.EFI", read(&workspace.shim())?);
            if let Some(limine) = limine {
                add("EFI/limine/BOOTX64.EFI", limine);
            }
        }
    }
    let with_system = recipe.programs != Programs::Bare;
    let programs: Vec<&str> = workspace
        .programs
        .iter()
        .filter(|program| program.bare || (with_system && program.name == INIT))
        .map(|program| program.name.as_str())
        .collect();
    let mut modules = programs.clone();
    if with_system {
        modules.push(archive::MODULE);
    }
    let template_path = workspace.root.join("limine.conf");
    let template = String::from_utf8_lossy(&read(&template_path)?).into_owned();
    let conf = bootconf::render(
        &template,
        recipe.loader,
        &recipe.line,
        recipe.keys,
        &modules,
    )?;
    add("limine.conf", conf.into_bytes());

    add("boot/kernel", stripped(workspace, recipe.kernel.file())?);
    if !recipe.kernel.is_jsix() {
        add(INTERNAL_MODULE.0, INTERNAL_MODULE.1.to_vec());
    }
    for program in programs {
        add(&format!("boot/{program}"), stripped(workspace, program)?);
    }
    if let Programs::System(additions) = &recipe.programs {
        let archive = archive::make(workspace, additions)?;
        add(&format!("boot/{}", archive::MODULE), archive);
    }
    Ok(entries)
}

fn stripped(workspace: &Workspace, name: &str) -> Result<Vec<u8>> {
    let path = workspace.elf(name);
    strip(&path.display().to_string(), &read(&path)?)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::io("read", path))
}
