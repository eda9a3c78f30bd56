//! Here-documents: texts in the script that a command reads. They lie behind the end of the line that asks for them: until the list
//! is read its redirections have no text, which is put in at its end.

use alloc::string::String;
use alloc::vec::Vec;

use super::word::End;
use super::{Cursor, Mode, Parser, Result, SyntaxErrorKind};
use crate::syntax::{Command, CompoundKind, Part, Redirect, RedirectKind, Script, Word};

/// A here-document whose text is still to come.
pub struct Here {
    /// The line that ends it.
    end: String,
    /// Nothing in it means anything.
    is_raw: bool,
    /// Tabs at the begins of lines do not count.
    is_indented: bool,
    /// Where it was asked for.
    pub line: usize,
}

impl Parser<'_> {
    /// What follows `<<`.
    pub fn here(&mut self, line: usize) -> Result<Redirect> {
        let is_indented = self.cursor.eat("-");
        self.skip_blanks()?;
        let Some(word) = self.word(Mode::Plain)? else {
            return self.error(SyntaxErrorKind::NoTarget);
        };
        let mut end = String::new();
        let mut is_raw = false;
        for part in &word.0 {
            match part {
                Part::Text(text) => end.push_str(text),
                Part::Quoted(text) => {
                    end.push_str(text);
                    is_raw = true;
                }
                _ => return self.error(SyntaxErrorKind::NoTarget),
            }
        }
        self.here.push(Here {
            end,
            is_raw,
            is_indented,
            line,
        });
        Ok(Redirect {
            kind: RedirectKind::Here,
            target: Word::default(),
        })
    }

    /// Reads the texts that begin here, behind the end of a line.
    pub fn read_here(&mut self) -> Result<()> {
        for here in core::mem::take(&mut self.here) {
            let first = self.cursor.line_raw();
            let mut text = String::new();
            loop {
                let Some(line) = self.cursor.next_line() else {
                    return self.error_at(SyntaxErrorKind::OpenHere, here.line);
                };
                let line = match here.is_indented {
                    true => line.trim_start_matches('\t'),
                    false => line,
                };
                if line == here.end {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            let mut word = Word::default();
            if here.is_raw {
                word.push_quoted(&text);
            } else {
                let mut inside = Parser {
                    cursor: Cursor::new(&text, first),
                    depth: self.depth,
                    here: Vec::new(),
                    texts: Vec::new(),
                };
                inside.quoted(&mut word, End::Text)?;
            }
            if word.0 == [Part::Quoted(String::new())] {
                word.0.clear();
            }
            self.texts.push(word);
        }
        Ok(())
    }
}

/// Puts texts in their places, in the order in which they were asked for.
pub fn fill(script: &mut Script, texts: &mut impl Iterator<Item = Word>) {
    for chain in &mut script.0 {
        let rest = chain.rest.iter_mut().map(|(_, pipeline)| pipeline);
        for pipeline in core::iter::once(&mut chain.first).chain(rest) {
            for command in &mut pipeline.commands {
                fill_command(command, texts);
            }
        }
    }
}

fn fill_command(command: &mut Command, texts: &mut impl Iterator<Item = Word>) {
    let compound = match command {
        Command::Simple(simple) => return fill_redirects(&mut simple.redirects, texts),
        Command::Compound(compound) => Some(compound),
        // Nobody else has it yet.
        Command::Function { body, .. } => alloc::rc::Rc::get_mut(body),
    };
    let Some(compound) = compound else {
        return;
    };
    match &mut compound.kind {
        CompoundKind::Group(script) | CompoundKind::Subshell(script) => fill(script, texts),
        CompoundKind::If {
            branches,
            otherwise,
        } => {
            for (condition, body) in branches {
                fill(condition, texts);
                fill(body, texts);
            }
            if let Some(otherwise) = otherwise {
                fill(otherwise, texts);
            }
        }
        CompoundKind::Loop {
            condition, body, ..
        } => {
            fill(condition, texts);
            fill(body, texts);
        }
        CompoundKind::For { body, .. } => fill(body, texts),
        CompoundKind::Case { arms, .. } => {
            arms.iter_mut().for_each(|(_, body)| fill(body, texts));
        }
    }
    fill_redirects(&mut compound.redirects, texts);
}

fn fill_redirects(redirects: &mut [Redirect], texts: &mut impl Iterator<Item = Word>) {
    let here = redirects
        .iter_mut()
        .filter(|redirect| redirect.kind == RedirectKind::Here);
    for (redirect, text) in here.zip(texts) {
        redirect.target = text;
    }
}
