//! Completion: what is being typed, and what could follow.

use alloc::string::String;
use alloc::vec::Vec;

use crate::width;

/// What a word could be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Where in the line the word begins, in bytes.
    pub start: usize,
    /// What it could be, as it is to be typed, in order. One that ends with `/` may go on; after others comes a blank.
    pub candidates: Vec<String>,
}

/// Words behind which a command comes.
const BEFORE: &[&str] = &[
    "if", "then", "elif", "else", "while", "until", "do", "{", "!", "time",
];

/// What is being typed at the end of a text: where the word begins, the word without quotes, and whether it is a command's name.
pub fn context_of(before: &str) -> (usize, String, bool) {
    let mut start = 0;
    let mut word = String::new();
    let mut is_command = true;
    let mut was_word = false;
    let mut quote = None;
    let mut characters = before.char_indices();
    while let Some((index, character)) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                was_word = true;
            }
            (Some(open), _) if open == character => quote = None,
            (None | Some('"'), '\\') => {
                word.extend(characters.next().map(|(_, next)| next));
                was_word = true;
            }
            (None, blank) if blank.is_whitespace() => {
                // Assignments come before a command's name, and so do some words of the language.
                is_command &= !was_word || word.contains('=') || BEFORE.contains(&word.as_str());
                is_command |= blank == '\n';
                (start, was_word) = (index + blank.len_utf8(), false);
                word.clear();
            }
            (None, ';' | '|' | '&' | '(' | ')') => {
                (start, was_word, is_command) = (index + 1, false, true);
                word.clear();
            }
            (None, '<' | '>') => {
                (start, was_word, is_command) = (index + 1, false, false);
                word.clear();
            }
            _ => {
                word.push(character);
                was_word = true;
            }
        }
    }
    (start, word, is_command)
}

/// A word with what would mean something else quoted.
pub fn quoted(word: &str) -> String {
    let mut text = String::new();
    for character in word.chars() {
        let is_plain = character.is_alphanumeric()
            || matches!(
                character,
                '/' | '.' | '-' | '_' | '+' | ',' | ':' | '@' | '%' | '=' | '^'
            );
        if !is_plain {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

impl Completion {
    /// The completion of a word by names, which are quoted.
    pub fn of_names(start: usize, names: impl Iterator<Item = String>) -> Self {
        let mut candidates: Vec<String> = names.map(|name| quoted(&name)).collect();
        candidates.sort();
        candidates.dedup();
        Self { start, candidates }
    }

    /// What is to stand in the place of what was typed, if there is more to it.
    pub(super) fn insertion(&self, typed: &str) -> Option<String> {
        let (first, others) = self.candidates.split_first()?;
        let mut common = first.as_str();
        for other in others {
            let same = common
                .char_indices()
                .zip(other.chars())
                .find(|((_, one), other)| one != other)
                .map_or(common.len().min(other.len()), |((index, _), _)| index);
            common = common.get(..same).unwrap_or_default();
        }
        let is_whole = others.is_empty() && !first.ends_with('/');
        let mut insertion = String::from(common);
        insertion.push_str(if is_whole { " " } else { "" });
        (insertion.len() > typed.len() || is_whole).then_some(insertion)
    }

    /// Shows all, in columns.
    pub(super) fn show(&self, columns: usize, output: &mut Vec<u8>) {
        // Of a path only its last part is new.
        let names: Vec<&str> = self
            .candidates
            .iter()
            .map(|name| {
                let end = name.strip_suffix('/').unwrap_or(name);
                name.get(end.rfind('/').map_or(0, |slash| slash + 1)..)
                    .unwrap_or(name)
            })
            .collect();
        let width_of = |name: &str| name.chars().map(width).sum::<usize>();
        let widest = names.iter().map(|name| width_of(name)).max().unwrap_or(0) + 2;
        let per_row = (columns / widest).max(1);
        let rows = names.len().div_ceil(per_row);
        for row in 0..rows {
            for (index, name) in names.iter().skip(row).step_by(rows).enumerate() {
                if index > 0 {
                    let before = names.get(row + (index - 1) * rows).copied();
                    let blanks = widest - before.map_or(0, width_of);
                    output.extend(core::iter::repeat_n(b' ', blanks));
                }
                output.extend(name.bytes());
            }
            output.extend(b"\r\n");
        }
    }
}
