//! The group `scale`: what an operation costs when one, two or four processes do it at once that share nothing.
//!
//! Each worker is a process of its own, on a processor of its own, with what it works on: an event, a word, an area, a server in
//! another process on the same processor. A sample is the time from the first worker's start to the last one's end, for each of all
//! operations: where time is instructions, and processors are executed in turn, that is what all processors together execute for one
//! operation. After each operation a worker pauses, so that the next processor has its turn: the workers go in step.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sys::abi::{Error, Handle, NEVER, Rights};
use sys::message::{self, Message};
use sys::{call, twin};

use crate::measure::{Env, Figure, Samples, now};
use crate::memory::{Mapping, Owned, PAGE, RW, open_area};

/// The figures of an operation with so many workers.
macro_rules! figures {
    ($($name:literal $what:literal $operation:ident),* $(,)?) => {
        &[$(
            Figure { name: concat!($name, "-1"), what: $what, run: |env, samples| scale(env, samples, Operation::$operation, 1) },
            Figure { name: concat!($name, "-2"), what: $what, run: |env, samples| scale(env, samples, Operation::$operation, 2) },
            Figure { name: concat!($name, "-4"), what: $what, run: |env, samples| scale(env, samples, Operation::$operation, 4) },
        )*]
    };
}

/// All of them.
pub const FIGURES: &[Figure] = figures! {
    "null" "a system call that does nothing" Null,
    "handle" "duplicate a handle, close the duplicate" Handle,
    "event" "signal an event and take the bit" Event,
    "futex" "wake nobody, and wait for a word that has changed" Futex,
    "call" "call a server with a word, and get one back" Call,
    "map" "map a page of an area, store to it, unmap it" Map,
    "life" "make an area, map it, store to a page, unmap it, close it" Life,
};

/// To see that sharing shows: four workers and one event.
pub const SHARED: &[Figure] = &[Figure {
    name: "shared-4",
    what: "signal an event that all share, and take the bit",
    run: |env, samples| scale(env, samples, Operation::Shared, 4),
}];

/// What workers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Null,
    Handle,
    Event,
    Futex,
    Call,
    Map,
    Life,
    Shared,
}

impl Operation {
    const ALL: [Self; 8] = [
        Self::Null,
        Self::Handle,
        Self::Event,
        Self::Futex,
        Self::Call,
        Self::Map,
        Self::Life,
        Self::Shared,
    ];
}

/// Operations of each worker in a sample.
const OPERATIONS: u64 = 2000;
/// Samples.
const ROUNDS: usize = 4;
/// The most workers.
const MOST: usize = 4;
/// Bits of a worker's event: begin, and end.
const BEGIN: u64 = 1;
const END: u64 = 2;

/// What a worker is told, and what it tells. A page of its own.
#[repr(C)]
#[derive(Default)]
struct Desk {
    /// Handles of the worker: its process, when it is to begin, when all have done, its server, and an event that all have.
    own: AtomicU64,
    begin: AtomicU64,
    done: AtomicU64,
    server: AtomicU64,
    shared: AtomicU64,
    operation: AtomicU64,
    /// Its bit in the event that says when all have done.
    bit: AtomicU64,
    /// When its operations began and ended.
    began: AtomicU64,
    ended: AtomicU64,
    /// The number of an error, or 0.
    error: AtomicU64,
}

fn get(place: &AtomicU64) -> Handle {
    Handle(place.load(Ordering::Acquire))
}

/// The first function of a worker.
extern "C" fn work(desk: u64) -> ! {
    // SAFETY: a page that was mapped in this process, and is shared as atomics only.
    let desk = unsafe { &*(desk as *const Desk) };
    let result = serve(desk);
    let number = result.map_or_else(|error| error.number(), |()| 0);
    desk.error.store(number, Ordering::Release);
    let _ = call::event_signal(get(&desk.done), desk.bit.load(Ordering::Relaxed));
    call::process_exit(0)
}

/// Works until it is told to end.
fn serve(desk: &Desk) -> Result<(), Error> {
    let number = desk.operation.load(Ordering::Acquire) as usize;
    let operation = Operation::ALL.get(number).ok_or(Error::InvalidArgument)?;
    let own = get(&desk.own);
    let event = Owned(call::event_create()?);
    let area = open_area(1)?;
    // The page is there from now on.
    Mapping::new(own, &area, 1)?.touch(0);
    let word = AtomicU32::new(1);
    let message = Message::new(1, &[0x55]);
    let signal = |event: Handle| {
        call::event_signal(event, 1)?;
        // Another worker may have taken the bit of one that all share.
        match call::event_take(event, 1) {
            Err(Error::NotReady) if *operation == Operation::Shared => Ok(()),
            result => result.map(drop),
        }
    };
    let act = || match operation {
        Operation::Null => {
            call::abi_version();
            Ok(())
        }
        Operation::Handle => call::handle_close(call::handle_duplicate(event.0, Rights::ALL)?),
        Operation::Event => signal(event.0),
        Operation::Shared => signal(get(&desk.shared)),
        Operation::Futex => {
            call::futex_wake(word.as_ptr() as u64, 1)?;
            match call::futex_wait(word.as_ptr() as u64, 0, NEVER) {
                Err(Error::Changed) => Ok(()),
                result => result,
            }
        }
        Operation::Call => message::call(get(&desk.server), &message).map(drop),
        Operation::Map => {
            let mapping = Mapping::new(own, &area, 1)?;
            mapping.touch(0);
            mapping.unmap()
        }
        Operation::Life => {
            let area = open_area(1)?;
            let mapping = Mapping::new(own, &area, 1)?;
            mapping.touch(0);
            mapping.unmap()
        }
    };
    loop {
        let told = call::event_wait(get(&desk.begin), BEGIN | END, 0, NEVER)?;
        if told & END != 0 {
            return Ok(());
        }
        let began = now();
        for _ in 0..OPERATIONS {
            act()?;
            core::hint::spin_loop();
        }
        desk.ended.store(now(), Ordering::Relaxed);
        desk.began.store(began, Ordering::Release);
        call::event_signal(get(&desk.done), desk.bit.load(Ordering::Relaxed))?;
    }
}

