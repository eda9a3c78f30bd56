//! The kernel command line, and the commands in its `cmd` option.
//!
//! Options are separated by whitespace: `key`, `key=value` or `key="quoted value"`. All text comes
//! back as parts of the given string, so that nothing is allocated; there are no escapes. A quote
//! that is not closed reaches to the end.

/// A command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandLine<'a> {
    text: &'a str,
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// What stands before `=`.
    pub key: &'a str,
    /// What stands after it, without quotes; `None` when there is no `=`.
    pub value: Option<&'a str>,
}

impl<'a> CommandLine<'a> {
    /// Takes the text as it comes from the boot loader.
    pub const fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The text as it was given.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The options from left to right.
    pub fn iter(&self) -> Arguments<'a> {
        Arguments { rest: self.text }
    }

    /// The value of the last option with this key, as later ones override earlier ones. An option
    /// without `=` has no value.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.iter()
            .filter(|argument| argument.key == key)
            .filter_map(|argument| argument.value)
            .last()
    }

    /// Whether the option is there: without a value, or with one that does not mean no (`0`, `no`,
    /// `off`, `false`). The last one counts.
    pub fn flag(&self, key: &str) -> bool {
        let last = self.iter().filter(|argument| argument.key == key).last();
        match last.map(|argument| argument.value) {
            None => false,
            Some(None) => true,
            Some(Some(value)) => !["0", "no", "off", "false"].contains(&value),
        }
    }

    /// The value as an unsigned integer, decimal or hexadecimal after `0x`.
    pub fn number(&self, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        let (digits, radix) = match value.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (value, 10),
        };
        if digits.starts_with('+') {
            None
        } else {
            u64::from_str_radix(digits, radix).ok()
        }
    }
}

impl<'a> IntoIterator for CommandLine<'a> {
    type Item = Argument<'a>;
    type IntoIter = Arguments<'a>;

    fn into_iter(self) -> Arguments<'a> {
        self.iter()
    }
}

/// Iterator over the options of a command line.
#[derive(Clone, Debug)]
pub struct Arguments<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Arguments<'a> {
    type Item = Argument<'a>;

    fn next(&mut self) -> Option<Argument<'a>> {
        let text = self.rest.trim_start();
        if text.is_empty() {
            self.rest = text;
            return None;
        }
        let key_end = text
            .find(|c: char| c == '=' || c.is_whitespace())
            .unwrap_or(text.len());
        let (key, rest) = text.split_at(key_end);
        let Some(rest) = rest.strip_prefix('=') else {
            self.rest = rest;
            return Some(Argument { key, value: None });
        };
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        self.rest = rest;
        Some(Argument {
            key,
            value: Some(value),
        })
    }
}

/// Splits the value of `cmd` into commands at each `;` that is outside of quotes. Empty ones are
/// left out.
pub fn commands(value: &str) -> impl Iterator<Item = Command<'_>> {
    let mut rest = Some(value);
    core::iter::from_fn(move || {
        loop {
            let text = rest?;
            let mut words = Words { rest: text };
            while words.next().is_some() {}
            // Words end at the separator or at the end of the text.
            let line = text.get(..text.len().saturating_sub(words.rest.len()))?;
            rest = words.rest.strip_prefix(';');
            if !line.trim().is_empty() {
                return Some(Command { line: line.trim() });
            }
        }
    })
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    line: &'a str,
}

impl<'a> Command<'a> {
    /// The command as it was written, without whitespace around it.
    pub fn line(&self) -> &'a str {
        self.line
    }

    /// Its words: separated by whitespace, or in single or double quotes. A quote counts only at
    /// the beginning of a word; elsewhere it is a character like any other.
    pub fn words(&self) -> Words<'a> {
        Words { rest: self.line }
    }
}

/// Iterator over the words of a command.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        self.rest = text;
        if text.is_empty() || text.starts_with(';') {
            return None;
        }
        for quote in ['"', '\''] {
            if let Some(quoted) = text.strip_prefix(quote) {
                let (word, rest) = quoted.split_once(quote).unwrap_or((quoted, ""));
                self.rest = rest;
                return Some(word);
            }
        }
        let end = text
            .find(|c: char| c == ';' || c.is_whitespace())
            .unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        Some(word)
    }
}
