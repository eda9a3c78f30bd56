//! Control characters and sequences.

use vte::{Params, Perform};

use super::{Position, Screen};
use crate::cell::{Cell, Style};
use crate::terminal::Shape;

impl Perform for Screen {
    fn print(&mut self, character: char) {
        match character {
            // The parser lets some of these through.
            '\0'..='\x1f' | '\u{80}'..='\u{9f}' => self.execute(character as u8),
            '\x7f' => {}
            character => self.write(character),
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            0x08 => self.left(1),
            b'\t' => self.tab(1),
            b'\n' | 0x0b | 0x0c => {
                if self.modes.is_newline {
                    self.go(0, self.cursor.row);
                }
                self.line_feed();
            }
            b'\r' => self.go(0, self.cursor.row),
            0x0e => self.charsets.shift(1),
            0x0f => self.charsets.shift(0),
            0x84 => self.line_feed(),
            0x85 => self.next_line(),
            0x88 => self.set_tab(),
            0x8d => self.reverse_line_feed(),
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], is_ignored: bool, byte: u8) {
        if is_ignored {
            return;
        }
        match (intermediates, byte) {
            ([], b'7') => self.save(),
            ([], b'8') => self.restore(),
            ([], b'D') => self.line_feed(),
            ([], b'E') => self.next_line(),
            ([], b'H') => self.set_tab(),
            ([], b'M') => self.reverse_line_feed(),
            ([], b'Z') => self.report_attributes(None),
            ([], b'c') => self.reset(),
            ([b'('], set) => self.charsets.designate(0, set),
            ([b')'], set) => self.charsets.designate(1, set),
            ([b'#'], b'8') => self.align(),
            _ => {}
        }
    }

    fn csi_dispatch(
        &mut self,
        params: &Params,
        intermediates: &[u8],
        is_ignored: bool,
        action: char,
    ) {
        if is_ignored {
            return;
        }
        match intermediates {
            [] => self.csi(params, action),
            [b'?'] => self.private(params, action),
            [b'>'] if action == 'c' => self.report_attributes(Some(b'>')),
            [b'!'] if action == 'p' => {
                let cursor = self.cursor;
                let is_alternate = self.is_alternate;
                self.soft_reset();
                self.is_alternate = is_alternate;
                self.go(cursor.column, cursor.row);
            }
            [b' '] if action == 'q' => {
                self.shape = match number(params, 0) {
                    3 | 4 => Shape::Line,
                    5 | 6 => Shape::Bar,
                    _ => Shape::Block,
                };
            }
            [b'?', b'$'] if action == 'p' => self.report_mode(number(params, 0)),
            _ => {}
        }
    }
}

/// A parameter; 0 where there is none.
fn number(params: &Params, index: usize) -> u16 {
    let param = params.iter().nth(index);
    param.and_then(|parts| parts.first().copied()).unwrap_or(0)
}

/// A parameter that counts, or a place, counted from 1: 1 where there is none.
fn count(params: &Params, index: usize) -> usize {
    usize::from(number(params, index)).max(1)
}

impl Screen {
    fn csi(&mut self, params: &Params, action: char) {
        let Position { column, row } = self.cursor;
        let first = count(params, 0);
        let style = self.style.erased();
        match action {
            '@' => {
                self.grid().insert(column, row, first, style);
                self.go(column, row);
            }
            'A' => self.up(first),
            'B' | 'e' => self.down(first),
            'C' | 'a' => self.right(first),
            'D' => self.left(first),
            'E' => {
                self.down(first);
                self.go(0, self.cursor.row);
            }
            'F' => {
                self.up(first);
                self.go(0, self.cursor.row);
            }
            'G' | '`' => self.go(first - 1, row),
            'H' | 'f' => self.go_to(count(params, 1) - 1, first - 1),
            'I' => self.tab(first),
            'J' => self.erase_display(number(params, 0)),
            'K' => self.erase_line(number(params, 0)),
            'L' => self.insert_lines(first),
            'M' => self.delete_lines(first),
            'P' => {
                self.grid().delete(column, row, first, style);
                self.go(column, row);
            }
            'S' => self.scroll_up(self.region.clone(), first),
            'T' if params.len() <= 1 => self.scroll_down(self.region.clone(), first),
            'X' => {
                let end = column.saturating_add(first).min(self.columns);
                self.grid().erase(row, column..end, style);
                self.go(column, row);
            }
            'Z' => self.back_tab(first),
            'b' => self.repeat(first),
            'c' => self.report_attributes(None),
            'd' => self.go_to(column, first - 1),
            'g' => match number(params, 0) {
                0 => {
                    if let Some(stop) = self.tabs.get_mut(column) {
                        *stop = false;
                    }
                }
                3 => self.tabs.fill(false),
                _ => {}
            },
            'h' | 'l' => {
                for mode in params.iter().filter_map(|parts| parts.first()) {
                    self.set_ansi_mode(*mode, action == 'h');
                }
            }
            'm' => self.select(params),
            'n' => self.report_status(number(params, 0), false),
            'r' => self.set_region(params),
            's' => self.save(),
            't' => self.report_window(number(params, 0)),
            'u' => self.restore(),
            _ => {}
        }
    }

