//! The boot archive: a tar file (ustar) compressed with zstd, as a tree of files.
//!
//! Paths are as in the protocol of files: `/bin/ls`. Folders are where files are. A symbolic link to a file is that file; other
//! kinds of entries are left out, and [`Archive::left_out`] tells of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Bound, Range};

use protocols::files::{Info, Kind};
use protocols::{Fault, PATH_MAX};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read;
use tar_no_std::{CorruptDataError, PosixHeader, TarArchiveRef, TypeFlag};

/// The most bytes that an archive may have when it is decompressed.
pub const SIZE_MAX: u64 = 512 << 20;
/// How much is decompressed at a time.
const STEP: usize = 1 << 20;
/// How many links may lead to one another.
const LINKS_MAX: usize = 8;
/// Permission bits of tar: anybody may run it.
const EXECUTABLE: u64 = 0o111;

/// Why an archive cannot be read.
#[derive(Debug)]
pub enum ArchiveError {
    /// It is not compressed as it should be, or damaged.
    Compression,
    /// It is larger than it may be.
    TooLarge,
    /// Memory is short.
    OutOfMemory,
    /// What was compressed is no tar file.
    Tar(CorruptDataError),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compression => f.write_str("its compression (zstd) is damaged"),
            Self::TooLarge => write!(f, "it has more than {} MiB", SIZE_MAX >> 20),
            Self::OutOfMemory => f.write_str("memory is short"),
            Self::Tar(error) => write!(f, "it is no tar file: {error}"),
        }
    }
}

impl core::error::Error for ArchiveError {}

/// Undoes the compression.
///
/// # Errors
/// See [`ArchiveError`].
pub fn decompress(mut packed: impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(SIZE_MAX);
    decoder
        .reset(&mut packed)
        .map_err(|_| ArchiveError::Compression)?;
    let size = decoder.content_size();
    if size > SIZE_MAX {
        return Err(ArchiveError::TooLarge);
    }
    let mut data = Vec::new();
    reserve(&mut data, size as usize)?;
    while !decoder.is_finished() || decoder.can_collect() > 0 {
        decoder
            .decode_blocks(&mut packed, BlockDecodingStrategy::UptoBytes(STEP))
            .map_err(|_| ArchiveError::Compression)?;
        let ready = decoder.can_collect();
        if data.len() + ready > SIZE_MAX as usize {
            return Err(ArchiveError::TooLarge);
        }
        reserve(&mut data, ready)?;
        decoder
            .collect_to_writer(&mut data)
            .map_err(|_| ArchiveError::Compression)?;
    }
    Ok(data)
}

/// Makes room for exactly so much more: the archive stays in memory for good, and so would room that is left over.
fn reserve(data: &mut Vec<u8>, more: usize) -> Result<(), ArchiveError> {
    data.try_reserve_exact(more)
        .map_err(|_| ArchiveError::OutOfMemory)
}

/// A file: where its bytes are, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    place: Range<usize>,
    is_program: bool,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A file, with its bytes. Two paths to one file have the same number.
    File {
        /// Its bytes.
        data: &'a [u8],
        /// Its number.
        number: usize,
        /// It may be run.
        is_program: bool,
    },
    /// A folder with so many entries.
    Directory(u64),
}

impl Entry<'_> {
    /// As the protocol has it.
    pub fn info(&self) -> Info {
        match *self {
            Self::File {
                data, is_program, ..
            } => Info {
                kind: Kind::File,
                size: data.len() as u64,
                is_program,
                modified: 0,
            },
            Self::Directory(entries) => Info {
                kind: Kind::Directory,
                size: entries,
                is_program: false,
                modified: 0,
            },
        }
    }
}

/// Paths and files.
type Files = Vec<(String, File)>;
/// Paths and where they lead.
type Links = Vec<(String, String)>;

