//! Finds the UEFI firmware (OVMF) that QEMU boots: a code image, and the variables that go with it.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A code image and the pristine variables of the same build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// Mapped read-only.
    pub code: PathBuf,
    /// To be copied: the firmware writes to it.
    pub vars: PathBuf,
}

/// Folders of distributions, and the pairs of names in them; the 4 MiB builds first. Debian and
/// Ubuntu; Fedora; Arch; openSUSE; QEMU's own firmware, as Nix and self-built QEMU have it.
const PLACES: &[(&str, &str, &str)] = &[
    ("/usr/share/OVMF", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF", "OVMF_CODE.fd", "OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf", "OVMF_CODE.fd", "OVMF_VARS.fd"),
    ("/usr/share/edk2/x64", "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),
    ("/usr/share/edk2/x64", "OVMF_CODE.fd", "OVMF_VARS.fd"),
    ("/usr/share/edk2-ovmf/x64", "OVMF_CODE.fd", "OVMF_VARS.fd"),
    (
        "/usr/share/qemu",
        "ovmf-x86_64-4m-code.bin",
        "ovmf-x86_64-4m-vars.bin",
    ),
    (
        "/usr/share/qemu",
        "ovmf-x86_64-code.bin",
        "ovmf-x86_64-vars.bin",
    ),
];
/// Relative to the prefix of the QEMU that is used.
const QEMU_PLACE: (&str, &str, &str) = ("share/qemu", "edk2-x86_64-code.fd", "edk2-i386-vars.fd");

/// Finds a pair: what `$OVMF_CODE` and `$OVMF_VARS` name, or else what this system has installed.
pub fn find(qemu: &Path) -> Result<Firmware> {
    if let Some(code) = env::var_os("OVMF_CODE").map(PathBuf::from) {
        let vars = match env::var_os("OVMF_VARS").map(PathBuf::from) {
            Some(vars) => vars,
            None => vars_beside(&code).ok_or_else(|| {
                Error::missing(
                    format!("the variables that belong to {}", code.display()),
                    "set OVMF_VARS to the file of the same firmware build",
                )
            })?,
        };
        return existing(Firmware { code, vars });
    }
    let mut pairs: Vec<Firmware> = PLACES
        .iter()
        .map(|&(dir, code, vars)| pair(Path::new(dir), code, vars))
        .collect();
    let prefix = qemu
        .canonicalize()
        .ok()
        .and_then(|path| Some(path.parent()?.parent()?.to_path_buf()));
    if let Some(prefix) = prefix {
        let (dir, code, vars) = QEMU_PLACE;
        pairs.push(pair(&prefix.join(dir), code, vars));
    }
    pairs
        .into_iter()
        .find(|pair| pair.code.is_file() && pair.vars.is_file())
        .ok_or_else(|| {
            Error::missing(
                "UEFI firmware for QEMU (OVMF)",
                "run scripts/setup, install your distribution's package (Debian: ovmf, \
                 Fedora and Arch: edk2-ovmf), or set OVMF_CODE and OVMF_VARS",
            )
        })
}

fn pair(dir: &Path, code: &str, vars: &str) -> Firmware {
    Firmware {
        code: dir.join(code),
        vars: dir.join(vars),
    }
}

fn existing(pair: Firmware) -> Result<Firmware> {
    for (name, path) in [("OVMF_CODE", &pair.code), ("OVMF_VARS", &pair.vars)] {
        if !path.is_file() {
            return Err(Error::missing(
                format!("{} (named by {name})", path.display()),
                format!("correct or unset {name}"),
            ));
        }
    }
    Ok(pair)
}

/// The variables by the naming habits of all packagers: CODE becomes VARS in the file's name.
fn vars_beside(code: &Path) -> Option<PathBuf> {
    let name = code.file_name()?.to_str()?;
    ["CODE:VARS", "code:vars"]
        .iter()
        .filter_map(|pair| pair.split_once(':'))
        .filter(|(from, _)| name.contains(from))
        .map(|(from, to)| code.with_file_name(name.replace(from, to)))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::vars_beside;

    #[test]
    fn variables_are_found_beside_the_code() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["OVMF_VARS_4M.fd", "ovmf-x86_64-vars.bin"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = |name: &str| {
            vars_beside(&dir.path().join(name))
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(found("OVMF_CODE_4M.fd").as_deref(), Some("OVMF_VARS_4M.fd"));
        assert_eq!(
            found("ovmf-x86_64-code.bin").as_deref(),
            Some("ovmf-x86_64-vars.bin")
        );
        assert_eq!(found("OVMF_CODE.fd"), None);
        assert_eq!(found("firmware.fd"), None);
    }
}
