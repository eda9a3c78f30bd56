//! Events: 64 bits that threads set, wait for and clear.

use alloc::vec::Vec;

use abi::Error;
use ksync::{AllocError, Arc};

use crate::arch::current::IrqLock;
use crate::sched::{self, thread::Thread};

struct Waiter {
    thread: Arc<Thread>,
    mask: u64,
}

#[derive(Default)]
struct State {
    bits: u64,
    waiters: Vec<Waiter>,
}

/// An event object.
pub struct Event {
    state: IrqLock<State>,
}

impl Event {
    /// An event with all bits clear.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new() -> Result<Arc<Self>, AllocError> {
        Arc::try_new(Self {
            state: IrqLock::new(State::default()),
        })
    }

    /// Sets bits and wakes those who wait for one of them.
    pub fn signal(&self, bits: u64) {
        loop {
            // One at a time, as waking a thread takes other locks.
            let waiter = {
                let mut state = self.state.lock();
                state.bits |= bits;
                let set = state.bits;
                let found = state
                    .waiters
                    .iter()
                    .position(|waiter| waiter.mask & set != 0);
                found.map(|index| state.waiters.swap_remove(index))
            };
            match waiter {
                Some(waiter) => sched::wake(&waiter.thread),
                None => return,
            }
        }
    }

    /// Clears and returns the bits of `mask` that are set.
    pub fn take(&self, mask: u64) -> u64 {
        let mut state = self.state.lock();
        let taken = state.bits & mask;
        state.bits &= !taken;
        taken
    }

    /// Blocks the running thread until a bit of `mask` is set; clears and returns those.
    ///
    /// # Errors
    /// `OutOfMemory`; `Ended` when the thread must end.
    pub fn wait(&self, mask: u64) -> Result<u64, Error> {
        let thread = sched::current_thread();
        loop {
            {
                let mut state = self.state.lock();
                let taken = state.bits & mask;
                state.bits &= !taken;
                let own = |waiter: &Waiter| Arc::ptr_eq(&waiter.thread, &thread);
                let place = state.waiters.iter().position(own);
                if taken != 0 || thread.must_end() {
                    let waiter = place.map(|index| state.waiters.swap_remove(index));
                    drop(state);
                    drop(waiter);
                    return if taken != 0 {
                        Ok(taken)
                    } else {
                        Err(Error::Ended)
                    };
                }
                if place.is_none() {
                    state
                        .waiters
                        .try_reserve(1)
                        .map_err(|_| Error::OutOfMemory)?;
                    state.waiters.push(Waiter {
                        thread: thread.clone(),
                        mask,
                    });
                }
            }
            sched::block();
        }
    }
}

/// Bits of an event that are set when something happens.
#[derive(Clone)]
pub struct Binding {
    event: Arc<Event>,
    bits: u64,
}

impl Binding {
    /// These bits of this event; none if there are no bits.
    pub fn new(event: Arc<Event>, bits: u64) -> Option<Self> {
        (bits != 0).then_some(Self { event, bits })
    }

    /// It has happened.
    pub fn signal(&self) {
        self.event.signal(self.bits);
    }
}
