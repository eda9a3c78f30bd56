//! A grid of cells: lines that are changed, moved and erased.
//!
//! Invariant: each left half of a wide character has its right half behind it in the same line, and the other way round. Whatever cuts a wide
//! character blanks the half that stays.

use alloc::vec::Vec;
use core::ops::Range;

use crate::cell::{Attributes, Cell, Style};

/// Lines of cells, all of one length.
pub struct Grid {
    columns: usize,
    lines: Vec<Vec<Cell>>,
}

impl Grid {
    /// A blank one; `None` when memory is short.
    pub fn new(columns: usize, rows: usize) -> Option<Self> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(rows).ok()?;
        for _ in 0..rows {
            let mut line = Vec::new();
            line.try_reserve_exact(columns).ok()?;
            line.resize(columns, Cell::BLANK);
            lines.push(line);
        }
        Some(Self { columns, lines })
    }

    /// The cells of a line; none of one that is not there.
    pub fn line(&self, row: usize) -> &[Cell] {
        self.lines.get(row).map_or(&[], Vec::as_slice)
    }

    /// A cell.
    pub fn cell(&self, column: usize, row: usize) -> Option<&Cell> {
        self.lines.get(row)?.get(column)
    }

    /// Writes a character of one or two cells at a place where it has room.
    pub fn put(&mut self, column: usize, row: usize, character: char, style: Style, width: usize) {
        let Some(line) = self.lines.get_mut(row) else {
            return;
        };
        split(line, column);
        split(line, column + width);
        let attributes = style.attributes;
        if let Some(cells) = line.get_mut(column..column + width) {
            let halves: &[Attributes] = match width {
                2 => &[Attributes::WIDE, Attributes::SPACER],
                _ => &[Attributes::NONE],
            };
            for (index, (cell, half)) in cells.iter_mut().zip(halves).enumerate() {
                cell.character = if index == 0 { character } else { ' ' };
                cell.style = style;
                cell.style.attributes = attributes.with(*half);
            }
        }
    }

    /// Puts another character into a cell, as it looks.
    pub fn replace(&mut self, column: usize, row: usize, character: char) {
        if let Some(cell) = self
            .lines
            .get_mut(row)
            .and_then(|line| line.get_mut(column))
        {
            cell.character = character;
        }
    }

    /// Blanks cells of a line.
    pub fn erase(&mut self, row: usize, cells: Range<usize>, style: Style) {
        let Some(line) = self.lines.get_mut(row) else {
            return;
        };
        let end = cells.end.min(line.len());
        split(line, cells.start);
        split(line, end);
        if let Some(cells) = line.get_mut(cells.start..end) {
            cells.fill(Cell::blank(style));
        }
    }

    /// Blanks whole lines.
    pub fn erase_lines(&mut self, rows: Range<usize>, style: Style) {
        for row in rows {
            self.erase(row, 0..self.columns, style);
        }
    }

    /// Moves what stands from a column on to the right; what leaves the line is lost.
    pub fn insert(&mut self, column: usize, row: usize, count: usize, style: Style) {
        let Some(line) = self.lines.get_mut(row) else {
            return;
        };
        let count = count.min(line.len().saturating_sub(column));
        split(line, column);
        let stays = line.len() - count;
        split(line, stays);
        if let Some(rest) = line.get_mut(column..) {
            rest.rotate_right(count);
            if let Some(new) = rest.get_mut(..count) {
                new.fill(Cell::blank(style));
            }
        }
    }

    /// Removes cells from a column on; what stands behind them moves to the left.
    pub fn delete(&mut self, column: usize, row: usize, count: usize, style: Style) {
        let Some(line) = self.lines.get_mut(row) else {
            return;
        };
        let count = count.min(line.len().saturating_sub(column));
        split(line, column);
        split(line, column + count);
        if let Some(rest) = line.get_mut(column..) {
            rest.rotate_left(count);
            let stays = rest.len() - count;
            if let Some(new) = rest.get_mut(stays..) {
                new.fill(Cell::blank(style));
            }
        }
    }

    /// Moves lines of a region up; what leaves it is lost, and blank lines come in below.
    pub fn scroll_up(&mut self, region: Range<usize>, count: usize, style: Style) {
        let count = count.min(region.len());
        if let Some(lines) = self.lines.get_mut(region.clone()) {
            lines.rotate_left(count);
            self.erase_lines(region.end - count..region.end, style);
        }
    }

    /// Moves lines of a region down; what leaves it is lost, and blank lines come in above.
    pub fn scroll_down(&mut self, region: Range<usize>, count: usize, style: Style) {
        let count = count.min(region.len());
        if let Some(lines) = self.lines.get_mut(region.clone()) {
            lines.rotate_right(count);
            self.erase_lines(region.start..region.start + count, style);
        }
    }

    /// Fills all with one character.
    pub fn fill(&mut self, cell: Cell) {
        for line in &mut self.lines {
            line.fill(cell);
        }
    }
}

/// Blanks both halves of a wide character that lies across a boundary between two cells.
fn split(line: &mut [Cell], column: usize) {
    if !line.get(column).is_some_and(Cell::is_spacer) || column == 0 {
        return;
    }
    if let Some(halves) = line.get_mut(column - 1..=column) {
        for half in halves {
            half.character = ' ';
            half.style.attributes = half
                .style
                .attributes
                .without(Attributes::WIDE.with(Attributes::SPACER));
        }
    }
}
