//! A terminal: bytes in, a grid of cells and answers out.

use alloc::vec::Vec;

use vte::Parser;

use crate::cell::Cell;
use crate::joiner::Joiner;
use crate::keys::Scroll;
use crate::screen::Screen;

/// How the cursor looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A whole cell.
    Block,
    /// A line below.
    Line,
    /// A bar on the left.
    Bar,
}

/// The cursor, where it can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// From the left, beginning with 0.
    pub column: usize,
    /// From above, beginning with 0.
    pub row: usize,
    /// How it looks.
    pub shape: Shape,
}

/// A terminal as xterm is one.
pub struct Terminal {
    joiner: Joiner,
    parser: Parser,
    screen: Screen,
}

impl Terminal {
    /// An empty one, of two columns at least and one row; `None` when memory is short.
    pub fn new(columns: usize, rows: usize) -> Option<Self> {
        Some(Self {
            joiner: Joiner::default(),
            parser: Parser::new(),
            screen: Screen::new(columns, rows)?,
        })
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        self.screen.size()
    }

    /// Takes bytes that a program has written. They may be cut anywhere.
    pub fn advance(&mut self, bytes: &[u8]) {
        let Self {
            joiner,
            parser,
            screen,
        } = self;
        joiner.join(bytes, |piece| parser.advance(screen, piece));
    }

    /// What the terminal has to say to the program: it is sent as if it were typed.
    pub fn take_replies(&mut self) -> Vec<u8> {
        self.screen.take_replies()
    }

    /// A line of what is in view; what lies behind the end of the slice is blank.
    pub fn line(&self, row: usize) -> &[Cell] {
        self.screen.line(row)
    }

    /// The cursor, if it is to be seen.
    pub fn cursor(&self) -> Option<Cursor> {
        let shape = self.screen.shape()?;
        let position = self.screen.cursor();
        let row = position.row + self.screen.view();
        (row < self.size().1).then_some(Cursor {
            column: position.column,
            row,
            shape,
        })
    }

    /// The terminal's own colours change places.
    pub fn is_reverse(&self) -> bool {
        self.screen.modes().is_reverse
    }

    /// Arrows are to be sent as a program that owns the screen wants them.
    pub fn is_application_keys(&self) -> bool {
        self.screen.modes().is_application_keys
    }

    /// Moves the view in the history; returns whether it has moved.
    pub fn scroll(&mut self, scroll: Scroll) -> bool {
        let (view, page) = (self.screen.view(), self.size().1.div_ceil(2));
        self.screen.set_view(match scroll {
            Scroll::Up => view.saturating_add(page),
            Scroll::Down => view.saturating_sub(page),
            Scroll::End => 0,
        });
        self.screen.view() != view
    }

    /// For a new session: forgets half of a sequence, modes and looks, and begins a new line if something stands in this one. What is on the screen stays.
    pub fn begin_session(&mut self) {
        self.joiner = Joiner::default();
        self.parser = Parser::new();
        self.screen.soft_reset();
        self.screen.set_view(0);
        let cursor = self.screen.cursor();
        let line = self.screen.line(cursor.row);
        if cursor.column != 0 || line.iter().any(|&cell| cell != Cell::BLANK) {
            self.advance(b"\r\n");
        }
    }

    /// The text of what is in view, for tests: a line for each row, without the blanks at its end.
    pub fn text(&self) -> alloc::string::String {
        let mut text = alloc::string::String::new();
        for row in 0..self.size().1 {
            let line = self.line(row).iter().filter(|cell| !cell.is_spacer());
            let line: alloc::string::String = line.map(|cell| cell.character).collect();
            text.push_str(line.trim_end_matches(' '));
            text.push('\n');
        }
        text
    }
}
