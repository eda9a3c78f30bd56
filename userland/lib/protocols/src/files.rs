//! Files and directories. Served by `srv.init` as `files.boot` (the archive, which cannot be changed) and by `srv.tmpfs` as
//! `files.tmp`.
//!
//! Paths are those within the service: `/bin/ls`, with one slash between names, none of which is `.` or `..`; clients make them so.
//! What is opened is a mailbox of its own, which speaks [`OpenFile`]; closing the handle closes the file.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Bytes, Protocol, label};

/// The most bytes that are read or written in one request.
pub const IO_MAX: usize = 480;

/// The protocol of a file service.
pub struct Files;

impl Protocol for Files {
    const LABEL: u64 = label(0x03, 1);
    type Request = Request;
    type Answer = Answer;
}

/// What can be asked of a file service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Opens a file. Answered by [`Answer::Info`] and one handle: a mailbox with CALL.
    Open {
        /// Where it is.
        path: String,
        /// In which way.
        how: How,
    },
    /// Tells about a file or directory.
    Stat {
        /// Where it is.
        path: String,
    },
    /// The entries of a directory, in order, from the first one behind `after` on.
    List {
        /// Where it is.
        path: String,
        /// The last name that is known already; empty at first.
        after: String,
    },
    /// Removes a file or an empty directory. A file that is open lives on until it is closed.
    Remove {
        /// Where it is.
        path: String,
    },
    /// Makes a directory.
    MakeDirectory {
        /// Where.
        path: String,
    },
    /// Gives a file or directory another name; a file that has that name is replaced.
    Rename {
        /// Where it is.
        from: String,
        /// Where it will be.
        to: String,
    },
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// To read what is there.
    Read,
    /// To read and write what is there.
    Write,
    /// To write: made if it is not there, emptied if it is.
    Create,
    /// To write: made if it is not there.
    Append,
    /// To write: made; [`Fault::Exists`](crate::Fault::Exists) if it is there.
    New,
}

/// What a file service answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done.
    Done,
    /// About a file or directory.
    Info(Info),
    /// Entries of a directory; none when there are no more.
    Entries(Vec<Entry>),
}

/// About a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file; entries of a directory.
    pub size: u64,
    /// It may be run.
    pub is_program: bool,
    /// When it was changed, in nanoseconds since 1970, if that is known; else 0.
    pub modified: u64,
}

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// About it.
    pub info: Info,
}

/// The protocol of an open file.
pub struct OpenFile;

impl Protocol for OpenFile {
    const LABEL: u64 = label(0x04, 1);
    type Request = FileRequest;
    type Answer = FileAnswer;
}

/// What can be asked of an open file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileRequest {
    /// Bytes from an offset on: at most [`IO_MAX`]; none at the end.
    Read {
        /// The first one.
        offset: u64,
        /// How many at most.
        len: u32,
    },
    /// Writes bytes, all of them; a gap before them reads as zeros.
    Write {
        /// Where the first one goes; all ones: at the end.
        offset: u64,
        /// At most [`IO_MAX`].
        bytes: Bytes,
    },
    /// Makes the file as long as this.
    Truncate {
        /// Bytes.
        size: u64,
    },
    /// Tells about it.
    Info,
    /// All of it as it is now: answered by [`FileAnswer::Info`] and one handle, an area with MAP_READ, INSPECT, TRANSFER and DUPLICATE; none for an empty file.
    /// What lies behind the file's size in the last page is zero.
    Map,
}

/// What an open file answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileAnswer {
    /// It was done; the size is now this.
    Done {
        /// Bytes.
        size: u64,
    },
    /// What was read.
    Bytes(Bytes),
    /// About it.
    Info(Info),
}
