//! From text to tree.

use alloc::string::String;
use alloc::vec::Vec;

use super::join::{Joined, join};
use super::{
    Chain, Command, Part, Pipeline, Redirect, RedirectKind, Script, SyntaxError, SyntaxErrorKind,
    When, Word, ends_word, is_name, is_parameter,
};

/// What a text means.
///
/// # Errors
/// What is wrong with it, and where. [`SyntaxError::is_incomplete`] says whether it may go on.
pub fn parse(text: &str) -> Result<Script, SyntaxError> {
    let joined = join(text);
    let mut parser = Parser {
        joined: &joined,
        rest: &joined.text,
        line: 1,
    };
    parser.script()
}

struct Parser<'a> {
    joined: &'a Joined,
    rest: &'a str,
    /// The line, if none had been joined.
    line: usize,
}

impl Parser<'_> {
    /// The line in the text as it was given.
    fn line(&self) -> usize {
        let place = self.joined.text.len() - self.rest.len();
        self.line + self.joined.before(place)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next()?;
        self.rest = characters.as_str();
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.line += text.matches('\n').count();
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn error<T>(&self, kind: SyntaxErrorKind) -> Result<T, SyntaxError> {
        Err(SyntaxError {
            kind,
            line: self.line(),
        })
    }

    /// Skips blanks and comments.
    fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some(blank) if blank.is_whitespace() && blank != '\n' => {
                    self.next();
                }
                Some('#') => {
                    while self.peek().is_some_and(|character| character != '\n') {
                        self.next();
                    }
                }
                Some('\\') if self.rest == "\\" || self.rest == "\\\n" => {
                    return self.error(SyntaxErrorKind::OpenLine);
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_lines(&mut self) -> Result<(), SyntaxError> {
        self.skip_blanks()?;
        while self.eat("\n") {
            self.skip_blanks()?;
        }
        Ok(())
    }

    fn script(&mut self) -> Result<Script, SyntaxError> {
        let mut chains = Vec::new();
        loop {
            self.skip_lines()?;
            if self.rest.is_empty() {
                return Ok(Script(chains));
            }
            let mut chain = self.chain()?;
            self.skip_blanks()?;
            match self.peek() {
                None | Some('\n') => {}
                Some(';') => {
                    self.next();
                }
                Some('&') => {
                    self.next();
                    chain.is_background = true;
                }
                Some(other) => return self.error(SyntaxErrorKind::Unexpected(other)),
            }
            chains.push(chain);
        }
    }

    fn chain(&mut self) -> Result<Chain, SyntaxError> {
        let line = self.line();
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks()?;
            let when = if self.eat("&&") {
                When::Success
            } else if self.eat("||") {
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

    fn pipeline(&mut self) -> Result<Pipeline, SyntaxError> {
        let is_negated = self.negation()?;
        let mut commands = Vec::new();
        loop {
            commands.push(self.command()?);
            self.skip_blanks()?;
            if self.rest.starts_with("||") || !self.eat("|") {
                return Ok(Pipeline {
                    is_negated,
                    commands,
                });
            }
            self.skip_lines()?;
        }
    }

    /// A `!` that is a word of its own.
    fn negation(&mut self) -> Result<bool, SyntaxError> {
        self.skip_blanks()?;
        let Some(rest) = self.rest.strip_prefix('!') else {
            return Ok(false);
        };
        if !rest.chars().next().is_none_or(ends_word) {
            return Ok(false);
        }
        self.next();
        self.skip_blanks()?;
        Ok(true)
    }

    fn command(&mut self) -> Result<Command, SyntaxError> {
        let mut command = Command::default();
        loop {
            self.skip_blanks()?;
            if let Some(kind) = self.redirect_kind() {
                let target = match kind {
                    RedirectKind::ErrorToOutput => Word::default(),
                    _ => {
                        self.skip_blanks()?;
                        match self.word()? {
                            Some(word) => word,
                            None => return self.error(SyntaxErrorKind::NoTarget),
                        }
                    }
                };
                command.redirects.push(Redirect { kind, target });
                continue;
            }
            if command.words.is_empty()
                && let Some(name) = self.assigned_name()
            {
                let value = self.word()?.unwrap_or_default();
                command.assignments.push((name, value));
                continue;
            }
            match self.word()? {
                Some(word) => command.words.push(word),
                None => break,
            }
        }
        if command != Command::default() {
            return Ok(command);
        }
        match self.peek() {
            None => self.error(SyntaxErrorKind::OpenPipeline),
            Some(other) => self.error(SyntaxErrorKind::NoCommand(other)),
        }
    }

    fn redirect_kind(&mut self) -> Option<RedirectKind> {
        [
            ("<", RedirectKind::Input),
            (">>", RedirectKind::Append),
            (">", RedirectKind::Output),
            ("1>>", RedirectKind::Append),
            ("1>", RedirectKind::Output),
            ("2>&1", RedirectKind::ErrorToOutput),
            ("2>>", RedirectKind::AppendError),
            ("2>", RedirectKind::Error),
        ]
        .into_iter()
        .find_map(|(text, kind)| self.eat(text).then_some(kind))
    }

    /// The name of an assignment that begins here; what is assigned is next then.
    fn assigned_name(&mut self) -> Option<String> {
        let (name, rest) = self.rest.split_once('=')?;
        if !is_name(name) {
            return None;
        }
        self.rest = rest;
        Some(name.into())
    }

    /// The word that begins here, if one does.
    fn word(&mut self) -> Result<Option<Word>, SyntaxError> {
        let mut word = Word::default();
        let mut begin = true;
        loop {
            match self.peek() {
                None => break,
                Some(end) if ends_word(end) => break,
                Some('\'') => word.push_quoted(&self.single_quoted()?),
                Some('"') => self.double_quoted(&mut word)?,
                Some('\\') => {
                    self.next();
                    match self.next() {
                        None => return self.error(SyntaxErrorKind::OpenLine),
                        Some('\n') if self.rest.is_empty() => {
                            return self.error(SyntaxErrorKind::OpenLine);
                        }
                        Some(character) => word.push_quoted(character.encode_utf8(&mut [0; 4])),
                    }
                }
                Some('$') => self.variable(&mut word, false)?,
                Some('~') if begin => {
                    self.next();
                    match self.peek() {
                        Some(next) if next != '/' && !ends_word(next) => word.push_text('~'),
                        _ => word.0.push(Part::Home),
                    }
                }
                Some(character) => {
                    self.next();
                    word.push_text(character);
                }
            }
            begin = false;
        }
        Ok((!word.0.is_empty()).then_some(word))
    }

    fn single_quoted(&mut self) -> Result<String, SyntaxError> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('\'') => return Ok(text),
                Some(character) => text.push(character),
                None => return self.error(SyntaxErrorKind::OpenQuote('\'')),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), SyntaxError> {
        self.next();
        let mut is_empty = true;
        loop {
            match self.peek() {
                None => return self.error(SyntaxErrorKind::OpenQuote('"')),
                Some('"') => {
                    self.next();
                    if is_empty {
                        word.push_quoted("");
                    }
                    return Ok(());
                }
                Some('$') => self.variable(word, true)?,
                Some('\\') => {
                    self.next();
                    match self.next() {
                        None => return self.error(SyntaxErrorKind::OpenQuote('"')),
                        Some(special @ ('"' | '\\' | '$' | '`')) => {
                            word.push_quoted(special.encode_utf8(&mut [0; 4]));
                        }
                        // Before others it is itself.
                        Some(other) => {
                            word.push_quoted("\\");
                            word.push_quoted(other.encode_utf8(&mut [0; 4]));
                        }
                    }
                }
                Some(character) => {
                    self.next();
                    word.push_quoted(character.encode_utf8(&mut [0; 4]));
                }
            }
            is_empty = false;
        }
    }

    /// What begins with `$`: a variable, or only this sign.
    fn variable(&mut self, word: &mut Word, is_quoted: bool) -> Result<(), SyntaxError> {
        self.next();
        let name: String = if self.eat("{") {
            let Some((name, rest)) = self.rest.split_once('}') else {
                return self.error(SyntaxErrorKind::OpenBrace);
            };
            if !is_parameter(name) {
                return self.error(SyntaxErrorKind::BadName);
            }
            self.rest = rest;
            name.into()
        } else {
            let len = match self.peek() {
                Some('?' | '#' | '@' | '*' | '$' | '!' | '0'..='9') => 1,
                Some(first) if first.is_ascii_alphabetic() || first == '_' => self
                    .rest
                    .find(|other: char| !other.is_ascii_alphanumeric() && other != '_')
                    .unwrap_or(self.rest.len()),
                _ => 0,
            };
            let (name, rest) = self.rest.split_at(len);
            self.rest = rest;
            name.into()
        };
        match name.is_empty() {
            true if is_quoted => word.push_quoted("$"),
            true => word.push_text('$'),
            false => word.0.push(Part::Variable { name, is_quoted }),
        }
        Ok(())
    }
}

impl Word {
    fn push_text(&mut self, character: char) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push(character),
            _ => self.0.push(Part::Text(String::from(character))),
        }
    }

    fn push_quoted(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Part::Quoted(text)) => text.push_str(more),
            _ => self.0.push(Part::Quoted(String::from(more))),
        }
    }
}
