//! Finds Limine: the boot program for UEFI, and what makes a disc start on BIOS machines.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Limine's boot program for UEFI.
const EFI: &str = "BOOTX64.EFI";
/// Its second stage on BIOS machines.
pub const BIOS_SYSTEM: &str = "limine-bios.sys";
/// What the BIOS starts from a disc.
pub const BIOS_CD: &str = "limine-bios-cd.bin";

/// Folders in which distributions and Limine's own `make install` put their files.
const FOLDERS: [&str; 3] = [
    "/usr/local/share/limine",
    "/usr/share/limine",
    "/usr/lib/limine",
];

/// What was found of Limine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limine {
    folder: PathBuf,
    /// The program that makes a stick start on BIOS machines.
    pub tool: Option<PathBuf>,
}

impl Limine {
    /// Limine in `$LIMINE_DIR`, in the usual folders, or beside a `limine` on the path.
    ///
    /// # Errors
    /// `$LIMINE_DIR` is set and has no `BOOTX64.EFI`.
    pub fn find() -> Result<Option<Self>> {
        let path = env::var_os("PATH").unwrap_or_default();
        if let Some(folder) = env::var_os("LIMINE_DIR").map(PathBuf::from) {
            if folder.join(EFI).is_file() {
                return Ok(Some(Self::at(folder, env::split_paths(&path))));
            }
            return Err(Error::missing(
                format!("{} (LIMINE_DIR is set)", folder.join(EFI).display()),
                "correct or unset LIMINE_DIR",
            ));
        }
        let beside = env::split_paths(&path)
            .filter(|dir| dir.join("limine").is_file())
            .filter_map(|dir| Some(dir.canonicalize().ok()?.parent()?.join("share/limine")));
        Ok(FOLDERS
            .iter()
            .map(PathBuf::from)
            .chain(beside)
            .find(|folder| folder.join(EFI).is_file())
            .map(|folder| Self::at(folder, env::split_paths(&path))))
    }

    /// The tool lies in the folder itself, as in Limine's binary releases once they were made, beside it in the same prefix, or on the
    /// path.
    fn at(folder: PathBuf, path: impl Iterator<Item = PathBuf>) -> Self {
        let prefix = folder.parent().and_then(Path::parent);
        let tool = [folder.clone()]
            .into_iter()
            .chain(prefix.map(|prefix| prefix.join("bin")))
            .chain(path)
            .map(|dir| dir.join("limine"))
            .find(|tool| tool.is_file());
        Self { folder, tool }
    }

    /// The boot program for UEFI.
    pub fn efi(&self) -> PathBuf {
        self.folder.join(EFI)
    }

    /// The files for BIOS machines, second stage and disc, if both are here: some packages leave them out.
    pub fn bios(&self) -> Option<[PathBuf; 2]> {
        let files = [BIOS_SYSTEM, BIOS_CD].map(|name| self.folder.join(name));
        files.iter().all(|file| file.is_file()).then_some(files)
    }
}

#[cfg(test)]
mod tests {
    use super::{BIOS_CD, BIOS_SYSTEM, Limine};
    use std::fs;

    #[test]
    fn parts_of_it_may_be_missing() {
        let prefix = tempfile::tempdir().unwrap();
        let folder = prefix.path().join("share/limine");
        fs::create_dir_all(&folder).unwrap();
        let found = || Limine::at(folder.clone(), std::iter::empty());
        assert_eq!((found().tool, found().bios()), (None, None));
        fs::write(folder.join(BIOS_CD), "").unwrap();
        assert_eq!(found().bios(), None);
        fs::write(folder.join(BIOS_SYSTEM), "").unwrap();
        assert!(found().bios().is_some());
        fs::create_dir(prefix.path().join("bin")).unwrap();
        fs::write(prefix.path().join("bin/limine"), "").unwrap();
        assert_eq!(found().tool, Some(prefix.path().join("bin/limine")));
    }
}
