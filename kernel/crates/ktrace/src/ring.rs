//! The events of one processor: the newest ones, in a ring.
//!
//! One writer, the processor, with interrupts off; so a slot is never written by two. A reader on another processor may come at any
//! time, without making the writer wait: each slot has the number of its event, which is 0 while it is being written. A reader looks at
//! it before and after; a word that it saw of a newer event was stored after the 0 was, so that the second look finds the slot
//! changed. All words are atomic, so that a torn copy is thrown away and nothing worse.

use alloc::vec::Vec;
use core::ops::Range;

use ksync::atomic::{AtomicU64, Ordering};

use crate::event::{Event, WORDS};

/// The fewest events that a ring can be made for.
pub const MIN_LEN: usize = 2;

struct Slot {
    /// The number of the event plus 1; 0: none, or one that is being written.
    mark: AtomicU64,
    time_ns: AtomicU64,
    head: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Slot {
    fn new() -> Self {
        Self {
            mark: AtomicU64::new(0),
            time_ns: AtomicU64::new(0),
            head: AtomicU64::new(0),
            words: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    fn write(&self, mark: u64, event: &Event) {
        self.mark.store(0, Ordering::Relaxed);
        // Release: who sees one of these sees the 0 above, or a later mark.
        self.time_ns.store(event.time_ns, Ordering::Release);
        self.head.store(event.head(), Ordering::Release);
        for (place, word) in self.words.iter().zip(event.words) {
            place.store(word, Ordering::Release);
        }
        self.mark.store(mark, Ordering::Release);
    }

    /// The event, and its mark; none if it is being written.
    fn read(&self) -> Option<(u64, Event)> {
        let mark = self.mark.load(Ordering::Acquire);
        if mark == 0 {
            return None;
        }
        let time_ns = self.time_ns.load(Ordering::Acquire);
        let head = self.head.load(Ordering::Acquire);
        let mut words = [0; WORDS];
        for (word, place) in words.iter_mut().zip(&self.words) {
            *word = place.load(Ordering::Acquire);
        }
        if self.mark.load(Ordering::Relaxed) != mark {
            return None;
        }
        Some((mark, Event::from_head(head, time_ns, words)?))
    }
}

/// There is no memory for a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// The newest events of one processor.
pub struct Ring {
    /// The number of the next event.
    next: AtomicU64,
    /// The number of the first event that counts.
    first: AtomicU64,
    slots: Vec<Slot>,
    /// A copy of one that is not overwritten by others.
    pinned: Slot,
}

impl Ring {
    /// Bytes of one event in a ring.
    pub const EVENT_BYTES: usize = size_of::<Slot>();

    /// An empty ring for `len` events, at least [`MIN_LEN`].
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn try_new(len: usize) -> Result<Self, NoMemory> {
        let len = len.max(MIN_LEN);
        let mut slots = Vec::new();
        slots.try_reserve_exact(len).map_err(|_| NoMemory)?;
        slots.resize_with(len, Slot::new);
        Ok(Self {
            next: AtomicU64::new(0),
            first: AtomicU64::new(0),
            slots,
            pinned: Slot::new(),
        })
    }

    fn slot(&self, number: u64) -> Option<&Slot> {
        // Never empty.
        self.slots.get((number % self.slots.len() as u64) as usize)
    }

    /// Adds an event, over the oldest one. One writer at a time: a processor, with interrupts off.
    pub fn push(&self, event: &Event) {
        let number = self.next.load(Ordering::Relaxed);
        let Some(slot) = self.slot(number) else {
            return;
        };
        slot.write(number + 1, event);
        self.next.store(number + 1, Ordering::Release);
    }

    /// Adds an event, as [`Self::push`], and keeps it until the next one that comes by this.
    pub fn pin(&self, event: &Event) {
        self.push(event);
        self.pinned.write(self.next.load(Ordering::Relaxed), event);
    }

    /// The event that was pinned last; none if there is none, or while it is being written.
    pub fn pinned(&self) -> Option<Event> {
        Some(self.pinned.read()?.1)
    }

    /// The numbers of the events that are kept at this moment.
    pub fn kept(&self) -> Range<u64> {
        let next = self.next.load(Ordering::Acquire);
        let first = self.first.load(Ordering::Relaxed);
        next.saturating_sub(self.slots.len() as u64).max(first)..next
    }

    /// How many events were overwritten.
    pub fn lost(&self) -> u64 {
        self.kept().start - self.first.load(Ordering::Relaxed)
    }

    /// Forgets all events, while nobody writes.
    pub fn forget(&self) {
        let next = self.next.load(Ordering::Acquire);
        self.first.store(next, Ordering::Relaxed);
        self.pinned.mark.store(0, Ordering::Release);
    }

    /// The event with this number; none if it is not there yet, was overwritten, or is being overwritten.
    pub fn read(&self, number: u64) -> Option<Event> {
        let (mark, event) = self.slot(number)?.read()?;
        (mark == number + 1).then_some(event)
    }
}
