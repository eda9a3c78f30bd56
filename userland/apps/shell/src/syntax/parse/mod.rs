//! From text to tree.

mod compound;
mod here;
mod word;

use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::Cursor;
use super::{
    Chain, Command, DEPTH_MAX, Pipeline, Redirect, RedirectKind, Script, Simple, SyntaxError,
    SyntaxErrorKind, When, Word, ends_word, is_name, is_parameter,
};
use here::Here;
use word::Mode;

type Result<T> = core::result::Result<T, SyntaxError>;

/// What a text means.
///
/// # Errors
/// What is wrong with it, and where. [`SyntaxError::is_incomplete`] says whether it may go on.
pub fn parse(text: &str) -> Result<Script> {
    let mut parser = Parser {
        cursor: Cursor::new(text, 1),
        depth: 0,
        here: Vec::new(),
        texts: Vec::new(),
    };
    let script = parser.whole()?;
    match parser.cursor.peek() {
        None => Ok(script),
        Some(';') => parser.error(SyntaxErrorKind::NoCommand(';')),
        Some(other) => match parser.keyword() {
            Some(word) => parser.error(SyntaxErrorKind::UnexpectedWord(word)),
            None => parser.error(SyntaxErrorKind::Unexpected(other)),
        },
    }
}

/// The words that mean something where a command could begin.
pub(super) const KEYWORDS: &[&str] = &[
    "if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "case", "esac", "{",
    "}", "!",
];
/// The word before what is timed.
pub const TIME: &str = "time";
/// Those that end a list.
const CLOSERS: &[&str] = &["then", "elif", "else", "fi", "do", "done", "esac", "}"];

struct Parser<'a> {
    cursor: Cursor<'a>,
    /// How many commands and words this lies in.
    depth: usize,
    /// Here-documents whose text comes behind the end of the line.
    here: Vec<Here>,
    /// The texts of here-documents that were read.
    texts: Vec<Word>,
}