/// The files of an archive.
#[derive(Debug)]
pub struct Archive {
    data: Vec<u8>,
    files: BTreeMap<String, File>,
    /// The files by their numbers.
    numbers: BTreeMap<usize, File>,
    /// The names in each folder.
    folders: BTreeMap<String, BTreeSet<String>>,
    left_out: Vec<String>,
}

impl Archive {
    /// Reads a tar file.
    ///
    /// # Errors
    /// [`ArchiveError::Tar`] when it is none.
    pub fn new(data: Vec<u8>) -> Result<Self, ArchiveError> {
        let mut archive = Self {
            data,
            files: BTreeMap::new(),
            numbers: BTreeMap::new(),
            folders: BTreeMap::from([(String::new(), BTreeSet::new())]),
            left_out: Vec::new(),
        };
        let (files, mut links) = archive.entries()?;
        for (path, file) in files {
            archive.insert(path, file);
        }
        // A link to a link needs another round.
        for _ in 0..LINKS_MAX {
            let (found, rest) = links
                .into_iter()
                .partition(|(_, target)| archive.files.contains_key(target));
            links = rest;
            for (path, target) in found {
                if let Some(file) = archive.files.get(&target).cloned() {
                    archive.insert(path, file);
                }
            }
        }
        let lost = links.into_iter().map(|(path, _)| path);
        archive.left_out.extend(lost);
        Ok(archive)
    }

    /// The files and the links of the tar file; notes what else is in it.
    fn entries(&mut self) -> Result<(Files, Links), ArchiveError> {
        let mut files = Files::new();
        let mut links = Links::new();
        let tar = TarArchiveRef::new(&self.data).map_err(ArchiveError::Tar)?;
        for (block, header) in tar.headers() {
            let kind = header.typeflag.try_to_type_flag();
            // Folders are where files are; and what else is known of the next file is nothing that we need.
            if let Ok(TypeFlag::DIRTYPE | TypeFlag::XHDTYPE | TypeFlag::XGLTYPE) = kind {
                continue;
            }
            let Some(path) = path_of(header) else {
                self.left_out.push("?".into());
                continue;
            };
            let link = || {
                let target = text(&{ header.linkname })?;
                resolve(&path, &target)
            };
            match kind {
                Ok(kind) if kind.is_regular_file() => match file_of(&self.data, block, header) {
                    Some(file) => files.push((path, file)),
                    None => self.left_out.push(path),
                },
                Ok(TypeFlag::SYMTYPE) => match link() {
                    Some(target) => links.push((path, target)),
                    None => self.left_out.push(path),
                },
                _ => self.left_out.push(path),
            }
        }
        Ok((files, links))
    }

    /// What was in the archive and is no file that can be read: a link to nowhere, a device, a path that cannot be.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// What a path leads to.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no path; `NotFound`; `NotDirectory` for a path through a file.
    pub fn find(&self, path: &str) -> Result<Entry<'_>, Fault> {
        check(path)?;
        if let Some(file) = self.files.get(path) {
            return Ok(self.entry(file));
        }
        if let Some(names) = self.folders.get(folder_of(path)) {
            return Ok(Entry::Directory(names.len() as u64));
        }
        Err(if self.is_through_file(path) {
            Fault::NotDirectory
        } else {
            Fault::NotFound
        })
    }

    fn is_through_file(&self, path: &str) -> bool {
        path.match_indices('/')
            .filter_map(|(at, _)| path.get(..at))
            .any(|part| self.files.contains_key(part))
    }

    /// The file with a number.
    pub fn file(&self, number: usize) -> Option<Entry<'_>> {
        self.numbers.get(&number).map(|file| self.entry(file))
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// As [`find`](Self::find), and `IsDirectory`.
    pub fn read(&self, path: &str) -> Result<&[u8], Fault> {
        match self.find(path)? {
            Entry::File { data, .. } => Ok(data),
            Entry::Directory(_) => Err(Fault::IsDirectory),
        }
    }

    /// The entries of a directory behind `after`, in order.
    ///
    /// # Errors
    /// As [`find`](Self::find), and `NotDirectory`.
    pub fn list<'a>(
        &'a self,
        path: &'a str,
        after: &'a str,
    ) -> Result<impl Iterator<Item = (&'a str, Entry<'a>)>, Fault> {
        if let Entry::File { .. } = self.find(path)? {
            return Err(Fault::NotDirectory);
        }
        let folder = folder_of(path);
        let names = self.folders.get(folder).ok_or(Fault::NotFound)?;
        let names = names.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
        Ok(names.filter_map(move |name| {
            let entry = self.find(&join(folder, name)).ok()?;
            Some((name.as_str(), entry))
        }))
    }

    /// Puts a file at a path, unless a folder or a file is in the way.
    fn insert(&mut self, path: String, file: File) {
        if self.folders.contains_key(&path) || self.is_through_file(&path) {
            self.left_out.push(path);
            return;
        }
        for (at, _) in path.match_indices('/') {
            let (folder, rest) = path.split_at(at);
            let rest = rest.trim_start_matches('/');
            let name = rest.split('/').next().unwrap_or(rest);
            let names = self.folders.entry(folder.into()).or_default();
            if !names.contains(name) {
                names.insert(name.into());
            }
        }
        self.numbers.insert(file.place.start, file.clone());
        self.files.insert(path, file);
    }

    fn entry(&self, file: &File) -> Entry<'_> {
        Entry::File {
            data: self.data.get(file.place.clone()).unwrap_or_default(),
            number: file.place.start,
            is_program: file.is_program,
        }
    }
}

