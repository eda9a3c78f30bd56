//! Terminals: bytes both ways, UTF-8 with the escape sequences of xterm. Served by `drv.uart` as `terminal.serial`, `terminal.serial2` ...,
//! and by `drv.fb` as `terminal.screen`.
//!
//! A terminal knows nothing of lines, echo or interruption: that is the business of who is attached. It has one session at a time: the newest
//! one; the channels of an older one are closed.

use serde::{Deserialize, Serialize};

use crate::{Protocol, label};

/// The protocol.
pub struct Terminal;

impl Protocol for Terminal {
    const LABEL: u64 = label(0x05, 1);
    type Request = Request;
    type Answer = Answer;
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Begins a session. With it comes one handle, an event with SIGNAL, DUPLICATE and TRANSFER, if the client wants to wait on an event of its own, with these bits.
    /// Answered by [`Answer::Attached`] and eight handles: the reader's end of what is typed, the writer's end of what is shown.
    Attach {
        /// Bits for the input: it has moved, it is closed.
        input: (u64, u64),
        /// Bits for the output, likewise.
        output: (u64, u64),
    },
    /// How large it is now.
    Size,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The session has begun.
    Attached(Size),
    /// How large it is.
    Size(Size),
}

/// How large a terminal is, in characters; zeros where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Characters of a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}
