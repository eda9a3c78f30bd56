//! Bytes that come in pieces, as lines; and what is counted in them.

use alloc::vec::Vec;

/// The longest line that is kept as one; a longer one is cut in several.
pub const LINE_MAX: usize = 1024 * 1024;

/// Cuts pieces into lines.
#[derive(Debug, Default)]
pub struct Splitter {
    rest: Vec<u8>,
}

impl Splitter {
    /// Takes a piece; hands each line that is whole now, without its end, to `line`. It stops when that says false.
    pub fn push(&mut self, piece: &[u8], mut line: impl FnMut(&[u8]) -> bool) -> bool {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            self.rest.extend(text);
            if is_whole || self.rest.len() >= LINE_MAX {
                let whole = core::mem::take(&mut self.rest);
                if !line(&whole) {
                    return false;
                }
                self.rest = whole;
                self.rest.clear();
            }
        }
        true
    }

    /// What is left without an end of line, if anything is.
    pub fn rest(self) -> Option<Vec<u8>> {
        (!self.rest.is_empty()).then_some(self.rest)
    }
}

/// Lines, words, bytes and characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ends of lines.
    pub lines: u64,
    /// What stands between blanks.
    pub words: u64,
    /// Bytes.
    pub bytes: u64,
    /// Characters, if it is UTF-8.
    pub characters: u64,
    is_in_word: bool,
}

impl Counts {
    /// Counts a piece, too.
    pub fn add(&mut self, piece: &[u8]) {
        for byte in piece {
            self.bytes += 1;
            self.lines += u64::from(*byte == b'\n');
            self.characters += u64::from(byte & 0xc0 != 0x80);
            let is_blank = byte.is_ascii_whitespace();
            self.words += u64::from(!is_blank && !self.is_in_word);
            self.is_in_word = !is_blank;
        }
    }

    /// The sum of both.
    pub fn sum(self, other: Self) -> Self {
        Self {
            lines: self.lines + other.lines,
            words: self.words + other.words,
            bytes: self.bytes + other.bytes,
            characters: self.characters + other.characters,
            is_in_word: false,
        }
    }
}

/// The number at the begin of a line, for sorting: 0 where there is none.
pub fn leading_number(line: &[u8]) -> i128 {
    let line = line.trim_ascii_start();
    let (is_negative, digits) = match line.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, line),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0i128, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i128::from(digit - b'0'))
    });
    if is_negative { -number } else { number }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_and_numbers_are_counted() {
        let mut counts = Counts::default();
        counts.add("one tw".as_bytes());
        counts.add("o\nthree ä\n".as_bytes());
        assert_eq!(
            (counts.lines, counts.words, counts.bytes, counts.characters),
            (2, 4, 17, 16)
        );
        assert_eq!(leading_number(b"  -12x"), -12);
        assert_eq!(leading_number(b"x"), 0);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_the_pieces(text in "[ab\n]{0,60}", sizes in vec(1..9usize, 1..20)) {
            let mut splitter = Splitter::default();
            let mut lines: Vec<Vec<u8>> = Vec::new();
            let mut rest = text.as_bytes();
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*size).min(rest.len()));
                splitter.push(piece, |line| {
                    lines.push(line.into());
                    true
                });
                rest = later;
            }
            lines.extend(splitter.rest());
            let expected: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().into()).collect();
            prop_assert_eq!(lines, expected);
        }

        #[test]
        fn counts_do_not_depend_on_the_pieces(text in any::<String>(), cut in any::<prop::sample::Index>()) {
            let (mut whole, mut parts) = (Counts::default(), Counts::default());
            whole.add(text.as_bytes());
            let (one, other) = text.as_bytes().split_at(cut.index(text.len() + 1));
            parts.add(one);
            parts.add(other);
            prop_assert_eq!(whole, parts);
            prop_assert_eq!(whole.characters, text.chars().count() as u64);
        }
    }
}
