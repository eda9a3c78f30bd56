//! The group `ipc`: messages between processes and threads, and events.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sys::abi::message::WORDS_MAX;
use sys::abi::{Error, Handle, NEVER};
use sys::call;
use sys::message::long::{Buffer, Room};
use sys::message::{self, Message, REGISTER_WORDS};

use crate::child::{self, Code, Image};
use crate::crew::{self, Thread};
use crate::measure::{Env, Figure, Samples};
use crate::memory::Owned;

/// All of them.
pub const FIGURES: &[Figure] = &[
    Figure {
        name: "call-1",
        what: "call a mailbox of another process with a word, and get one back",
        run: |env, samples| call_process(env, samples, 1),
    },
    Figure {
        name: "call-8",
        what: "the same with 64 bytes each way",
        run: |env, samples| call_process(env, samples, REGISTER_WORDS),
    },
    Figure {
        name: "call-64",
        what: "the same with 512 bytes each way",
        run: call_long,
    },
    Figure {
        name: "call-handle",
        what: "call a mailbox of another process with a handle, and get it back",
        run: call_handle,
    },
    Figure {
        name: "call-thread",
        what: "call a mailbox of this process with a word, and get one back",
        run: call_thread,
    },
    Figure {
        name: "event",
        what: "signal an event and take the bit, in one thread",
        run: event,
    },
    Figure {
        name: "futex-thread",
        what: "wake a thread that waits for a word, and wait for it to wake this one",
        run: futex_thread,
    },
    Figure {
        name: "event-thread",
        what: "signal an event to a thread that waits, and wait for its signal of another",
        run: event_thread,
    },
];

/// Rounds of what is repeated.
const ROUNDS: usize = 256;

/// A mailbox: what to receive by, and what to call by.
fn mailbox() -> Result<(Owned, Owned), Error> {
    let server = Owned(call::mailbox_create()?);
    let client = Owned(call::mailbox_badge(server.0, 1)?);
    Ok((server, client))
}

fn call_repeatedly(client: &Owned, samples: &mut Samples, words: usize) -> Result<(), Error> {
    let content = [0x55; REGISTER_WORDS];
    let sent = Message::new(1, content.get(..words).unwrap_or_default());
    for _ in 0..ROUNDS {
        let answer = samples.take(|| message::call(client.0, &sent))?;
        if answer.words() != sent.words() {
            return Err(Error::InvalidArgument);
        }
    }
    Ok(())
}

/// A process that answers calls with what it was sent, and the handle to call it by.
fn echoing_process(env: &Env<'_>, code: Code) -> Result<(Owned, Owned), Error> {
    let (server, client) = mailbox()?;
    let process = Image::new(env)?.load()?;
    let there = call::handle_give(process.0, server.0)?;
    core::mem::forget(server);
    child::start(process.0, code, there.0)?;
    Ok((process, client))
}

fn call_long(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let (process, client) = echoing_process(env, Code::EchoLong)?;
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room)?;
    buffer.put(1, &[], &[0x55; WORDS_MAX]);
    for _ in 0..ROUNDS {
        samples.take(|| buffer.call(client.0))?;
        if buffer.words() != [0x55; WORDS_MAX] {
            return Err(Error::InvalidArgument);
        }
    }
    call::process_kill(process.0, 0)
}

fn call_handle(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let (process, client) = echoing_process(env, Code::Echo)?;
    let mut handle = call::event_create()?;
    for _ in 0..ROUNDS {
        let sent = Message::with_handles(1, &[handle], &[]);
        let answer = samples.take(|| message::call(client.0, &sent))?;
        handle = answer.handles().next().ok_or(Error::BadHandle)?;
    }
    call::handle_close(handle)?;
    call::process_kill(process.0, 0)
}

fn call_process(env: &Env<'_>, samples: &mut Samples, words: usize) -> Result<(), Error> {
    let (process, client) = echoing_process(env, Code::Echo)?;
    let result = call_repeatedly(&client, samples, words);
    call::process_kill(process.0, 0)?;
    result
}

