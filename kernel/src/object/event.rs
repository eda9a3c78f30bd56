//! Events: 64 sticky bits that threads set, wait for and clear.
//!
//! Who sets bits gives them to those who wait, in the order in which they began to, before it lets go of the event: a bit wakes
//! nobody in vain. A thread that waits is in the event's list until it is given something, and taken out with that
//! ([`ksync::Given`]), or has taken itself out; it is alive while it is in the list, as it leaves the call after that.
//!
//! Bindings keep an event, but only handles let anybody wait for it. With the last handle it is *unheard*, and a thread that counts on
//! an answer by somebody who waits for the event need not wait any longer ([`Event::block_while_heard`]).

use core::cell::Cell;
use core::num::NonZeroU64;
use core::ops::Deref;

use abi::Error;
use ksched::timer::TimerId;
use ksched::{Fifo, Link, Linked};
use ksync::{AllocError, Arc, Given};

use crate::arch::current::{IrqGuard, IrqLock, IrqOff, time};
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

    /// What `bits` has of it, if that is enough; and takes it from there, unless it stays.
    #[inline]
    fn take_from(self, bits: &mut u64) -> Option<NonZeroU64> {
        let found = NonZeroU64::new(*bits & self.mask)?;
        if self.all && found.get() != self.mask {
            return None;
        }
        if !self.keep {
            *bits &= !found.get();
        }
        Some(found)
    }
}

/// A thread in the list of an event.
#[derive(Clone, Copy)]
pub struct Waiter(Ready);

impl Linked for Waiter {
    fn link(&self) -> &Link<Self> {
        &self.0.thread().event.link
    }
}

/// What a thread needs to wait for an event.
pub struct EventWait {
    link: Link<Waiter>,
    /// What it waits for. As the link, of the one who holds the lock of the event in whose list the thread is.
    wanted: Cell<Wanted>,
    given: Given,
}

impl EventWait {
    /// That of a thread which does not wait.
    pub const fn new() -> Self {
        Self {
            link: Link::new(),
            wanted: Cell::new(Wanted::any(0)),
            given: Given::new(),
        }
    }
}

#[derive(Default)]
struct State {
    bits: u64,
    waiters: Fifo<Waiter>,
    /// The last handle has gone.
    is_unheard: bool,
}

/// Nobody has a handle of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unheard;

impl State {
    /// Gives bits that were set to those who thereby have what they wait for.
    #[inline(always)]
    fn give(&mut self, off: IrqOff<'_>) {
        let mut next = self.waiters.first();
        while let Some(waiter) = next
            && self.bits != 0
        {
            next = self.waiters.after(waiter);
            let wait = &waiter.0.thread().event;
            if let Some(found) = wait.wanted.get().take_from(&mut self.bits) {
                // First: it may end as soon as it was given something.
                self.waiters.remove(waiter);
                if let Some(woken) = waiter.0.give(&wait.given, found) {
                    sched::run_within(woken, off);
                }
            }
        }
    }
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
        self.signal_within(bits, IrqGuard::new().off());
    }

    /// As [`Self::signal`], where interrupts are off.
    #[inline(always)]
    pub fn signal_within(&self, bits: u64, off: IrqOff<'_>) {
        let mut state = self.state.lock_within(off);
        state.bits |= bits;
        if !state.waiters.is_empty() {
            state.give(off);
        }
    }

    /// Clears and returns the bits of `mask` that are set.
    #[inline(always)]
    pub fn take(&self, mask: u64, off: IrqOff<'_>) -> u64 {
        let mut state = self.state.lock_within(off);
        let taken = state.bits & mask;
        state.bits &= !taken;
        taken
    }

    /// Blocks the running thread until it has what it wants, and returns that; at the latest until a time on the monotonic clock,
    /// in nanoseconds.
    ///
    /// # Errors
    /// `OutOfMemory`; `TimedOut`; `Ended` when the thread must end.
    #[inline(always)]
    pub fn wait(&self, wanted: Wanted, until_ns: u64, off: IrqOff<'_>) -> Result<u64, Error> {
        let thread = sched::current_ref();
        let wait = &thread.event;
        // SAFETY: the running thread; it is out of the list before it goes on (invariant 14).
        let waiter = Waiter(unsafe { Ready::of(thread) });
        {
            let mut state = self.state.lock_within(off);
            if let Some(found) = wanted.take_from(&mut state.bits) {
                return Ok(found.get());
            }
            if until_ns == 0 {
                return Err(Error::TimedOut);
            }
            wait.wanted.set(wanted);
            wait.given.clear();
            state.waiters.push(waiter);
        }
        loop {
            let blocked = alarm::block_until_within(until_ns, off);
            if let Some(given) = wait.given.get() {
                return Ok(given.get());
            }
            if let Some(result) = self.look_again(waiter, until_ns, blocked.is_ok()) {
                return result;
            }
        }
    }

    /// What a wait comes to of a thread that was woken, or could not block, and has found nothing that it was given; none if it is to
    /// wait on.
    #[cold]
    fn look_again(
        &self,
        waiter: Waiter,
        until_ns: u64,
        has_blocked: bool,
    ) -> Option<Result<u64, Error>> {
        let mut state = self.state.lock();
        let error = if let Some(given) = waiter.0.thread().event.given.get() {
            return Some(Ok(given.get()));
        } else if sched::current_must_end() {
            Error::Ended
        } else if !has_blocked {
            Error::OutOfMemory
        } else if time::now_ns() >= until_ns {
            Error::TimedOut
        } else {
            return None;
        };
        state.waiters.remove(waiter);
        Some(Err(error))
    }

    /// Whether somebody has a handle of it, if it ever had one.
    pub fn is_heard(&self) -> bool {
        !self.state.lock().is_unheard
    }

    /// Blocks the running thread until it is woken, or the last handle goes. May return early, as [`sched::block`].
    ///
    /// # Errors
    /// When the last handle has gone: the thread has not blocked then.
    pub fn block_while_heard(&self) -> Result<(), Unheard> {
        let thread = sched::current_ref();
        // SAFETY: the running thread; it takes itself out of the list before it goes on (invariant 14).
        let waiter = Waiter(unsafe { Ready::of(thread) });
        {
            let mut state = self.state.lock();
            if state.is_unheard {
                return Err(Unheard);
            }
            // No bit is given to it: nobody but itself takes it out.
            thread.event.wanted.set(Wanted::any(0));
            state.waiters.push(waiter);
        }
        sched::block();
        self.state.lock().waiters.remove(waiter);
        Ok(())
    }

    /// The last handle has gone.
    fn close(&self) {
        let mut state = self.state.lock();
        state.is_unheard = true;
        // Nobody waits for bits: that needs a handle.
        let mut next = state.waiters.first();
        while let Some(waiter) = next {
            next = state.waiters.after(waiter);
            // With the lock held: the thread takes itself out of the list before it can end.
            sched::wake_ready(waiter.0);
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
