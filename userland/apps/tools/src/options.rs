//! The options of a command, by a table.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use getargs::{Arg, Options as Reader};

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// `-n`.
    pub short: char,
    /// `--lines`.
    pub long: &'static str,
    /// What its value is called; empty for an option without one.
    pub value: &'static str,
    /// What it does.
    pub text: &'static str,
}

/// What can be said to a command.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Its arguments, as `[FILE ...]`.
    pub arguments: &'static str,
    /// Its options.
    pub flags: &'static [Flag],
}

/// What was said to a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    flags: Vec<(char, String)>,
    /// The arguments that are no options.
    pub arguments: Vec<String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// What the command is for.
    Run(Given),
    /// This text is shown: `--help` was asked for.
    Help(String),
}

impl Usage {
    /// The text for `--help`.
    pub fn help(&self) -> String {
        let options = if self.flags.is_empty() {
            ""
        } else {
            "[OPTION ...] "
        };
        let mut text = format!(
            "{}: {}\n\nusage: {} {options}{}\n\n",
            self.name, self.about, self.name, self.arguments
        );
        for flag in self.flags {
            let value = match flag.value {
                "" => String::new(),
                value => format!(" {value}"),
            };
            let names = format!("-{}, --{}{value}", flag.short, flag.long);
            text.push_str(&format!("  {names:24} {}\n", flag.text));
        }
        text.push_str(&format!("  {:24} shows this\n", "    --help"));
        text
    }

    /// What the arguments, without the name, say.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    pub fn parse(&self, arguments: &[&str]) -> Result<Parsed, String> {
        let mut given = Given::default();
        let mut reader = Reader::new(arguments.iter().copied());
        let wrong = |what: String| format!("{what}; see {} --help", self.name);
        loop {
            let next = reader.next_arg();
            let next = next.map_err(|error| wrong(format!("{error}")))?;
            let (flag, name) = match next {
                None => return Ok(Parsed::Run(given)),
                Some(Arg::Positional(argument)) => {
                    given.arguments.push(argument.into());
                    continue;
                }
                Some(Arg::Long("help")) => return Ok(Parsed::Help(self.help())),
                Some(Arg::Short(short)) => {
                    let mut flags = self.flags.iter();
                    (flags.find(|flag| flag.short == short), format!("-{short}"))
                }
                Some(Arg::Long(long)) => {
                    let mut flags = self.flags.iter();
                    (flags.find(|flag| flag.long == long), format!("--{long}"))
                }
            };
            let Some(flag) = flag else {
                return Err(wrong(format!("there is no option {name}")));
            };
            let value = match flag.value {
                "" => "",
                _ => reader
                    .value()
                    .map_err(|_| wrong(format!("the option {name} needs a value")))?,
            };
            given.flags.push((flag.short, value.into()));
        }
    }
}

impl Given {
    /// Arguments that are taken as they are, without options.
    pub fn plain(arguments: &[&str]) -> Self {
        Self {
            flags: Vec::new(),
            arguments: arguments
                .iter()
                .map(|argument| String::from(*argument))
                .collect(),
        }
    }

    /// Whether an option was given.
    pub fn has(&self, short: char) -> bool {
        self.flags.iter().any(|(other, _)| *other == short)
    }

    /// The value of an option, as it was given last.
    pub fn value(&self, short: char) -> Option<&str> {
        let mut all = self.flags.iter().rev();
        all.find(|(other, _)| *other == short)
            .map(|(_, value)| value.as_str())
    }

    /// The number that is the value of an option.
    ///
    /// # Errors
    /// A sentence, when it is none.
    pub fn number(&self, short: char, otherwise: u64) -> Result<u64, String> {
        match self.value(short) {
            None => Ok(otherwise),
            Some(text) => text
                .parse()
                .map_err(|_| format!("'{text}' is no number for -{short}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const USAGE: Usage = Usage {
        name: "head",
        about: "shows the begin of files",
        arguments: "[FILE ...]",
        flags: &[
            Flag {
                short: 'n',
                long: "lines",
                value: "COUNT",
                text: "so many lines",
            },
            Flag {
                short: 'q',
                long: "quiet",
                value: "",
                text: "without names",
            },
        ],
    };

    fn run(arguments: &[&str]) -> Given {
        match USAGE.parse(arguments) {
            Ok(Parsed::Run(given)) => given,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_read() {
        for arguments in [
            &["-n5", "-q", "a", "b"][..],
            &["-qn", "5", "a", "b"],
            &["a", "--lines=5", "--quiet", "b"],
            &["--lines", "5", "-q", "--", "a", "b"],
        ] {
            let given = run(arguments);
            assert_eq!(given.number('n', 10), Ok(5), "{arguments:?}");
            assert!(given.has('q') && given.arguments == ["a", "b"]);
        }
        assert_eq!(run(&["-n", "5", "-n", "6"]).number('n', 1), Ok(6));
        assert!(run(&["-n", "x"]).number('n', 1).is_err());
        assert_eq!(run(&["-"]).arguments, ["-"]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for arguments in [&["-x"][..], &["--nothing"], &["-n"], &["--lines"]] {
            let error = USAGE.parse(arguments).expect_err("it is wrong");
            assert!(error.ends_with("; see head --help"), "{error}");
        }
        let help = USAGE.parse(&["a", "--help"]);
        assert!(matches!(help, Ok(Parsed::Help(text)) if text.contains("-n, --lines COUNT")));
    }

    proptest! {
        #[test]
        fn any_arguments_are_read_or_refused(arguments in vec("[-=a-z]{0,6}", 0..6)) {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let _ = USAGE.parse(&arguments);
        }
    }
}
