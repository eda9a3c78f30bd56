//! What is typed: those keys are taken out that are meant for the screen itself, and arrows are sent as the program wants them.

use alloc::vec::Vec;

/// Where to move the view in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scroll {
    /// Half a screen up.
    Up,
    /// Half a screen down.
    Down,
    /// To the present.
    End,
}

/// What a sequence of a key stands for.
enum Meaning {
    Scroll(Scroll),
    /// In application mode it is sent with `O` instead of `[`.
    Cursor,
}

/// The longest sequence of those that are looked for.
const LEN_MAX: usize = 6;

const SEQUENCES: &[(&[u8], Meaning)] = &[
    (b"\x1b[5;2~", Meaning::Scroll(Scroll::Up)),
    (b"\x1b[6;2~", Meaning::Scroll(Scroll::Down)),
    (b"\x1b[A", Meaning::Cursor),
    (b"\x1b[B", Meaning::Cursor),
    (b"\x1b[C", Meaning::Cursor),
    (b"\x1b[D", Meaning::Cursor),
    (b"\x1b[F", Meaning::Cursor),
    (b"\x1b[H", Meaning::Cursor),
];

/// Takes what is typed, in pieces.
#[derive(Default)]
pub struct Keys {
    /// The beginning of a sequence.
    held: Vec<u8>,
}

impl Keys {
    /// Takes bytes: what is for the program is added to `out`; what is for the screen is returned, the last of it if there is more. What is typed for
    /// the program brings the view back to the present.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        is_application: bool,
        out: &mut Vec<u8>,
    ) -> Option<Scroll> {
        let mut scroll = None;
        for &byte in bytes {
            self.held.push(byte);
            while !self.held.is_empty() {
                let whole = SEQUENCES
                    .iter()
                    .find(|(sequence, _)| *sequence == self.held);
                match whole {
                    Some((_, Meaning::Scroll(what))) => scroll = Some(*what),
                    Some((sequence, Meaning::Cursor)) => {
                        out.extend_from_slice(sequence);
                        let at = out.len() + 1 - sequence.len();
                        if let Some(byte) = out.get_mut(at).filter(|_| is_application) {
                            *byte = b'O';
                        }
                        scroll = Some(Scroll::End);
                    }
                    None if self.held.len() < LEN_MAX
                        && SEQUENCES
                            .iter()
                            .any(|(sequence, _)| sequence.starts_with(&self.held)) =>
                    {
                        break;
                    }
                    None => {
                        // Not one of ours; what follows its first byte may be.
                        out.push(self.held.remove(0));
                        scroll = Some(Scroll::End);
                        continue;
                    }
                }
                self.held.clear();
            }
        }
        scroll
    }

    /// No more has come: what looked like the beginning of a sequence was none, for example the key Escape.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Option<Scroll> {
        if self.held.is_empty() {
            return None;
        }
        out.append(&mut self.held);
        Some(Scroll::End)
    }
}
