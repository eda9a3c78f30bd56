//! Futexes: threads that wait until somebody says that a word of memory has changed.
//!
//! A word is a place in an area, so that processes which map the area wherever they like mean the same one. Each area has its own list
//! of threads that wait, and a lock for it: processes that share no memory share none of this either.
//!
//! # Why no wake-up is lost
//!
//! Who waits enters the list, with the lock held, and reads the word afterwards. Who wakes has changed the word before it takes the
//! lock. So either the lock was taken by the one who wakes first, and the one who waits reads the new value; or that one was in
//! the list already, and is found there.
//!
//! Who wakes takes the thread out of the list, and gives it notice of that ([`ksync::Given`]): the thread needs no lock to find it.
//!
//! # Locks
//!
//! The lock of a list is taken with none of this module's parent held, and nothing is locked under it but what waking a thread
//! takes. Two lists are locked together only to move threads from one to the other, in the order of their addresses.

use core::cell::Cell;
use core::num::NonZeroU64;

use abi::Error;
use ksched::{Node, Task, WaitQueue};
use ksync::{Arc, Given};

use super::VmArea;
use crate::arch::current::usercopy;
use crate::arch::current::{IrqGuard, IrqLock, IrqOff, time};
use crate::locks;
use crate::process::Process;
use crate::sched::{self, Ready, alarm};

/// Bytes of a word.
const WORD: u64 = size_of::<u32>() as u64;

/// A thread in the list of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sleeper(Ready);

impl Task for Sleeper {
    fn node(&self) -> &Node<Self> {
        &self.0.thread().futex.node
    }
}

/// What a thread needs to wait for a word.
pub struct FutexWait {
    node: Node<Sleeper>,
    /// Where the word lies in the area. Of the one who holds the lock of the list that the thread is in.
    offset: Cell<u64>,
    /// That it was woken.
    woken: Given,
    /// Whether it was moved to the list of another area than that which it began to wait in. As `offset`; of the thread itself when it
    /// was woken.
    is_moved: Cell<bool>,
    /// The area to whose list the thread was moved. Changed with the locks of both lists held.
    area: IrqLock<Option<Arc<VmArea>>, locks::SleeperArea>,
}

/// What a thread is given that is woken.
const WOKEN: NonZeroU64 = NonZeroU64::MIN;

impl FutexWait {
    /// That of a thread which does not wait.
    pub const fn new() -> Self {
        Self {
            node: Node::new(),
            offset: Cell::new(0),
            woken: Given::new(),
            is_moved: Cell::new(false),
            area: IrqLock::new(None),
        }
    }
}

/// The threads that wait for words of an area.
pub struct Sleepers {
    queue: WaitQueue<Sleeper>,
}

impl Sleepers {
    /// None.
    pub const fn new() -> Self {
        Self {
            queue: WaitQueue::new(),
        }
    }

    /// Takes out the most urgent one that waits for a word.
    fn pop(&mut self, offset: u64) -> Option<Sleeper> {
        self.queue
            .pop_where(|sleeper| sleeper.0.thread().futex.offset.get() == offset)
    }

    /// Wakes at most so many of those that wait for a word; returns how many.
    #[inline]
    fn wake(&mut self, offset: u64, most: u64, off: IrqOff<'_>) -> u64 {
        let mut woken = 0;
        while woken < most
            && let Some(Sleeper(ready)) = self.pop(offset)
        {
            // It may end as soon as it was given notice.
            if let Some(ready) = ready.give(&ready.thread().futex.woken, WOKEN) {
                sched::run_within(ready, off);
            }
            woken += 1;
        }
        woken
    }
}

/// A word of memory.
pub struct Word {
    area: Arc<VmArea>,
    offset: u64,
}

impl Word {
    /// The one at an address of a process.
    ///
    /// # Errors
    /// `InvalidArgument` when the address is no multiple of 4; `BadAddress` when nothing is mapped there.
    #[inline(always)]
    pub fn at(process: &Process, address: u64, off: IrqOff<'_>) -> Result<Self, Error> {
        if !address.is_multiple_of(WORD) {
            return Err(Error::InvalidArgument);
        }
        let (area, offset) = process
            .space()
            .area_at(address, off)
            .ok_or(Error::BadAddress)?;
        Ok(Self { area, offset })
    }

