//! Events: 64 sticky bits that threads set, wait for and clear.
//!
//! Who sets bits gives them to those who wait, in the order in which they began to, before it lets go of the event: a bit wakes
//! nobody in vain. A thread that waits is in the event's list until it was given something or has taken itself out;
//! it does so before it leaves the call, so that it is alive while it is in the list.
//!
//! Bindings keep an event, but only handles let anybody wait for it. With the last handle it is *unheard*, and a thread that counts on
//! an answer by somebody who waits for the event need not wait any longer ([`Event::block_while_heard`]).

use alloc::vec::Vec;
use core::ops::Deref;

use abi::Error;
use ksched::timer::TimerId;
use ksync::{AllocError, Arc};

use crate::arch::current::IrqLock;
use crate::arch::current::time;
use crate::locks;
use crate::sched::alarm::{self, Alarm, NEVER};
use crate::sched::{self, Ready};

/// What a thread waits for, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The bits.
    pub mask: u64,
    /// Whether all of them are needed, or any.
    pub all: bool,
    /// Whether they stay set.
    pub keep: bool,
}

impl Wanted {
    /// Any of these bits, which are then cleared.
    pub const fn any(mask: u64) -> Self {
        Self {
            mask,
            all: false,
            keep: false,
        }
    }

    /// What `bits` has of it, if that is enough; and takes it from there, unless it stays. Never 0.
    fn take_from(self, bits: &mut u64) -> Option<u64> {
        let found = *bits & self.mask;
        let is_enough = if self.all {
            found == self.mask
        } else {
            found != 0
        };
        if !is_enough || found == 0 {
            return None;
        }
        if !self.keep {
            *bits &= !found;
        }
        Some(found)
    }
}

struct Waiter {
    thread: Ready,
    wanted: Wanted,
    /// What it was given; it is woken then, and takes itself out.
    given: Option<u64>,
}

#[derive(Default)]
struct State {
    bits: u64,
    waiters: Vec<Waiter>,
    /// The last handle has gone.
    is_unheard: bool,
}

/// Why a thread does not wait for somebody who waits for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// Nobody has a handle of the event.
    Unheard,
    /// Memory is short.
    OutOfMemory,
}

/// An alarm that sets bits, and the CPU that it is on.
type Timer = Option<(u32, TimerId)>;

/// An event object.
pub struct Event {
    state: IrqLock<State, locks::Event>,
    /// Taken before the lock of a CPU's alarms; that one is taken before the lock of the state.
    timer: IrqLock<Timer, locks::EventTimer>,
}

