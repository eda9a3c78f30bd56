//! The trace: what each processor did last, kept in memory while the system runs and written when it stops.
//!
//! Off, which is the rule, it costs one test and one branch at each place that records: [`is_on`] looks at a word that nobody writes to
//! while the system runs, and that shares its cache line with nothing. On, each processor writes to a ring of its own
//! ([`ktrace::Ring`]), with interrupts off. docs/tracing.md says how it is used; [`dump`] writes it.

mod dump;
mod piece;

use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use abi::Error;
use ksync::try_box;
use ktrace::{Event, Group, Kind, Kinds, Left, Ring};
use x86_64::instructions::interrupts;

use crate::arch::current::{percpu, time};
use crate::boot;
use crate::object::mailbox::Mailbox;
use crate::sched::thread::Thread;

pub use dump::write;
pub use piece::read;

/// Events that a ring keeps, if the command line does not say.
const EVENTS: u64 = 16384;
/// The most that it can be told to keep.
const EVENTS_MAX: u64 = 1 << 20;
/// The most that a program can tell it: memory for them is cleared with interrupts off.
const EVENTS_MAX_LATER: u64 = 1 << 17;

/// The command line asks for a trace: it is written when the system stops.
static IS_OF_BOOT: AtomicBool = AtomicBool::new(false);

/// A word with a cache line of its own.
#[repr(align(64))]
pub struct Line(AtomicU32);

/// What is recorded: bits of [`Group`], and [`LOG`].
pub static WANTED: Line = Line(AtomicU32::new(0));
/// System calls are logged.
const LOG: u32 = 1 << 31;
/// The bits of [`WANTED`] by which somebody wants to know what system calls there are.
pub const OF_CALLS: u32 = LOG | Group::Call.bit();

/// Whether events of a group are recorded.
#[inline(always)]
pub fn is_on(group: Group) -> bool {
    WANTED.0.load(Ordering::Relaxed) & group.bit() != 0
}

/// Whether anything is recorded, or logged of system calls.
#[inline(always)]
pub fn is_any_on() -> bool {
    WANTED.0.load(Ordering::Relaxed) != 0
}

/// Whether events of one of two groups are recorded.
#[inline(always)]
pub fn is_either_on(one: Group, other: Group) -> bool {
    WANTED.0.load(Ordering::Relaxed) & (one.bit() | other.bit()) != 0
}

/// Whether somebody wants to know what system calls there are: the trace or the log.
#[inline(always)]
pub fn is_calls_on() -> bool {
    WANTED.0.load(Ordering::Relaxed) & OF_CALLS != 0
}

/// System calls are to be logged, or not.
pub fn set_log(is_logged: bool) {
    if is_logged {
        WANTED.0.fetch_or(LOG, Ordering::Relaxed);
    } else {
        WANTED.0.fetch_and(!LOG, Ordering::Relaxed);
    }
}

/// Begins to record if the command line asks for it. The processors have their areas; their rings are made here, and those
/// that there is no memory for record nothing.
#[unsafe(link_section = ".init.text")]
pub fn start() {
    let options = boot::info().options();
    if !options.flag("trace") {
        return;
    }
    IS_OF_BOOT.store(true, Ordering::Relaxed);
    let list = options.get("trace").unwrap_or_default();
    let kinds = Kinds::parse(list).unwrap_or_else(|word| {
        log::warn!("trace: there is no kind '{word}' of events; all are recorded");
        Kinds::ALL
    });
    let events = options.number("trace-events").unwrap_or(EVENTS);
    let events = events.min(EVENTS_MAX) as usize;
    let mut without = 0;
    for area in percpu::all() {
        let ring = Ring::try_new(events).map_err(|_| ());
        match ring.and_then(|ring| try_box(ring).map_err(|_| ())) {
            // For ever: other processors, and a panic, may read it at any time.
            Ok(ring) => {
                // All processors but this one are idle, and so is this one's thread.
                if let Some((id, name)) = crate::sched::idle_on(area) {
                    let event = Event::new(time::now_ns(), Kind::Running, 0, id, [id, 0]);
                    ring.pin(&event.with_name(name));
                }
                area.trace.store(Box::leak(ring), Ordering::Release);
            }
            Err(()) => without += 1,
        }
    }
    if without != 0 {
        log::warn!(
            "trace: no memory for {without} of {} processors, which record nothing",
            percpu::count()
        );
    }
    log::info!(
        "trace: {events} events a processor, {} KiB each",
        (events * Ring::EVENT_BYTES) >> 10
    );
    WANTED.0.fetch_or(kinds.bits(), Ordering::Relaxed);
}

