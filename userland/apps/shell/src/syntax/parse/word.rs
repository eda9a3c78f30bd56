//! Words: quotes, variables, what commands write, numbers.

use alloc::rc::Rc;
use alloc::string::String;

use super::{Parser, Result, SyntaxErrorKind, Word, ends_word, is_parameter};
use crate::syntax::{Action, Form, Part};

/// Where a word ends that is not within quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Before a blank or an operator.
    Plain,
    /// Before `}`.
    Braces,
}

/// Where something ends that is within quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Before `"`.
    Quote,
    /// Before `}`.
    Brace,
    /// Before `))`.
    Parentheses,
    /// With the text.
    Text,
}

impl Parser<'_> {
    /// The word that begins here, if one does.
    pub fn word(&mut self, mode: Mode) -> Result<Option<Word>> {
        let mut word = Word::default();
        let is_end = |next: char| match mode {
            Mode::Plain => ends_word(next),
            Mode::Braces => next == '}',
        };
        let mut is_begin = true;
        loop {
            match self.cursor.peek() {
                None if mode == Mode::Braces => return self.error(SyntaxErrorKind::OpenBrace),
                None => break,
                Some(end) if is_end(end) => break,
                Some('\'') => word.push_quoted(&self.single_quoted()?),
                Some('"') => {
                    let line = self.cursor.line();
                    self.cursor.next();
                    self.quoted(&mut word, End::Quote)?;
                    if !self.cursor.eat("\"") {
                        return self.error_at(SyntaxErrorKind::OpenQuote('"'), line);
                    }
                }
                Some('\\') => {
                    self.cursor.next();
                    match self.cursor.next_raw() {
                        None => return self.error(SyntaxErrorKind::OpenLine),
                        Some('\n') if self.cursor.is_at_end() => {
                            return self.error(SyntaxErrorKind::OpenLine);
                        }
                        Some(character) => word.push_quoted(character.encode_utf8(&mut [0; 4])),
                    }
                }
                Some('$') => self.dollar(&mut word, false)?,
                Some('~') if is_begin => {
                    self.cursor.next();
                    match self.cursor.peek() {
                        Some(next) if next != '/' && !is_end(next) => word.push_text('~'),
                        _ => word.0.push(Part::Home),
                    }
                }
                Some(character) => {
                    self.cursor.next();
                    word.push_text(character);
                }
            }
            is_begin = false;
        }
        Ok((!word.0.is_empty()).then_some(word))
    }

    fn single_quoted(&mut self) -> Result<String> {
        let line = self.cursor.line();
        self.cursor.next();
        let mut text = String::new();
        loop {
            match self.cursor.next_raw() {
                Some('\'') => return Ok(text),
                Some(character) => text.push(character),
                None => return self.error_at(SyntaxErrorKind::OpenQuote('\''), line),
            }
        }
    }

    /// What is within quotes, up to what ends it.
    pub fn quoted(&mut self, word: &mut Word, end: End) -> Result<()> {
        let mut is_empty = true;
        let mut depth = 0_usize;
        loop {
            match self.cursor.peek() {
                None => break,
                Some('"') if end == End::Quote => break,
                Some('}') if end == End::Brace => break,
                // Quotes within quotes change nothing.
                Some('"') if end == End::Brace => {
                    self.cursor.next();
                }
                Some(')') if end == End::Parentheses && depth == 0 => break,
                Some('$') => self.dollar(word, true)?,
                Some('\\') => {
                    self.cursor.next();
                    let next = self.cursor.next_raw();
                    let is_special = match next {
                        Some('\\' | '$' | '`') => true,
                        Some('"') => matches!(end, End::Quote | End::Brace),
                        Some('}') => end == End::Brace,
                        _ => false,
                    };
                    // Before others it is itself.
                    if !is_special {
                        word.push_quoted("\\");
                    }
                    if let Some(next) = next {
                        word.push_quoted(next.encode_utf8(&mut [0; 4]));
                    }
                }
                Some(character) => {
                    depth = match character {
                        '(' => depth.saturating_add(1),
                        ')' => depth.saturating_sub(1),
                        _ => depth,
                    };
                    self.cursor.next();
                    word.push_quoted(character.encode_utf8(&mut [0; 4]));
                }
            }
            is_empty = false;
        }
        if is_empty || word.0.is_empty() {
            word.push_quoted("");
        }
        Ok(())
    }

    /// What begins with `$`, or only this sign.
    fn dollar(&mut self, word: &mut Word, is_quoted: bool) -> Result<()> {
        let line = self.cursor.line();
        self.cursor.next();
        if self.cursor.eat("{") {
            let part = self.within(|parser| parser.braces(is_quoted))?;
            word.0.push(part);
            return Ok(());
        }
        if self.cursor.eat("((") {
            let mut text = Word::default();
            self.within(|parser| parser.quoted(&mut text, End::Parentheses))?;
            if !self.cursor.eat("))") {
                // One of the two may be the end of the text.
                self.cursor.eat(")");
                return self.no_end("))", line);
            }
            word.0.push(Part::Arithmetic { text, is_quoted });
            return Ok(());
        }
        if self.cursor.eat("(") {
            let script = Rc::new(self.within(Self::whole)?);
            if !self.cursor.eat(")") {
                return self.no_end(")", line);
            }
            word.0.push(Part::Substitution { script, is_quoted });
            return Ok(());
        }
        let name = match self.cursor.peek() {
            Some(one @ ('?' | '#' | '@' | '*' | '$' | '!' | '0'..='9')) => {
                self.cursor.next();
                String::from(one)
            }
            Some(first) if first.is_ascii_alphabetic() || first == '_' => self.name(),
            _ => String::new(),
        };
        match name.is_empty() {
            true if is_quoted => word.push_quoted("$"),
            true => word.push_text('$'),
            false => word.0.push(Part::Variable {
                name,
                form: Form::Value,
                is_quoted,
            }),
        }
        Ok(())
    }

    fn name(&mut self) -> String {
        let is_part = |next: char| next.is_ascii_alphanumeric() || next == '_';
        self.cursor.take_while(is_part)
    }

    /// The name of a variable or a parameter, within braces.
    fn parameter(&mut self) -> Result<String> {
        let name = match self.cursor.peek() {
            None => return self.error(SyntaxErrorKind::OpenBrace),
            Some(one @ ('?' | '#' | '@' | '*' | '$' | '!')) => {
                self.cursor.next();
                String::from(one)
            }
            Some(_) => self.name(),
        };
        match is_parameter(&name) {
            true => Ok(name),
            false => self.error(SyntaxErrorKind::BadName),
        }
    }

    /// A variable within braces, of which the first was read.
    fn braces(&mut self, is_quoted: bool) -> Result<Part> {
        let before = self.cursor;
        if self.cursor.eat("#")
            && let Ok(name) = self.parameter()
            && self.cursor.eat("}")
        {
            return Ok(Part::Variable {
                name,
                form: Form::Length,
                is_quoted,
            });
        }
        self.cursor = before;
        let name = self.parameter()?;
        let is_empty_none = self.cursor.eat(":");
        let action = match self.cursor.peek() {
            None => return self.error(SyntaxErrorKind::OpenBrace),
            Some('}') if !is_empty_none => {
                self.cursor.next();
                return Ok(Part::Variable {
                    name,
                    form: Form::Value,
                    is_quoted,
                });
            }
            Some('-') => Action::Default,
            Some('=') => Action::Assign,
            Some('?') => Action::Fail,
            Some('+') => Action::Alternative,
            Some(_) => return self.error(SyntaxErrorKind::BadName),
        };
        self.cursor.next();
        let word = match is_quoted {
            true => {
                let mut word = Word::default();
                self.quoted(&mut word, End::Brace)?;
                word
            }
            false => self.word(Mode::Braces)?.unwrap_or_default(),
        };
        if !self.cursor.eat("}") {
            return self.error(SyntaxErrorKind::OpenBrace);
        }
        Ok(Part::Variable {
            name,
            form: Form::Or {
                action,
                is_empty_none,
                word,
            },
            is_quoted,
        })
    }
}

impl Word {
    pub(super) fn push_text(&mut self, character: char) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push(character),
            _ => self.0.push(Part::Text(String::from(character))),
        }
    }

    /// Adds what was quoted, if only to say that there is something.
    pub(super) fn push_quoted(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Part::Quoted(text)) => text.push_str(more),
            _ => self.0.push(Part::Quoted(String::from(more))),
        }
    }
}
