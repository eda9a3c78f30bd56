//! From tree to text.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::parse::{KEYWORDS, TIME};
use super::{
    Action, Chain, Command, Compound, CompoundKind, Form, Part, Pipeline, Redirect, RedirectKind,
    Script, Simple, When, Word,
};

impl fmt::Display for Script {
    /// Chains begin on their lines, if what is before leaves them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::new(f, Lines::Kept);
        printer.list(self, "")?;
        printer.flush()
    }
}

/// Without the `&` of a chain in the background, and on as few lines as can be.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::new(f, Lines::Few);
        printer.chain(self)?;
        printer.flush()
    }
}

/// On as few lines as can be.
impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::new(f, Lines::Few);
        printer.pipeline(self)?;
        printer.flush()
    }
}

/// On as few lines as can be.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::new(f, Lines::Few);
        printer.command(self)?;
        printer.flush()
    }
}

/// On as few lines as can be.
impl fmt::Display for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::new(f, Lines::Few);
        printer.simple(self)?;
        printer.flush()
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer::new(f, Lines::Few).word(self)
    }
}

/// Whether chains begin on the lines that they came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Kept,
    Few,
}

/// Within what quoted parts are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    /// `${...}` within `"..."`.
    Braces,
    /// `$((...))` and here-documents.
    Other,
}

struct Printer<'a> {
    to: &'a mut dyn Write,
    lines: Lines,
    /// The line that is being written.
    line: usize,
    /// Here-documents that come behind the end of it.
    here: Vec<String>,
}

impl Write for Printer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.line += text.matches('\n').count();
        self.to.write_str(text)
    }
}

impl<'a> Printer<'a> {
    fn new(to: &'a mut dyn Write, lines: Lines) -> Self {
        Self {
            to,
            lines,
            line: 1,
            here: Vec::new(),
        }
    }

    /// Ends a line.
    fn end_line(&mut self) -> fmt::Result {
        self.write_str("\n")?;
        for text in core::mem::take(&mut self.here) {
            self.write_str(&text)?;
        }
        Ok(())
    }

    /// Writes the here-documents that are left.
    fn flush(&mut self) -> fmt::Result {
        match self.here.is_empty() {
            true => Ok(()),
            false => self.end_line(),
        }
    }

    /// Goes to the line of a chain, if that is still to come; otherwise writes something.
    fn go_to(&mut self, chain: &Chain, otherwise: &str) -> fmt::Result {
        if self.lines == Lines::Few || chain.line <= self.line {
            return self.write_str(otherwise);
        }
        while self.line < chain.line {
            self.end_line()?;
        }
        Ok(())
    }

    /// Chains, behind a separator if they go on in the same line, and without one at the end.
    fn list(&mut self, script: &Script, separator: &str) -> fmt::Result {
        let mut before: Option<&Chain> = None;
        for chain in &script.0 {
            match before {
                None => self.go_to(chain, separator)?,
                Some(before) if before.is_background => {
                    self.write_str(" &")?;
                    self.go_to(chain, " ")?;
                }
                Some(_) => self.go_to(chain, "; ")?,
            }
            self.chain(chain)?;
            before = Some(chain);
        }
        match before {
            Some(last) if last.is_background => self.write_str(" &"),
            _ => Ok(()),
        }
    }

    /// Chains between two words.
    fn body(&mut self, script: &Script, end: &str) -> fmt::Result {
        self.list(script, " ")?;
        let is_background = script.0.last().is_some_and(|last| last.is_background);
        let separator = if is_background { "" } else { ";" };
        write!(self, "{separator} {end}")
    }

