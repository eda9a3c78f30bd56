//! Answers that are given later, by a handle.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::process::ANY_CPU;
use sys::abi::thread::WAITING;
use sys::abi::{Error, ObjectType, Sysno};
use sys::call;
use sys::message::{self, Message};

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{mailbox, soon, until};
use crate::area::Owned;
use crate::child::Child;
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

/// Receives a call and takes the right to answer it.
fn take(env: &Env<'_>, mailbox: &Owned) -> Result<(u64, Owned), Failed> {
    let received = message::receive(mailbox.0, soon()).must(env, "receive")?;
    let reply = call::mailbox_detach().map(Owned).must(env, "detach")?;
    Ok((received.message.tag.label(), reply))
}

/// A server takes several calls before it answers any, and answers them in another order.
pub fn later(env: &Env<'_>) -> Outcome {
    const CALLERS: usize = 6;
    let mailbox = mailbox(env)?;
    let next = AtomicU64::new(0);
    let body = Body::new(|| {
        let own = next.fetch_add(1, Ordering::Relaxed);
        let answer = message::call(mailbox.0, &Message::new(own, &[]))?;
        Ok(u64::from(answer.words() == [own * 3]))
    });
    let mut workers = [const { None }; CALLERS];
    for place in &mut workers {
        *place = Some(Worker::start(env.own, ANY_CPU, &body).must(env, "start")?);
    }
    let mut rights = [const { None }; CALLERS];
    for place in &mut rights {
        *place = Some(take(env, &mailbox)?);
    }
    // Nothing is served any more.
    let nothing = message::reply(mailbox.0, &Message::default());
    same!(env, nothing, Err(Error::NotReady), "reply after all");
    same!(env, call::mailbox_detach(), Err(Error::NotReady), "detach");
    for (label, reply) in rights.iter().rev().flatten() {
        let info = call::handle_info(reply.0).must(env, "info")?;
        same!(env, info.kind, ObjectType::Reply.number(), "type");
        let answer = Message::new(0, &[label * 3]);
        message::answer(reply.0, &answer).must(env, "answer")?;
        let again = message::answer(reply.0, &answer);
        same!(env, again, Err(Error::NotReady), "a second answer");
    }
    for worker in workers.iter().flatten() {
        same!(env, worker.join(), Ok(1), "whether it got its own answer");
    }
    Ok(())
}

/// With the last handle goes the answer; a caller that has ended cannot be answered.
pub fn dropped(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let body = Body::new(|| message::call(mailbox.0, &Message::default()).map(|_| 0));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let (_, reply) = take(env, &mailbox)?;
    let copy = call::handle_duplicate(reply.0, sys::abi::Rights::ALL).map(Owned);
    let copy = copy.must(env, "copy")?;
    drop(reply);
    worker.reach(WAITING).must(env, "it waits still")?;
    check!(env, !worker.has_ended(), "it has ended");
    drop(copy);
    same!(env, worker.join(), Err(Error::PeerClosed), "the call");
    drop(worker);

    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let (_, reply) = take(env, &mailbox)?;
    worker.kill().must(env, "kill")?;
    let answered = message::answer(reply.0, &Message::default());
    same!(env, answered, Err(Error::PeerClosed), "answer to the dead");
    Ok(())
}

/// Another process answers; the right goes to it by a message's handle as any other.
pub fn by_another_process(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let mailbox = mailbox(env)?;
    let body = Body::new(|| {
        let answer = message::call(mailbox.0, &Message::default())?;
        Ok(answer.words[0])
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let (_, reply) = take(env, &mailbox)?;
    let there = call::handle_give(child.handle(), reply.0).must(env, "give")?;
    core::mem::forget(reply);
    let orders = Orders::new(env, &child).must(env, "orders")?;
    orders.keep_alive().must(env, "keep alive")?;
    let tag = Message::new(1, &[55]).tag;
    let order = orders.give(0, Sysno::ReplyAnswer, &[there.0, tag.0, 55], ANY_CPU);
    order.must(env, "answer there")?;
    same!(env, worker.join(), Ok(55), "the answer");
    until(|| orders.is_done(0)).must(env, "it returns")?;
    same!(env, orders.result(0, 0), 0, "error of the answer");
    drop(worker);
    // A process that ends with the right leaves nobody waiting.
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let (_, reply) = take(env, &mailbox)?;
    call::handle_give(child.handle(), reply.0).must(env, "give")?;
    core::mem::forget(reply);
    call::process_kill(child.handle(), 0).must(env, "kill")?;
    child.end().must(env, "end")?;
    same!(env, worker.join(), Err(Error::PeerClosed), "the call");
    Ok(())
}

/// Who has taken the right to answer serves no more: the priority of the caller is not passed on.
pub fn ends_inheritance(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let served = AtomicU64::new(0);
    let server = Body::new(|| {
        message::receive(mailbox.0, soon())?;
        served.store(1, Ordering::Release);
        until(|| served.load(Ordering::Acquire) == 2)?;
        let reply = Owned(call::mailbox_detach()?);
        served.store(3, Ordering::Release);
        until(|| served.load(Ordering::Acquire) == 4)?;
        message::answer(reply.0, &Message::default())?;
        Ok(0)
    });
    let server = Worker::start(env.own, ANY_CPU, &server).must(env, "start")?;
    server.set_priority(5).must(env, "priority")?;
    let body = Body::new(|| {
        until(|| served.load(Ordering::Acquire) == u64::MAX)?;
        message::call(mailbox.0, &Message::default()).map(|_| 0)
    });
    let caller = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    caller.set_priority(2).must(env, "priority")?;
    served.store(u64::MAX, Ordering::Release);
    until(|| served.load(Ordering::Acquire) == 1).must(env, "it serves")?;
    same!(env, server.info().effective_priority, 2, "while it serves");
    served.store(2, Ordering::Release);
    until(|| served.load(Ordering::Acquire) == 3).must(env, "it detaches")?;
    same!(env, server.info().effective_priority, 5, "priority");
    served.store(4, Ordering::Release);
    server.join().must(env, "the server")?;
    caller.join().must(env, "the caller").map(drop)
}
