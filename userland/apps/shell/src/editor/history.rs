//! The lines that were finished.

use alloc::collections::VecDeque;
use alloc::string::String;

use super::line::LINE_MAX;

/// How many lines are kept.
const LINES_MAX: usize = 500;

/// The lines that were finished, the oldest first. What was typed over several lines is one.
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<String>,
    /// The last line that came was kept, and may go on.
    is_last_kept: bool,
}

impl History {
    /// Keeps a line, unless it is blank, begins with a blank, or is the same as the last one.
    pub fn add(&mut self, line: &str) {
        let is_kept = line
            .chars()
            .next()
            .is_some_and(|first| !first.is_whitespace());
        self.is_last_kept = is_kept;
        if !is_kept || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line.into());
    }

    /// Adds a line to the last one. What gets too long to be edited is not kept.
    pub fn go_on(&mut self, line: &str) {
        let Some(last) = self.lines.back_mut().filter(|_| self.is_last_kept) else {
            return;
        };
        if last.len() + 1 + line.len() > LINE_MAX {
            self.is_last_kept = false;
            self.lines.pop_back();
            return;
        }
        last.push('\n');
        last.push_str(line);
    }

    /// The lines, the oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// A line, counted from the newest one.
    pub fn newest(&self, index: usize) -> Option<&str> {
        self.lines.iter().rev().nth(index).map(String::as_str)
    }

    /// The newest line that has a text in it, from an index on, both counted from the newest one.
    pub fn find(&self, text: &str, from: usize) -> Option<usize> {
        if text.is_empty() {
            return None;
        }
        let mut lines = self.lines.iter().rev().enumerate().skip(from);
        lines
            .find(|(_, line)| line.contains(text))
            .map(|(index, _)| index)
    }
}
