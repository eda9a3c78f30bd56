//! A place in a text, from which it is read character by character.
//!
//! A backslash at the end of a line, and that end, are as if they were not there, except where a text is read raw: within
//! quotes of one kind, comments and here-documents.

/// A place in a text.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Cursor<'a> {
    /// The begin of a text that begins on a line.
    pub fn new(rest: &'a str, line: usize) -> Self {
        Self { rest, line }
    }

    /// What follows, with joined lines as they are.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.skip_joined().line
    }

    /// The line on which the rest begins.
    pub fn line_raw(&self) -> usize {
        self.line
    }

    /// Behind joined lines. Where the next line is missing the backslash stays.
    fn skip_joined(mut self) -> Self {
        while let Some(rest) = self.rest.strip_prefix("\\\n")
            && !rest.is_empty()
        {
            self.rest = rest;
            self.line += 1;
        }
        self
    }

    pub fn peek(&self) -> Option<char> {
        self.skip_joined().rest.chars().next()
    }

    pub fn next(&mut self) -> Option<char> {
        *self = self.skip_joined();
        self.next_raw()
    }

    /// The next character, whatever it is.
    pub fn next_raw(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next()?;
        self.rest = characters.as_str();
        self.line += usize::from(next == '\n');
        Some(next)
    }

    /// The rest of the line, without its end, which is taken as well.
    pub fn next_line(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.line += usize::from(line.len() < self.rest.len());
        self.rest = rest;
        Some(line)
    }

    /// Behind a text that follows.
    pub fn behind(mut self, text: &str) -> Option<Self> {
        text.chars()
            .all(|character| self.next() == Some(character))
            .then_some(self)
    }

    pub fn starts_with(&self, text: &str) -> bool {
        self.behind(text).is_some()
    }

    /// Goes behind a text that follows; whether it does.
    pub fn eat(&mut self, text: &str) -> bool {
        match self.behind(text) {
            Some(behind) => {
                *self = behind;
                true
            }
            None => false,
        }
    }

    /// Takes characters as long as they are right.
    pub fn take_while(&mut self, is_right: impl Fn(char) -> bool) -> alloc::string::String {
        let mut taken = alloc::string::String::new();
        while let Some(next) = self.peek().filter(|next| is_right(*next)) {
            taken.push(next);
            self.next();
        }
        taken
    }

    /// Whether nothing follows.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether only a backslash follows, behind which a line is missing.
    pub fn is_open_line(&self) -> bool {
        let rest = self.skip_joined().rest;
        rest == "\\" || rest == "\\\n"
    }
}
