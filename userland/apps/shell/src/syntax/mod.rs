//! The language: what a text means, as a tree.
//!
//! ```text
//! script   = { list newline }
//! list     = chain { (";" | "&") chain } [";" | "&"]
//! chain    = pipeline { ("&&" | "||") pipeline }
//! pipeline = { "time" | "!" } command { "|" command }
//! command  = simple | compound { redirect } | name "(" ")" compound { redirect }
//! simple   = { name "=" word | word | redirect }
//! compound = "{" script "}" | "(" script ")"
//!          | "if" script "then" script { "elif" script "then" script } ["else" script] "fi"
//!          | ("while" | "until") script "do" script "done"
//!          | "for" name ["in" { word }] "do" script "done"
//!          | "case" word "in" { ["("] word { "|" word } ")" script ";;" } "esac"
//! redirect = ("<" | ">" | ">>" | "2>" | "2>>") word | "2>&1" | ">&2" | ("<<" | "<<-") word
//! ```
//!
//! The printed form of a tree ([`fmt::Display`]) is a text that means the same tree.

mod cursor;
mod error;
mod parse;
mod print;
#[cfg(test)]
mod tests;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
#[cfg(doc)]
use core::fmt;

pub use error::{SyntaxError, SyntaxErrorKind};
pub use parse::{TIME, parse};

/// How deep commands and words can lie within each other.
pub const DEPTH_MAX: usize = 40;

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
    /// `time`: how long it took is shown.
    pub is_timed: bool,
    /// `!`: success is failure, and the other way round.
    pub is_negated: bool,
    /// The commands, at least one.
    pub commands: Vec<Command>,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A program, a command of the shell, a function, or only assignments.
    Simple(Simple),
    /// One that is made of others.
    Compound(Compound),
    /// What a name means from now on.
    Function {
        /// The name.
        name: String,
        /// What it stands for.
        body: Rc<Compound>,
    },
}

/// A command that is made of others, and where all of them read and write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compound {
    /// What it does.
    pub kind: CompoundKind,
    /// Where it reads and writes.
    pub redirects: Vec<Redirect>,
}

/// What a command does that is made of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompoundKind {
    /// `{ ...; }`
    Group(Script),
    /// `( ... )`: nothing of this shell changes.
    Subshell(Script),
    /// `if`
    If {
        /// Conditions, and what is done behind the first one that is met.
        branches: Vec<(Script, Script)>,
        /// `else`
        otherwise: Option<Script>,
    },
    /// `while` and `until`
    Loop {
        /// As long as it ends so, it goes on.
        goes_on: When,
        /// What is asked.
        condition: Script,
        /// What is done.
        body: Script,
    },
    /// `for`
    For {
        /// The variable.
        name: String,
        /// Its values; the arguments without `in`.
        words: Option<Vec<Word>>,
        /// What is done.
        body: Script,
    },
    /// `case`
    Case {
        /// What is looked at.
        word: Word,
        /// Patterns, and what is done for the first one that is right.
        arms: Vec<(Vec<Word>, Script)>,
    },
}

/// A simple command, or assignments if there are no words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
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
    /// The file, or the text itself for [`RedirectKind::Here`]; nothing for those without a file.
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
    /// `>&2`
    OutputToError,
    /// `<<`
    Here,
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
        /// What of it.
        form: Form,
        /// It was within double quotes: what it stands for is one piece.
        is_quoted: bool,
    },
    /// `$(...)`: what commands write.
    Substitution {
        /// The commands.
        script: Rc<Script>,
        /// As for a variable.
        is_quoted: bool,
    },
    /// `$((...))`: a number.
    Arithmetic {
        /// What is calculated, as it were within double quotes.
        text: Word,
        /// As for a variable.
        is_quoted: bool,
    },
}

/// What of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its value.
    Value,
    /// `${#NAME}`: the number of its characters.
    Length,
    /// `${NAME:-WORD}` and the like.
    Or {
        /// What is done.
        action: Action,
        /// With `:`, an empty value is as none.
        is_empty_none: bool,
        /// The word.
        word: Word,
    },
}

/// What is done when a variable has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `-`: the word stands for it.
    Default,
    /// `=`: it is set to the word.
    Assign,
    /// `?`: the word is an error.
    Fail,
    /// `+`: nothing; the word, if there is a value.
    Alternative,
}

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
