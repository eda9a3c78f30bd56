//! The ISO: it starts from disc and stick, by every boot program, holds what it says, and refuses what was damaged.

use std::fs;
use std::path::{Path, PathBuf};

use super::boot::{Bench, missing, tail};
use super::cases::Need;
use super::report::Outcome;
use super::special::Special;
use crate::bootconf::{KernelLine, Loader};
use crate::console;
use crate::contents::Contents;
use crate::error::{Error, Result};
use crate::identity::Commit;
use crate::iso::{self, Bios};
use crate::limine::Limine;
use crate::prepare::{Image, Programs, Recipe};
use crate::qemu::args::{Medium, Spec};
use crate::reproduce;
use crate::run::{self, Plan};

/// What the shell writes when it waits for a command.
pub const PROMPT: &str = "jsix:/";

/// All of them.
pub const SPECIALS: &[Special] = &[
    Special {
        name: "same-bits",
        run: same_bits,
    },
    Special {
        name: "iso-disc",
        run: |bench| starts(bench, "iso-disc", Loader::Shim, Medium::Cdrom),
    },
    Special {
        name: "iso-stick",
        run: |bench| starts(bench, "iso-stick", Loader::Shim, Medium::Usb),
    },
    Special {
        name: "iso-disc-limine",
        run: |bench| starts(bench, "iso-disc-limine", Loader::Limine, Medium::Cdrom),
    },
    Special {
        name: "iso-stick-limine",
        run: |bench| starts(bench, "iso-stick-limine", Loader::Limine, Medium::Usb),
    },
    Special {
        name: "iso-disc-bios",
        run: |bench| starts(bench, "iso-disc-bios", Loader::Limine, Medium::BiosCdrom),
    },
    Special {
        name: "iso-stick-bios",
        run: |bench| starts(bench, "iso-stick-bios", Loader::Limine, Medium::BiosUsb),
    },
    Special {
        name: "iso-damaged",
        run: |bench| {
            refuses(
                bench,
                "iso-damaged",
                Loader::Shim,
                "/boot/kernel\" does not have the BLAKE2B hash",
                "returning to the firmware",
            )
        },
    },
    Special {
        name: "iso-damaged-bios",
        run: |bench| {
            refuses(
                bench,
                "iso-damaged-bios",
                Loader::Limine,
                "does not match!",
                "Stacktrace",
            )
        },
    },
];

/// The least that is handed out: shim, kernel, limine.conf, archive and name; some programs; disk image and ISO; their sums.
const FILES_MIN: usize = 20;

/// All that is handed out has the same bytes when it is built elsewhere by somebody else, as `scripts/reproduce` does twice.
fn same_bits(bench: &Bench<'_>) -> Outcome {
    let commit = match Commit::find(&bench.workspace.root) {
        Ok(commit) => commit,
        Err(error) => return error.into(),
    };
    if !commit.is_clean() {
        return Outcome::Skipped(format!(
            "what was built is not that of a commit, but of {}",
            commit.name
        ));
    }
    match reproduce::again(bench.workspace) {
        Ok((count, different)) if different.is_empty() && count >= FILES_MIN => Outcome::Passed,
        Ok((count, different)) => Outcome::Failed(format!(
            "{count} files, of which differ:\n{}",
            different.join("\n")
        )),
        Err(error) => error.into(),
    }
}

/// How long a boot may take: others share the processors.
const LIMIT_S: u64 = 180;

/// Why this machine cannot test that.
fn reason(bench: &Bench<'_>, loader: Loader, medium: Medium) -> Result<Option<String>> {
    if loader == Loader::Shim {
        return Ok(None);
    }
    if let Some(reason) = missing(bench, Need::Limine) {
        return Ok(Some(reason));
    }
    let limine = Limine::find()?;
    let (bios, tool) = limine.map_or((false, false), |limine| {
        (limine.bios().is_some(), limine.tool.is_some())
    });
    Ok(match medium {
        Medium::BiosCdrom | Medium::BiosUsb if !bios => {
            Some("Limine's files for BIOS machines are not on this machine".into())
        }
        Medium::BiosUsb if !tool => Some("Limine's program limine is not on this machine".into()),
        _ => None,
    })
}

