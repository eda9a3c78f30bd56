//! What `read` makes of a line.

use alloc::string::String;
use alloc::vec::Vec;

/// Whether `\` means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backslash {
    /// It quotes the next character, or the end of the line.
    Quotes,
    /// It is itself: `read -r`.
    Itself,
}

/// Whether a line goes on: its end is behind `\`.
pub fn goes_on(line: &str, backslash: Backslash) -> bool {
    let count = line.chars().rev().take_while(|one| *one == '\\').count();
    backslash == Backslash::Quotes && count % 2 == 1
}

/// So many fields of a line, cut at blanks; the last one has all that is left, and those that are missing are empty.
pub fn fields(line: &str, count: usize, backslash: Backslash) -> Vec<String> {
    let mut symbols = Vec::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, backslash) {
            ('\\', Backslash::Quotes) => {
                symbols.extend(characters.next().map(|character| (character, false)));
            }
            _ => symbols.push((character, character.is_whitespace())),
        }
    }
    let text = |symbols: &[(char, bool)]| symbols.iter().map(|(one, _)| *one).collect();
    let mut left = symbols.as_slice();
    let mut fields = Vec::new();
    for index in 0..count {
        let begin = left.iter().position(|(_, is_blank)| !is_blank);
        left = left.get(begin.unwrap_or(left.len())..).unwrap_or_default();
        let is_last = index + 1 == count;
        let end = match is_last {
            true => left
                .iter()
                .rposition(|(_, is_blank)| !is_blank)
                .map(|last| last + 1),
            false => left.iter().position(|(_, is_blank)| *is_blank),
        };
        let (field, rest) = left.split_at(end.unwrap_or(left.len()));
        fields.push(text(field));
        left = rest;
    }
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_cut_at_blanks() {
        use Backslash::{Itself, Quotes};
        assert_eq!(fields("  a  b c  d ", 3, Quotes), ["a", "b", "c  d"]);
        assert_eq!(fields("  a  b ", 1, Quotes), ["a  b"]);
        assert_eq!(fields("a", 3, Quotes), ["a", "", ""]);
        assert_eq!(fields("", 2, Quotes), ["", ""]);
        assert_eq!(fields("a\\ b\\\\ c", 2, Quotes), ["a b\\", "c"]);
        assert_eq!(fields("a\\ b c", 2, Itself), ["a\\", "b c"]);
        assert_eq!(fields("a \\ ", 2, Quotes), ["a", " "]);
        assert!(goes_on("a\\", Quotes) && !goes_on("a\\\\", Quotes));
        assert!(!goes_on("a\\", Itself) && !goes_on("", Quotes));
    }

    proptest! {
        #[test]
        fn there_are_as_many_fields_as_names(line in any::<String>(), count in 0..5_usize) {
            prop_assert_eq!(fields(&line, count, Backslash::Quotes).len(), count);
        }

        #[test]
        fn words_come_as_they_are(words in proptest::collection::vec("[a-z]{1,5}", 1..5)) {
            let line = words.join("   ");
            prop_assert_eq!(fields(&line, words.len(), Backslash::Itself), words);
        }
    }
}
