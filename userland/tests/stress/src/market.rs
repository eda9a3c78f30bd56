//! The market: whoever brings handles gets others, now or later.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sys::abi::message::{HANDLES_MAX, WORDS_MAX};
use sys::abi::{Error, Handle};
use sys::call;
use sys::message::long::{Buffer, Room};
use sys::random::Random;

use crate::pool::{Pool, close};

/// How long it waits for the next one, in nanoseconds.
const PATIENCE_NS: u64 = 5_000_000;
/// Calls that are answered later, at most.
const LATER: usize = 8;

/// What the market needs to know, and tells.
pub struct Market {
    pub mailbox: Handle,
    pub seed: u64,
    /// Whether it is to close.
    pub is_over: AtomicBool,
    /// Messages that came.
    pub deals: AtomicU64,
    /// Handles that came.
    pub moved: AtomicU64,
}

/// The thread of the market; the argument is the address of a [`Market`].
pub extern "C" fn open(market: u64) -> ! {
    // SAFETY: whoever starts this thread keeps it until the thread has ended, and shares it as atomic words only.
    let market = unsafe { &*(market as *const Market) };
    let mut room = Room::new();
    let Ok(buffer) = Buffer::new(&mut room) else {
        call::process_exit(3)
    };
    let mut keeper = Keeper {
        market,
        buffer,
        pool: Pool::new(),
        later: [None; LATER],
        random: Random::new(market.seed),
    };
    while !market.is_over.load(Ordering::Acquire) {
        keeper.deal();
    }
    keeper.later.into_iter().flatten().for_each(close);
    keeper.pool.clear();
    drop(keeper);
    call::thread_exit()
}

struct Keeper<'a> {
    market: &'a Market,
    buffer: Buffer<'a>,
    pool: Pool,
    /// Rights to answer.
    later: [Option<Handle>; LATER],
    random: Random,
}

impl Keeper<'_> {
    /// Serves one, or nobody.
    fn deal(&mut self) {
        let until = call::clock_read() + PATIENCE_NS;
        if self.buffer.receive(self.market.mailbox, until).is_err() {
            return;
        }
        self.market.deals.fetch_add(1, Ordering::Relaxed);
        let mut brought = [Handle(0); HANDLES_MAX];
        let mut count = 0;
        for (place, handle) in brought.iter_mut().zip(self.buffer.handles()) {
            *place = handle;
            count += 1;
        }
        self.market.moved.fetch_add(count as u64, Ordering::Relaxed);
        for handle in brought[..count].iter().filter(|handle| handle.0 != 0) {
            self.pool.keep(&mut self.random, *handle);
        }
        if self.random.one_in(6)
            && let Ok(reply) = call::mailbox_detach()
        {
            let place = self.random.below(LATER as u64) as usize;
            if let Some(old) = self.later[place].replace(reply) {
                self.answer(|buffer| buffer.answer(old));
                close(old);
            }
            return;
        }
        let mailbox = self.market.mailbox;
        self.answer(|buffer| buffer.reply(mailbox));
    }

    /// Gives what there is to somebody; what cannot be given is kept.
    fn answer(&mut self, give: impl FnOnce(&mut Buffer<'_>) -> Result<(), Error>) {
        let mut given = [Handle(0); 4];
        let mut count = 0;
        for _ in 0..self.random.below(4) {
            if let Some(handle) = self.pool.take(&mut self.random) {
                given[count] = handle;
                count += 1;
            }
        }
        let words = [self.random.any(); WORDS_MAX];
        let len = self.random.below(WORDS_MAX as u64 - 4) as usize;
        self.buffer.put(2, &given[..count], &words[..len]);
        if give(&mut self.buffer).is_err() {
            // One of them may be none any more, or lack the right; or there is no room there, or nobody. The caller, if it is there,
            // gets no answer, as another one is received or the right is closed.
            for handle in &given[..count] {
                self.pool.keep(&mut self.random, *handle);
            }
        }
    }
}
