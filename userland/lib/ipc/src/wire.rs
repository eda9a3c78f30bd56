//! Bytes in the words of a message.

use abi::message::WORDS_MAX;
use protocols::WireError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of a word.
const WORD: usize = 8;

/// The words of a message without its handles: how many bytes, then the bytes.
pub struct Words {
    words: [u64; WORDS_MAX],
    len: usize,
}

impl Words {
    /// Those of a value, in a message that has so many handles.
    pub fn of<T: Serialize>(value: &T, handles: usize) -> Result<Self, WireError> {
        let mut bytes = [0; WORD * WORDS_MAX];
        let room = WORDS_MAX
            .checked_sub(handles + 1)
            .ok_or(WireError::TooLong)?;
        let room = bytes.get_mut(..room * WORD).ok_or(WireError::TooLong)?;
        let bytes = protocols::encode(value, room)?;
        let mut words = [0; WORDS_MAX];
        let (first, rest) = words.split_at_mut(1);
        first.fill(bytes.len() as u64);
        for (word, piece) in rest.iter_mut().zip(bytes.chunks(WORD)) {
            let mut whole = [0; WORD];
            for (place, byte) in whole.iter_mut().zip(piece) {
                *place = *byte;
            }
            *word = u64::from_le_bytes(whole);
        }
        let len = 1 + bytes.len().div_ceil(WORD);
        Ok(Self { words, len })
    }

    /// The words.
    pub fn as_slice(&self) -> &[u64] {
        self.words.get(..self.len).unwrap_or(&self.words)
    }
}

/// The value in the words of a message, those behind its handles.
pub fn value<T: DeserializeOwned>(words: &[u64]) -> Result<T, WireError> {
    let (&len, words) = words.split_first().ok_or(WireError::Malformed)?;
    let mut bytes = [0; WORD * WORDS_MAX];
    for (place, word) in bytes.chunks_mut(WORD).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let len = usize::try_from(len).map_err(|_| WireError::Malformed)?;
    let there = (words.len() * WORD).min(bytes.len());
    let bytes = bytes.get(..there).and_then(|bytes| bytes.get(..len));
    protocols::decode(bytes.ok_or(WireError::Malformed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(text in ".{0,120}", handles in 0usize..8) {
            let words = Words::of(&text, handles).map_err(|error| proptest::test_runner::TestCaseError::fail(format!("{error:?}")))?;
            prop_assert_eq!(value::<std::string::String>(words.as_slice()), Ok(text));
        }

        #[test]
        fn any_words_are_read_without_a_panic(words in prop::collection::vec(any::<u64>(), 0..80), len in 0u64..600) {
            let _ = value::<std::vec::Vec<std::string::String>>(&words);
            let mut words = words;
            if let Some(first) = words.first_mut() {
                *first = len;
            }
            let _ = value::<std::vec::Vec<std::string::String>>(&words);
        }
    }

    #[test]
    fn handles_take_room() {
        let bytes = [0u8; 8];
        assert!(Words::of(&bytes, 62).is_ok());
        assert_eq!(Words::of(&bytes, 63).err(), Some(WireError::TooLong));
        assert_eq!(Words::of(&bytes, 64).err(), Some(WireError::TooLong));
    }
}
