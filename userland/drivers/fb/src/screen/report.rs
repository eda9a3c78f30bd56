//! What the terminal answers: it is written as if it were typed.

use core::fmt::{self, Write};

use super::Screen;

/// More than this is not answered until what is there was taken: a program that asks without listening gets no memory.
const REPLIES_MAX: usize = 1024;

impl Write for Screen {
    /// Answers.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.replies
            .try_reserve(text.len())
            .map_err(|_| fmt::Error)?;
        self.replies.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Screen {
    fn reply(&mut self, reply: fmt::Arguments<'_>) {
        if self.replies.len() < REPLIES_MAX {
            // An answer that memory is too short for is not given.
            let _ = self.write_fmt(reply);
        }
    }

    /// "Device status report".
    pub(super) fn report_status(&mut self, what: u16, is_private: bool) {
        let top = if self.modes.is_origin {
            self.region.start
        } else {
            0
        };
        let (column, row) = (
            self.cursor.column + 1,
            self.cursor.row.saturating_sub(top) + 1,
        );
        match (what, is_private) {
            (5, false) => self.reply(format_args!("\x1b[0n")),
            (6, false) => self.reply(format_args!("\x1b[{row};{column}R")),
            (6, true) => self.reply(format_args!("\x1b[?{row};{column}R")),
            _ => {}
        }
    }

    /// "Device attributes": a VT220 with colours, as xterm says.
    pub(super) fn report_attributes(&mut self, kind: Option<u8>) {
        match kind {
            None => self.reply(format_args!("\x1b[?62;22c")),
            Some(b'>') => self.reply(format_args!("\x1b[>1;10;0c")),
            Some(_) => {}
        }
    }

    /// Operations on windows: of these, those that tell the size.
    pub(super) fn report_window(&mut self, what: u16) {
        let (columns, rows) = self.size();
        match what {
            18 => self.reply(format_args!("\x1b[8;{rows};{columns}t")),
            19 => self.reply(format_args!("\x1b[9;{rows};{columns}t")),
            _ => {}
        }
    }

    /// Whether a private mode is set.
    pub(super) fn report_mode(&mut self, mode: u16) {
        let state = match self.private_mode(mode) {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        };
        self.reply(format_args!("\x1b[?{mode};{state}$y"));
    }
}
