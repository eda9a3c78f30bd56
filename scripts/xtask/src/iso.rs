//! Makes the ISO: one file for optical discs and for sticks, for UEFI and, with Limine, for BIOS machines.
//!
//! The files are in it twice. Firmware for UEFI starts from a FAT volume, which El Torito names to it on a disc and the GPT on a stick;
//! that volume has all files, so that the shim finds them beside itself. The ISO 9660 file system has them too, for Limine, which reads
//! that, and for people. xorriso puts it together; what it must not choose by itself is told to it: times and identifiers.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::contents::Contents;
use crate::error::{Error, Result};
use crate::image::{self, Entry};
use crate::limine::{BIOS_CD, BIOS_SYSTEM};

/// The name of the volume.
const LABEL: &str = "JSIX";
/// The type of an EFI system partition.
const EFI_SYSTEM: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
/// Where Limine looks for its second stage.
const LIMINE_FOLDER: &str = "boot/limine";

/// What an ISO can be started by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bios {
    /// Not by BIOS machines: Limine's files for them were not found.
    No,
    /// From a disc.
    Disc,
    /// From a disc and from a stick.
    DiscAndStick,
}

/// Writes the ISO that holds `contents` to `path`.
///
/// # Errors
/// xorriso is missing or fails.
pub fn write(path: &Path, contents: &Contents) -> Result<Bios> {
    let time_s = contents.identity.commit.time_s;
    let date = date(time_s)?;
    let folder =
        tempfile::tempdir().map_err(Error::io("create a folder in", std::env::temp_dir()))?;
    let volume = folder.path().join("efi.img");
    let bytes = image::small_volume(&contents.files, time_s).map_err(Error::io("make", &volume))?;
    fs::write(&volume, bytes).map_err(Error::io("write", &volume))?;

    let root = folder.path().join("root");
    let mut files = contents.files.clone();
    let bios = contents.limine.as_ref().and_then(|limine| limine.bios());
    if let Some(bios) = &bios {
        for (from, name) in bios.iter().zip([BIOS_SYSTEM, BIOS_CD]) {
            files.push(Entry {
                path: format!("{LIMINE_FOLDER}/{name}"),
                data: fs::read(from).map_err(Error::io("read", from))?,
            });
        }
    }
    for file in &files {
        put(&root, file)?;
    }
    // xorriso adds to a file that is there.
    if path.exists() {
        fs::remove_file(path).map_err(Error::io("replace", path))?;
    }
    let mut words: Vec<String> = [
        "-as", "mkisofs", "-quiet", "-R", "-r", "-J", "-volid", LABEL,
    ]
    .map(str::to_owned)
    .into();
    if bios.is_some() {
        let image = format!("{LIMINE_FOLDER}/{BIOS_CD}");
        words.extend(
            [
                "-b",
                &image,
                "-no-emul-boot",
                "-boot-load-size",
                "4",
                "-boot-info-table",
            ]
            .map(str::to_owned),
        );
        words.push("-eltorito-alt-boot".into());
    }
    words.extend(["-append_partition", "2", EFI_SYSTEM].map(str::to_owned));
    words.push(volume.display().to_string());
    words.extend(
        [
            "-appended_part_as_gpt",
            "-e",
            "--interval:appended_partition_2:all::",
            "-no-emul-boot",
            "--protective-msdos-label",
            "--modification-date",
        ]
        .map(str::to_owned),
    );
    let last = words.len() - 1;
    if let Some(word) = words.get_mut(last) {
        word.push_str(&format!("={date}"));
    }
    words.extend(["--gpt_disk_guid", "modification-date"].map(str::to_owned));
    words.extend(["--set_all_file_dates".to_owned(), date]);
    words.extend(["-o".to_owned(), path.display().to_string()]);
    words.push(root.display().to_string());
    let mut xorriso = Command::new("xorriso");
    xorriso
        .args(&words)
        .env("SOURCE_DATE_EPOCH", time_s.to_string());
    run(
        &mut xorriso,
        "run scripts/setup, or install xorriso (Debian: apt-get install xorriso)",
    )?;

    let tool = contents
        .limine
        .as_ref()
        .and_then(|limine| limine.tool.as_ref());
    Ok(match (bios, tool) {
        (None, _) => Bios::No,
        (Some(_), None) => Bios::Disc,
        (Some(_), Some(tool)) => {
            run(
                Command::new(tool).arg("bios-install").arg(path),
                "correct LIMINE_DIR",
            )?;
            Bios::DiscAndStick
        }
    })
}

/// Writes a file of the ISO's file system. Its owner, mode and time do not matter: xorriso is told them.
fn put(root: &Path, file: &Entry) -> Result<()> {
    let path = root.join(&file.path);
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    fs::write(&path, &file.data).map_err(Error::io("write", &path))
}

/// A time as xorriso wants it: year, month, day, hour, minute, second, hundredths.
fn date(time_s: u64) -> Result<String> {
    let at = i64::try_from(time_s)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .filter(|at| at.year() < 10_000)
        .ok_or_else(|| Error::Input(format!("{time_s} s after 1970 is no year of four digits")))?;
    Ok(format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}00",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    ))
}

/// Runs a program and shows what it said only if it fails.
fn run(command: &mut Command, remedy: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::missing(program, remedy));
        }
        Err(error) => return Err(Error::io("run", &program)(error)),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::tool(program, format!("failed: {said}")))
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_have_sixteen_digits() {
        assert_eq!(date(315_532_800).unwrap(), "1980010100000000");
        assert_eq!(date(1_795_935_007).unwrap(), "2026112906500700");
        assert!(date(u64::MAX).is_err());
    }
}
