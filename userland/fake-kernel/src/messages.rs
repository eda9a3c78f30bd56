//! Calls that carry a message.

use std::sync::MutexGuard;

use abi::message::{REGISTER_WORDS, Tag};
use abi::{Error, Handle, NEVER, ObjectType, Rights, Sysno};
use sys::message::{Message as Short, Received};

use crate::machine::Shared;
use crate::memory;
use crate::state::{Call, Caller, Id, Message, Object, State};

/// Makes one of these calls.
pub fn exchange(
    shared: &Shared,
    caller: Caller,
    number: Sysno,
    handle: Handle,
    second: u64,
    words: [u64; REGISTER_WORDS],
) -> Result<Received, Error> {
    let (object, rights) = match number {
        Sysno::MailboxCall | Sysno::MailboxCallUntil => (ObjectType::Mailbox, Rights::CALL),
        Sysno::ReplyAnswer => (ObjectType::Reply, Rights::ANSWER),
        _ => (ObjectType::Mailbox, Rights::RECEIVE),
    };
    let mut state = shared.state();
    let entry = state.entry(caller.process, handle)?;
    if state.object(entry.object).map(Object::kind) != Some(object) {
        return Err(Error::WrongType);
    }
    if !entry.rights.contains(rights) {
        return Err(Error::AccessDenied);
    }
    if number == Sysno::MailboxReceive {
        return receive(shared, state, caller, entry.object, second);
    }
    let tag = Tag(second);
    if !tag.is_valid() {
        return Err(Error::InvalidArgument);
    }
    let message = load(&state, caller, tag, words)?;
    match number {
        Sysno::MailboxCall | Sysno::MailboxCallUntil => {
            let until = match number {
                Sysno::MailboxCall => NEVER,
                _ => words[REGISTER_WORDS - 1],
            };
            call(
                shared,
                state,
                caller,
                (entry.object, entry.badge),
                message,
                until,
            )
        }
        Sysno::ReplyAnswer => {
            let Some(Object::Reply(call)) = state.object(entry.object) else {
                return Err(Error::WrongType);
            };
            let call = *call;
            if call == 0 {
                return Err(Error::NotReady);
            }
            let answered = reply(&mut state, caller, call, message);
            if !is_left_waiting(answered)
                && let Some(Object::Reply(call)) = state.object_mut(entry.object)
            {
                *call = 0;
            }
            shared.touch(&mut state);
            answered.map(|()| nothing())
        }
        Sysno::MailboxReply => {
            let current = state
                .runners
                .get(&caller.runner)
                .and_then(|runner| runner.current);
            let answered = reply(&mut state, caller, current.ok_or(Error::NotReady)?, message);
            if !is_left_waiting(answered) {
                set_current(&mut state, caller, None);
            }
            shared.touch(&mut state);
            answered.map(|()| nothing())
        }
        _ => {
            let current = state
                .runners
                .get(&caller.runner)
                .and_then(|runner| runner.current);
            if let Some(call) = current {
                let answered = reply(&mut state, caller, call, message);
                if is_left_waiting(answered) {
                    return answered.map(|()| nothing());
                }
                set_current(&mut state, caller, None);
                shared.touch(&mut state);
            }
            receive(shared, state, caller, entry.object, NEVER)
        }
    }
}

/// Whether a caller waits still after an answer that failed so.
fn is_left_waiting(answered: Result<(), Error>) -> bool {
    !matches!(answered, Ok(()) | Err(Error::PeerClosed))
}

fn nothing() -> Received {
    Received {
        badge: 0,
        message: Short::default(),
    }
}

fn set_current(state: &mut State, caller: Caller, call: Option<Id>) {
    if let Some(runner) = state.runners.get_mut(&caller.runner) {
        runner.current = call;
    }
}

fn buffer(state: &State, caller: Caller) -> u64 {
    state
        .runners
        .get(&caller.runner)
        .map_or(0, |runner| runner.buffer)
}

/// What the caller sends, with its handles looked at.
fn load(
    state: &State,
    caller: Caller,
    tag: Tag,
    registers: [u64; REGISTER_WORDS],
) -> Result<Message, Error> {
    let mut words = registers.to_vec();
    words.truncate(tag.words());
    if let Some(more) = tag
        .words()
        .checked_sub(REGISTER_WORDS)
        .filter(|more| *more != 0)
    {
        let buffer = buffer(state, caller);
        if buffer == 0 {
            return Err(Error::BadAddress);
        }
        words.extend(memory::words(buffer + 8 * REGISTER_WORDS as u64, more)?);
    }
    for word in words.iter().take(tag.handles()) {
        movable(state, caller.process, Handle(*word))?;
    }
    Ok(Message { tag: tag.0, words })
}

fn movable(state: &State, process: Id, handle: Handle) -> Result<(), Error> {
    let rights = state.entry(process, handle)?.rights;
    match rights.contains(Rights::TRANSFER) {
        true => Ok(()),
        false => Err(Error::AccessDenied),
    }
}

