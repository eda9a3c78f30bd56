//! Calls of mailboxes: what travels, who is served first, what handles allow.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::message::{REGISTER_WORDS, Tag};
use sys::abi::process::ANY_CPU;
use sys::abi::thread::WAITING;
use sys::abi::{Error, Handle, NEVER, Rights, Sysno};
use sys::call;
use sys::message::{self, Message};

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{MS, event, mailbox, rest, soon, until};
use crate::area::Owned;
use crate::child::{Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// How many pairs of lengths there are.
const PAIRS: u64 = (REGISTER_WORDS as u64 + 1) * (REGISTER_WORDS as u64 + 1);
/// Labels have 52 bits.
const LABEL: u64 = 0x000b_cdef_0123_4567;

/// Registers of one side in a round, all different.
fn registers(side: u64, round: u64) -> [u64; REGISTER_WORDS] {
    core::array::from_fn(|index| !(side << 56 | round << 16 | index as u64))
}

/// A message with so many words, and with something in all registers.
fn full(side: u64, round: u64, words: u64) -> Message {
    Message {
        tag: Tag::new(LABEL ^ side ^ round, words as u8),
        words: registers(side, round),
    }
}

/// What the receiver of a message finds in its registers: its own, but for the words that the message has.
fn mixed(sent: &Message, own: &Message) -> Message {
    let mut mixed = *own;
    mixed.tag = sent.tag;
    let words = sent.tag.words();
    mixed.words[..words].copy_from_slice(&sent.words[..words]);
    mixed
}

/// All lengths of messages and answers: label and words come, and no register more is touched.
pub fn words_and_labels(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let lengths = |round: u64| (round / 9, round % 9);
    let body = Body::new(|| {
        for round in 0..PAIRS {
            let (there, back) = lengths(round);
            let sent = full(1, round, there);
            let answer = message::call(mailbox.0, &sent)?;
            if answer != mixed(&full(2, round, back), &sent) {
                return Ok(round);
            }
        }
        Ok(PAIRS)
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let mut own = full(3, 0, 0);
    for round in 0..PAIRS {
        let (there, back) = lengths(round);
        let received = message::reply_receive(mailbox.0, &own).must(env, "receive")?;
        let wanted = mixed(&full(1, round, there), &own);
        same!(env, received.message, wanted, "message of round {round}");
        own = full(2, round, back);
    }
    message::reply(mailbox.0, &own).must(env, "the last reply")?;
    same!(
        env,
        worker.join(),
        Ok(PAIRS),
        "rounds without a wrong answer"
    );
    // What is too long is refused, and nobody gets it.
    for words in [65, 255] {
        let long = full(1, 0, words);
        let wrong = Err(Error::InvalidArgument);
        let called = message::call(mailbox.0, &long);
        same!(env, called, wrong, "a call of {words} words");
        let answered = message::reply(mailbox.0, &long);
        same!(env, answered, Err(Error::InvalidArgument), "a reply");
    }
    let called = message::call_until(mailbox.0, &full(1, 0, 8), soon());
    let wrong = Err(Error::InvalidArgument);
    same!(env, called, wrong, "a call of eight words until");
    let found = message::receive(mailbox.0, 0);
    same!(env, found, Err(Error::TimedOut), "a message");
    Ok(())
}

/// A caller that sends its number as the label, by a handle.
fn call_by(handle: Handle, label: u64) -> Result<u64, Error> {
    let answer = message::call(handle, &Message::new(label, &[label]))?;
    Ok(answer.tag.label())
}

/// The server learns by which handle it is called; copies have the badge of what they were made from.
pub fn badges(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let badged = |badge| {
        let handle = call::mailbox_badge(mailbox.0, badge);
        handle.map(Owned).must(env, "badge")
    };
    let (first, second) = (badged(7)?, badged(u64::MAX)?);
    let narrow = Rights::CALL.union(Rights::DUPLICATE);
    let copy = call::handle_duplicate(first.0, narrow).must(env, "copy")?;
    let copy = Owned(copy);
    let callers = [
        (mailbox.0, 0),
        (first.0, 7),
        (second.0, u64::MAX),
        (copy.0, 7),
    ];
    for (label, (handle, badge)) in (0..).zip(callers) {
        let body = Body::new(|| call_by(handle, label));
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        let received = message::receive(mailbox.0, soon()).must(env, "receive")?;
        same!(env, received.badge, badge, "badge of caller {label}");
        same!(env, received.message.words(), &[label], "its word");
        let answer = Message::new(label + 100, &[]);
        message::reply(mailbox.0, &answer).must(env, "reply")?;
        same!(env, worker.join(), Ok(label + 100), "answer");
    }
    for handle in [first.0, copy.0] {
        let denied = message::receive(handle, 0).map(drop);
        same!(env, denied, Err(Error::AccessDenied), "receive by a badge");
        let denied = call::mailbox_badge(handle, 1).map(drop);
        same!(env, denied, Err(Error::AccessDenied), "badge a badge");
    }
    let own = call::mailbox_badge(env.own, 1).map(drop);
    check!(env, own.is_err(), "a badge of a process");
    Ok(())
}

/// Messages go to another process, and come from one.
pub fn across_processes(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let theirs = mailbox(env)?;
    let caller = call::mailbox_badge(theirs.0, 3)
        .map(Owned)
        .must(env, "badge")?;
    let there = call::handle_give(child.handle(), theirs.0).must(env, "give")?;
    child.start(Code::Invert, there.0).must(env, "start")?;
    for round in 0..100 {
        let sent = full(1, round, 8);
        let answer = message::call(caller.0, &sent).must(env, "call")?;
        let wanted = sent.words.map(|word| !word);
        same!(env, answer.words, wanted, "answer of round {round}");
        same!(env, answer.tag, sent.tag, "its tag");
    }
    call::process_kill(child.handle(), 5).must(env, "kill")?;
    same!(
        env,
        child.end().must(env, "end")?,
        End::Status(5),
        "the end"
    );
    let late = message::call(caller.0, &full(1, 0, 1)).map(drop);
    same!(
        env,
        late,
        Err(Error::PeerClosed),
        "call of one that has ended"
    );

    let child = Child::new(env).must(env, "second child")?;
    let ours = mailbox(env)?;
    let given = call::mailbox_badge(ours.0, 11).must(env, "badge")?;
    let there = call::handle_give(child.handle(), given).must(env, "give")?;
    let orders = Orders::new(env, &child).must(env, "orders")?;
    let sent = full(4, 1, 5);
    let mut registers = [0; 2 + REGISTER_WORDS];
    registers[..2].copy_from_slice(&[there.0, sent.tag.0]);
    registers[2..].copy_from_slice(&sent.words);
    orders
        .give(0, Sysno::MailboxCall, &registers, ANY_CPU)
        .must(env, "call there")?;
    let received = message::receive(ours.0, soon()).must(env, "receive")?;
    same!(env, received.badge, 11, "badge");
    let wanted = mixed(&sent, &Message::default());
    same!(env, received.message, wanted, "message of the child");
    let answer = full(5, 2, 3);
    message::reply(ours.0, &answer).must(env, "reply")?;
    until(|| orders.is_done(0)).must(env, "it returns")?;
    let wanted = mixed(&answer, &sent);
    same!(env, orders.result(0, 0), 0, "error of the child's call");
    same!(env, orders.result(0, 2), wanted.tag.0, "tag of the answer");
    for (index, word) in (0..).zip(wanted.words) {
        same!(env, orders.result(0, 3 + index), word, "register {index}");
    }
    child.end().must(env, "end").map(drop)
}

/// Of those who wait to be received the most urgent comes first; among equals, who came first.
pub fn by_priority(env: &Env<'_>) -> Outcome {
    const PRIORITIES: [u64; 7] = [6, 3, 5, 3, 7, 5, 3];
    const ORDER: [u64; 7] = [1, 3, 6, 2, 5, 0, 4];
    let (mailbox, gate) = (mailbox(env)?, event(env)?);
    let begun = AtomicU64::new(0);
    let body = Body::new(|| {
        let own = begun.fetch_add(1, Ordering::AcqRel);
        call::event_wait(gate.0, 1 << own, 0, NEVER)?;
        call_by(mailbox.0, own)
    });
    let mut workers = [const { None }; PRIORITIES.len()];
    for ((index, place), priority) in (0..).zip(&mut workers).zip(PRIORITIES) {
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        until(|| begun.load(Ordering::Acquire) > index).must(env, "it begins")?;
        worker.reach(WAITING).must(env, "it waits")?;
        worker.set_priority(priority).must(env, "priority")?;
        // It leaves the gate when it has been given its bit, and waits then in its call.
        call::event_signal(gate.0, 1 << index).must(env, "open")?;
        let ran = worker.info().ran;
        until(|| worker.info().ran > ran || worker.info().state == WAITING)
            .must(env, "it goes on")?;
        rest(2 * MS).must(env, "rest")?;
        worker.reach(WAITING).must(env, "it calls")?;
        *place = Some(worker);
    }
    for wanted in ORDER {
        let received = message::receive(mailbox.0, soon()).must(env, "receive")?;
        same!(env, received.message.tag.label(), wanted, "who is served");
        let answer = Message::new(wanted + 50, &[]);
        message::reply(mailbox.0, &answer).must(env, "reply")?;
    }
    for (index, worker) in (0..).zip(workers.iter().flatten()) {
        same!(env, worker.join(), Ok(index + 50), "answer");
    }
    Ok(())
}

/// A handle allows what its rights say.
pub fn rights(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let narrow = |rights| {
        let copy = call::handle_duplicate(mailbox.0, rights);
        copy.map(Owned).must(env, "duplicate")
    };
    let (calls, receives) = (narrow(Rights::CALL)?, narrow(Rights::RECEIVE)?);
    let denied = Err(Error::AccessDenied);
    let message = Message::new(1, &[]);
    let result = message::call(receives.0, &message).map(drop);
    same!(env, result, denied, "call by one that receives");
    let past = call::clock_read();
    let result = message::call_until(receives.0, &message, past).map(drop);
    same!(env, result, denied, "call until by one that receives");
    let result = message::receive(calls.0, 0).map(drop);
    same!(env, result, denied, "receive by one that calls");
    let result = message::reply(calls.0, &message);
    same!(env, result, denied, "reply by one that calls");
    let result = message::reply_receive(calls.0, &message).map(drop);
    same!(env, result, denied, "reply and receive by one that calls");
    let result = call::mailbox_on_readable(calls.0, None, 0);
    same!(env, result, denied, "on_readable by one that calls");
    let result = call::mailbox_badge(calls.0, 1).map(drop);
    same!(env, result, denied, "badge by one that calls");
    let result = call::handle_duplicate(calls.0, Rights::ALL).map(drop);
    same!(env, result, denied, "duplicate without the right");
    let body = Body::new(|| call_by(calls.0, 1));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    message::receive(receives.0, soon()).must(env, "receive")?;
    message::reply(receives.0, &Message::new(2, &[])).must(env, "reply")?;
    same!(env, worker.join(), Ok(2), "answer");
    Ok(())
}

/// The event of a mailbox: for a message that nobody waits for, at once for one that is there, not for one that is received.
pub fn on_readable(env: &Env<'_>) -> Outcome {
    let (mailbox, event) = (mailbox(env)?, event(env)?);
    let bind = |event, bits| call::mailbox_on_readable(mailbox.0, event, bits);
    let wrong = Err(Error::InvalidArgument);
    same!(env, bind(Some(event.0), 0), wrong, "no bits");
    same!(env, bind(None, 1), wrong, "no event");
    bind(Some(event.0), 2).must(env, "bind")?;
    same!(env, call::event_take(event.0, NEVER), Ok(0), "nothing yet");
    let body = Body::new(|| call_by(mailbox.0, 1));
    for round in 0..3 {
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        let found = call::event_wait(event.0, 2, 0, soon());
        same!(env, found, Ok(2), "a message in round {round}");
        bind(Some(event.0), 4).must(env, "bind while it is there")?;
        same!(env, call::event_take(event.0, NEVER), Ok(4), "at once");
        message::receive(mailbox.0, 0).must(env, "receive")?;
        bind(Some(event.0), 2).must(env, "bind")?;
        same!(env, call::event_take(event.0, NEVER), Ok(0), "received");
        message::reply(mailbox.0, &Message::new(9, &[])).must(env, "reply")?;
        same!(env, worker.join(), Ok(9), "answer");
    }
    let serve = Body::new(|| {
        message::receive(mailbox.0, NEVER)?;
        message::reply(mailbox.0, &Message::new(10, &[]))?;
        Ok(0)
    });
    let server = Worker::start(env.own, ANY_CPU, &serve).must(env, "server")?;
    server.reach(WAITING).must(env, "it waits")?;
    same!(env, call_by(mailbox.0, 1), Ok(10), "answer of the server");
    same!(
        env,
        call::event_take(event.0, NEVER),
        Ok(0),
        "it was received"
    );
    bind(None, 0).must(env, "unbind")?;
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    same!(env, call::event_take(event.0, NEVER), Ok(0), "unbound");
    Ok(())
}