impl Event {
    /// An event with all bits clear.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new() -> Result<Arc<Self>, AllocError> {
        Arc::try_new(Self {
            state: IrqLock::new(State::default()),
            timer: IrqLock::new(None),
        })
    }

    /// Sets bits, and wakes those who thereby have what they wait for.
    pub fn signal(&self, bits: u64) {
        let State {
            bits: set, waiters, ..
        } = &mut *self.state.lock();
        *set |= bits;
        for waiter in waiters.iter_mut().filter(|waiter| waiter.given.is_none()) {
            waiter.given = waiter.wanted.take_from(set);
            if waiter.given.is_some() {
                // With the lock held: the thread takes itself out of the list before it can end.
                sched::wake_ready(waiter.thread);
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

    /// Blocks the running thread until it has what it wants, and returns that; at the latest until a time on the monotonic clock,
    /// in nanoseconds.
    ///
    /// # Errors
    /// `OutOfMemory`; `TimedOut`; `Ended` when the thread must end.
    pub fn wait(&self, wanted: Wanted, until_ns: u64) -> Result<u64, Error> {
        // SAFETY: the running thread; it takes itself out of the list before it goes on (invariant 14).
        let thread = unsafe { Ready::of(sched::current_ref()) };
        {
            let mut state = self.state.lock();
            if let Some(found) = wanted.take_from(&mut state.bits) {
                return Ok(found);
            }
            if until_ns == 0 {
                return Err(Error::TimedOut);
            }
            let reserved = state.waiters.try_reserve(1);
            reserved.map_err(|_| Error::OutOfMemory)?;
            state.waiters.push(Waiter {
                thread,
                wanted,
                given: None,
            });
        }
        loop {
            let blocked = alarm::block_until(until_ns);
            let mut state = self.state.lock();
            let own = |waiter: &Waiter| waiter.thread == thread;
            let Some(place) = state.waiters.iter().position(own) else {
                unreachable!("only the thread itself takes itself out of the list");
            };
            let given = state.waiters.get(place).and_then(|waiter| waiter.given);
            let result = if let Some(given) = given {
                Ok(given)
            } else if sched::current_must_end() {
                Err(Error::Ended)
            } else if blocked.is_err() {
                Err(Error::OutOfMemory)
            } else if time::now_ns() >= until_ns {
                Err(Error::TimedOut)
            } else {
                continue;
            };
            state.waiters.remove(place);
            return result;
        }
    }

    /// Whether somebody has a handle of it, if it ever had one.
    pub fn is_heard(&self) -> bool {
        !self.state.lock().is_unheard
    }

    /// Blocks the running thread until it is woken, or the last handle goes. May return early, as [`sched::block`].
    ///
    /// # Errors
    /// When the last handle has gone, or memory is short: the thread has not blocked then.
    pub fn block_while_heard(&self) -> Result<(), Alone> {
        // SAFETY: the running thread; it takes itself out of the list before it goes on (invariant 14).
        let thread = unsafe { Ready::of(sched::current_ref()) };
        {
            let mut state = self.state.lock();
            if state.is_unheard {
                return Err(Alone::Unheard);
            }
            let reserved = state.waiters.try_reserve(1);
            reserved.map_err(|_| Alone::OutOfMemory)?;
            state.waiters.push(Waiter {
                thread,
                // No bit is given to it.
                wanted: Wanted::any(0),
                given: None,
            });
        }
        sched::block();
        let waiters = &mut self.state.lock().waiters;
        waiters.retain(|waiter| waiter.thread != thread);
        Ok(())
    }

    /// The last handle has gone.
    fn close(&self) {
        let mut state = self.state.lock();
        state.is_unheard = true;
        // Nobody waits for bits: that needs a handle.
        for waiter in &state.waiters {
            // With the lock held: the thread takes itself out of the list before it can end.
            sched::wake_ready(waiter.thread);
        }
    }

    /// Sets bits at a time on the monotonic clock, in nanoseconds, instead of those of an earlier call; [`NEVER`]: none.
    ///
    /// # Errors
    /// When memory is short; the earlier timer is gone then, too.
    pub fn set_timer(&self, bits: u64, at_ns: u64) -> Result<(), Error> {
        let mut timer = self.timer.lock();
        if let Some((cpu, id)) = timer.take() {
            alarm::cancel(cpu, id);
        }
        if at_ns != NEVER {
            // SAFETY: `drop` cancels the alarm before the event goes.
            let set = unsafe { alarm::set(at_ns, Alarm::signal(self, bits)) };
            *timer = Some(set.map_err(|_| Error::OutOfMemory)?);
        }
        Ok(())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if let Some((cpu, id)) = self.timer.lock().take() {
            alarm::cancel(cpu, id);
        }
    }
}

/// What all handles of an event have in common. When it goes, nobody can wait for the event any more.
pub struct Listener {
    event: Arc<Event>,
}

impl Listener {
    /// That of a new event.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new() -> Result<Arc<Self>, AllocError> {
        let event = Event::new()?;
        Arc::try_new(Self { event })
    }
}

impl Deref for Listener {
    type Target = Event;

    #[inline]
    fn deref(&self) -> &Event {
        &self.event
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.event.close();
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
    pub fn new(listener: &Listener, bits: u64) -> Option<Self> {
        let event = listener.event.clone();
        (bits != 0).then_some(Self { event, bits })
    }

    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// It has happened.
    pub fn signal(&self) {
        self.event.signal(self.bits);
    }
}
