//! Urgency that changes while a call is under way: by another priority of the caller, by a server that is up too early, by the
//! answer.

use core::sync::atomic::{AtomicBool, Ordering};

use sys::abi::NEVER;
use sys::abi::thread::WAITING;
use sys::call;
use sys::message::{self, Message};

use super::{BUSY, HIGH, LOW, LOWEST, MEDIUM, SERVER, Scene, URGENT, call_by, waiting};
use crate::harness::{Env, Must, Outcome};
use crate::kernel::worker::{Body, Worker};
use crate::kernel::{event, mailbox, soon, until};
use crate::same;

/// A server that was woken for nothing, and waits for a processor, is as urgent as the call that finds it so.
pub fn when_woken_early(env: &Env<'_>) -> Outcome {
    let (gate, mailbox) = (event(env)?, mailbox(env)?);
    let scene = Scene::new(gate.0);
    let (is_busy, is_called) = (AtomicBool::new(false), AtomicBool::new(false));
    let serves = Body::new(|| {
        message::receive(mailbox.0, NEVER)?;
        message::reply(mailbox.0, &Message::new(2, &[])).map(|()| 0)
    });
    let busy = Body::new(|| {
        scene.wait(BUSY)?;
        while !scene.is_over.load(Ordering::Acquire) {
            is_busy.store(true, Ordering::Release);
            if is_called.load(Ordering::Acquire) {
                scene.count.fetch_add(1, Ordering::AcqRel);
            }
        }
        Ok(0)
    });
    let calls = Body::new(|| {
        scene.wait(URGENT)?;
        is_called.store(true, Ordering::Release);
        call_by(mailbox.0)?;
        is_called.store(false, Ordering::Release);
        Ok(scene.seen())
    });
    let server = waiting(env, &serves, LOWEST)?;
    let other = waiting(env, &busy, MEDIUM)?;
    let caller = waiting(env, &calls, HIGH)?;
    scene.open(BUSY).must(env, "busy")?;
    until(|| is_busy.load(Ordering::Acquire)).must(env, "it is busy")?;
    call::thread_resume(server.handle()).must(env, "wake")?;
    scene.open(URGENT).must(env, "call")?;
    same!(env, caller.join(), Ok(0), "how far the busy thread was");
    same!(env, server.join(), Ok(0), "server");
    same!(env, other.join(), Ok(0), "busy");
    Ok(())
}

/// Who serves a call, or is called meanwhile, is as urgent as the caller becomes.
pub fn of_the_caller(env: &Env<'_>) -> Outcome {
    let (gate, mailbox) = (event(env)?, mailbox(env)?);
    let scene = Scene::new(gate.0);
    let serves = Body::new(|| {
        message::receive(mailbox.0, NEVER)?;
        scene.wait(SERVER)?;
        message::reply_receive(mailbox.0, &Message::new(2, &[]))?;
        message::reply(mailbox.0, &Message::new(3, &[])).map(|()| 0)
    });
    let calls = Body::new(|| scene.wait(URGENT).and_then(|_| call_by(mailbox.0)));
    let calls_later = Body::new(|| call_by(mailbox.0));
    let server = waiting(env, &serves, LOWEST)?;
    let first = waiting(env, &calls, LOW)?;
    scene.open(URGENT).must(env, "call")?;
    until(|| server.info().effective_priority == LOW).must(env, "it serves")?;
    server.reach(WAITING).must(env, "it serves")?;
    first.set_priority(MEDIUM).must(env, "priority")?;
    let urgency = || server.info().effective_priority;
    same!(env, urgency(), MEDIUM, "with the caller that it serves");
    let second = Worker::start(env.own, 0, &calls_later).must(env, "caller")?;
    second.reach(WAITING).must(env, "it waits")?;
    second.set_priority(HIGH).must(env, "priority")?;
    same!(env, urgency(), HIGH, "with the caller that waits");
    scene.open(SERVER).must(env, "serve")?;
    same!(env, first.join(), Ok(2), "first answer");
    same!(env, second.join(), Ok(3), "second answer");
    same!(env, server.join(), Ok(0), "server");
    same!(env, urgency(), LOWEST, "afterwards");
    Ok(())
}

/// A caller that waits, and is given another priority, is served in the order that this has.
pub fn among_callers(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let call_as = |label| message::call(mailbox.0, &Message::new(label, &[])).map(|_| label);
    let bodies = [1, 2, 3].map(|label| Body::new(move || call_as(label)));
    let mut callers = [const { None }; 3];
    for (place, body) in callers.iter_mut().zip(&bodies) {
        let caller = Worker::start(env.own, 0, body).must(env, "caller")?;
        caller.reach(WAITING).must(env, "it calls")?;
        *place = Some(caller);
    }
    // The last one comes first, and the first one last.
    for (caller, priority) in callers.iter().flatten().zip([LOW, MEDIUM, HIGH]) {
        caller.set_priority(priority).must(env, "priority")?;
    }
    for wanted in [3, 2, 1] {
        let received = message::receive(mailbox.0, soon()).must(env, "message")?;
        same!(env, received.message.tag.label(), wanted, "who comes");
        message::reply(mailbox.0, &Message::new(0, &[])).must(env, "answer")?;
    }
    for (caller, label) in callers.iter().flatten().zip(1..) {
        same!(env, caller.join(), Ok(label), "answered");
    }
    Ok(())
}

/// The answer of an urgent server makes its caller no more urgent than it is.
pub fn by_the_answer(env: &Env<'_>) -> Outcome {
    let (gate, mailbox) = (event(env)?, mailbox(env)?);
    let scene = Scene::new(gate.0);
    let serves = Body::new(|| {
        message::receive(mailbox.0, NEVER)?;
        scene.open(BUSY)?;
        // The caller has the processor next, if nobody has more to say than it.
        message::reply_receive(mailbox.0, &Message::new(2, &[])).map(|_| 0)
    });
    let busy = Body::new(|| scene.be_busy());
    let calls = Body::new(|| {
        scene.wait(URGENT)?;
        call_by(mailbox.0)?;
        Ok(scene.seen())
    });
    let _server = waiting(env, &serves, HIGH)?;
    let other = waiting(env, &busy, MEDIUM)?;
    let caller = waiting(env, &calls, LOW)?;
    scene.open(URGENT).must(env, "call")?;
    let seen = caller.join().must(env, "caller")?;
    crate::check!(env, seen > 0, "the caller went on before the busy thread");
    same!(env, other.join(), Ok(0), "busy");
    Ok(())
}
