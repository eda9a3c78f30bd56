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
//! # Locks
//!
//! The lock of a list is taken with none of this module's parent held, and nothing is locked under it but what waking a thread
//! takes. Two lists are locked together only to move threads from one to the other, in the order of their addresses.

use core::cell::Cell;

use abi::Error;
use ksched::{Node, Task, WaitQueue};
use ksync::Arc;

use super::VmArea;
use crate::arch::current::usercopy;
use crate::arch::current::{IrqLock, time};
use crate::locks;
use crate::process::Process;
use crate::sched::thread::Thread;
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
    /// The area whose list the thread is in, or was when it was woken. Changed with the locks of both lists held.
    area: IrqLock<Option<Arc<VmArea>>, locks::SleeperArea>,
}

impl FutexWait {
    /// That of a thread which does not wait.
    pub const fn new() -> Self {
        Self {
            node: Node::new(),
            offset: Cell::new(0),
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
    fn wake(&mut self, offset: u64, most: u64) -> u64 {
        let mut woken = 0;
        while woken < most
            && let Some(Sleeper(ready)) = self.pop(offset)
        {
            // With the lock held: the thread takes it before it goes on.
            sched::wake_ready(ready);
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
    pub fn at(process: &Process, address: u64) -> Result<Self, Error> {
        if !address.is_multiple_of(WORD) {
            return Err(Error::InvalidArgument);
        }
        let (area, offset) = process.space().area_at(address).ok_or(Error::BadAddress)?;
        Ok(Self { area, offset })
    }

    /// Blocks the running thread until it is woken, unless the word, which is at `address`, is not as expected; at the latest until a
    /// time on the monotonic clock, in nanoseconds.
    ///
    /// # Errors
    /// `Changed`; `BadAddress` when the word cannot be read; `TimedOut`, `OutOfMemory`, `Ended`.
    pub fn wait(self, address: u64, expected: u32, until_ns: u64) -> Result<(), Error> {
        let thread = sched::current_ref();
        let wait = &thread.futex;
        // SAFETY: the running thread; it takes itself out of the list before it goes on (invariant 14).
        let own = Sleeper(unsafe { Ready::of(thread) });
        *wait.area.lock() = Some(self.area.clone());
        {
            let mut sleepers = self.area.sleepers.lock();
            wait.offset.set(self.offset);
            sleepers.queue.push(own, thread.priority());
        }
        let result = block(address, expected, until_ns, || !is_listed(thread, own));
        // Whoever wakes at the last moment counts: it was told that somebody was woken.
        let was_listed = leave(thread, own);
        // With no lock held: it may be the last reference.
        let area = wait.area.lock().take();
        drop(area);
        if was_listed { result } else { Ok(()) }
    }

    /// Wakes at most so many threads that wait for the word, the most urgent first; returns how many.
    pub fn wake(&self, most: u64) -> u64 {
        self.area.sleepers.lock().wake(self.offset, most)
    }

    /// As [`Self::wake`], and lets at most `move_most` others wait for another word from now on. Returns how many were woken or moved.
    pub fn requeue(&self, to: &Self, wake_most: u64, move_most: u64) -> u64 {
        let (from_key, to_key) = (self.area.as_ptr() as usize, to.area.as_ptr() as usize);
        if from_key == to_key {
            let mut sleepers = self.area.sleepers.lock();
            let woken = sleepers.wake(self.offset, wake_most);
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
        let mut low = low.area.sleepers.lock();
        let mut high = high.area.sleepers.lock();
        let (source, target) = if from_key < to_key {
            (&mut *low, &mut *high)
        } else {
            (&mut *high, &mut *low)
        };
        let woken = source.wake(self.offset, wake_most);
        let mut moved = 0;
        while moved < move_most
            && let Some(sleeper) = source.pop(self.offset)
        {
            let thread = sleeper.0.thread();
            thread.futex.offset.set(to.offset);
            // What it held before is not the last reference: we have one.
            drop(thread.futex.area.lock().replace(to.area.clone()));
            target.queue.push(sleeper, thread.priority());
            moved += 1;
        }
        woken + moved
    }
}

/// Blocks until the thread `is_woken`, unless the word has another value.
fn block(
    address: u64,
    expected: u32,
    until_ns: u64,
    is_woken: impl Fn() -> bool,
) -> Result<(), Error> {
    let word = usercopy::load(address).map_err(|_| Error::BadAddress)?;
    if word != expected {
        return Err(Error::Changed);
    }
    while !is_woken() {
        if sched::current_must_end() {
            return Err(Error::Ended);
        }
        if until_ns != alarm::NEVER && time::now_ns() >= until_ns {
            return Err(Error::TimedOut);
        }
        alarm::block_until(until_ns).map_err(|_| Error::OutOfMemory)?;
    }
    Ok(())
}

/// Does something with the list that the thread is in, or was when it was woken, locked.
fn with_list<R>(thread: &Thread, act: impl Fn(&mut Sleepers) -> R) -> Option<R> {
    let area = || thread.futex.area.lock().clone();
    let mut now = area()?;
    loop {
        {
            let mut sleepers = now.sleepers.lock();
            // It may have been moved before the lock was ours. From here on it is not.
            let is_same = |area: &Arc<VmArea>| core::ptr::eq(area.as_ptr(), now.as_ptr());
            if thread.futex.area.lock().as_ref().is_some_and(is_same) {
                return Some(act(&mut sleepers));
            }
        }
        now = area()?;
    }
}

/// Whether a thread has not been woken.
fn is_listed(thread: &Thread, own: Sleeper) -> bool {
    with_list(thread, |sleepers| sleepers.queue.has(own)).unwrap_or(false)
}

/// Takes a thread out of its list; whether it was there.
fn leave(thread: &Thread, own: Sleeper) -> bool {
    with_list(thread, |sleepers| sleepers.queue.remove(own)).unwrap_or(false)
}
