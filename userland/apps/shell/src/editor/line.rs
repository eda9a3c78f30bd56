//! A line and the cursor in it.

use alloc::string::String;

/// The longest line, in bytes.
pub const LINE_MAX: usize = 4096;

/// A line and the cursor in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// In bytes, between two characters.
    cursor: usize,
}

impl Line {
    /// A line with the cursor at its end.
    pub fn new(mut text: String) -> Self {
        let mut end = text.len().min(LINE_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        Self {
            cursor: text.len(),
            text,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn into_text(self) -> String {
        self.text
    }

    /// What is before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// What is behind the cursor.
    pub fn after(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    pub fn is_at_end(&self) -> bool {
        self.cursor == self.text.len()
    }

    /// Puts a character at the cursor; not if the line would be too long.
    pub fn insert(&mut self, character: char) -> bool {
        let fits = self.text.len() + character.len_utf8() <= LINE_MAX;
        if fits {
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
        fits
    }

    /// Puts something else in the place of what is before the cursor, from `start` on.
    pub fn replace_before(&mut self, start: usize, text: &str) {
        let is_right = start <= self.cursor && self.text.is_char_boundary(start);
        if is_right && self.text.len() + text.len() <= LINE_MAX {
            self.text.replace_range(start..self.cursor, text);
            self.cursor = start + text.len();
        }
    }

    pub fn left(&mut self) {
        let last = self.before().chars().next_back();
        self.cursor -= last.map_or(0, char::len_utf8);
    }

    pub fn right(&mut self) {
        let next = self.after().chars().next();
        self.cursor += next.map_or(0, char::len_utf8);
    }

    pub fn go_to_begin(&mut self) {
        self.cursor = 0;
    }

    pub fn go_to_end(&mut self) {
        self.cursor = self.text.len();
    }

    pub fn word_left(&mut self) {
        self.cursor = self.word_begin(char::is_alphanumeric);
    }

    pub fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    pub fn erase_before(&mut self) {
        let end = self.cursor;
        self.left();
        self.text.replace_range(self.cursor..end, "");
    }

    pub fn erase_after(&mut self) {
        if !self.is_at_end() {
            self.text.remove(self.cursor);
        }
    }

    /// Swaps the characters on both sides of the cursor, at the end the last two.
    pub fn swap(&mut self) {
        if self.is_at_end() {
            self.left();
        }
        if let Some(before) = self.before().chars().next_back()
            && !self.is_at_end()
        {
            self.erase_before();
            self.right();
            self.insert(before);
        }
    }

    pub fn cut_before(&mut self) -> String {
        let begin = core::mem::take(&mut self.cursor);
        self.text.drain(..begin).collect()
    }

    pub fn cut_after(&mut self) -> String {
        self.text.split_off(self.cursor)
    }

    /// Cuts what is between blanks.
    pub fn cut_blank_word(&mut self) -> String {
        let begin = self.word_begin(|character| !character.is_whitespace());
        self.cut(begin)
    }

    pub fn cut_word_left(&mut self) -> String {
        let begin = self.word_begin(char::is_alphanumeric);
        self.cut(begin)
    }

    pub fn cut_word_right(&mut self) -> String {
        let end = self.word_end();
        self.text.drain(self.cursor..end).collect()
    }

    fn cut(&mut self, begin: usize) -> String {
        let end = core::mem::replace(&mut self.cursor, begin);
        self.text.drain(begin..end).collect()
    }

    /// Where the word before the cursor begins.
    fn word_begin(&self, is_word: impl Fn(char) -> bool) -> usize {
        let before = self.before().trim_end_matches(|other| !is_word(other));
        before.trim_end_matches(is_word).len()
    }

    /// Where the word behind the cursor ends.
    fn word_end(&self) -> usize {
        let is_other = |character: char| !character.is_alphanumeric();
        let rest = self.after().trim_start_matches(is_other);
        self.text.len() - rest.trim_start_matches(char::is_alphanumeric).len()
    }
}
