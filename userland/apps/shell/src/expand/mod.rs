//! From words to arguments: variables, what commands write, numbers, the home directory, patterns of file names.

mod names;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::arithmetic::{self, ArithmeticError};
use crate::pattern::Symbol;
use crate::syntax::{Action, Form, Part, Script, Word, is_name};

/// The most bytes that words of one command can become, so that they cannot take all memory; what commands write counts, too.
pub const BYTES_MAX: usize = 256 * 1024;
/// What an argument counts besides its own bytes.
const ARGUMENT_COST: usize = 32;

/// What words can stand for.
pub trait World {
    /// The value of a variable or a parameter that has a sign for its name.
    fn variable(&self, name: &str) -> Option<String>;
    /// The arguments of the script, `$1` and on.
    fn arguments(&self) -> &[String];
    /// The names in a directory, empty when there is none. An empty path is the current one.
    fn entries(&self, directory: &str) -> Vec<String>;
    /// Sets a variable; whether there was room.
    fn set(&mut self, name: &str, value: &str) -> bool;
    /// What commands write.
    ///
    /// # Errors
    /// Why that cannot be had.
    fn output(&mut self, script: &Script) -> Result<String, ExpandError>;
}

/// Why words have no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpandError {
    /// A variable has no value, and shall have one.
    Unset {
        /// Its name.
        name: String,
        /// What is to be said.
        text: String,
    },
    /// A number cannot be calculated.
    Arithmetic(ArithmeticError),
    /// The words would be longer than [`BYTES_MAX`].
    TooLong,
    /// The variables have no room for this one.
    NoRoom(String),
    /// This is no variable that can be set.
    NoVariable(String),
    /// What was to be run cannot be: was told already, or was interrupted.
    Ended,
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset { name, text } if text.is_empty() => write!(f, "{name} has no value"),
            Self::Unset { name, text } => write!(f, "{name}: {text}"),
            Self::Arithmetic(error) => write!(f, "$((...)): {error}"),
            Self::TooLong => write!(f, "the words become longer than {BYTES_MAX} bytes"),
            Self::NoRoom(name) => write!(f, "{name}: the variables have no room for it"),
            Self::NoVariable(name) => write!(f, "{name} cannot be set"),
            Self::Ended => f.write_str("a command did not end"),
        }
    }
}

impl core::error::Error for ExpandError {}

type Result<T, E = ExpandError> = core::result::Result<T, E>;

/// The arguments that words stand for.
///
/// # Errors
/// Why they stand for none.
pub fn words(words: &[Word], world: &mut dyn World) -> Result<Vec<String>> {
    let mut arguments = Vec::new();
    let mut bytes = 0;
    for word in words {
        let mut fields = Fields::new(world, bytes);
        fields.word(word, Split::Never)?;
        let (found, total) = fields.finish();
        bytes = total;
        for field in found {
            let names = names::of(&field, world);
            // The field itself was counted.
            let more: usize = match names.as_slice() {
                [_] => 0,
                names => names.iter().map(|name| name.len() + ARGUMENT_COST).sum(),
            };
            bytes += more;
            if bytes > BYTES_MAX {
                return Err(ExpandError::TooLong);
            }
            arguments.extend(names);
        }
    }
    Ok(arguments)
}

/// What a word stands for as one piece, patterns left as they are: for assignments and files of redirections.
///
/// # Errors
/// Why it stands for nothing.
pub fn single(word: &Word, world: &mut dyn World) -> Result<String> {
    let symbols = pattern(word, world)?;
    Ok(symbols.iter().map(|symbol| symbol.character).collect())
}

/// What a word stands for as one piece, with what is a pattern in it.
///
/// # Errors
/// Why it stands for nothing.
pub fn pattern(word: &Word, world: &mut dyn World) -> Result<Vec<Symbol>> {
    let mut fields = Fields::new(world, 0);
    fields.is_one = true;
    fields.word(word, Split::Never)?;
    Ok(fields.field.unwrap_or_default())
}

/// Whether unquoted characters fall into fields at blanks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    /// Those of a word as it was written.
    Never,
    /// Those that stand for a variable.
    Blanks,
}

/// The fields that words fall into.
struct Fields<'a> {
    world: &'a mut dyn World,
    all: Vec<Vec<Symbol>>,
    field: Option<Vec<Symbol>>,
    bytes: usize,
    /// All is one field.
    is_one: bool,
}

impl<'a> Fields<'a> {
    fn new(world: &'a mut dyn World, bytes: usize) -> Self {
        Self {
            world,
            all: Vec::new(),
            field: None,
            bytes,
            is_one: false,
        }
    }

    fn finish(mut self) -> (Vec<Vec<Symbol>>, usize) {
        self.all.extend(self.field.take());
        (self.all, self.bytes)
    }

    fn count(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.bytes > BYTES_MAX {
            true => Err(ExpandError::TooLong),
            false => Ok(()),
        }
    }

