//! The keyboard. Served by `drv.ps2` as `keyboard`: it gives bytes as a terminal sends them.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::{Protocol, label};

/// The name in the directory.
pub const NAME: &str = "keyboard";

/// The protocol.
pub struct Keyboard;

impl Protocol for Keyboard {
    const LABEL: u64 = label(0x06, 1);
    type Request = Request;
    type Answer = Answer;
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Takes the keyboard: what is typed from now on comes here. With it comes one handle, an event with SIGNAL, DUPLICATE and TRANSFER, if the client wants to
    /// wait on an event of its own, with these bits. Answered by [`Answer::Done`] and four handles: the reader's end of what is typed.
    Attach {
        /// Bits: it has moved, it is closed.
        bits: (u64, u64),
    },
    /// Which layout it has.
    Layout,
    /// Sets the layout, by its name.
    SetLayout {
        /// For example `us` or `de`.
        name: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done.
    Done,
    /// The layout.
    Layout(String),
}
