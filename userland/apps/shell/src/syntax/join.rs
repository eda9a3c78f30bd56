//! Lines that go on: a backslash at the end of a line, and the end, are as if they were not there.

use alloc::string::String;
use alloc::vec::Vec;

use super::ends_word;

/// A text without ends of lines behind a backslash, and where they were.
pub struct Joined {
    /// The text. An end of a line behind a backslash stays at its end only, where the next line is missing.
    pub text: String,
    /// Where in it lines were joined, in order.
    places: Vec<usize>,
}

impl Joined {
    /// How many lines were joined up to a place.
    pub fn before(&self, place: usize) -> usize {
        self.places.partition_point(|&joined| joined <= place)
    }
}

/// Where a character is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between words.
    Between,
    /// In a word, outside of quotes.
    Word,
    Single,
    Double,
    Comment,
}

/// Joins lines. Quotes of one kind and comments are left as they are.
pub fn join(text: &str) -> Joined {
    let mut joined = Joined {
        text: String::with_capacity(text.len()),
        places: Vec::new(),
    };
    let mut place = Place::Between;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && !matches!(place, Place::Single | Place::Comment) {
            let mut rest = characters.clone();
            let next = rest.next();
            if next == Some('\n') && !rest.as_str().is_empty() {
                joined.places.push(joined.text.len());
            } else {
                joined.text.push(character);
                joined.text.extend(next);
                if place == Place::Between {
                    place = Place::Word;
                }
            }
            characters = rest;
            continue;
        }
        joined.text.push(character);
        place = match (place, character) {
            (Place::Single, '\'') | (Place::Double, '"') => Place::Word,
            (Place::Comment, '\n') => Place::Between,
            (Place::Single | Place::Double | Place::Comment, _) => place,
            (_, '\'') => Place::Single,
            (_, '"') => Place::Double,
            (Place::Between, '#') => Place::Comment,
            (_, other) if ends_word(other) => Place::Between,
            _ => Place::Word,
        };
    }
    joined
}