/// The first function of a server: answers with what it was sent.
extern "C" fn answer(mailbox: u64) -> ! {
    let mut answer = Message::default();
    while let Ok(received) = message::reply_receive(Handle(mailbox), &answer) {
        answer = received.message;
    }
    call::process_exit(0)
}

/// A worker with its server, as the one who measures has them.
struct Worker {
    process: Owned,
    server: Owned,
    begin: Owned,
    desk: Mapping,
}

impl Worker {
    fn start(
        env: &Env<'_>,
        cpu: u64,
        operation: Operation,
        done: &Owned,
        shared: &Owned,
    ) -> Result<Self, Error> {
        let page = open_area(1)?;
        let desk = Mapping::new(env.own, &page, 1)?;
        let worker = Self {
            process: Owned(twin::create(env.own, "worker")?),
            server: Owned(twin::create(env.own, "server")?),
            begin: Owned(call::event_create()?),
            desk,
        };
        let lend = |handle, to: &Owned| {
            let copy = call::handle_duplicate(handle, Rights::ALL)?;
            call::handle_give(to.0, copy)
        };
        let mailbox = call::mailbox_create()?;
        let client = call::mailbox_badge(mailbox, cpu)?;
        let there = call::handle_give(worker.server.0, mailbox)?;
        drop(Owned(twin::start(worker.server.0, answer, there.0, cpu)?));
        let given = worker.desk();
        let process = &worker.process;
        let set = |place: &AtomicU64, handle: Handle| place.store(handle.0, Ordering::Relaxed);
        set(&given.own, lend(process.0, process)?);
        set(&given.begin, lend(worker.begin.0, process)?);
        set(&given.done, lend(done.0, process)?);
        set(&given.server, call::handle_give(process.0, client)?);
        set(&given.shared, lend(shared.0, process)?);
        given.operation.store(operation as u64, Ordering::Relaxed);
        given.bit.store(1 << cpu, Ordering::Relaxed);
        let there = call::process_map(process.0, page.0, 0, 0, PAGE, RW)?;
        drop(Owned(twin::start(process.0, work, there, cpu)?));
        Ok(worker)
    }

    fn desk(&self) -> &Desk {
        // SAFETY: a page that was mapped for the worker, zero at first, and is shared as atomics only.
        unsafe { &*(self.desk.address as *const Desk) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = call::process_kill(self.process.0, 0);
        let _ = call::process_kill(self.server.0, 0);
    }
}

/// Waits until all workers have done something, or one has failed.
fn wait_for_all(workers: &[Option<Worker>], done: &Owned) -> Result<(), Error> {
    let all = (1 << workers.iter().flatten().count()) - 1;
    call::event_wait(done.0, all, sys::abi::event::ALL, NEVER)?;
    let mut errors = workers
        .iter()
        .flatten()
        .map(|worker| get(&worker.desk().error).0);
    let error = errors.find_map(Error::from_number);
    error.map_or(Ok(()), Err)
}

fn scale(
    env: &Env<'_>,
    samples: &mut Samples,
    operation: Operation,
    count: u64,
) -> Result<(), Error> {
    if env.cpus < count {
        return Ok(());
    }
    let (done, shared) = (Owned(call::event_create()?), Owned(call::event_create()?));
    let mut workers = [const { None }; MOST];
    for (cpu, place) in (0..count).zip(&mut workers) {
        *place = Some(Worker::start(env, cpu, operation, &done, &shared)?);
    }
    let tell = |bit| {
        // The one on this processor goes last: it begins when this thread waits.
        let mut each = workers.iter().rev().flatten();
        each.try_for_each(|worker| call::event_signal(worker.begin.0, bit))
    };
    // The first time is not counted: stores fill up.
    for round in 0..=ROUNDS {
        tell(BEGIN)?;
        wait_for_all(&workers, &done)?;
        let desks = || workers.iter().flatten().map(Worker::desk);
        let began = desks().map(|desk| desk.began.load(Ordering::Acquire)).min();
        let ended = desks().map(|desk| desk.ended.load(Ordering::Acquire)).max();
        let ticks = ended.unwrap_or(0).saturating_sub(began.unwrap_or(0));
        if round != 0 {
            samples.keep(OPERATIONS * count, ticks);
        }
    }
    tell(END)?;
    wait_for_all(&workers, &done)
}