    /// Blocks the running thread until it is woken, unless the word, which is at `address`, is not as expected; at the latest until a
    /// time on the monotonic clock, in nanoseconds.
    ///
    /// # Errors
    /// `Changed`; `BadAddress` when the word cannot be read; `TimedOut`, `OutOfMemory`, `Ended`.
    #[inline(always)]
    pub fn wait(
        self,
        address: u64,
        expected: u32,
        until_ns: u64,
        off: IrqOff<'_>,
    ) -> Result<(), Error> {
        let thread = sched::current_ref();
        let wait = &thread.futex;
        // SAFETY: the running thread; it is out of the list before it goes on (invariant 14).
        let own = Sleeper(unsafe { Ready::of(thread) });
        {
            let mut sleepers = self.area.sleepers.lock_within(off);
            wait.offset.set(self.offset);
            wait.woken.clear();
            sleepers.queue.push(own, thread.priority());
        }
        let mut result = check(address, expected);
        while result.is_ok() {
            result = block(until_ns, off);
            if wait.woken.get().is_some() {
                result = Ok(());
                break;
            }
            // It may just be being woken.
            if result.is_ok() && self.with_list(own, |_| wait.woken.get().is_some()) {
                break;
            }
        }
        if let Err(error) = result {
            result = self.leave(own, error);
        }
        // Nobody else looks at it any more.
        if wait.is_moved.take() {
            // With no lock held: it may be the last reference.
            let area = wait.area.lock().take();
            drop(area);
        }
        result
    }

    /// Takes a thread that began to wait for this word out of its list, unless it was woken: that counts, even at the last moment, as
    /// the one who did it was told so.
    #[cold]
    fn leave(&self, own: Sleeper, error: Error) -> Result<(), Error> {
        self.with_list(own, |sleepers| {
            if sleepers.queue.remove(own) {
                Err(error)
            } else {
                Ok(())
            }
        })
    }

    /// Does something with the list locked that a thread is in which began to wait for this word, or was in when it was woken.
    #[cold]
    fn with_list<R>(&self, own: Sleeper, act: impl FnOnce(&mut Sleepers) -> R) -> R {
        let moved = || own.0.thread().futex.area.lock().clone();
        let mut now = moved();
        loop {
            let area = now.as_ref().unwrap_or(&self.area);
            {
                let mut sleepers = area.sleepers.lock();
                // It may have been moved before the lock was ours. From here on it is not.
                let is_same = {
                    let last = own.0.thread().futex.area.lock();
                    let last = last.as_ref().unwrap_or(&self.area);
                    core::ptr::eq(last.as_ptr(), area.as_ptr())
                };
                if is_same {
                    return act(&mut sleepers);
                }
            }
            now = moved();
        }
    }

    /// Wakes at most so many threads that wait for the word, the most urgent first; returns how many.
    #[inline(always)]
    pub fn wake(&self, most: u64, off: IrqOff<'_>) -> u64 {
        let mut sleepers = self.area.sleepers.lock_within(off);
        sleepers.wake(self.offset, most, off)
    }

    /// As [`Self::wake`], and lets at most `move_most` others wait for another word from now on. Returns how many were woken or moved.
    pub fn requeue(&self, to: &Self, wake_most: u64, move_most: u64) -> u64 {
        let (from_key, to_key) = (self.area.as_ptr() as usize, to.area.as_ptr() as usize);
        if from_key == to_key {
            let irq = IrqGuard::new();
            let mut sleepers = self.area.sleepers.lock_within(irq.off());
            let woken = sleepers.wake(self.offset, wake_most, irq.off());
            // To the same word: they would be found again and again.
            let is_same = self.offset == to.offset;
            let mut moved = 0;
            while !is_same
                && moved < move_most
                && let Some(sleeper) = sleepers.pop(self.offset)
            {
                let thread = sleeper.0.thread();
                thread.futex.offset.set(to.offset);
                sleepers.queue.push(sleeper, thread.priority());
                moved += 1;
            }
            return woken + moved;
        }
        let (low, high) = if from_key < to_key {
            (self, to)
        } else {
            (to, self)
        };
        let irq = IrqGuard::new();
        let mut low = low.area.sleepers.lock_within(irq.off());
        let mut high = high.area.sleepers.lock_within(irq.off());
        let (source, target) = if from_key < to_key {
            (&mut *low, &mut *high)
        } else {
            (&mut *high, &mut *low)
        };
        let woken = source.wake(self.offset, wake_most, irq.off());
        let mut moved = 0;
        while moved < move_most
            && let Some(sleeper) = source.pop(self.offset)
        {
            let thread = sleeper.0.thread();
            thread.futex.offset.set(to.offset);
            // What it held before is not the last reference: we have one.
            drop(thread.futex.area.lock().replace(to.area.clone()));
            thread.futex.is_moved.set(true);
            target.queue.push(sleeper, thread.priority());
            moved += 1;
        }
        woken + moved
    }
}

/// Whether the word has the value that is expected.
#[inline]
fn check(address: u64, expected: u32) -> Result<(), Error> {
    let word = usercopy::load(address).map_err(|_| Error::BadAddress)?;
    if word == expected {
        Ok(())
    } else {
        Err(Error::Changed)
    }
}

/// Blocks until the thread is woken, by whomever, unless it is not to wait any more.
#[inline]
fn block(until_ns: u64, off: IrqOff<'_>) -> Result<(), Error> {
    if sched::current_must_end() {
        return Err(Error::Ended);
    }
    if until_ns != alarm::NEVER && time::now_ns() >= until_ns {
        return Err(Error::TimedOut);
    }
    alarm::block_until_within(until_ns, off).map_err(|_| Error::OutOfMemory)
}
