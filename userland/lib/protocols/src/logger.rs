//! The log. Served by `srv.logger` as `logger`.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Protocol, label};

/// The name in the directory.
pub const NAME: &str = "logger";

/// The protocol.
pub struct Logger;

impl Protocol for Logger {
    const LABEL: u64 = label(0x07, 1);
    type Request = Request;
    type Answer = Answer;
}

/// How important a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Something that should work does not.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What an operator wants to know.
    Info,
    /// What a programmer wants to know.
    Debug,
    /// Every step.
    Trace,
}

/// Which records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Select {
    /// This level and more important ones.
    pub level: Level,
    /// Of areas that begin so; empty for all.
    pub area: String,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Records that are kept, the oldest first, as lines of text: answered by [`Answer::Lines`] and one handle, an area with MAP_READ and INSPECT; none when there
    /// are no lines.
    Query {
        /// Which ones.
        select: Select,
        /// How many at most, the last ones; 0 for all.
        last: u32,
    },
    /// Lines of text from now on, by a channel. With it comes one handle, an event with SIGNAL, DUPLICATE and TRANSFER, if the client wants to wait on an event of its own, with
    /// these bits. Answered by [`Answer::Done`] and four handles: the reader's end. What does not fit in the channel is counted, and the count is shown.
    Follow {
        /// Which ones.
        select: Select,
        /// Bits: it has moved, it is closed.
        bits: (u64, u64),
    },
    /// From now on keeps only these, in addition to what was said before of other areas.
    SetFilter {
        /// Which ones.
        select: Select,
    },
    /// Numbers of records, and what is kept.
    Status,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done.
    Done,
    /// How many bytes of text there are, and of how many records.
    Lines {
        /// Bytes.
        bytes: u64,
        /// Records.
        records: u64,
    },
    /// The numbers.
    Status(Status),
}

/// Numbers of records since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Records that were received.
    pub received: u64,
    /// Records that were lost before they could be read.
    pub lost: u64,
    /// Records that the filter left out.
    pub filtered: u64,
    /// Records that are kept.
    pub kept: u64,
    /// The filter: areas (empty for all others) and levels.
    pub filter: Vec<(String, Level)>,
}
