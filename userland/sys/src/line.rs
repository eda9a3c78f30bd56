//! Lines of the log.

use core::fmt;

use abi::log::Level;

/// The log as a text sink, by a handle of the machine; lines longer than a call takes are sent in pieces.
pub struct Log(pub abi::Handle);

impl fmt::Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while let Some((piece, tail)) = split(rest, abi::LOG_WRITE_MAX) {
            crate::log_write(self.0, Level::Info, piece).map_err(|_| fmt::Error)?;
            rest = tail;
        }
        crate::log_write(self.0, Level::Info, rest).map_err(|_| fmt::Error)
    }
}

/// Takes at most `most` bytes off a text that is longer, between two characters.
pub fn split(text: &[u8], most: usize) -> Option<(&[u8], &[u8])> {
    if text.len() <= most {
        return None;
    }
    let is_begin = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    // No character is longer than four bytes; what is none may be cut anywhere.
    let begins = (most.saturating_sub(3)..=most).rev();
    let begin = begins
        .into_iter()
        .find(|at| text.get(*at).is_some_and(is_begin));
    Some(text.split_at(begin.unwrap_or(most)))
}

/// Collects formatted text, so that one line becomes one record of the log.
pub struct Line {
    bytes: [u8; abi::LOG_WRITE_MAX],
    len: usize,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self {
            bytes: [0; abi::LOG_WRITE_MAX],
            len: 0,
        }
    }

    /// The text so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_characters_and_all_of_the_text() {
        let text = "aä€😀".repeat(40);
        for most in 4..20 {
            let mut rest = text.as_bytes();
            let mut whole = String::new();
            while let Some((piece, tail)) = split(rest, most) {
                assert!(!piece.is_empty() && piece.len() <= most);
                whole += core::str::from_utf8(piece).unwrap();
                rest = tail;
            }
            assert_eq!(whole + core::str::from_utf8(rest).unwrap(), text);
        }
        assert_eq!(split(&[0x80; 9], 8), Some((&[0x80; 8][..], &[0x80; 1][..])));
    }
}
