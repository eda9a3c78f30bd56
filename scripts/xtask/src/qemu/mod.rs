//! QEMU: finding it, its arguments, the running machine, and what its end means.

pub mod accel;
pub mod args;
pub mod machine;
pub mod outcome;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// A QEMU binary.
#[derive(Debug, Clone)]
pub struct Qemu {
    /// Where it is.
    pub path: PathBuf,
    /// Major and minor version.
    pub version: (u32, u32),
}

impl Qemu {
    /// `$QEMU`, or the newest `qemu-system-x86_64` on the path.
    pub fn find() -> Result<Self> {
        if let Some(path) = env::var_os("QEMU").map(PathBuf::from) {
            let path = on_path(&path).unwrap_or(path);
            return Self::at(&path).ok_or_else(|| {
                Error::missing(
                    format!("a QEMU that runs at {} (named by QEMU)", path.display()),
                    "correct or unset QEMU",
                )
            });
        }
        let mut found: Option<Self> = None;
        for dir in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
            let Some(qemu) = Self::at(&dir.join("qemu-system-x86_64")) else {
                continue;
            };
            if found
                .as_ref()
                .is_none_or(|best| qemu.version > best.version)
            {
                found = Some(qemu);
            }
        }
        found.ok_or_else(|| {
            Error::missing(
                "qemu-system-x86_64",
                "run scripts/setup, or install QEMU (Debian: apt-get install qemu-system-x86)",
            )
        })
    }

    fn at(path: &Path) -> Option<Self> {
        let output = Command::new(path).arg("--version").output().ok()?;
        Some(Self {
            path: path.to_path_buf(),
            version: parse_version(&String::from_utf8_lossy(&output.stdout))?,
        })
    }

    /// The windows that this build of QEMU can open.
    pub fn has_window(&self) -> bool {
        let Ok(output) = Command::new(&self.path).args(["-display", "help"]).output() else {
            return false;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .any(|line| matches!(line.trim(), "gtk" | "sdl" | "cocoa"))
    }
}

fn on_path(name: &Path) -> Option<PathBuf> {
    if name.components().count() != 1 {
        return None;
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text.split("version ").nth(1)?.split_whitespace().next()?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_version;
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn versions_as_debian_and_others_print_them() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright";
        assert_eq!(parse_version(debian), Some((7, 2)));
        assert_eq!(
            parse_version("QEMU emulator version 10.0.2\n"),
            Some((10, 0))
        );
        assert_eq!(parse_version("QEMU emulator version next"), None);
    }

    proptest! {
        #[test]
        fn every_release_number_is_read(major in 0_u32..100, minor in 0_u32..100, rest in ".{0,20}") {
            let text = format!("QEMU emulator version {major}.{minor}.1 {rest}");
            prop_assert_eq!(parse_version(&text), Some((major, minor)));
        }
    }
}
