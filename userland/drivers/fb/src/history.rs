//! The lines that have left the screen at its top.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::cell::Cell;

/// How many lines are kept.
pub const LINES: usize = 4000;

/// Lines, oldest first, without the blanks at their ends.
#[derive(Default)]
pub struct History {
    lines: VecDeque<Vec<Cell>>,
}

impl History {
    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Keeps a line; the oldest goes when there are too many, or when memory is short.
    pub fn push(&mut self, line: &[Cell]) {
        let len = line
            .iter()
            .rposition(|&cell| cell != Cell::BLANK)
            .map_or(0, |last| last + 1);
        // The memory of the oldest is used again; it is given back if it is much more than needed, or else long lines would add up.
        let mut kept = if self.lines.len() >= LINES {
            self.lines.pop_front().unwrap_or_default()
        } else {
            Vec::new()
        };
        kept.clear();
        if kept.capacity() > 2 * len + 16 {
            kept = Vec::new();
        }
        while kept.try_reserve_exact(len).is_err() || self.lines.try_reserve(1).is_err() {
            if self.lines.pop_front().is_none() {
                return;
            }
        }
        kept.extend_from_slice(line.get(..len).unwrap_or_default());
        self.lines.push_back(kept);
    }

    /// A line: 0 is the oldest. What lies behind its end is blank.
    pub fn line(&self, index: usize) -> &[Cell] {
        self.lines.get(index).map_or(&[], Vec::as_slice)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.lines = VecDeque::new();
    }
}
