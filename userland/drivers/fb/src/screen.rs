//! What a terminal remembers, and the operations on it from which the sequences are made.
//!
//! Invariants: the cursor is in the grid, and so is the region, which has two lines at least (one if the screen has only one).

mod charset;
mod controls;
mod modes;
mod report;
mod sgr;
mod text;

use alloc::vec::Vec;
use core::ops::Range;

use crate::cell::{Cell, Style};
use crate::grid::Grid;
use crate::history::History;
use crate::terminal::Shape;
use charset::Charsets;
use modes::Modes;

/// Columns from one tab stop to the next at first.
const TAB: usize = 8;

/// Where something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// From the left, beginning with 0.
    pub column: usize,
    /// From above, beginning with 0.
    pub row: usize,
}

/// What "save cursor" saves.
#[derive(Clone, Copy, Default)]
struct Saved {
    cursor: Position,
    is_wrap_due: bool,
    is_origin: bool,
    style: Style,
    charsets: Charsets,
}

/// What a terminal remembers.
pub struct Screen {
    columns: usize,
    rows: usize,
    primary: Grid,
    alternate: Grid,
    is_alternate: bool,
    history: History,
    /// How many lines of the history are in view.
    view: usize,
    cursor: Position,
    /// A character was written in the last column: the next one goes to the next line.
    is_wrap_due: bool,
    style: Style,
    charsets: Charsets,
    /// That of the primary screen, and that of the alternate one.
    saved: [Saved; 2],
    region: Range<usize>,
    tabs: Vec<bool>,
    modes: Modes,
    shape: Shape,
    /// The last character that was written, to be repeated.
    last: Option<char>,
    /// Where it was written, as long as the cursor has not gone elsewhere: what combines with it goes there.
    last_at: Option<Position>,
    replies: Vec<u8>,
}

impl Screen {
    /// An empty one; `None` when memory is short.
    pub fn new(columns: usize, rows: usize) -> Option<Self> {
        let (columns, rows) = (columns.max(2), rows.max(1));
        let mut tabs = Vec::new();
        tabs.try_reserve_exact(columns).ok()?;
        let mut screen = Self {
            columns,
            rows,
            primary: Grid::new(columns, rows)?,
            alternate: Grid::new(columns, rows)?,
            is_alternate: false,
            history: History::default(),
            view: 0,
            cursor: Position::default(),
            is_wrap_due: false,
            style: Style::default(),
            charsets: Charsets::default(),
            saved: [Saved::default(); 2],
            region: 0..rows,
            tabs,
            modes: Modes::default(),
            shape: Shape::Block,
            last: None,
            last_at: None,
            replies: Vec::new(),
        };
        screen.reset_tabs();
        Some(screen)
    }

    pub fn size(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    pub fn cursor(&self) -> Position {
        self.cursor
    }

    pub fn shape(&self) -> Option<Shape> {
        self.modes.is_cursor_visible.then_some(self.shape)
    }

    pub fn modes(&self) -> &Modes {
        &self.modes
    }

    pub fn take_replies(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.replies)
    }

    /// A line of what is in view; what lies behind its end is blank.
    pub fn line(&self, row: usize) -> &[Cell] {
        match row.checked_sub(self.view) {
            Some(row) => self.grid_now().line(row),
            None => self.history.line(self.history.len() + row - self.view),
        }
    }

    /// How many lines of the history are in view.
    pub fn view(&self) -> usize {
        self.view
    }

    /// Moves the view into the history; there is none of the alternate screen.
    pub fn set_view(&mut self, lines: usize) {
        self.view = if self.is_alternate {
            0
        } else {
            lines.min(self.history.len())
        };
    }

    fn grid_now(&self) -> &Grid {
        if self.is_alternate {
            &self.alternate
        } else {
            &self.primary
        }
    }

    fn grid(&mut self) -> &mut Grid {
        if self.is_alternate {
            &mut self.alternate
        } else {
            &mut self.primary
        }
    }

    fn reset_tabs(&mut self) {
        self.tabs.clear();
        self.tabs
            .extend((0..self.columns).map(|column| column % TAB == 0));
    }

    /// Everything as at first, but for the history.
    fn reset(&mut self) {
        self.modes = Modes::default();
        self.shape = Shape::Block;
        self.is_alternate = false;
        self.style = Style::default();
        self.charsets = Charsets::default();
        self.saved = [Saved::default(); 2];
        self.region = 0..self.rows;
        self.reset_tabs();
        self.primary.fill(Cell::BLANK);
        self.alternate.fill(Cell::BLANK);
        self.go(0, 0);
    }

