//! The lines that were finished.

use alloc::collections::VecDeque;
use alloc::string::String;

/// How many lines are kept.
const LINES_MAX: usize = 500;

/// The lines that were finished, the oldest first.
#[derive(Debug, Default)]
pub struct History(VecDeque<String>);

impl History {
    /// Keeps a line, unless it is blank, begins with a blank, or is the same as the last one.
    pub fn add(&mut self, line: &str) {
        let is_kept = line
            .chars()
            .next()
            .is_some_and(|first| !first.is_whitespace());
        if !is_kept || self.0.back().is_some_and(|last| last == line) {
            return;
        }
        if self.0.len() == LINES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(line.into());
    }

    /// The lines, the oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// A line, counted from the newest one.
    pub fn newest(&self, index: usize) -> Option<&str> {
        self.0.iter().rev().nth(index).map(String::as_str)
    }

    /// The newest line that has a text in it, from an index on, both counted from the newest one.
    pub fn find(&self, text: &str, from: usize) -> Option<usize> {
        if text.is_empty() {
            return None;
        }
        let mut lines = self.0.iter().rev().enumerate().skip(from);
        lines
            .find(|(_, line)| line.contains(text))
            .map(|(index, _)| index)
    }
}
