//! The one-shot right to answer a call.
//!
//! A caller has one [`Call`], for one call at a time. Each has a serial number, and whoever serves it keeps that number: with it,
//! the call can be answered once, unless the caller has given up before. While an answer is being written the caller does not
//! go on; nobody writes to a caller that has given up, nor to a later call of it.

use crate::atomic::{AtomicU64, Ordering, const_new, relax};

/// No call.
const IDLE: u64 = 0;
/// The caller waits; no answer is being written.
const OPEN: u64 = 1;
/// Somebody writes the answer.
const CLAIMED: u64 = 2;
/// The answer is there.
const ANSWERED: u64 = 3;
/// There will be no answer.
const REFUSED: u64 = 4;
/// There will be no answer, as the message could not be taken.
const REJECTED: u64 = 5;

const PHASES: u64 = 7;
const SERIAL: u64 = PHASES + 1;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The answer was written.
    Given,
    /// There is none.
    Refused,
    /// There is none, as the message could not be taken.
    Rejected,
}

/// The number of a call: the right to answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial(u64);

impl Serial {
    /// The number itself, for those who only tell of it.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What a thread knows of the call that it makes.
#[derive(Debug)]
pub struct Call {
    /// The serial number, and the phase in the lowest bits.
    word: AtomicU64,
}

impl Call {
    const_new! {
        /// No call was made yet.
        pub fn new() -> Self {
            Self { word: AtomicU64::new(IDLE) }
        }
    }

    /// The caller begins a call. The one before must be over.
    #[inline]
    pub fn begin(&self) -> Serial {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert_eq!(word & PHASES, IDLE, "the last call is not over");
        let serial = (word & !PHASES).wrapping_add(SERIAL);
        self.word.store(serial | OPEN, Ordering::Release);
        Serial(serial)
    }

    /// The number of the call that the caller makes now, for whoever knows that it does.
    #[inline]
    pub fn serial(&self) -> Serial {
        Serial(self.word.load(Ordering::Relaxed) & !PHASES)
    }

    /// The right to write the answer; `false` when the caller has given up, or somebody else has the right. It must be followed by
    /// [`Self::finish`] or [`Self::release`], soon: the caller may be waiting for that.
    #[inline]
    pub fn claim(&self, serial: Serial) -> bool {
        let exchange = self.word.compare_exchange(
            serial.0 | OPEN,
            serial.0 | CLAIMED,
            // What the caller wrote before is seen.
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        exchange.is_ok()
    }

    /// The answer was written, or will not be. Only after [`Self::claim`].
    #[inline]
    pub fn finish(&self, serial: Serial, answer: Answer) {
        let phase = match answer {
            Answer::Given => ANSWERED,
            Answer::Refused => REFUSED,
            Answer::Rejected => REJECTED,
        };
        // Hands what was written to the caller.
        self.word.store(serial.0 | phase, Ordering::Release);
    }

    /// Nothing was answered yet; the call is as it was. Only after [`Self::claim`].
    #[inline]
    pub fn release(&self, serial: Serial) {
        // What was written to the caller meanwhile is seen by who claims next, and by the caller.
        self.word.store(serial.0 | OPEN, Ordering::Release);
    }

    /// The answer was written, and the caller has no need to be told how the call ended, as whoever answers takes that from it: the
    /// call is over. Only after [`Self::claim`], and while the caller waits.
    #[inline(always)]
    pub fn complete(&self, serial: Serial) {
        // Hands what was written to the caller.
        self.word.store(serial.0 | IDLE, Ordering::Release);
    }

    /// How the call ended, for the caller, if it has; the call is then over.
    #[inline]
    pub fn ended(&self) -> Option<Answer> {
        let word = self.word.load(Ordering::Acquire);
        let answer = match word & PHASES {
            ANSWERED => Answer::Given,
            REFUSED => Answer::Refused,
            REJECTED => Answer::Rejected,
            _ => return None,
        };
        self.word.store(word & !PHASES, Ordering::Relaxed);
        Some(answer)
    }

    /// The caller gives up. If an answer came after all, or is being written, it is that which counts. The call is over then.
    pub fn give_up(&self) -> Option<Answer> {
        let idle = self.word.load(Ordering::Relaxed) & !PHASES;
        loop {
            let given_up =
                self.word
                    .compare_exchange(idle | OPEN, idle, Ordering::Acquire, Ordering::Relaxed);
            if given_up.is_ok() {
                return None;
            }
            if let Some(answer) = self.ended() {
                return Some(answer);
            }
            relax();
        }
    }
}

impl Default for Call {
    fn default() -> Self {
        Self::new()
    }
}
