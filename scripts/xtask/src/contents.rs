//! What goes onto a boot volume, whether it is that of a disk or of the ISO: one place says so.

use std::fs;
use std::path::Path;

use crate::archive;
use crate::bootconf::{self, Hashed, Loader};
use crate::error::{Error, Result};
use crate::identity::{Commit, Identity, blake2b};
use crate::image::Entry;
use crate::limine::Limine;
use crate::prepare::{Programs, Recipe};
use crate::strip::strip;
use crate::workspace::{INIT, Workspace};

/// What goes onto a boot volume.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The files, in the order in which they are written.
    pub files: Vec<Entry>,
    /// What this build is called.
    pub identity: Identity,
    /// Where the files for BIOS machines are, if Limine goes along.
    pub limine: Option<Limine>,
}

/// A file that the conformance kernel itself asks the boot loader for, beside itself.
const INTERNAL_MODULE: (&str, &[u8]) = ("boot/internal", b"the internal module\n");

impl Contents {
    /// What `recipe` describes. Everything must have been built.
    pub fn gather(workspace: &Workspace, recipe: &Recipe) -> Result<Self> {
        let commit = Commit::find(&workspace.root)?;
        let limine = match (recipe.loader, Limine::find()?) {
            (Loader::Shim, _) => None,
            (Loader::Limine | Loader::LimineOnly, None) => {
                return Err(Error::missing(
                    "Limine's BOOTX64.EFI",
                    "set LIMINE_DIR to its folder, or use --loader shim",
                ));
            }
            (_, found) => found,
        };
        let mut files = boot_programs(workspace, recipe.loader, limine.as_ref())?;

        let elf = read(&workspace.elf(recipe.kernel.file()))?;
        let mut kernel = strip(recipe.kernel.file(), &elf)?;
        let mut modules = Vec::new();
        for name in module_programs(workspace, recipe) {
            let path = workspace.elf(name);
            let data = strip(&path.display().to_string(), &read(&path)?)?;
            modules.push((name.to_owned(), data));
        }
        let mut tree = match &recipe.programs {
            Programs::System(additions) => Some(archive::tree(workspace, additions)?),
            Programs::Bare => None,
        };
        let packed = tree
            .as_ref()
            .map(|tree| archive::tar(tree, 0))
            .transpose()?;

        let shim = files.iter().filter(|file| file.path == SHIM);
        let identity = commit.identity(
            shim.map(|file| (file.path.as_str(), file.data.as_slice()))
                .chain([("boot/kernel", kernel.as_slice())])
                .chain(
                    modules
                        .iter()
                        .map(|(name, data)| (name.as_str(), data.as_slice())),
                )
                .chain(packed.iter().map(|tar| (archive::MODULE, tar.as_slice()))),
        );
        if recipe.kernel.is_jsix() {
            identity.stamp(&elf, &mut kernel)?;
        }
        if let Some(tree) = &mut tree {
            archive::add_identity(tree, &identity)?;
            let archive = archive::pack(tree, commit.time_s)?;
            modules.push((archive::MODULE.to_owned(), archive));
        }

        let hash = |name: &str, data: &[u8]| Hashed {
            name: name.to_owned(),
            hash: blake2b(data),
        };
        let template = read(&workspace.root.join("limine.conf"))?;
        let conf = bootconf::render(
            &String::from_utf8_lossy(&template),
            recipe.loader,
            &recipe.line,
            recipe.keys,
            &hash("kernel", &kernel),
            &modules
                .iter()
                .map(|(name, data)| hash(name, data))
                .collect::<Vec<_>>(),
        )?;
        files.push(entry("limine.conf", conf.into_bytes()));
        files.push(entry("boot/kernel", kernel));
        if !recipe.kernel.is_jsix() {
            files.push(entry(INTERNAL_MODULE.0, INTERNAL_MODULE.1.to_vec()));
        }
        let modules = modules.into_iter();
        files.extend(modules.map(|(name, data)| entry(&format!("boot/{name}"), data)));
        Ok(Self {
            files,
            identity,
            limine,
        })
    }
}

/// What the firmware starts.
const SHIM: &str = "EFI/BOOT/BOOTX64.EFI";

/// The shim, Limine, or both, where the firmware and the shim look for them.
fn boot_programs(
    workspace: &Workspace,
    loader: Loader,
    limine: Option<&Limine>,
) -> Result<Vec<Entry>> {
    let limine = limine.map(|limine| read(&limine.efi())).transpose()?;
    Ok(match (loader, limine) {
        (Loader::LimineOnly, Some(limine)) => vec![entry(SHIM, limine)],
        (_, limine) => {
            let mut files = vec![entry(SHIM, read(&workspace.shim())?)];
            files.extend(limine.map(|limine| entry("EFI/limine/BOOTX64.EFI", limine)));
            files
        }
    })
}

/// The programs that are boot modules of their own.
fn module_programs<'a>(workspace: &'a Workspace, recipe: &Recipe) -> Vec<&'a str> {
    let with_system = recipe.programs != Programs::Bare;
    let programs = workspace.programs.iter();
    programs
        .filter(|program| program.bare || (with_system && program.name == INIT))
        .map(|program| program.name.as_str())
        .collect()
}

fn entry(path: &str, data: Vec<u8>) -> Entry {
    Entry {
        path: path.to_owned(),
        data,
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::io("read", path))
}