    /// Modes, margins and looks as at first; what is on the screen stays.
    pub fn soft_reset(&mut self) {
        self.leave_alternate();
        self.modes = Modes::default();
        self.shape = Shape::Block;
        self.style = Style::default();
        self.charsets = Charsets::default();
        self.saved = [Saved::default(); 2];
        self.region = 0..self.rows;
        self.is_wrap_due = false;
        self.last_at = None;
    }

    /// Sets the cursor to a place on the screen.
    fn go(&mut self, column: usize, row: usize) {
        self.cursor = Position {
            column: column.min(self.columns - 1),
            row: row.min(self.rows - 1),
        };
        self.is_wrap_due = false;
        self.last_at = None;
    }

    /// Sets the cursor as a program says, whose lines begin at the region's top if it wants so.
    fn go_to(&mut self, column: usize, row: usize) {
        if self.modes.is_origin {
            let row = self.region.start.saturating_add(row);
            self.go(column, row.min(self.region.end - 1));
        } else {
            self.go(column, row);
        }
    }

    /// Up, but not out of the region, if it is there.
    fn up(&mut self, count: usize) {
        let Position { column, row } = self.cursor;
        let top = if row >= self.region.start {
            self.region.start
        } else {
            0
        };
        self.go(column, row.saturating_sub(count).max(top));
    }

    /// Down, but not out of the region, if it is there.
    fn down(&mut self, count: usize) {
        let Position { column, row } = self.cursor;
        let bottom = if row < self.region.end {
            self.region.end - 1
        } else {
            self.rows - 1
        };
        self.go(column, row.saturating_add(count).min(bottom));
    }

    fn left(&mut self, count: usize) {
        let Position { column, row } = self.cursor;
        self.go(column.saturating_sub(count), row);
    }

    fn right(&mut self, count: usize) {
        let Position { column, row } = self.cursor;
        self.go(column.saturating_add(count), row);
    }

    /// The next line, in the same column; scrolls at the region's end.
    fn line_feed(&mut self) {
        let Position { column, row } = self.cursor;
        if row + 1 == self.region.end {
            self.scroll_up(self.region.clone(), 1);
            self.go(column, row);
        } else {
            self.go(column, row + 1);
        }
    }

    /// The line before, in the same column; scrolls at the region's top.
    fn reverse_line_feed(&mut self) {
        let Position { column, row } = self.cursor;
        if row == self.region.start {
            self.scroll_down(self.region.clone(), 1);
            self.go(column, row);
        } else {
            self.go(column, row.saturating_sub(1));
        }
    }

    /// Moves lines up. What leaves the screen at its top goes to the history.
    fn scroll_up(&mut self, region: Range<usize>, count: usize) {
        let count = count.min(region.len());
        if region.start == 0 && !self.is_alternate {
            for row in 0..count {
                self.history.push(self.primary.line(row));
                // Who looks at the history goes on to see the same lines.
                self.view += usize::from(self.view != 0);
            }
            self.view = self.view.min(self.history.len());
        }
        let style = self.style.erased();
        self.grid().scroll_up(region, count, style);
        self.last_at = None;
    }

    fn scroll_down(&mut self, region: Range<usize>, count: usize) {
        let style = self.style.erased();
        self.grid().scroll_down(region, count, style);
        self.last_at = None;
    }

    fn save(&mut self) {
        self.saved[usize::from(self.is_alternate)] = Saved {
            cursor: self.cursor,
            is_wrap_due: self.is_wrap_due,
            is_origin: self.modes.is_origin,
            style: self.style,
            charsets: self.charsets,
        };
    }

    fn restore(&mut self) {
        let saved = self.saved[usize::from(self.is_alternate)];
        self.go(saved.cursor.column, saved.cursor.row);
        self.is_wrap_due = saved.is_wrap_due;
        self.modes.is_origin = saved.is_origin;
        self.style = saved.style;
        self.charsets = saved.charsets;
    }

    fn enter_alternate(&mut self) {
        self.is_alternate = true;
        self.view = 0;
        self.last_at = None;
    }

    fn leave_alternate(&mut self) {
        self.is_alternate = false;
        self.last_at = None;
    }
}
