//! Events, futexes, and what of mailboxes carries no message.

use std::sync::MutexGuard;

use abi::{Error, Handle, NEVER, Rights, Sysno, event};

use super::{Done, Outcome};
use crate::decode::Arguments;
use crate::machine::Shared;
use crate::memory;
use crate::state::{Caller, Event, Id, Mailbox, Object, State, Waiting};

pub fn call(state: &mut State, caller: Caller, number: Sysno, arguments: &Arguments) -> Outcome {
    let words = arguments.words;
    if number == Sysno::EventCreate {
        let new = Object::Event(Event::default());
        return state.insert_new(caller.process, new).map(Done::from);
    }
    let event = state
        .event(arguments.handle(0).object)
        .ok_or(Error::WrongType)?;
    match number {
        Sysno::EventSignal => {
            event.bits |= words[1];
            Ok(Done::Nothing)
        }
        Sysno::EventTake => {
            let taken = event.bits & words[1];
            event.bits &= !words[1];
            Ok(Done::Value(taken))
        }
        Sysno::EventSetTimer => {
            event.timer = (words[2] != NEVER).then_some((words[1], words[2]));
            Ok(Done::Nothing)
        }
        _ => Err(Error::NotSupported),
    }
}

/// `event_wait`.
pub fn wait(
    shared: &Shared,
    state: MutexGuard<'_, State>,
    caller: Caller,
    arguments: &Arguments,
) -> Result<u64, Error> {
    let [_, mask, how, until, ..] = arguments.words;
    if mask == 0 {
        return Err(Error::InvalidArgument);
    }
    let id = arguments.handle(0).object;
    let ready = |state: &mut State| {
        let event = state.event(id)?;
        let found = event.bits & mask;
        let is_enough = match how & event::ALL {
            0 => found != 0,
            _ => found == mask,
        };
        if is_enough && how & event::KEEP == 0 {
            event.bits &= !found;
        }
        is_enough.then_some(found)
    };
    let (_state, result) = shared.wait(state, caller, until, ready);
    result
}

/// Which word an address means: a place in an area, or one of the process's own memory.
fn word(state: &State, process: Id, address: u64) -> (Id, u64) {
    let mappings = state
        .processes
        .get(&process)
        .map(|process| &process.mappings);
    let before = mappings.and_then(|mappings| mappings.range(..=address).next_back());
    match before {
        Some((start, mapped)) if address - start < mapped.len => {
            let ring = match state.object(mapped.object) {
                Some(Object::Area(area)) if area.kind == abi::area::RING => area.size / 2,
                _ => u64::MAX,
            };
            (mapped.object, (mapped.offset + (address - start)) % ring)
        }
        _ => (0, address),
    }
}

/// `futex_wait`.
pub fn futex_wait(
    shared: &Shared,
    mut state: MutexGuard<'_, State>,
    caller: Caller,
    [address, expected, until, ..]: [u64; 6],
) -> Result<u64, Error> {
    if u64::from(memory::futex(address)?) != expected {
        return Err(Error::Changed);
    }
    let word = word(&state, caller.process, address);
    state.futexes.push(Waiting {
        runner: caller.runner,
        word,
        is_woken: false,
    });
    let woken = |state: &mut State| {
        let mut all = state.futexes.iter();
        let own = all.find(|waiting| waiting.runner == caller.runner)?;
        own.is_woken.then_some(())
    };
    let (mut state, result) = shared.wait(state, caller, until, woken);
    state
        .futexes
        .retain(|waiting| waiting.runner != caller.runner);
    result.map(|()| 0)
}

pub fn futex_call(state: &mut State, number: Sysno, words: [u64; 6]) -> Outcome {
    let current = crate::machine::current().ok_or(Error::NotSupported)?.1;
    memory::futex(words[0])?;
    let word_of = |state: &State, address| word(state, current.process, address);
    let from = word_of(state, words[0]);
    let (wake, moved, to) = match number {
        Sysno::FutexWake => (words[1], 0, from),
        Sysno::FutexRequeue => {
            memory::futex(words[3])?;
            (words[1], words[2], word_of(state, words[3]))
        }
        _ => return Err(Error::NotSupported),
    };
    let woken = state.wake(from, wake);
    let mut requeued = 0;
    let left = state.futexes.iter_mut();
    for waiting in left.filter(|waiting| waiting.word == from && !waiting.is_woken) {
        if requeued == moved {
            break;
        }
        waiting.word = to;
        requeued += 1;
    }
    Ok(Done::Value(woken + requeued))
}

pub fn mailbox_call(
    state: &mut State,
    caller: Caller,
    number: Sysno,
    arguments: &Arguments,
) -> Outcome {
    let words = arguments.words;
    let entry = arguments.handle(0);
    match number {
        Sysno::MailboxCreate => {
            let new = Object::Mailbox(Mailbox::default());
            state.insert_new(caller.process, new).map(Done::from)
        }
        Sysno::MailboxBadge => {
            state.mailbox(entry.object)?;
            let rights = Rights::CALL
                .union(Rights::DUPLICATE)
                .union(Rights::TRANSFER);
            let made = state.insert(caller.process, entry.object, rights, words[1], entry.node);
            made.map(Done::from)
        }
        Sysno::MailboxOnReadable => {
            let binding = arguments.binding()?;
            let mailbox = state.mailbox(entry.object)?;
            mailbox.on_readable = binding;
            if mailbox.queue.len() > mailbox.waiting {
                state.signal(binding);
            }
            Ok(Done::Nothing)
        }
        Sysno::MailboxOnClosed => {
            let binding = arguments.binding()?;
            let process = caller.process;
            let mailbox = state.mailbox(entry.object)?;
            let is_others = |other: &(Id, Id, u64)| match binding {
                Some((event, _)) => (other.0, other.1) != (process, event),
                None => other.0 != process,
            };
            mailbox.on_closed.retain(is_others);
            if mailbox.is_closed {
                state.signal(binding);
            } else if let Some((event, bits)) = binding {
                let own = mailbox.on_closed.iter().filter(|other| other.0 == process);
                if own.count() >= 8 {
                    return Err(Error::TooMany);
                }
                mailbox.on_closed.push((process, event, bits));
            }
            Ok(Done::Nothing)
        }
        Sysno::MailboxSetBuffer => {
            if !words[0].is_multiple_of(8) {
                return Err(Error::InvalidArgument);
            }
            if let Some(runner) = state.runners.get_mut(&caller.runner) {
                runner.buffer = words[0];
            }
            Ok(Done::Nothing)
        }
        Sysno::MailboxDetach => detach(state, caller).map(Done::from),
        _ => Err(Error::NotSupported),
    }
}

fn detach(state: &mut State, caller: Caller) -> Result<Handle, Error> {
    let current = state
        .runners
        .get(&caller.runner)
        .and_then(|runner| runner.current);
    let call = current.ok_or(Error::NotReady)?;
    let is_waiting = state
        .calls
        .get(&call)
        .is_some_and(|call| call.answer.is_none());
    if !is_waiting {
        return Err(Error::NotReady);
    }
    let reply = state.insert_new(caller.process, Object::Reply(call))?;
    if let Some(runner) = state.runners.get_mut(&caller.runner) {
        runner.current = None;
    }
    Ok(reply)
}
