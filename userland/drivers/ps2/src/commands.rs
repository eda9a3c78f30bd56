//! What the keyboard is told while it is in use. It answers each byte, between the keys, and is told the next one then.

use alloc::collections::VecDeque;

/// The keyboard has understood a byte.
pub const ACKNOWLEDGED: u8 = 0xfa;
/// The keyboard wants a byte again.
pub const RESEND: u8 = 0xfe;
/// How often a byte is sent again.
const TRIES: u8 = 3;
/// More than this does not wait: a keyboard that does not answer gets no memory.
const WAITING_MAX: usize = 32;

/// Bytes for the keyboard.
#[derive(Default)]
pub struct Commands {
    waiting: VecDeque<u8>,
    /// The first one was sent, so often.
    tries: u8,
}

impl Commands {
    /// Adds bytes, all or none.
    pub fn add(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() <= WAITING_MAX {
            self.waiting.extend(bytes);
        }
    }

    /// A byte is on its way, and not answered yet.
    pub fn is_waiting(&self) -> bool {
        self.tries != 0
    }

    /// The byte that is to be sent now.
    pub fn next(&mut self) -> Option<u8> {
        if self.is_waiting() {
            return None;
        }
        let byte = *self.waiting.front()?;
        self.tries = 1;
        Some(byte)
    }

    /// Takes a byte from the keyboard, if it is an answer; returns what is to be sent again.
    pub fn answer(&mut self, byte: u8) -> Answer {
        if !self.is_waiting() {
            return Answer::None;
        }
        match byte {
            ACKNOWLEDGED => {
                self.waiting.pop_front();
                self.tries = 0;
                Answer::Taken
            }
            RESEND if self.tries < TRIES => {
                self.tries += 1;
                self.waiting
                    .front()
                    .map_or(Answer::Taken, |&byte| Answer::Again(byte))
            }
            RESEND => {
                self.give_up();
                Answer::Taken
            }
            _ => Answer::None,
        }
    }

    /// The keyboard does not answer: all that waits is forgotten, as it belongs together.
    pub fn give_up(&mut self) {
        self.waiting.clear();
        self.tries = 0;
    }
}

/// What a byte of the keyboard's was.
pub enum Answer {
    /// No answer.
    None,
    /// An answer.
    Taken,
    /// It wants this again.
    Again(u8),
}
