//! Why a text has no meaning.

use core::fmt;

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
    /// The text ends before this, which belongs to what begins on the line.
    Missing(&'static str),
    /// The text ends within a here-document that begins on the line.
    OpenHere,
    /// A command is missing before this.
    NoCommand(char),
    /// A command is missing before this word.
    NoCommandBefore(&'static str),
    /// Something else stands where this should.
    Expected(&'static str),
    /// A file is missing behind a redirection.
    NoTarget,
    /// The name of a variable cannot be.
    BadName,
    /// The character has no meaning here.
    Unexpected(char),
    /// The word has no meaning here.
    UnexpectedWord(&'static str),
    /// Too many commands or words lie within each other.
    TooDeep,
}

impl SyntaxError {
    /// Whether more text could make it right.
    pub fn is_incomplete(self) -> bool {
        use SyntaxErrorKind::{Missing, OpenBrace, OpenHere, OpenLine, OpenPipeline, OpenQuote};
        matches!(
            self.kind,
            OpenQuote(_) | OpenBrace | OpenLine | OpenPipeline | Missing(_) | OpenHere
        )
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use SyntaxErrorKind as Kind;
        write!(f, "line {}: ", self.line)?;
        match self.kind {
            Kind::OpenQuote(quote) => write!(f, "the quote {quote} is not closed"),
            Kind::OpenBrace => f.write_str("'}' is missing behind '${'"),
            Kind::OpenLine => f.write_str("a line is missing behind '\\'"),
            Kind::OpenPipeline => f.write_str("a command is missing at the end"),
            Kind::Missing(word) => write!(f, "'{word}' is missing for what begins here"),
            Kind::OpenHere => f.write_str("the text behind '<<' does not end"),
            Kind::NoCommand(what) => write!(f, "a command is missing before '{what}'"),
            Kind::NoCommandBefore(what) => write!(f, "a command is missing before '{what}'"),
            Kind::Expected(word) => write!(f, "'{word}' is expected"),
            Kind::NoTarget => f.write_str("a redirection needs the name of a file"),
            Kind::BadName => f.write_str("a variable cannot have this name"),
            Kind::Unexpected(what) => write!(f, "'{what}' has no meaning here"),
            Kind::UnexpectedWord(what) => write!(f, "'{what}' has no meaning here"),
            Kind::TooDeep => write!(
                f,
                "more than {} commands and words within each other",
                super::DEPTH_MAX
            ),
        }
    }
}

impl core::error::Error for SyntaxError {}