    fn chain(&mut self, chain: &Chain) -> fmt::Result {
        self.pipeline(&chain.first)?;
        for (when, pipeline) in &chain.rest {
            self.write_str(match when {
                When::Success => " && ",
                When::Failure => " || ",
            })?;
            self.pipeline(pipeline)?;
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> fmt::Result {
        self.write_str(if pipeline.is_timed { "time " } else { "" })?;
        self.write_str(if pipeline.is_negated { "! " } else { "" })?;
        for (index, command) in pipeline.commands.iter().enumerate() {
            self.write_str(if index == 0 { "" } else { " | " })?;
            self.command(command)?;
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> fmt::Result {
        match command {
            Command::Simple(simple) => self.simple(simple),
            Command::Compound(compound) => self.compound(compound),
            Command::Function { name, body } => {
                write!(self, "{name}() ")?;
                self.compound(body)
            }
        }
    }

    fn simple(&mut self, command: &Simple) -> fmt::Result {
        let mut separator = "";
        for (name, value) in &command.assignments {
            write!(self, "{separator}{name}=")?;
            self.word(value)?;
            separator = " ";
        }
        // A word that would begin something else comes behind a redirection.
        let is_first = matches!(command.words.first().map(|word| word.0.as_slice()),
            Some([Part::Text(text)]) if text == TIME || KEYWORDS.contains(&text.as_str()));
        let (before, behind) = match is_first {
            true => (command.redirects.as_slice(), [].as_slice()),
            false => ([].as_slice(), command.redirects.as_slice()),
        };
        for redirect in before {
            self.write_str(separator)?;
            self.redirect(redirect)?;
            separator = " ";
        }
        for word in &command.words {
            self.write_str(separator)?;
            self.word(word)?;
            separator = " ";
        }
        for redirect in behind {
            self.write_str(separator)?;
            self.redirect(redirect)?;
            separator = " ";
        }
        Ok(())
    }

    fn compound(&mut self, compound: &Compound) -> fmt::Result {
        match &compound.kind {
            CompoundKind::Group(script) => {
                self.write_str("{")?;
                self.body(script, "}")?;
            }
            CompoundKind::Subshell(script) => {
                self.write_str("(")?;
                self.list(script, " ")?;
                self.write_str(" )")?;
            }
            CompoundKind::If {
                branches,
                otherwise,
            } => {
                for (index, (condition, body)) in branches.iter().enumerate() {
                    self.write_str(if index == 0 { "if" } else { "elif" })?;
                    self.body(condition, "then")?;
                    let is_last = index + 1 == branches.len();
                    self.body(body, "")?;
                    if is_last && let Some(otherwise) = otherwise {
                        self.write_str("else")?;
                        self.body(otherwise, "")?;
                    }
                }
                self.write_str("fi")?;
            }
            CompoundKind::Loop {
                goes_on,
                condition,
                body,
            } => {
                self.write_str(match goes_on {
                    When::Success => "while",
                    When::Failure => "until",
                })?;
                self.body(condition, "do")?;
                self.body(body, "done")?;
            }
            CompoundKind::For { name, words, body } => {
                write!(self, "for {name}")?;
                if let Some(words) = words {
                    self.write_str(" in")?;
                    for word in words {
                        self.write_str(" ")?;
                        self.word(word)?;
                    }
                }
                self.write_str("; do")?;
                self.body(body, "done")?;
            }
            CompoundKind::Case { word, arms } => {
                self.write_str("case ")?;
                self.word(word)?;
                self.write_str(" in ")?;
                for (patterns, body) in arms {
                    for (index, pattern) in patterns.iter().enumerate() {
                        self.write_str(if index == 0 { "(" } else { " | " })?;
                        self.word(pattern)?;
                    }
                    self.write_str(")")?;
                    self.list(body, " ")?;
                    self.write_str(" ;; ")?;
                }
                self.write_str("esac")?;
            }
        }
        for redirect in &compound.redirects {
            self.write_str(" ")?;
            self.redirect(redirect)?;
        }
        Ok(())
    }

    fn redirect(&mut self, redirect: &Redirect) -> fmt::Result {
        let sign = match redirect.kind {
            RedirectKind::Input => "<",
            RedirectKind::Output => ">",
            RedirectKind::Append => ">>",
            RedirectKind::Error => "2>",
            RedirectKind::AppendError => "2>>",
            RedirectKind::ErrorToOutput => return self.write_str("2>&1"),
            RedirectKind::OutputToError => return self.write_str(">&2"),
            RedirectKind::Here => return self.here(&redirect.target),
        };
        write!(self, "{sign} ")?;
        self.word(&redirect.target)
    }

    fn here(&mut self, text: &Word) -> fmt::Result {
        let mut printed = String::new();
        let mut printer = Printer::new(&mut printed, Lines::Few);
        printer.within_quotes(text, Quotes::Other)?;
        // A line of its own ends it, that is none of the text.
        let mut end = String::from("END");
        while printed.lines().any(|line| line == end) {
            end.push('_');
        }
        write!(self, "<<{end}")?;
        self.here.push(alloc::format!("{printed}{end}\n"));
        Ok(())
    }

    fn word(&mut self, word: &Word) -> fmt::Result {
        word.0.iter().try_for_each(|part| self.part(part))
    }

    fn part(&mut self, part: &Part) -> fmt::Result {
        match part {
            Part::Text(text) => self.write_str(text),
            Part::Home => self.write_str("~"),
            Part::Quoted(text) if !text.contains('\'') => write!(self, "'{text}'"),
            Part::Quoted(text) => {
                self.write_str("\"")?;
                self.escaped(text, &['"', '\\', '$', '`'])?;
                self.write_str("\"")
            }
            Part::Variable { is_quoted, .. }
            | Part::Substitution { is_quoted, .. }
            | Part::Arithmetic { is_quoted, .. } => {
                let quote = if *is_quoted { "\"" } else { "" };
                self.write_str(quote)?;
                self.dollar(part)?;
                self.write_str(quote)
            }
        }
    }

    /// What begins with `$`, without quotes around it.
    fn dollar(&mut self, part: &Part) -> fmt::Result {
        match part {
            Part::Variable {
                name,
                form: Form::Value,
                ..
            } => write!(self, "${{{name}}}"),
            Part::Variable {
                name,
                form: Form::Length,
                ..
            } => write!(self, "${{#{name}}}"),
            Part::Variable {
                name,
                form:
                    Form::Or {
                        action,
                        is_empty_none,
                        word,
                    },
                is_quoted,
            } => {
                let colon = if *is_empty_none { ":" } else { "" };
                let sign = match action {
                    Action::Default => '-',
                    Action::Assign => '=',
                    Action::Fail => '?',
                    Action::Alternative => '+',
                };
                write!(self, "${{{name}{colon}{sign}")?;
                match is_quoted {
                    true => self.within_quotes(word, Quotes::Braces)?,
                    false => self.word(word)?,
                }
                self.write_str("}")
            }
            Part::Substitution { script, .. } => {
                // Two parentheses would be a number.
                self.write_str("$( ")?;
                let before = core::mem::take(&mut self.here);
                self.list(script, "")?;
                self.flush()?;
                self.here = before;
                self.write_str(" )")
            }
            Part::Arithmetic { text, .. } => {
                self.write_str("$((")?;
                self.within_quotes(text, Quotes::Other)?;
                self.write_str("))")
            }
            Part::Text(_) | Part::Quoted(_) | Part::Home => Ok(()),
        }
    }

    /// Parts that were read within quotes.
    fn within_quotes(&mut self, word: &Word, quotes: Quotes) -> fmt::Result {
        let special: &[char] = match quotes {
            Quotes::Braces => &['"', '\\', '$', '`', '}'],
            Quotes::Other => &['\\', '$', '`'],
        };
        word.0.iter().try_for_each(|part| match part {
            Part::Text(text) | Part::Quoted(text) => self.escaped(text, special),
            part => self.dollar(part),
        })
    }

    fn escaped(&mut self, text: &str, special: &[char]) -> fmt::Result {
        for character in text.chars() {
            if special.contains(&character) {
                self.write_str("\\")?;
            }
            self.write_char(character)?;
        }
        Ok(())
    }
}