    fn private(&mut self, params: &Params, action: char) {
        match action {
            'h' | 'l' => {
                for mode in params.iter().filter_map(|parts| parts.first()) {
                    self.set_private_mode(*mode, action == 'h');
                }
            }
            'J' => self.erase_display(number(params, 0)),
            'K' => self.erase_line(number(params, 0)),
            'n' => self.report_status(number(params, 0), true),
            _ => {}
        }
    }

    fn next_line(&mut self) {
        self.go(0, self.cursor.row);
        self.line_feed();
    }

    fn set_tab(&mut self) {
        if let Some(stop) = self.tabs.get_mut(self.cursor.column) {
            *stop = true;
        }
    }

    /// To the next tab stop, or to the end of the line.
    fn tab(&mut self, count: usize) {
        let mut column = self.cursor.column;
        for _ in 0..count.min(self.columns) {
            let next = self.tabs.iter().skip(column + 1).position(|&stop| stop);
            column = next.map_or(self.columns - 1, |distance| column + 1 + distance);
        }
        self.go(column, self.cursor.row);
    }

    /// To the tab stop before, or to the beginning of the line.
    fn back_tab(&mut self, count: usize) {
        let mut column = self.cursor.column;
        for _ in 0..count.min(self.columns) {
            let stops = self.tabs.iter().take(column);
            column = stops
                .rev()
                .position(|&stop| stop)
                .map_or(0, |distance| column - 1 - distance);
        }
        self.go(column, self.cursor.row);
    }

    fn erase_display(&mut self, what: u16) {
        let Position { column, row } = self.cursor;
        let (columns, rows) = self.size();
        let style = self.style.erased();
        let grid = self.grid();
        match what {
            0 => {
                grid.erase(row, column..columns, style);
                grid.erase_lines(row + 1..rows, style);
            }
            1 => {
                grid.erase_lines(0..row, style);
                grid.erase(row, 0..column + 1, style);
            }
            2 => grid.erase_lines(0..rows, style),
            3 => {
                self.history.clear();
                self.view = 0;
            }
            _ => return,
        }
        self.go(column, row);
    }

    fn erase_line(&mut self, what: u16) {
        let Position { column, row } = self.cursor;
        let cells = match what {
            0 => column..self.columns,
            1 => 0..column + 1,
            2 => 0..self.columns,
            _ => return,
        };
        let style = self.style.erased();
        self.grid().erase(row, cells, style);
        self.go(column, row);
    }

    fn insert_lines(&mut self, count: usize) {
        let row = self.cursor.row;
        if self.region.contains(&row) {
            self.scroll_down(row..self.region.end, count);
            self.go(0, row);
        }
    }

    fn delete_lines(&mut self, count: usize) {
        let row = self.cursor.row;
        if self.region.contains(&row) {
            // What is deleted does not go to the history.
            let region = row..self.region.end;
            let style = self.style.erased();
            self.grid().scroll_up(region, count, style);
            self.go(0, row);
        }
    }

    fn set_region(&mut self, params: &Params) {
        let bottom = match usize::from(number(params, 1)) {
            0 => self.rows,
            bottom => bottom.min(self.rows),
        };
        let top = count(params, 0) - 1;
        if top + 1 < bottom || (self.rows == 1 && top == 0) {
            self.region = top..bottom;
            self.go_to(0, 0);
        }
    }

    /// Fills the screen with E, which shows whether a monitor is set up well.
    fn align(&mut self) {
        let cell = Cell {
            character: 'E',
            style: Style::default(),
        };
        self.grid().fill(cell);
        self.region = 0..self.rows;
        self.go(0, 0);
    }
}
