//! What the command line asks of init.

use alloc::string::String;
use alloc::vec::Vec;

use crate::manifest::Mode;

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The line that the shell is to run.
    pub line: Option<String>,
}

impl Options {
    /// From the words of the command line. Those that mean nothing to init are the kernel's.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut options = Self::default();
        for word in words {
            if let Some(value) = word.strip_prefix("shell=") {
                options.line = Some(decode(value));
            }
        }
        options
    }

    /// The way of running that this means.
    pub fn mode(&self) -> Mode {
        match self.line {
            Some(_) => Mode::Command,
            None => Mode::Interactive,
        }
    }
}

/// Text in which `%` and two hexadecimal digits stand for a byte. A `%` without them stands for itself; bytes that are no text are
/// replaced.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};
    use std::format;

    #[test]
    fn the_last_line_counts() {
        let options = Options::new([
            "srv.init",
            "log=debug",
            "shell=a",
            "shell=echo %22a b%22 100%",
        ]);
        assert_eq!(options.line.as_deref(), Some("echo \"a b\" 100%"));
        assert_eq!(options.mode(), Mode::Command);
        assert_eq!(Options::new(["srv.init"]).mode(), Mode::Interactive);
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(text in ".{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode(&encoded), text);
        }

        #[test]
        fn any_text_is_decoded(text in "[%0-9a-g\u{e4}]{0,20}") {
            decode(&text);
        }
    }
}