impl Parser<'_> {
    fn error<T>(&self, kind: SyntaxErrorKind) -> Result<T> {
        self.error_at(kind, self.cursor.line())
    }

    fn error_at<T>(&self, kind: SyntaxErrorKind, line: usize) -> Result<T> {
        Err(SyntaxError { kind, line })
    }

    /// Reads something that lies within something else.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return self.error(SyntaxErrorKind::TooDeep);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Skips blanks and comments.
    fn skip_blanks(&mut self) -> Result<()> {
        loop {
            match self.cursor.peek() {
                Some(blank) if blank.is_whitespace() && blank != '\n' => {
                    self.cursor.next();
                }
                Some('#') => {
                    self.cursor.next();
                    while !self.cursor.is_at_end() && !self.cursor.rest().starts_with('\n') {
                        self.cursor.next_raw();
                    }
                }
                Some('\\') if self.cursor.is_open_line() => {
                    return self.error(SyntaxErrorKind::OpenLine);
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_lines(&mut self) -> Result<()> {
        self.skip_blanks()?;
        while self.cursor.eat("\n") {
            self.read_here()?;
            self.skip_blanks()?;
        }
        Ok(())
    }

    /// The word that follows, if it means something where a command could begin.
    fn keyword(&self) -> Option<&'static str> {
        let is_whole = |word: &&&str| {
            let behind = self.cursor.behind(word);
            behind.is_some_and(|behind| behind.peek().is_none_or(ends_word))
        };
        KEYWORDS.iter().find(is_whole).copied()
    }

    /// Goes behind a word, if it follows.
    fn eat_keyword(&mut self, word: &str) -> bool {
        self.keyword() == Some(word) && self.cursor.eat(word)
    }

    /// Goes behind `time`, if it and a command follow; with an option, or alone, it is a command itself.
    fn eat_time(&mut self) -> bool {
        let is_blank = |next: &char| next.is_whitespace() && *next != '\n';
        let Some(mut behind) = self.cursor.behind(TIME) else {
            return false;
        };
        let is_word = behind.peek().is_some_and(|next| is_blank(&next));
        while behind.peek().filter(is_blank).is_some() {
            behind.next();
        }
        let begins = |next| next == '(' || !ends_word(next) && !matches!(next, '-' | '#');
        is_word && behind.peek().is_some_and(begins) && self.cursor.eat(TIME)
    }

    /// A list whose here-documents end in it.
    fn whole(&mut self) -> Result<Script> {
        let before = core::mem::take(&mut self.here);
        let texts_before = core::mem::take(&mut self.texts);
        let mut script = self.list()?;
        if let Some(open) = self.here.first() {
            return self.error_at(SyntaxErrorKind::OpenHere, open.line);
        }
        self.here = before;
        let texts = core::mem::replace(&mut self.texts, texts_before);
        here::fill(&mut script, &mut texts.into_iter());
        Ok(script)
    }

    /// Commands up to what ends them.
    fn list(&mut self) -> Result<Script> {
        let mut chains = Vec::new();
        loop {
            self.skip_lines()?;
            if self.is_list_end() {
                return Ok(Script(chains));
            }
            let mut chain = self.chain()?;
            self.skip_blanks()?;
            match self.cursor.peek() {
                None | Some('\n') => {}
                _ if self.is_list_end() => {}
                Some(';') => {
                    self.cursor.next();
                }
                Some('&') => {
                    self.cursor.next();
                    chain.is_background = true;
                }
                Some(other) => return self.error(SyntaxErrorKind::Unexpected(other)),
            }
            chains.push(chain);
        }
    }

    fn is_list_end(&self) -> bool {
        let is_closed = matches!(self.cursor.peek(), None | Some(')'));
        is_closed
            || self.cursor.starts_with(";;")
            || self.keyword().is_some_and(|word| CLOSERS.contains(&word))
    }

    fn chain(&mut self) -> Result<Chain> {
        let line = self.cursor.line();
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks()?;
            let when = if self.cursor.eat("&&") {
                When::Success
            } else if self.cursor.eat("||") {
                When::Failure
            } else {
                return Ok(Chain {
                    first,
                    rest,
                    is_background: false,
                    line,
                });
            };
            self.skip_lines()?;
            rest.push((when, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline> {
        let (mut is_timed, mut is_negated) = (false, false);
        loop {
            self.skip_blanks()?;
            if self.eat_time() {
                is_timed = true;
            } else if self.eat_keyword("!") {
                is_negated = !is_negated;
            } else {
                break;
            }
        }
        let mut commands = Vec::new();
        loop {
            self.skip_blanks()?;
            commands.push(self.command()?);
            self.skip_blanks()?;
            if self.cursor.starts_with("||") || !self.cursor.eat("|") {
                return Ok(Pipeline {
                    is_timed,
                    is_negated,
                    commands,
                });
            }
            self.skip_lines()?;
        }
    }

    fn command(&mut self) -> Result<Command> {
        if let Some(compound) = self.compound()? {
            return Ok(Command::Compound(compound));
        }
        match self.function_name() {
            Some(name) => self.function(name),
            None => Ok(Command::Simple(self.simple()?)),
        }
    }

    fn simple(&mut self) -> Result<Simple> {
        let mut command = Simple::default();
        loop {
            self.skip_blanks()?;
            if let Some(redirect) = self.redirect()? {
                command.redirects.push(redirect);
                continue;
            }
            if command.words.is_empty()
                && let Some(name) = self.assigned_name()
            {
                let value = self.word(Mode::Plain)?.unwrap_or_default();
                command.assignments.push((name, value));
                continue;
            }
            match self.word(Mode::Plain)? {
                Some(word) => command.words.push(word),
                None => break,
            }
        }
        if command != Simple::default() {
            return Ok(command);
        }
        match self.cursor.peek() {
            None => self.error(SyntaxErrorKind::OpenPipeline),
            Some(other) => self.error(SyntaxErrorKind::NoCommand(other)),
        }
    }

    /// The redirection that begins here, if one does.
    fn redirect(&mut self) -> Result<Option<Redirect>> {
        let kinds = [
            ("<<", RedirectKind::Here),
            ("<", RedirectKind::Input),
            (">>", RedirectKind::Append),
            (">&2", RedirectKind::OutputToError),
            (">", RedirectKind::Output),
            ("1>>", RedirectKind::Append),
            ("1>&2", RedirectKind::OutputToError),
            ("1>", RedirectKind::Output),
            ("2>&1", RedirectKind::ErrorToOutput),
            ("2>>", RedirectKind::AppendError),
            ("2>", RedirectKind::Error),
        ];
        let mut kinds = kinds.into_iter();
        let line = self.cursor.line();
        let Some((_, kind)) = kinds.find(|(text, _)| self.cursor.eat(text)) else {
            return Ok(None);
        };
        let target = match kind {
            RedirectKind::ErrorToOutput | RedirectKind::OutputToError => Word::default(),
            RedirectKind::Here => return self.here(line).map(Some),
            _ => {
                self.skip_blanks()?;
                match self.word(Mode::Plain)? {
                    Some(word) => word,
                    None => return self.error(SyntaxErrorKind::NoTarget),
                }
            }
        };
        Ok(Some(Redirect { kind, target }))
    }

    /// The name of an assignment that begins here; what is assigned is next then.
    fn assigned_name(&mut self) -> Option<String> {
        let mut ahead = self.cursor;
        let name = ahead.take_while(|next| next.is_ascii_alphanumeric() || next == '_');
        if !is_name(&name) || !ahead.eat("=") {
            return None;
        }
        self.cursor = ahead;
        Some(name)
    }
}
