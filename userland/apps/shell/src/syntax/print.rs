//! From tree to text.

use core::fmt;

use super::{Chain, Command, Part, Pipeline, Redirect, RedirectKind, Script, When, Word};

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = 1;
        for (index, chain) in self.0.iter().enumerate() {
            match self.0.get(index.wrapping_sub(1)) {
                Some(before) if chain.line > line => {
                    f.write_str(if before.is_background { " &" } else { "" })?;
                }
                Some(before) => f.write_str(if before.is_background { " & " } else { "; " })?,
                None => {}
            }
            while line < chain.line {
                f.write_str("\n")?;
                line += 1;
            }
            write!(f, "{chain}")?;
            line += chain.lines();
        }
        match self.0.last() {
            Some(last) if last.is_background => f.write_str(" &"),
            _ => Ok(()),
        }
    }
}

/// How many ends of lines a word's printed form has.
fn lines(word: &Word) -> usize {
    let lines = word.0.iter().map(|part| match part {
        Part::Quoted(text) => text.matches('\n').count(),
        _ => 0,
    });
    lines.sum()
}

impl Chain {
    fn lines(&self) -> usize {
        let pipelines = core::iter::once(&self.first).chain(self.rest.iter().map(|(_, next)| next));
        let commands = pipelines.flat_map(|pipeline| &pipeline.commands);
        let of_command = |command: &Command| {
            let assigned = command.assignments.iter().map(|(_, value)| value);
            let targets = command.redirects.iter().map(|redirect| &redirect.target);
            let words = command.words.iter().chain(assigned).chain(targets);
            words.map(lines).sum::<usize>()
        };
        commands.map(of_command).sum()
    }
}

/// Without the `&` of a chain in the background.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        for (when, pipeline) in &self.rest {
            let sign = match when {
                When::Success => "&&",
                When::Failure => "||",
            };
            write!(f, " {sign} {pipeline}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negated {
            f.write_str("! ")?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " | " })?;
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, value) in &self.assignments {
            write!(f, "{separator}{name}={value}")?;
            separator = " ";
        }
        for word in &self.words {
            write!(f, "{separator}{word}")?;
            separator = " ";
        }
        for redirect in &self.redirects {
            write!(f, "{separator}{redirect}")?;
            separator = " ";
        }
        Ok(())
    }
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            RedirectKind::Input => "<",
            RedirectKind::Output => ">",
            RedirectKind::Append => ">>",
            RedirectKind::Error => "2>",
            RedirectKind::AppendError => "2>>",
            RedirectKind::ErrorToOutput => return f.write_str("2>&1"),
        };
        write!(f, "{sign} {}", self.target)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "{part}"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Home => f.write_str("~"),
            Self::Variable {
                name,
                is_quoted: true,
            } => write!(f, "\"${{{name}}}\""),
            Self::Variable {
                name,
                is_quoted: false,
            } => write!(f, "${{{name}}}"),
            Self::Quoted(text) if !text.contains('\'') => write!(f, "'{text}'"),
            Self::Quoted(text) => {
                f.write_str("\"")?;
                for character in text.chars() {
                    if matches!(character, '"' | '\\' | '$' | '`') {
                        f.write_str("\\")?;
                    }
                    write!(f, "{character}")?;
                }
                f.write_str("\"")
            }
        }
    }
}