/// Moves the handles of a message to another process: all or none.
fn carry(state: &mut State, from: Id, to: Id, message: &mut Message) -> Result<(), Error> {
    let count = Tag(message.tag).handles();
    let handles: Vec<_> = message
        .words
        .iter()
        .take(count)
        .map(|word| Handle(*word))
        .collect();
    for (index, handle) in handles.iter().enumerate() {
        movable(state, from, *handle)?;
        if handles.iter().take(index).any(|other| other == handle) {
            return Err(Error::BadHandle);
        }
    }
    if state.handles(to).len() + count > state.handle_limit {
        return Err(Error::NotTaken);
    }
    for (place, handle) in message.words.iter_mut().zip(handles) {
        *place = state.carry(from, handle, to)?.0;
    }
    Ok(())
}

/// Gives a message to a thread: words in registers, the others in its buffer.
fn store(state: &State, caller: Caller, badge: u64, message: &Message) -> Result<Received, Error> {
    let mut words = [0; REGISTER_WORDS];
    for (place, word) in words.iter_mut().zip(&message.words) {
        *place = *word;
    }
    if let Some(more) = message
        .words
        .get(REGISTER_WORDS..)
        .filter(|more| !more.is_empty())
    {
        let buffer = buffer(state, caller) + 8 * REGISTER_WORDS as u64;
        memory::store_words(buffer, more)?;
    }
    Ok(Received {
        badge,
        message: Short {
            tag: Tag(message.tag),
            words,
        },
    })
}

fn call(
    shared: &Shared,
    mut state: MutexGuard<'_, State>,
    caller: Caller,
    (to, badge): (Id, u64),
    message: Message,
    until: u64,
) -> Result<Received, Error> {
    let has_buffer = buffer(&state, caller) != 0;
    let mailbox = state.mailbox(to)?;
    if mailbox.is_closed {
        return Err(Error::PeerClosed);
    }
    let unheard = mailbox.waiting <= mailbox.queue.len();
    let on_readable = mailbox.on_readable.filter(|_| unheard);
    let id = state.new_id();
    state.calls.insert(
        id,
        Call {
            process: caller.process,
            badge,
            message,
            has_buffer,
            answer: None,
        },
    );
    state.mailbox(to)?.queue.push_back(id);
    state.signal(on_readable);
    shared.touch(&mut state);
    let answered = |state: &mut State| state.calls.get_mut(&id)?.answer.take();
    let (mut state, waited) = shared.wait(state, caller, until, answered);
    state.calls.remove(&id);
    if let Ok(mailbox) = state.mailbox(to) {
        mailbox.queue.retain(|other| *other != id);
    }
    let message = waited??;
    store(&state, caller, 0, &message)
}

fn receive(
    shared: &Shared,
    mut state: MutexGuard<'_, State>,
    caller: Caller,
    from: Id,
    until: u64,
) -> Result<Received, Error> {
    let unanswered = state
        .runners
        .get_mut(&caller.runner)
        .and_then(|runner| runner.current.take());
    if let Some(call) = unanswered {
        state.answer(call, Err(Error::PeerClosed));
        shared.touch(&mut state);
    }
    state.mailbox(from)?.waiting += 1;
    let (mut state, received) =
        shared.wait(state, caller, until, |state| next(state, caller, from));
    if let Ok(mailbox) = state.mailbox(from) {
        mailbox.waiting -= 1;
    }
    shared.touch(&mut state);
    let (call, badge, message) = received??;
    set_current(&mut state, caller, Some(call));
    store(&state, caller, badge, &message)
}

type Next = Result<(Id, u64, Message), Error>;

/// The next call that can be received.
fn next(state: &mut State, caller: Caller, from: Id) -> Option<Next> {
    loop {
        let mailbox = match state.mailbox(from) {
            Ok(mailbox) if !mailbox.is_closed => mailbox,
            _ => return Some(Err(Error::PeerClosed)),
        };
        let id = mailbox.queue.pop_front()?;
        let Some(call) = state.calls.get_mut(&id) else {
            continue;
        };
        let (sender, badge) = (call.process, call.badge);
        let mut message = std::mem::take(&mut call.message);
        if state
            .processes
            .get(&sender)
            .is_none_or(|process| process.end.is_some())
        {
            continue;
        }
        let is_long = message.words.len() > REGISTER_WORDS;
        let taken = if is_long && buffer(state, caller) == 0 {
            Err(Error::NotTaken)
        } else {
            carry(state, sender, caller.process, &mut message)
        };
        match taken {
            Ok(()) => return Some(Ok((id, badge, message))),
            // Its caller is told, and the next is looked at.
            Err(error) => {
                state.answer(id, Err(error));
                state.changes += 1;
            }
        }
    }
}

/// Answers a call.
fn reply(state: &mut State, caller: Caller, id: Id, mut message: Message) -> Result<(), Error> {
    let call = state.calls.get(&id).filter(|call| call.answer.is_none());
    let call = call.ok_or(Error::PeerClosed)?;
    let (to, has_buffer) = (call.process, call.has_buffer);
    if state
        .processes
        .get(&to)
        .is_none_or(|process| process.end.is_some())
    {
        return Err(Error::PeerClosed);
    }
    if message.words.len() > REGISTER_WORDS && !has_buffer {
        return Err(Error::NotTaken);
    }
    carry(state, caller.process, to, &mut message)?;
    state.answer(id, Ok(message));
    Ok(())
}
