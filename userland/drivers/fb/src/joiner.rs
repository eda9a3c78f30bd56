//! Characters that are cut between two pieces of output.
//!
//! The parser (vte 0.15) takes pieces that end within a character, but then loses what follows that character, if something that is no UTF-8
//! comes less than four bytes after its beginning. So it gets whole characters only.

use core::str::from_utf8;

/// The longest beginning of a character, in bytes.
const PARTIAL_MAX: usize = 3;
/// What stands for bytes that are no character.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Keeps the beginning of a character until the rest of it comes.
#[derive(Default)]
pub struct Joiner {
    partial: [u8; PARTIAL_MAX + 1],
    len: usize,
}

impl Joiner {
    /// Takes a piece; `feed` gets it, with whole characters at both ends.
    pub fn join(&mut self, mut bytes: &[u8], mut feed: impl FnMut(&[u8])) {
        while self.len != 0 {
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            self.partial[self.len] = byte;
            let candidate = &self.partial[..=self.len];
            match from_utf8(candidate) {
                Ok(_) => {
                    feed(candidate);
                    self.len = 0;
                    bytes = rest;
                }
                Err(error) if error.error_len().is_none() => {
                    self.len += 1;
                    bytes = rest;
                }
                // The byte does not go on with it, and is looked at for itself.
                Err(_) => {
                    feed(REPLACEMENT);
                    self.len = 0;
                }
            }
        }
        let cut = bytes.len() - partial_at_end(bytes);
        let (whole, partial) = bytes.split_at(cut);
        self.partial[..partial.len()].copy_from_slice(partial);
        self.len = partial.len();
        // A beginning before that one is not gone on with, and the parser would take it for one that is.
        let (mut whole, mut broken) = (whole, 0);
        loop {
            let partial = partial_at_end(whole);
            if partial == 0 {
                break;
            }
            whole = whole.get(..whole.len() - partial).unwrap_or_default();
            broken += 1;
        }
        if !whole.is_empty() {
            feed(whole);
        }
        for _ in 0..broken {
            feed(REPLACEMENT);
        }
    }
}

/// How many bytes at the end begin a character that is not there as a whole.
fn partial_at_end(bytes: &[u8]) -> usize {
    let is_partial = |len: &usize| {
        let end = bytes
            .len()
            .checked_sub(*len)
            .and_then(|start| bytes.get(start..));
        let error = end.and_then(|end| from_utf8(end).err());
        error.is_some_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=PARTIAL_MAX).find(is_partial).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Joiner;
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let text = "[a-zé漢\u{1f600}\u{301}]{0,3}".prop_map(String::into_bytes);
        vec(prop_oneof![text, vec(any::<u8>(), 0..4)], 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn pieces_are_whole_and_nothing_is_lost(pieces in vec(bytes(), 0..6)) {
            let mut joiner = Joiner::default();
            let mut text = String::new();
            for piece in &pieces {
                // No piece ends within a character.
                joiner.join(piece, |piece| {
                    assert_eq!(super::partial_at_end(piece), 0);
                    text.push_str(&String::from_utf8_lossy(piece));
                });
            }
            joiner.join(b"a", |piece| text.push_str(&String::from_utf8_lossy(piece)));
            let whole = [pieces.concat(), b"a".to_vec()].concat();
            prop_assert_eq!(text, String::from_utf8_lossy(&whole));
        }
    }
}
