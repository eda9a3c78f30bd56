//! What the editor has drawn, and how it is brought up to date: by sequences that every terminal like xterm knows.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::line::Line;
use crate::width;

/// What is on the terminal.
pub struct Screen {
    columns: usize,
    /// What stands before the line.
    pub prompt: String,
    /// The row of the cursor, counted from that of the prompt.
    cursor_row: usize,
    /// Where the end of what is drawn is: row and column.
    end: (usize, usize),
    /// The cursor is at the end.
    is_at_end: bool,
}

/// Stands for the end of a line, of what was typed over several ones.
const END_OF_LINE: char = '¶';

/// A text as it is shown.
fn shown(text: &str) -> String {
    let shown = text.chars().map(|one| match one {
        '\n' => END_OF_LINE,
        other => other,
    });
    shown.collect()
}

/// How many columns a text takes, without escape sequences (as those of colours in a prompt).
fn text_width(text: &str) -> usize {
    let mut columns = 0;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' => {
                // Up to the final letter.
                characters.find(char::is_ascii_alphabetic);
            }
            other => columns += width(other),
        }
    }
    columns
}

/// Where the cursor is after characters were written from a place on. A character that does not fit in its row goes to the next one.
fn advance((mut row, mut column): (usize, usize), text: &str, columns: usize) -> (usize, usize) {
    for character in text.chars() {
        let width = width(character);
        if column + width > columns {
            (row, column) = (row + 1, 0);
        }
        column += width;
        if column >= columns {
            (row, column) = (row + 1, 0);
        }
    }
    (row, column)
}

impl Screen {
    pub fn new(columns: usize) -> Self {
        let mut screen = Self {
            columns: 0,
            prompt: String::new(),
            cursor_row: 0,
            end: (0, 0),
            is_at_end: true,
        };
        screen.set_columns(columns);
        screen
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn set_columns(&mut self, columns: usize) {
        self.columns = match columns {
            0 => 80,
            1 => 2,
            columns => columns,
        };
    }

    pub fn begin(&mut self, prompt: &str) {
        self.prompt = prompt.into();
        self.forget();
    }

    /// What is drawn lies above the cursor from now on, or is gone.
    pub fn forget(&mut self) {
        self.cursor_row = 0;
        self.end = (0, 0);
        self.is_at_end = true;
    }

    /// Goes to the begin of the prompt, and clears from there on.
    pub fn erase(&mut self, output: &mut Vec<u8>) {
        if self.cursor_row > 0 {
            output.extend(format!("\x1b[{}A", self.cursor_row).bytes());
        }
        output.extend(b"\r\x1b[J");
        self.forget();
    }

    /// Draws prompt and line in the place of what is drawn.
    pub fn draw(&mut self, prompt: &str, line: &Line, output: &mut Vec<u8>) {
        self.erase(output);
        output.extend(prompt.as_bytes());
        output.extend(shown(line.text()).as_bytes());
        let prompt_width = text_width(prompt);
        let begin = (prompt_width / self.columns, prompt_width % self.columns);
        let cursor = advance(begin, &shown(line.before()), self.columns);
        let end = advance(cursor, &shown(line.after()), self.columns);
        if end.1 == 0 && end.0 > 0 {
            // Behind the last column the terminal waits with going to the next row.
            output.extend(b"\r\n");
        }
        if end.0 > cursor.0 {
            output.extend(format!("\x1b[{}A", end.0 - cursor.0).bytes());
        }
        if end != cursor {
            output.push(b'\r');
            if cursor.1 > 0 {
                output.extend(format!("\x1b[{}C", cursor.1).bytes());
            }
        }
        self.cursor_row = cursor.0;
        self.end = end;
        self.is_at_end = end == cursor;
    }

    /// Draws a character at the end; not if that is more than writing it.
    pub fn append(&mut self, character: char, output: &mut Vec<u8>) -> bool {
        let width = width(character);
        let fits = self.is_at_end && width > 0 && self.end.1 + width < self.columns;
        if fits {
            output.extend(character.encode_utf8(&mut [0; 4]).bytes());
            self.end.1 += width;
        }
        fits
    }
}
