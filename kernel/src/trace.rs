//! The trace of what ran where: kept in memory while the system runs, printed when it stops.
//!
//! Off by default, it costs one test and branch at each switch. `trace=1` turns it on, and `scripts/run --trace`
//! makes a picture of it. Writers take a slot by a counter and never wait; when all slots are taken, later events
//! are counted and lost.

use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::arch::current::serial::Serial;
use crate::arch::current::{percpu, time};

/// Events that are kept.
const SLOTS: usize = 8192;
/// Bytes of a name that are kept.
const NAME: usize = 16;

/// One event: time, processor and phase, and a name in two words. An event whose time is 0 was not finished.
struct Slot {
    time_ns: AtomicU64,
    what: AtomicU64,
    name: [AtomicU64; NAME / 8],
}

static ON: AtomicBool = AtomicBool::new(false);
static NEXT: AtomicUsize = AtomicUsize::new(0);
static EVENTS: [Slot; SLOTS] = [const {
    Slot {
        time_ns: AtomicU64::new(0),
        what: AtomicU64::new(0),
        name: [const { AtomicU64::new(0) }; NAME / 8],
    }
}; SLOTS];

/// What happened to the named thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It begins to run.
    Begin,
    /// It stops running.
    End,
    /// It happened.
    Instant,
}

impl Phase {
    const fn letter(self) -> u8 {
        match self {
            Self::Begin => b'B',
            Self::End => b'E',
            Self::Instant => b'i',
        }
    }
}

/// Starts recording.
pub fn start() {
    ON.store(true, Ordering::Relaxed);
}

/// Whether events are recorded.
#[inline]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Records an event of this processor. From any context; takes no lock.
#[inline]
pub fn record(phase: Phase, name: &str) {
    if is_on() {
        store(phase, name);
    }
}

#[cold]
fn store(phase: Phase, name: &str) {
    let Some(slot) = EVENTS.get(NEXT.fetch_add(1, Ordering::Relaxed)) else {
        return;
    };
    let mut bytes = [0; NAME];
    let len = name.len().min(NAME);
    bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
    let (words, _) = bytes.as_chunks::<8>();
    for (word, bytes) in slot.name.iter().zip(words) {
        word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
    }
    let cpu = u64::from(percpu::current().index);
    slot.what
        .store(cpu << 8 | u64::from(phase.letter()), Ordering::Relaxed);
    // Last, and never 0: this is what makes the event count.
    slot.time_ns.store(time::now_ns().max(1), Ordering::Release);
}

/// Prints what was recorded, one line for each event, and stops recording.
pub fn print() {
    if !ON.swap(false, Ordering::Relaxed) {
        return;
    }
    let taken = NEXT.load(Ordering::Relaxed);
    if taken > SLOTS {
        log::warn!(
            "{} events of the trace were lost: it holds {SLOTS}",
            taken - SLOTS
        );
    }
    for slot in EVENTS.iter().take(taken) {
        let time_ns = slot.time_ns.load(Ordering::Acquire);
        if time_ns == 0 {
            continue;
        }
        let what = slot.what.load(Ordering::Relaxed);
        let mut bytes = [0; NAME];
        for (eight, word) in bytes.chunks_exact_mut(8).zip(&slot.name) {
            eight.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(NAME);
        let name = core::str::from_utf8(&bytes[..end]).unwrap_or("?");
        // The serial port never fails.
        let _ = writeln!(
            Serial,
            "{{{{{{trace:{}:{time_ns}:{}:{name}}}}}}}",
            what >> 8,
            char::from(what as u8)
        );
    }
}