    /// Adds to a field, which is there from then on, if only as an empty one.
    fn push(&mut self, text: &str, is_quoted: bool) -> Result<()> {
        let cost = if self.field.is_none() {
            ARGUMENT_COST
        } else {
            0
        };
        self.count(text.len() + cost)?;
        let symbols = text.chars().map(|character| Symbol {
            character,
            is_quoted,
        });
        self.field.get_or_insert_default().extend(symbols);
        Ok(())
    }

    /// Adds what falls into fields.
    fn push_split(&mut self, text: &str) -> Result<()> {
        if self.is_one {
            return self.push(text, false);
        }
        let mut pieces = text.split(char::is_whitespace);
        if let Some(first) = pieces.next()
            && !first.is_empty()
        {
            self.push(first, false)?;
        }
        for piece in pieces {
            self.all.extend(self.field.take());
            if !piece.is_empty() {
                self.push(piece, false)?;
            }
        }
        Ok(())
    }

    /// Adds what something stands for.
    fn push_value(&mut self, value: &str, is_quoted: bool) -> Result<()> {
        match is_quoted {
            true => self.push(value, true),
            false => self.push_split(value),
        }
    }

    fn word(&mut self, word: &Word, split: Split) -> Result<()> {
        word.0.iter().try_for_each(|part| self.part(part, split))
    }

    fn part(&mut self, part: &Part, split: Split) -> Result<()> {
        match part {
            Part::Text(text) if split == Split::Blanks => self.push_split(text),
            Part::Text(text) => self.push(text, false),
            Part::Quoted(text) => self.push(text, true),
            Part::Home => {
                let home = self.world.variable("HOME");
                self.push(&home.unwrap_or_else(|| String::from("/")), true)
            }
            Part::Variable {
                name,
                form,
                is_quoted,
            } => self.variable(name, form, *is_quoted),
            Part::Substitution { script, is_quoted } => {
                let output = self.world.output(script)?;
                self.push_value(output.trim_end_matches('\n'), *is_quoted)
            }
            Part::Arithmetic { text, is_quoted } => {
                let text = single(text, self.world)?;
                let mut names = Variables(self.world);
                let number = arithmetic::calculate(&text, &mut names);
                let number = number.map_err(ExpandError::Arithmetic)?;
                self.push_value(&number.to_string(), *is_quoted)
            }
        }
    }

    fn variable(&mut self, name: &str, form: &Form, is_quoted: bool) -> Result<()> {
        let (action, is_empty_none, word) = match form {
            Form::Value => return self.value(name, is_quoted),
            Form::Length => {
                let value = value(name, self.world).unwrap_or_default();
                return self.push_value(&value.chars().count().to_string(), is_quoted);
            }
            Form::Or {
                action,
                is_empty_none,
                word,
            } => (*action, *is_empty_none, word),
        };
        let value = value(name, self.world);
        let has_value = value.is_some_and(|value| !(is_empty_none && value.is_empty()));
        match (action, has_value) {
            (Action::Alternative, true) | (Action::Default, false) => {
                if is_quoted {
                    // It is there, if only as an empty one.
                    self.push("", true)?;
                }
                self.word(word, Split::Blanks)
            }
            (Action::Alternative, false) => self.push_value("", is_quoted),
            (Action::Default | Action::Assign | Action::Fail, true) => self.value(name, is_quoted),
            (Action::Fail, false) => Err(ExpandError::Unset {
                name: name.into(),
                text: single(word, self.world)?,
            }),
            (Action::Assign, false) => {
                let value = single(word, self.world)?;
                if !is_name(name) {
                    return Err(ExpandError::NoVariable(name.into()));
                }
                if !self.world.set(name, &value) {
                    return Err(ExpandError::NoRoom(name.into()));
                }
                self.push_value(&value, is_quoted)
            }
        }
    }

    fn value(&mut self, name: &str, is_quoted: bool) -> Result<()> {
        if name == "@" && is_quoted && !self.is_one {
            for (index, argument) in self.world.arguments().to_vec().iter().enumerate() {
                if index > 0 {
                    self.all.extend(self.field.take());
                }
                self.push(argument, true)?;
            }
            return Ok(());
        }
        let value = value(name, self.world).unwrap_or_default();
        self.push_value(&value, is_quoted)
    }
}

/// The value of a variable or a parameter, if it has one.
fn value(name: &str, world: &dyn World) -> Option<String> {
    let arguments = world.arguments();
    match name {
        "@" | "*" => (!arguments.is_empty()).then(|| arguments.join(" ")),
        "#" => Some(format!("{}", arguments.len())),
        _ if name.bytes().all(|byte| byte.is_ascii_digit()) => match name.parse::<usize>() {
            Ok(0) => world.variable("0"),
            Ok(index) => arguments.get(index - 1).cloned(),
            Err(_) => None,
        },
        _ => world.variable(name),
    }
}

/// The variables, as arithmetic has them.
struct Variables<'a>(&'a mut dyn World);

impl arithmetic::Names for Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.0.variable(name)
    }

    fn set(&mut self, name: &str, value: &str) -> bool {
        self.0.set(name, value)
    }
}