/// Whether events are recorded.
fn is_recording() -> bool {
    WANTED.0.load(Ordering::Relaxed) & Kinds::ALL.bits() != 0
}

/// Begins to record, from the start. Each processor keeps `events` events, 0 for the usual number, if it has not kept any before.
///
/// # Errors
/// `OutOfMemory`; then nothing is recorded.
pub fn begin(kinds: Kinds, events: u64) -> Result<(), Error> {
    stop();
    let events = if events == 0 { EVENTS } else { events };
    let events = events.min(EVENTS_MAX_LATER) as usize;
    for area in percpu::all() {
        // SAFETY: null, or a ring that is there for ever.
        if let Some(ring) = unsafe { area.trace.load(Ordering::Acquire).as_ref() } {
            ring.forget();
            continue;
        }
        let ring = Ring::try_new(events).map_err(|_| Error::OutOfMemory)?;
        let ring = try_box(ring).map_err(|_| Error::OutOfMemory)?;
        let ring = Box::into_raw(ring);
        let null = core::ptr::null_mut();
        let made = (area.trace).compare_exchange(null, ring, Ordering::AcqRel, Ordering::Relaxed);
        if made.is_err() {
            // Somebody else has made one meanwhile.
            // SAFETY: nobody has seen it.
            drop(unsafe { Box::from_raw(ring) });
        }
        // That took a while.
        crate::sched::yield_now();
    }
    WANTED.0.fetch_or(kinds.bits(), Ordering::Relaxed);
    Ok(())
}

/// Stops recording.
///
/// # Errors
/// `NotReady` when nothing was recorded.
pub fn end() -> Result<(), Error> {
    if stop() { Ok(()) } else { Err(Error::NotReady) }
}

/// Stops recording; whether anything was recorded. Other processors may still be about to write an event.
fn stop() -> bool {
    WANTED.0.fetch_and(LOG, Ordering::Relaxed) & Kinds::ALL.bits() != 0
}

/// Puts an event into this processor's ring. From any context but that of an NMI.
#[inline]
fn record<const N: usize>(kind: Kind, detail: u16, thread: u64, words: [u64; N]) {
    push(Event::new(
        0,
        kind,
        detail,
        thread & Event::THREAD_MAX,
        words,
    ));
}

#[inline(never)]
fn push(mut event: Event) {
    interrupts::without_interrupts(|| {
        let ring = percpu::current().trace.load(Ordering::Acquire);
        // SAFETY: null, or a ring that `start` has leaked: it is there for ever.
        if let Some(ring) = unsafe { ring.as_ref() } {
            // Read here: the events of a processor are in the order of their times.
            event.time_ns = time::now_ns();
            if event.kind == Kind::Switch {
                ring.pin(&event);
            } else {
                ring.push(&event);
            }
        }
    });
}

/// The number of the thread that this processor runs.
fn current() -> u64 {
    crate::sched::id_on(percpu::current())
}

/// Number of a thread's process; 0 for one of the kernel.
fn process_of(thread: &Thread) -> u64 {
    thread.process.as_ref().map_or(0, |process| process.id())
}

