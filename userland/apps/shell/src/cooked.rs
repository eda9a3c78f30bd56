//! What is typed to a program that reads lines: echo, erasing, the end of the input, interruption.

use alloc::string::String;
use alloc::vec::Vec;

/// The longest line that can be typed, in bytes.
const LINE_MAX: usize = 4096;

/// What a key means beyond the line itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// The program gets these bytes.
    Bytes(Vec<u8>),
    /// There will be nothing more: Ctrl-D at the begin of a line.
    End,
    /// The job shall end: Ctrl-C.
    Interrupt,
    /// The job shall stop: Ctrl-Z.
    Stop,
}

/// A line that is being typed.
#[derive(Debug, Default)]
pub struct Cooked {
    line: Vec<u8>,
    /// Within an escape sequence, of which the program gets nothing.
    escape: Escape,
    is_after_return: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Within,
}

impl Cooked {
    /// The line so far, which the program has not got.
    pub fn take_line(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.line)
    }

    /// Takes a byte of the terminal. What is to be shown goes to `echo`.
    pub fn take(&mut self, byte: u8, echo: &mut Vec<u8>) -> Option<Typed> {
        let is_after_return = core::mem::take(&mut self.is_after_return);
        match (self.escape, byte) {
            (Escape::Begun, b'[' | b'O') => {
                self.escape = Escape::Within;
                return None;
            }
            (Escape::Within, 0x20..=0x3f) => return None,
            (Escape::Begun | Escape::Within, 0x20..) => {
                self.escape = Escape::None;
                return None;
            }
            _ => self.escape = Escape::None,
        }
        match byte {
            b'\n' if is_after_return => None,
            b'\r' | b'\n' => {
                self.is_after_return = byte == b'\r';
                echo.extend(b"\r\n");
                self.line.push(b'\n');
                Some(Typed::Bytes(core::mem::take(&mut self.line)))
            }
            // Ctrl-C, Ctrl-Z: what was typed is forgotten.
            0x03 | 0x1a => {
                self.line.clear();
                echo.extend(if byte == 3 { b"^C\r\n" } else { b"^Z\r\n" });
                Some(if byte == 3 {
                    Typed::Interrupt
                } else {
                    Typed::Stop
                })
            }
            // Ctrl-D: what was typed goes as it is.
            0x04 if self.line.is_empty() => Some(Typed::End),
            0x04 => Some(Typed::Bytes(core::mem::take(&mut self.line))),
            0x08 | 0x7f => {
                self.erase(echo);
                None
            }
            // Ctrl-W: blanks, then what is before them.
            0x17 => {
                while self.line.last().is_some_and(u8::is_ascii_whitespace) {
                    self.erase(echo);
                }
                while self
                    .line
                    .last()
                    .is_some_and(|last| !last.is_ascii_whitespace())
                {
                    self.erase(echo);
                }
                None
            }
            // Ctrl-U
            0x15 => {
                while !self.line.is_empty() {
                    self.erase(echo);
                }
                None
            }
            0x1b => {
                self.escape = Escape::Begun;
                None
            }
            b'\t' | 0x20.. if self.line.len() < LINE_MAX => {
                self.line.push(byte);
                echo.push(if byte == b'\t' { b' ' } else { byte });
                None
            }
            _ => None,
        }
    }

    /// Erases the last character.
    fn erase(&mut self, echo: &mut Vec<u8>) {
        let mut character = Vec::new();
        while let Some(byte) = self.line.pop() {
            character.insert(0, byte);
            // The first byte of a character is none that goes on.
            if byte & 0xc0 != 0x80 || character.len() == 4 {
                break;
            }
        }
        let width = match String::from_utf8(character) {
            Ok(text) => text
                .chars()
                .map(|character| match character {
                    '\t' => 1,
                    other => crate::width(other),
                })
                .sum(),
            Err(_) => 1,
        };
        for _ in 0..width {
            echo.extend(b"\x08 \x08");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn type_in(bytes: &[u8]) -> (Vec<Typed>, Vec<u8>) {
        let mut cooked = Cooked::default();
        let mut echo = Vec::new();
        let typed = bytes
            .iter()
            .filter_map(|byte| cooked.take(*byte, &mut echo))
            .collect();
        (typed, echo)
    }

    #[test]
    fn lines_are_sent_whole() {
        let line = |text: &str| Typed::Bytes(text.into());
        let (typed, echo) = type_in("ab\r\ncä\x7f\x7fd\r".as_bytes());
        assert_eq!(typed, [line("ab\n"), line("d\n")]);
        assert_eq!(echo, "ab\r\ncä\x08 \x08\x08 \x08d\r\n".as_bytes());
        assert_eq!(type_in(b"one two  \x17x\r").0, [line("one x\n")]);
        assert_eq!(type_in(b"one\x15two\x1b[Ax\x04").0, [line("twox")]);
        assert_eq!(
            type_in(b"\x04ab\x03c\x1a").0,
            [Typed::End, Typed::Interrupt, Typed::Stop]
        );
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_bounded(bytes in vec(any::<u8>(), 0..300)) {
            let mut cooked = Cooked::default();
            for byte in bytes {
                let mut echo = Vec::new();
                cooked.take(byte, &mut echo);
                prop_assert!(cooked.line.len() <= LINE_MAX);
            }
        }
    }
}