/// The key of a folder: its path, but nothing for the root.
fn folder_of(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

fn join(folder: &str, name: &str) -> String {
    let mut path = String::with_capacity(folder.len() + 1 + name.len());
    path.push_str(folder);
    path.push('/');
    path.push_str(name);
    path
}

/// Whether it is a path as the protocol has it.
///
/// # Errors
/// `InvalidArgument` if it is none.
pub fn check(path: &str) -> Result<(), Fault> {
    let is_name = |name: &str| !name.is_empty() && name != "." && name != "..";
    let names = path.strip_prefix('/').ok_or(Fault::InvalidArgument)?;
    let fits = path.len() <= PATH_MAX && (names.is_empty() || names.split('/').all(is_name));
    if fits {
        Ok(())
    } else {
        Err(Fault::InvalidArgument)
    }
}

/// The path of an entry, with a slash before it and none behind; `None` for what cannot be one.
fn path_of(header: &PosixHeader) -> Option<String> {
    let mut path = String::from("/");
    let prefix = text(&{ header.prefix })?;
    if !prefix.is_empty() {
        path.push_str(&prefix);
        path.push('/');
    }
    let name = text(&{ header.name })?;
    path.push_str(name.strip_prefix("./").unwrap_or(&name));
    let path = String::from(path.strip_suffix('/').unwrap_or(&path));
    check(&path).ok().map(|()| path)
}

fn text<const N: usize>(field: &tar_no_std::TarFormatString<N>) -> Option<String> {
    field.as_str().ok().map(String::from)
}

fn file_of(data: &[u8], block: usize, header: &PosixHeader) -> Option<File> {
    const BLOCK: usize = 512;
    let size: usize = { header.size }.as_number().ok()?;
    let start = block.checked_add(1)?.checked_mul(BLOCK)?;
    let end = start.checked_add(size)?;
    data.get(start..end)?;
    let mode = { header.mode }.to_flags().map_or(0, |flags| flags.bits());
    Some(File {
        place: start..end,
        is_program: mode & EXECUTABLE != 0,
    })
}

/// Where a link leads: a path from the root, or from the folder that the link is in.
fn resolve(link: &str, target: &str) -> Option<String> {
    let mut names: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => link.split('/').skip(1).collect(),
    };
    if !target.starts_with('/') {
        names.pop();
    }
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    let mut path = String::new();
    for name in names {
        path.push('/');
        path.push_str(name);
    }
    check(&path).ok().map(|()| path)
}

#[cfg(test)]
mod tests;