/// Answers calls until the mailbox's handle, the argument, is closed.
fn echo(mailbox: u64) {
    let mailbox = Handle(mailbox);
    let mut answer = Message::default();
    while let Ok(received) = message::reply_receive(mailbox, &answer) {
        answer = received.message;
    }
}

fn call_thread(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let (server, client) = mailbox()?;
    let thread = Thread::start(env, 0, echo, server.0.0)?;
    let result = call_repeatedly(&client, samples, 1);
    drop(server);
    crew::join(env, core::iter::once(&thread))?;
    result
}

/// The bit of a signal.
const SIGNAL: u64 = 1;
/// The bit that ends [`answer_signals`].
const STOP: u64 = 2;

fn event(_: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let event = Owned(call::event_create()?);
    for _ in 0..ROUNDS {
        samples.take(|| {
            call::event_signal(event.0, SIGNAL)?;
            call::event_take(event.0, SIGNAL)
        })?;
    }
    Ok(())
}

/// What is signalled to a thread, and by it.
struct Pair {
    there: Owned,
    back: Owned,
}

/// Signals the one event whenever the other one was.
fn answer_signals(pair: u64) {
    // SAFETY: `event_thread` keeps the pair until this thread has ended, and only reads it.
    let pair = unsafe { &*(pair as *const Pair) };
    while call::event_wait(pair.there.0, SIGNAL | STOP, 0, NEVER) == Ok(SIGNAL) {
        if call::event_signal(pair.back.0, SIGNAL).is_err() {
            break;
        }
    }
}

fn event_thread(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let pair = Pair {
        there: Owned(call::event_create()?),
        back: Owned(call::event_create()?),
    };
    let thread = Thread::start(env, 0, answer_signals, (&raw const pair) as u64)?;
    let mut round = || {
        samples.take(|| {
            call::event_signal(pair.there.0, SIGNAL)?;
            call::event_wait(pair.back.0, SIGNAL, 0, NEVER)
        })
    };
    let result = (0..ROUNDS).try_for_each(|_| round().map(|_| ()));
    call::event_signal(pair.there.0, STOP)?;
    crew::join(env, core::iter::once(&thread))?;
    result
}

/// A word that is 1 when it is this side's turn.
#[derive(Default)]
struct Turns {
    there: AtomicU32,
    back: AtomicU32,
    is_over: AtomicBool,
}

/// Waits for a turn, and takes it.
fn take_turn(word: &AtomicU32) -> Result<(), Error> {
    while word.swap(0, Ordering::AcqRel) == 0 {
        match call::futex_wait(word.as_ptr() as u64, 0, NEVER) {
            Ok(()) | Err(Error::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn give_turn(word: &AtomicU32) -> Result<(), Error> {
    word.store(1, Ordering::Release);
    call::futex_wake(word.as_ptr() as u64, 1).map(|_| ())
}

/// Gives each turn back.
fn answer_turns(turns: u64) {
    // SAFETY: `futex_thread` keeps them until this thread has ended, and shares them as atomic words only.
    let turns = unsafe { &*(turns as *const Turns) };
    while take_turn(&turns.there).is_ok() && !turns.is_over.load(Ordering::Relaxed) {
        if give_turn(&turns.back).is_err() {
            break;
        }
    }
}

fn futex_thread(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let turns = Turns::default();
    let thread = Thread::start(env, 0, answer_turns, (&raw const turns) as u64)?;
    let mut round = || {
        samples.take(|| {
            give_turn(&turns.there)?;
            take_turn(&turns.back)
        })
    };
    let result = (0..ROUNDS).try_for_each(|_| round().map(|_| ()));
    turns.is_over.store(true, Ordering::Relaxed);
    give_turn(&turns.there)?;
    crew::join(env, core::iter::once(&thread))?;
    result
}
