//! Watches what programs show, to bring the terminal back to what it was when one of them ends in the midst of something.

use alloc::vec::Vec;

/// The parameters that count: private modes of xterm.
const ALTERNATE_SCREEN: u16 = 1049;
const CURSOR: u16 = 25;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    Escape,
    Sequence,
    /// Behind `ESC [ ?`, with a number.
    Private(u16),
}

/// What a terminal shows, as far as it matters.
#[derive(Debug, Default)]
pub struct Watch {
    state: State,
    is_alternate: bool,
    is_cursor_hidden: bool,
    has_colour: bool,
    /// The cursor is not in the first column.
    is_within_line: bool,
}

impl Watch {
    /// Looks at bytes that are shown.
    pub fn see(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (_, 0x1b) => State::Escape,
                (State::Escape, b'[') => State::Sequence,
                (State::Sequence, b'?') => State::Private(0),
                (State::Private(number), b'0'..=b'9') => {
                    let digit = u16::from(byte - b'0');
                    State::Private(number.saturating_mul(10).saturating_add(digit))
                }
                (State::Private(number), b'h' | b'l') => {
                    let is_on = byte == b'h';
                    match number {
                        ALTERNATE_SCREEN => self.is_alternate = is_on,
                        CURSOR => self.is_cursor_hidden = !is_on,
                        _ => {}
                    }
                    State::Plain
                }
                (State::Sequence, b'm') => {
                    self.has_colour = true;
                    State::Plain
                }
                (State::Sequence | State::Private(_), 0x20..=0x3f) => State::Sequence,
                (State::Plain, b'\r' | b'\n') => {
                    self.is_within_line = false;
                    State::Plain
                }
                (State::Plain, 0x20..) => {
                    self.is_within_line = true;
                    State::Plain
                }
                _ => State::Plain,
            };
        }
    }

    /// Whether a program has the whole screen for itself: then it gets every key at once.
    pub fn is_alternate(&self) -> bool {
        self.is_alternate
    }

    /// Whether output has ended within a line.
    pub fn is_within_line(&self) -> bool {
        self.is_within_line
    }

    /// What brings the terminal back to what a prompt needs.
    pub fn restore(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.is_alternate {
            bytes.extend(b"\x1b[?1049l");
        } else if self.is_within_line {
            bytes.extend(b"\r\n");
        }
        if self.is_cursor_hidden {
            bytes.extend(b"\x1b[?25h");
        }
        if self.has_colour {
            bytes.extend(b"\x1b[m");
        }
        *self = Self::default();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn restored(shown: &[u8]) -> Vec<u8> {
        let mut watch = Watch::default();
        watch.see(shown);
        watch.restore()
    }

    #[test]
    fn what_a_program_left_behind_is_undone() {
        assert_eq!(restored(b"a\r\n"), b"");
        assert_eq!(restored(b"a\r\nb"), b"\r\n");
        assert_eq!(restored(b"\x1b[?1049h\x1b[?25lx"), b"\x1b[?1049l\x1b[?25h");
        assert_eq!(restored(b"\x1b[?1049hx\x1b[?1049l\r"), b"");
        assert_eq!(restored(b"\x1b[1;31m!\r\n"), b"\x1b[m");
    }

    proptest! {
        #[test]
        fn whatever_was_shown_is_undone(bytes in vec(any::<u8>(), 0..200)) {
            let mut watch = Watch::default();
            watch.see(&bytes);
            let undo = watch.restore();
            // A sequence that was not finished does not take the undoing for its own.
            prop_assert!(undo.len() <= 20 && !watch.is_alternate());
        }
    }
}