/// The ISO that is handed out comes to the shell's prompt.
fn starts(bench: &Bench<'_>, name: &str, loader: Loader, medium: Medium) -> Outcome {
    let test = || {
        if let Some(reason) = reason(bench, loader, medium)? {
            return Ok(Outcome::Skipped(reason));
        }
        let (contents, image, bios) = make(bench, loader)?;
        let (log, path) = boot(bench, name, &image, medium, PROMPT)?;
        let mut wrong = Vec::new();
        for text in [
            format!("build {}, started by", contents.identity),
            PROMPT.into(),
        ] {
            if !log.contains(&text) {
                wrong.push(format!("the log lacks: {text}"));
            }
        }
        let boot_program = match loader {
            Loader::Shim => "started by jsix uefi-shim",
            _ => "started by Limine",
        };
        if !log.contains(boot_program) {
            wrong.push(format!("the log lacks: {boot_program}"));
        }
        if loader == Loader::Shim && bios != Bios::No {
            wrong.push("an ISO without Limine says that BIOS machines start it".into());
        }
        if wrong.is_empty() {
            return Ok(Outcome::Passed);
        }
        wrong.push(tail(&log, &path));
        Ok(Outcome::Failed(wrong.join("\n")))
    };
    test().unwrap_or_else(|error: Error| error.into())
}

/// A kernel with one changed bit is not started, and the boot program says why.
fn refuses(
    bench: &Bench<'_>,
    name: &str,
    loader: Loader,
    sentence: &str,
    after_it: &str,
) -> Outcome {
    // With UEFI, the firmware writes on the serial port at the same time as Limine, and letters are lost.
    let medium = match loader {
        Loader::Shim => Medium::Cdrom,
        _ => Medium::BiosCdrom,
    };
    let test = || {
        if let Some(reason) = reason(bench, loader, medium)? {
            return Ok(Outcome::Skipped(reason));
        }
        let (contents, image, _) = make(bench, loader)?;
        damage(image.disk(), &contents.identity.to_string())?;
        let (log, path) = boot(bench, name, &image, medium, after_it)?;
        let mut wrong = Vec::new();
        if !log.contains(sentence) {
            wrong.push(format!("the log lacks: {sentence}"));
        }
        if log.contains("started by") {
            wrong.push("the damaged kernel was started".into());
        }
        if wrong.is_empty() {
            return Ok(Outcome::Passed);
        }
        wrong.push(tail(&log, &path));
        Ok(Outcome::Failed(wrong.join("\n")))
    };
    test().unwrap_or_else(|error: Error| error.into())
}

/// The system as it is handed out, and its ISO in a folder of its own.
fn make(bench: &Bench<'_>, loader: Loader) -> Result<(Contents, Image, Bios)> {
    let recipe = Recipe {
        loader,
        programs: Programs::System(Vec::new()),
        ..Recipe::jsix(KernelLine::default())
    };
    let contents = Contents::gather(bench.workspace, &recipe)?;
    let mut bios = Bios::No;
    let image = Image::make("jsix.iso", |path| {
        bios = iso::write(path, &contents)?;
        Ok(())
    })?;
    Ok((contents, image, bios))
}

/// Boots until the serial port shows `text`; what it showed.
fn boot(
    bench: &Bench<'_>,
    name: &str,
    image: &Image,
    medium: Medium,
    text: &str,
) -> Result<(String, PathBuf)> {
    let spec = Spec {
        cpus: 2,
        memory_mib: 512,
        cpu: "max,-monitor".into(),
        medium,
        ..Spec::default()
    };
    let plan = Plan {
        qemu: &bench.qemu,
        firmware: &bench.firmware,
        spec: &spec,
        disk: image.disk(),
        limit_s: Some(LIMIT_S),
        stop_at: Some(text),
    };
    let ended = run::run(&plan, |_| Ok(()), |_| {})?;
    let log = console::plain(&ended.watch.serial).replace('\r', "");
    let path = bench.logs.join(format!("{name}.log"));
    fs::write(&path, format!("{log}\n--- {}\n", ended.verdict))
        .map_err(Error::io("write", &path))?;
    Ok((log, path))
}

/// Changes a bit of each copy of the kernel: they have the name of the build in them.
fn damage(path: &Path, name: &str) -> Result<()> {
    let mut data = fs::read(path).map_err(Error::io("read", path))?;
    let places: Vec<usize> = data
        .windows(name.len())
        .enumerate()
        .filter(|(_, window)| *window == name.as_bytes())
        .map(|(at, _)| at)
        .collect();
    if places.len() < 2 {
        return Err(Error::Input(format!(
            "{} holds the name of the build {} times, not in both file systems",
            path.display(),
            places.len()
        )));
    }
    for at in places {
        if let Some(byte) = data.get_mut(at) {
            *byte ^= 1;
        }
    }
    fs::write(path, data).map_err(Error::io("write", path))
}
