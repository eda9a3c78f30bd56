//! Characters that are written.

use unicode_normalization::char::compose;
use unicode_width::UnicodeWidthChar;

use super::{Position, Screen};
use crate::cell::Cell;

impl Screen {
    /// Writes a character at the cursor.
    pub(super) fn write(&mut self, character: char) {
        let character = self.charsets.map(character);
        let width = match character {
            ' '..='~' => 1,
            _ => character.width().unwrap_or(0),
        };
        if width == 0 {
            self.combine(character);
            return;
        }
        let width = width.min(2);
        if self.modes.is_autowrap && (self.is_wrap_due || self.cursor.column + width > self.columns)
        {
            self.go(0, self.cursor.row);
            self.line_feed();
        }
        // Without wrapping, all goes to the end of the line.
        let Position { row, .. } = self.cursor;
        let column = self.cursor.column.min(self.columns - width);
        let style = self.style;
        if self.modes.is_insert {
            self.grid().insert(column, row, width, style.erased());
        }
        self.grid().put(column, row, character, style, width);
        let next = column + width;
        self.cursor.column = next.min(self.columns - 1);
        self.is_wrap_due = next == self.columns;
        self.last = Some(character);
        self.last_at = Some(Position { column, row });
    }

    /// Writes the last character again.
    pub(super) fn repeat(&mut self, count: usize) {
        let Some(character) = self.last else {
            return;
        };
        // It was mapped when it was written first.
        let charsets = core::mem::take(&mut self.charsets);
        for _ in 0..count.min(self.columns * self.rows) {
            self.write(character);
        }
        self.charsets = charsets;
    }

    /// Puts a mark on the character before it, if there is a character that looks so. Other marks are not shown.
    fn combine(&mut self, mark: char) {
        let Some(Position { column, row }) = self.last_at else {
            return;
        };
        let base = self.grid_now().cell(column, row);
        let composed = base.and_then(|base: &Cell| {
            compose(base.character, mark).filter(|new| new.width() == base.character.width())
        });
        if let Some(composed) = composed {
            self.grid().replace(column, row, composed);
            self.last = Some(composed);
        }
    }
}