/// This processor leaves a thread for another one.
#[cold]
pub fn switch(from: &Thread, to: &Thread, left: Left, is_handed_over: bool) {
    if is_handed_over {
        handed_over(from, to);
    }
    let handed = if is_handed_over { Left::HANDED_OVER } else { 0 };
    let words = [to.id, process_of(to)];
    let event = Event::new(
        0,
        Kind::Switch,
        left as u16 | handed,
        from.id & Event::THREAD_MAX,
        words,
    );
    push(event.with_name(to.name()));
}

/// How a thread becomes runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was blocked, and is woken.
    Woken = 0,
    /// It was woken when it had not yet blocked.
    Late = 1,
    /// It is a new one.
    New = 2,
    /// It was runnable, and goes to another processor.
    Moved,
}

/// A thread is made runnable, or is moved.
#[cold]
pub fn runnable(thread: &Thread, cause: Cause, from: Option<u32>, to: u32) {
    if cause != Cause::Moved && is_on(Group::Wake) {
        record(
            Kind::Wake,
            cause as u16,
            current(),
            [thread.id, u64::from(to)],
        );
    }
    if let Some(from) = from
        && from != to
        && is_on(Group::Migrate)
    {
        migrate(thread, from, to);
    }
}

/// A thread is moved.
#[cold]
pub fn migrate(thread: &Thread, from: u32, to: u32) {
    record(
        Kind::Migrate,
        0,
        current(),
        [thread.id, u64::from(from), u64::from(to)],
    );
}

/// The number of a system call as events have it.
fn call_number(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// The running thread makes a system call.
#[cold]
pub fn call(number: u64, registers: [u64; 6]) {
    if is_on(Group::Call) {
        record(Kind::Call, call_number(number), current(), registers);
    }
}

/// A system call of the running thread is over.
#[cold]
pub fn returned(number: u64, result: Result<u64, abi::Error>) {
    if is_on(Group::Call) {
        let words = match result {
            Ok(value) => [0, value],
            Err(error) => [error.number(), 0],
        };
        record(Kind::Return, call_number(number), current(), words);
    }
}

/// The running thread has caused an exception, at an address, with an error code, by an instruction. `reason` is what came of it, none if
/// it is tried again.
#[cold]
pub fn fault(vector: u64, [address, error, rip]: [u64; 3], reason: Option<u64>) {
    let outcome = reason.map_or(0, |reason| reason + 1);
    let words = [address, error, rip, outcome];
    record(Kind::Fault, vector as u16, current(), words);
}

/// This processor takes an interrupt.
#[cold]
pub fn interrupt(vector: u8) {
    record(Kind::Interrupt, u16::from(vector), current(), []);
}

/// This processor interrupts another one.
#[cold]
pub fn ipi(vector: u8, to: u32) {
    record(Kind::Ipi, u16::from(vector), current(), [u64::from(to)]);
}

/// A caller finds nobody who waits for its message.
#[cold]
pub fn queue(mailbox: &Mailbox, caller: &Thread) {
    let words = [
        core::ptr::from_ref(mailbox) as u64,
        caller.ipc.serial().number(),
    ];
    record(Kind::Queue, 0, caller.id, words);
}

/// A thread gives the processor to the one that it has sent a message to, or answered: the message is recorded here, lest the way
/// of a call is longer when nothing is recorded.
#[cold]
pub fn handed_over(from: &Thread, to: &Thread) {
    if !is_on(Group::Ipc) {
        return;
    }
    if to.ipc.is_received() {
        deliver(from, to.id);
    } else {
        reply(to, false);
    }
}

/// A message is given to a server.
#[cold]
pub fn deliver(caller: &Thread, server: u64) {
    // SAFETY: the caller runs this or is blocked in its call; its frame is at the top of its stack (invariant 13).
    let tag = unsafe { (*caller.frame()).rsi };
    let words = [caller.id, server, caller.ipc.serial().number(), tag];
    record(Kind::Deliver, 0, current(), words);
}

/// A call is over: answered, or refused.
#[cold]
pub fn reply(caller: &Thread, is_refused: bool) {
    let words = [caller.id, caller.ipc.serial().number()];
    record(Kind::Reply, u16::from(is_refused), current(), words);
}
