//! Modes that programs set and reset.

use super::Screen;
use crate::cell::Cell;

/// The modes.
#[derive(Clone, Copy, Debug)]
pub struct Modes {
    /// ANSI 4: characters push others to the right.
    pub is_insert: bool,
    /// ANSI 20: a new line begins in the first column.
    pub is_newline: bool,
    /// DEC 1: arrows are sent as a program that owns the screen wants them.
    pub is_application_keys: bool,
    /// DEC 5: the terminal's own colours change places.
    pub is_reverse: bool,
    /// DEC 6: lines are counted from the region's top.
    pub is_origin: bool,
    /// DEC 7: what does not fit goes to the next line.
    pub is_autowrap: bool,
    /// DEC 25.
    pub is_cursor_visible: bool,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            is_insert: false,
            is_newline: false,
            is_application_keys: false,
            is_reverse: false,
            is_origin: false,
            is_autowrap: true,
            is_cursor_visible: true,
        }
    }
}

impl Screen {
    /// Sets or resets a mode of ANSI.
    pub(super) fn set_ansi_mode(&mut self, mode: u16, is_on: bool) {
        match mode {
            4 => self.modes.is_insert = is_on,
            20 => self.modes.is_newline = is_on,
            _ => {}
        }
    }

    /// Sets or resets a mode of DEC or xterm.
    pub(super) fn set_private_mode(&mut self, mode: u16, is_on: bool) {
        match mode {
            1 => self.modes.is_application_keys = is_on,
            5 => self.modes.is_reverse = is_on,
            6 => {
                self.modes.is_origin = is_on;
                self.go_to(0, 0);
            }
            7 => {
                self.modes.is_autowrap = is_on;
                self.is_wrap_due = false;
            }
            25 => self.modes.is_cursor_visible = is_on,
            47 | 1047 if is_on => self.enter_alternate(),
            47 => self.leave_alternate(),
            1047 => {
                if self.is_alternate {
                    self.alternate.fill(Cell::BLANK);
                }
                self.leave_alternate();
            }
            1048 if is_on => self.save(),
            1048 => self.restore(),
            1049 if is_on => {
                if !self.is_alternate {
                    self.save();
                    self.enter_alternate();
                }
                self.alternate.fill(Cell::BLANK);
            }
            1049 if self.is_alternate => {
                self.leave_alternate();
                self.restore();
            }
            _ => {}
        }
    }

    /// Whether a private mode is set; `None` for one that is not known.
    pub(super) fn private_mode(&self, mode: u16) -> Option<bool> {
        Some(match mode {
            1 => self.modes.is_application_keys,
            5 => self.modes.is_reverse,
            6 => self.modes.is_origin,
            7 => self.modes.is_autowrap,
            25 => self.modes.is_cursor_visible,
            47 | 1047 | 1049 => self.is_alternate,
            _ => return None,
        })
    }
}
