//! Calls and servers that wait until a time only, and answers that come too late.

use core::sync::atomic::{AtomicBool, Ordering};

use sys::abi::process::ANY_CPU;
use sys::abi::{Error, Handle};
use sys::call;
use sys::message::{self, Message};

use super::worker::{Body, Worker};
use super::{MS, event, mailbox, soon};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

fn call_for(mailbox: Handle, label: u64, ns: u64) -> Result<u64, Error> {
    let until = call::clock_read() + ns;
    let answer = message::call_until(mailbox, &Message::new(label, &[1, 2, 3]), until);
    if answer == Err(Error::TimedOut) && call::clock_read() < until {
        return Ok(u64::MAX);
    }
    Ok(answer?.tag.label())
}

/// A call that nobody receives ends at its time, not before, and is gone then; one that is answered does not.
pub fn call(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    for ms in [0, 1, 20] {
        let called = call_for(mailbox.0, 1, ms * MS);
        same!(env, called, Err(Error::TimedOut), "after {ms} ms");
        let found = message::receive(mailbox.0, 0);
        same!(env, found, Err(Error::TimedOut), "a message of nobody");
    }
    let past = message::call_until(mailbox.0, &Message::new(1, &[]), 0);
    same!(env, past, Err(Error::TimedOut), "in the past");
    let body = Body::new(|| call_for(mailbox.0, 5, super::PATIENCE_NS));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let received = message::receive(mailbox.0, soon()).must(env, "receive")?;
    same!(env, received.message.words(), &[1, 2, 3], "words");
    same!(env, received.message.tag.label(), 5, "label");
    message::reply(mailbox.0, &Message::new(6, &[])).must(env, "reply")?;
    same!(env, worker.join(), Ok(6), "answer");
    Ok(())
}

/// An answer to a call whose time is over is refused, and does not reach the caller's next call.
pub fn late_reply(env: &Env<'_>) -> Outcome {
    let (mailbox, other, event) = (mailbox(env)?, mailbox(env)?, event(env)?);
    let is_received = AtomicBool::new(false);
    let body = Body::new(|| {
        // The time of the first call may be over before anybody has looked for it: then there is another one.
        while !is_received.load(Ordering::Acquire) {
            let first = call_for(mailbox.0, 1, 100 * MS);
            if first != Err(Error::TimedOut) {
                return Ok(first.unwrap_or(0));
            }
        }
        call::event_signal(event.0, 1)?;
        call_for(other.0, 2, super::PATIENCE_NS)
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    message::receive(mailbox.0, soon()).must(env, "receive")?;
    is_received.store(true, Ordering::Release);
    call::event_wait(event.0, 1, 0, soon()).must(env, "its time is over")?;
    let waiting = || worker.info().state == sys::abi::thread::WAITING;
    super::until(waiting).must(env, "it calls again")?;
    let late = message::reply(mailbox.0, &Message::new(66, &[]));
    same!(env, late, Err(Error::PeerClosed), "the late reply");
    check!(env, !worker.has_ended(), "the next call was answered");
    let received = message::receive(other.0, soon()).must(env, "receive")?;
    same!(env, received.message.tag.label(), 2, "label");
    message::reply(other.0, &Message::new(77, &[])).must(env, "reply")?;
    same!(env, worker.join(), Ok(77), "answer");
    Ok(())
}

/// A server waits until its time, not less; 0 only looks.
pub fn receive(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    for ms in [0, 1, 20] {
        let until = call::clock_read() + ms * MS;
        let found = message::receive(mailbox.0, until);
        same!(env, found, Err(Error::TimedOut), "after {ms} ms");
        check!(env, call::clock_read() >= until, "too early");
    }
    let body = Body::new(|| call_for(mailbox.0, 1, super::PATIENCE_NS));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker
        .reach(sys::abi::thread::WAITING)
        .must(env, "it waits")?;
    let received = message::receive(mailbox.0, 0).must(env, "what is there")?;
    same!(env, received.message.tag.label(), 1, "label");
    // Who looks for another message does not answer the first any more.
    let found = message::receive(mailbox.0, 0);
    same!(env, found, Err(Error::TimedOut), "another message");
    same!(env, worker.join(), Err(Error::PeerClosed), "the caller");
    let reply = message::reply(mailbox.0, &Message::new(1, &[]));
    same!(env, reply, Err(Error::NotReady), "reply");
    Ok(())
}

/// A call is answered once.
pub fn reply_once(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let answer = Message::new(3, &[]);
    let reply = message::reply(mailbox.0, &answer);
    same!(env, reply, Err(Error::NotReady), "reply to nobody");
    let body = Body::new(|| call_for(mailbox.0, 1, super::PATIENCE_NS));
    for round in 0..10 {
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        message::receive(mailbox.0, soon()).must(env, "receive")?;
        message::reply(mailbox.0, &answer).must(env, "reply")?;
        let reply = message::reply(mailbox.0, &Message::new(4, &[]));
        same!(env, reply, Err(Error::NotReady), "again, round {round}");
        same!(env, worker.join(), Ok(3), "answer");
    }
    Ok(())
}
