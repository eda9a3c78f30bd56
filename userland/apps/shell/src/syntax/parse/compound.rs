//! Commands that are made of others.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::{
    CLOSERS, Command, Mode, Parser, Result, Script, SyntaxErrorKind, When, Word, ends_word, is_name,
};
use crate::syntax::{Compound, CompoundKind};

impl Parser<'_> {
    /// The compound command that begins here, if one does.
    pub fn compound(&mut self) -> Result<Option<Compound>> {
        let line = self.cursor.line();
        if self.cursor.eat("(") {
            let script = self.within(|parser| parser.body(")", line))?;
            if !self.cursor.eat(")") {
                return self.no_end(")", line);
            }
            return self.redirected(CompoundKind::Subshell(script)).map(Some);
        }
        let Some(word) = self.keyword() else {
            return Ok(None);
        };
        if CLOSERS.contains(&word) || word == "!" {
            return self.error(SyntaxErrorKind::NoCommandBefore(word));
        }
        self.cursor.eat(word);
        let kind = self.within(|parser| match word {
            "if" => parser.condition(line),
            "while" => parser.repetition(When::Success, line),
            "until" => parser.repetition(When::Failure, line),
            "for" => parser.for_each(line),
            "case" => parser.choice(line),
            _ => {
                let script = parser.body("}", line)?;
                parser.expect("}", line)?;
                Ok(CompoundKind::Group(script))
            }
        })?;
        self.redirected(kind).map(Some)
    }

    fn redirected(&mut self, kind: CompoundKind) -> Result<Compound> {
        let mut redirects = Vec::new();
        loop {
            self.skip_blanks()?;
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(Compound { kind, redirects }),
            }
        }
    }

    /// At least one command, before a word.
    fn body(&mut self, before: &'static str, line: usize) -> Result<Script> {
        let script = self.list()?;
        match (script.0.is_empty(), self.cursor.peek()) {
            (false, _) => Ok(script),
            (true, None) => self.error_at(SyntaxErrorKind::Missing(before), line),
            (true, Some(_)) => self.error(SyntaxErrorKind::NoCommandBefore(before)),
        }
    }

    /// Something else, or nothing, stands where a word should, of what begins on a line.
    pub fn no_end<T>(&self, word: &'static str, line: usize) -> Result<T> {
        match self.cursor.is_at_end() {
            true => self.error_at(SyntaxErrorKind::Missing(word), line),
            false => self.error(SyntaxErrorKind::Expected(word)),
        }
    }

    fn expect(&mut self, word: &'static str, line: usize) -> Result<()> {
        self.skip_lines()?;
        match self.eat_keyword(word) {
            true => Ok(()),
            false => self.no_end(word, line),
        }
    }

    fn condition(&mut self, line: usize) -> Result<CompoundKind> {
        let mut branches = Vec::new();
        loop {
            let condition = self.body("then", line)?;
            self.expect("then", line)?;
            branches.push((condition, self.body("fi", line)?));
            if !self.eat_keyword("elif") {
                break;
            }
        }
        let otherwise = match self.eat_keyword("else") {
            true => Some(self.body("fi", line)?),
            false => None,
        };
        self.expect("fi", line)?;
        Ok(CompoundKind::If {
            branches,
            otherwise,
        })
    }

    fn repetition(&mut self, goes_on: When, line: usize) -> Result<CompoundKind> {
        let condition = self.body("do", line)?;
        let body = self.repeated(line)?;
        Ok(CompoundKind::Loop {
            goes_on,
            condition,
            body,
        })
    }

    /// `do ... done`
    fn repeated(&mut self, line: usize) -> Result<Script> {
        self.expect("do", line)?;
        let body = self.body("done", line)?;
        self.expect("done", line)?;
        Ok(body)
    }

    fn for_each(&mut self, line: usize) -> Result<CompoundKind> {
        self.skip_blanks()?;
        let name = self.cursor.take_while(|next| !ends_word(next));
        if name.is_empty() && self.cursor.is_at_end() {
            return self.error_at(SyntaxErrorKind::Missing("do"), line);
        }
        if !is_name(&name) {
            return self.error(SyntaxErrorKind::BadName);
        }
        self.skip_lines()?;
        let words = match self.eat_in() {
            true => Some(self.words()?),
            false => None,
        };
        self.skip_blanks()?;
        self.cursor.eat(";");
        let body = self.repeated(line)?;
        Ok(CompoundKind::For { name, words, body })
    }

    fn eat_in(&mut self) -> bool {
        match self.cursor.behind("in") {
            Some(behind) if behind.peek().is_none_or(ends_word) => {
                self.cursor = behind;
                true
            }
            _ => false,
        }
    }

    fn words(&mut self) -> Result<Vec<Word>> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks()?;
            match self.word(Mode::Plain)? {
                Some(word) => words.push(word),
                None => return Ok(words),
            }
        }
    }

    fn choice(&mut self, line: usize) -> Result<CompoundKind> {
        self.skip_blanks()?;
        let Some(word) = self.word(Mode::Plain)? else {
            return self.no_end("in", line);
        };
        self.skip_lines()?;
        if !self.eat_in() {
            return self.no_end("in", line);
        }
        let mut arms = Vec::new();
        loop {
            self.skip_lines()?;
            if self.eat_keyword("esac") {
                return Ok(CompoundKind::Case { word, arms });
            }
            self.cursor.eat("(");
            let patterns = self.patterns(line)?;
            arms.push((patterns, self.list()?));
            if !self.cursor.eat(";;") {
                self.expect("esac", line)?;
                return Ok(CompoundKind::Case { word, arms });
            }
        }
    }

    /// Patterns of `case`, up to `)`.
    fn patterns(&mut self, line: usize) -> Result<Vec<Word>> {
        let mut patterns = Vec::new();
        loop {
            self.skip_blanks()?;
            match self.word(Mode::Plain)? {
                Some(word) => patterns.push(word),
                None => return self.no_end("esac", line),
            }
            self.skip_blanks()?;
            if self.cursor.eat(")") {
                return Ok(patterns);
            }
            if !self.cursor.eat("|") {
                return match self.cursor.is_at_end() {
                    true => self.error_at(SyntaxErrorKind::Missing("esac"), line),
                    false => self.error(SyntaxErrorKind::Expected(")")),
                };
            }
        }
    }

    /// The name of a function that begins here; what it does is next then.
    pub fn function_name(&mut self) -> Option<String> {
        let mut ahead = self.cursor;
        let is_blank = |next: char| next.is_whitespace() && next != '\n';
        let name = ahead.take_while(|next| next.is_ascii_alphanumeric() || next == '_');
        ahead.take_while(is_blank);
        if !is_name(&name) || !ahead.eat("(") {
            return None;
        }
        ahead.take_while(is_blank);
        if !ahead.eat(")") {
            return None;
        }
        self.cursor = ahead;
        Some(name)
    }

    pub fn function(&mut self, name: String) -> Result<Command> {
        let line = self.cursor.line();
        self.skip_lines()?;
        match self.within(Self::compound)? {
            Some(body) => Ok(Command::Function {
                name,
                body: Rc::new(body),
            }),
            None => self.no_end("{", line),
        }
    }
}
