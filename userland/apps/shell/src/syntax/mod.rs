//! The language: what a text means, as a tree.
//!
//! ```text
//! script   = { list newline }
//! list     = chain { (";" | "&") chain } [";" | "&"]
//! chain    = pipeline { ("&&" | "||") pipeline }
//! pipeline = ["!"] command { "|" command }
//! command  = { name "=" word | word | redirect }
//! redirect = ("<" | ">" | ">>" | "2>" | "2>>") word | "2>&1"
//! ```
//!
//! The printed form of a tree ([`fmt::Display`]) is a text that means the same tree.

mod join;
mod parse;
mod print;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use parse::parse;

/// A text: what is done one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script(pub Vec<Chain>);

/// Pipelines of which each but the first depends on how the one before ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The first one.
    pub first: Pipeline,
    /// The others.
    pub rest: Vec<(When, Pipeline)>,
    /// It is not waited for.
    pub is_background: bool,
    /// The line that it begins on, from 1.
    pub line: usize,
}

/// When a pipeline of a chain is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `&&`: after success.
    Success,
    /// `||`: after a failure.
    Failure,
}

/// Commands, each of which reads what the one before writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// `!`: success is failure, and the other way round.
    pub is_negated: bool,
    /// The commands, at least one.
    pub commands: Vec<Command>,
}

/// A command, or assignments if there are no words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Variables that are set.
    pub assignments: Vec<(String, Word)>,
    /// The name and the arguments.
    pub words: Vec<Word>,
    /// Where it reads and writes.
    pub redirects: Vec<Redirect>,
}

/// A redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// What is redirected, and how.
    pub kind: RedirectKind,
    /// The file; nothing for [`RedirectKind::ErrorToOutput`].
    pub target: Word,
}

/// What is redirected, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// `<`
    Input,
    /// `>`
    Output,
    /// `>>`
    Append,
    /// `2>`
    Error,
    /// `2>>`
    AppendError,
    /// `2>&1`
    ErrorToOutput,
}

/// A word as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(pub Vec<Part>);

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Characters that were not quoted: `*`, `?` and `[` in them are patterns.
    Text(String),
    /// Characters that were quoted.
    Quoted(String),
    /// `~` at the begin.
    Home,
    /// `$NAME`, `${NAME}`, `$1`, `$?` ...
    Variable {
        /// Its name, without the sign.
        name: String,
        /// It was within double quotes: what it stands for is one piece.
        is_quoted: bool,
    },
}

/// Why a text has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub kind: SyntaxErrorKind,
    /// The line, from 1.
    pub line: usize,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxErrorKind {
    /// A quote is not closed.
    OpenQuote(char),
    /// `${` without `}`.
    OpenBrace,
    /// The text ends behind `\`.
    OpenLine,
    /// The text ends behind `|`, `&&` or `||`.
    OpenPipeline,
    /// A command is missing before this.
    NoCommand(char),
    /// A file is missing behind a redirection.
    NoTarget,
    /// The name of a variable cannot be.
    BadName,
    /// The character has no meaning here.
    Unexpected(char),
}

impl SyntaxError {
    /// Whether more text could make it right.
    pub fn is_incomplete(self) -> bool {
        use SyntaxErrorKind::{OpenBrace, OpenLine, OpenPipeline, OpenQuote};
        matches!(
            self.kind,
            OpenQuote(_) | OpenBrace | OpenLine | OpenPipeline
        )
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.kind {
            SyntaxErrorKind::OpenQuote(quote) => write!(f, "the quote {quote} is not closed"),
            SyntaxErrorKind::OpenBrace => f.write_str("'}' is missing behind '${'"),
            SyntaxErrorKind::OpenLine => f.write_str("a line is missing behind '\\'"),
            SyntaxErrorKind::OpenPipeline => f.write_str("a command is missing at the end"),
            SyntaxErrorKind::NoCommand(what) => write!(f, "a command is missing before '{what}'"),
            SyntaxErrorKind::NoTarget => f.write_str("a redirection needs the name of a file"),
            SyntaxErrorKind::BadName => f.write_str("a variable cannot have this name"),
            SyntaxErrorKind::Unexpected(what) => write!(f, "'{what}' has no meaning here"),
        }
    }
}

impl core::error::Error for SyntaxError {}

/// Whether a variable can have this name when it is set.
pub fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|other| other.is_ascii_alphanumeric() || other == '_')
}

/// Whether `$` and this mean something: a name, a number, or one of `?`, `#`, `@`, `*`, `$`, `!`.
pub fn is_parameter(text: &str) -> bool {
    is_name(text)
        || matches!(text, "?" | "#" | "@" | "*" | "$" | "!")
        || !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a character ends an unquoted word.
fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, ';' | '&' | '|' | '<' | '>' | '(' | ')')
}
