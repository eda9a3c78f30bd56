//! What an image shall be, and images that live as long as they are needed.

use std::env;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::add::Addition;
use crate::bootconf::{KernelLine, Loader};
use crate::contents::Contents;
use crate::error::{Error, Result};
use crate::image;
use crate::iso;
use crate::kernel::Kernel;
use crate::workspace::Workspace;

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
        let contents = Contents::gather(workspace, recipe)?;
        Self::make("jsix.img", |disk| image::write(disk, &contents))
    }

    /// The same as an ISO.
    pub fn write_iso(workspace: &Workspace, recipe: &Recipe) -> Result<Self> {
        let contents = Contents::gather(workspace, recipe)?;
        Self::make("jsix.iso", |disk| iso::write(disk, &contents).map(|_| ()))
    }

    /// A file in a new folder, as `write` writes it.
    pub fn make(name: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let folder =
            tempfile::tempdir().map_err(Error::io("create a folder in", env::temp_dir()))?;
        let disk = folder.path().join(name);
        write(&disk)?;
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
