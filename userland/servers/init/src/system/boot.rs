//! What the boot loader has brought: the archive, and the manifest in it.

use core::fmt;

use protocols::Fault;
use ruzstd::io::{self, Read};
use sys::Context;
use sys::object::{Mapping, VmArea};

use crate::archive::{Archive, ArchiveError, decompress};
use crate::manifest::{self, ManifestError};

/// The archive among the handles, and its length among the variables.
const MODULE: &str = "module:archive";

/// Why the system cannot begin.
#[derive(Debug)]
pub enum BootError {
    /// There is no archive.
    NoArchive,
    /// It cannot be read.
    Archive(ArchiveError),
    /// It has no manifest.
    NoManifest(Fault),
    /// The manifest is no text.
    NoText,
    /// What the manifest says cannot be.
    Manifest(ManifestError),
    /// The kernel refuses something.
    Kernel(abi::Error),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = manifest::PATH;
        match self {
            Self::NoArchive => f.write_str("there is no boot module \"archive\""),
            Self::Archive(error) => {
                write!(f, "the boot module \"archive\" cannot be read: {error}")
            }
            Self::NoManifest(fault) => write!(f, "the archive's {path}: {fault}"),
            Self::NoText => write!(f, "the archive's {path} is no text (UTF-8)"),
            Self::Manifest(error) => write!(f, "the archive's {path}, {error}"),
            Self::Kernel(error) => write!(f, "{error}"),
        }
    }
}

/// The bytes of a boot module in order, of which no copy is made as a whole.
struct Module {
    mapping: Mapping,
    at: usize,
    len: usize,
}

impl Read for Module {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, io::Error> {
        let len = buffer.len().min(self.len - self.at);
        let part = buffer.get_mut(..len).unwrap_or_default();
        let read = self.mapping.read(self.at as u64, part);
        self.at += read;
        Ok(read)
    }
}

/// Reads the archive.
pub fn archive(context: &Context) -> Result<Archive, BootError> {
    let area = context.handle(MODULE).ok_or(BootError::NoArchive)?;
    let area = VmArea::from(area);
    let mapping = area.map(abi::area::READ).map_err(BootError::Kernel)?;
    let len = context.env(MODULE).and_then(|len| len.parse().ok());
    let len = len.map_or(mapping.len(), |len: u64| len.min(mapping.len())) as usize;
    let before = sys::time::now();
    let packed = Module {
        mapping,
        at: 0,
        len,
    };
    let data = decompress(packed).map_err(BootError::Archive)?;
    log::debug!(
        "archive: {len} bytes become {} in {} us",
        data.len(),
        (sys::time::now() - before) / sys::time::MICROSECOND
    );
    let archive = Archive::new(data).map_err(BootError::Archive)?;
    for path in archive.left_out() {
        log::warn!("archive: {path} is left out: it is no file, or leads nowhere");
    }
    Ok(archive)
}

/// The text of the manifest.
pub fn manifest(archive: &Archive) -> Result<&str, BootError> {
    let bytes = archive
        .read(manifest::PATH)
        .map_err(BootError::NoManifest)?;
    core::str::from_utf8(bytes).map_err(|_| BootError::NoText)
}
