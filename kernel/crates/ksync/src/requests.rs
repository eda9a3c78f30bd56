//! Requests from processor to processor that are carried out before the asking one goes on.
//!
//! Each processor has one [`Requests`]: what it asks of others at the moment, and a bit for each processor that asks
//! something of it. An asking processor writes its request down, [rings](Requests::ring) at every processor concerned and
//! waits until all have answered; meanwhile it serves what others ask of it, and so does a processor that waits for a
//! lock. So processors that ask each other at the same time, with interrupts off, or that hold locks which others wait
//! for, all come through: nobody waits without serving. Serving takes no lock and can be interrupted by serving.

use crate::atomic::{AtomicU32, AtomicU64, Ordering, relax};
#[cfg(not(loom))]
use crate::flags::MAX_CPUS;

const WORD: u32 = u64::BITS;
#[cfg(not(loom))]
const WORDS: usize = MAX_CPUS.div_ceil(WORD as usize);
/// Loom bounds the atomics of a model; one word is enough for the processors of a test.
#[cfg(loom)]
const WORDS: usize = 1;

/// What is asked: three words whose meaning the users agree on.
pub type Request = [u64; 3];

/// What one processor asks, and who asks it.
#[derive(Debug)]
pub struct Requests {
    request: [AtomicU64; 3],
    /// Processors that have not answered yet.
    waiting: AtomicU32,
    /// A bit for each processor that asks.
    incoming: [AtomicU64; WORDS],
}

impl Requests {
    /// Nothing is asked.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            request: [const { AtomicU64::new(0) }; 3],
            waiting: AtomicU32::new(0),
            incoming: [const { AtomicU64::new(0) }; WORDS],
        }
    }

    /// Nothing is asked.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            request: core::array::from_fn(|_| AtomicU64::new(0)),
            waiting: AtomicU32::new(0),
            incoming: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Writes a request down. The one before must have been answered by all. It is open until [`Self::close`], whoever
    /// answers before.
    pub fn open(&self, request: Request) {
        debug_assert!(self.is_answered(), "the last request is still open");
        for (word, value) in self.request.iter().zip(request) {
            word.store(value, Ordering::Relaxed);
        }
        self.waiting.store(1, Ordering::Relaxed);
    }

    /// One more processor will answer; to be called before it is rung at.
    pub fn expect_answer(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// No further processor will be asked.
    pub fn close(&self) {
        self.waiting.fetch_sub(1, Ordering::Release);
    }

    /// To be called on the requests of a processor that is asked, with the number of the one that asks. Returns whether it
    /// must be interrupted: not when another processor has rung and was not heard yet, as that one does it.
    #[inline]
    pub fn ring(&self, from: u32) -> bool {
        let Some(word) = self.incoming.get((from / WORD) as usize) else {
            return false;
        };
        // Release: who sees the bit sees the request, and what was written to memory before.
        word.fetch_or(1 << (from % WORD), Ordering::Release) == 0
    }

    /// Whether all processors have answered. What they did happens before this returns true.
    pub fn is_answered(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Carries out what other processors, of which there are `processors`, ask of this one. `of` finds their requests. Returns
    /// how many there were.
    #[inline]
    pub fn serve<'a>(
        &self,
        processors: u32,
        of: impl Fn(u32) -> Option<&'a Self>,
        mut carry_out: impl FnMut(Request),
    ) -> u32 {
        let mut served = 0;
        let mut first = 0;
        for word in &self.incoming {
            if first >= processors {
                break;
            }
            if word.load(Ordering::Relaxed) != 0 {
                // Acquire: see `ring`. A bit that is set after this comes with an interrupt.
                let mut bits = word.swap(0, Ordering::Acquire);
                while bits != 0 {
                    let from = first | bits.trailing_zeros();
                    bits &= bits - 1;
                    if let Some(other) = of(from) {
                        let [one, two, three] = &other.request;
                        carry_out([one, two, three].map(|word| word.load(Ordering::Relaxed)));
                        // Release: it is done when the other one sees it. After this the other's request may change.
                        other.waiting.fetch_sub(1, Ordering::Release);
                        served += 1;
                    }
                }
            }
            first += WORD;
        }
        served
    }

    /// Waits for all answers; `serve` is called again and again, and must serve this processor's own requests.
    pub fn wait(&self, mut serve: impl FnMut()) {
        while !self.is_answered() {
            serve();
            relax();
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self::new()
    }
}
