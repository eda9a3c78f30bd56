//! Who is waited for is as urgent as those who wait. All threads of a test share processor 0, where one of ordinary priority
//! runs whenever it may: what matters is who comes before it.

pub mod changes;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sys::abi::thread::WAITING;
use sys::abi::{Error, Handle, NEVER};
use sys::call;
use sys::message::{self, Message};

use super::worker::{Body, Worker};
use super::{event, mailbox};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::same;

/// Bit of the gate for the thread of ordinary priority.
const BUSY: u64 = 1;
/// Bits of the gate for others.
const SERVER: u64 = 2;
const OPENER: u64 = 4;
const URGENT: u64 = 8;

const HIGH: u64 = 1;
const MEDIUM: u64 = 4;
const LOW: u64 = 6;
const LOWEST: u64 = 7;

/// What the threads of a test share.
struct Scene {
    gate: Handle,
    /// What the thread of ordinary priority has counted: 0 until it runs.
    count: AtomicU64,
    is_over: AtomicBool,
}

impl Scene {
    fn new(gate: Handle) -> Self {
        Self {
            gate,
            count: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    fn wait(&self, bit: u64) -> Result<u64, Error> {
        call::event_wait(self.gate, bit, 0, NEVER)
    }

    fn open(&self, bits: u64) -> Result<(), Error> {
        call::event_signal(self.gate, bits)
    }

    /// Takes the processor as soon as it is let in.
    fn be_busy(&self) -> Result<u64, Error> {
        self.wait(BUSY)?;
        while !self.is_over.load(Ordering::Acquire) {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
        Ok(0)
    }

    /// Lets the server go on and the busy thread in, in one moment.
    fn open_both(&self) -> Result<u64, Error> {
        self.wait(OPENER)?;
        self.open(BUSY | SERVER)?;
        Ok(0)
    }

    /// How far the busy thread is; it stops.
    fn seen(&self) -> u64 {
        let seen = self.count.load(Ordering::Acquire);
        self.is_over.store(true, Ordering::Release);
        seen
    }
}

/// Starts a thread, and gives it a priority when it waits.
fn waiting<'a, F: Fn() -> Result<u64, Error> + Sync>(
    env: &Env<'_>,
    body: &'a Body<F>,
    priority: u64,
) -> Result<Worker<'a>, Failed> {
    let worker = Worker::start(env.own, 0, body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    worker.set_priority(priority).must(env, "priority")?;
    Ok(worker)
}

fn call_by(mailbox: Handle) -> Result<u64, Error> {
    message::call(mailbox, &Message::new(1, &[])).map(|answer| answer.tag.label())
}

/// A server has the priority of the one whom it serves.
pub fn while_served(env: &Env<'_>) -> Outcome {
    let (gate, mailbox) = (event(env)?, mailbox(env)?);
    let scene = Scene::new(gate.0);
    let serves = Body::new(|| {
        message::receive(mailbox.0, NEVER)?;
        scene.wait(SERVER)?;
        let seen = scene.seen();
        message::reply(mailbox.0, &Message::new(2, &[]))?;
        Ok(seen)
    });
    let (calls, busy) = (
        Body::new(|| scene.wait(URGENT).and_then(|_| call_by(mailbox.0))),
        Body::new(|| scene.be_busy()),
    );
    let opens = Body::new(|| scene.open_both());
    let server = waiting(env, &serves, LOWEST)?;
    let caller = waiting(env, &calls, HIGH)?;
    let _other = waiting(env, &busy, MEDIUM)?;
    let _opener = waiting(env, &opens, 0)?;
    same!(env, server.info().effective_priority, LOWEST, "before");
    scene.open(URGENT).must(env, "call")?;
    super::until(|| server.info().effective_priority == HIGH).must(env, "it inherits")?;
    same!(env, server.info().priority, LOWEST, "its own priority");
    server.reach(WAITING).must(env, "it serves")?;
    scene.open(OPENER).must(env, "open")?;
    same!(env, server.join(), Ok(0), "how far the busy thread was");
    same!(env, caller.join(), Ok(2), "answer");
    Ok(())
}

/// A server becomes as urgent as one who waits behind the call that it serves; and one that takes a call from the queue has
/// the caller's priority at once.
pub fn while_queued(env: &Env<'_>) -> Outcome {
    let (gate, mailbox) = (event(env)?, mailbox(env)?);
    let scene = Scene::new(gate.0);
    let serves = Body::new(|| {
        message::receive(mailbox.0, NEVER)?;
        scene.wait(SERVER)?;
        let seen = scene.seen();
        message::reply_receive(mailbox.0, &Message::new(2, &[]))?;
        message::reply(mailbox.0, &Message::new(3, &[]))?;
        Ok(seen)
    });
    let (calls, busy) = (
        Body::new(|| call_by(mailbox.0)),
        Body::new(|| scene.be_busy()),
    );
    let urgent = Body::new(|| scene.wait(URGENT).and_then(|_| call_by(mailbox.0)));
    let opens = Body::new(|| scene.open_both());
    let server = waiting(env, &serves, LOWEST)?;
    let _other = waiting(env, &busy, MEDIUM)?;
    let _opener = waiting(env, &opens, 0)?;
    let high = waiting(env, &urgent, HIGH)?;
    let first = Worker::start(env.own, 0, &calls).must(env, "caller")?;
    super::until(|| server.info().effective_priority == MEDIUM).must(env, "it serves")?;
    server.reach(WAITING).must(env, "it serves")?;
    scene.open(URGENT).must(env, "call")?;
    super::until(|| server.info().effective_priority == HIGH).must(env, "it inherits")?;
    scene.open(OPENER).must(env, "open")?;
    same!(env, server.join(), Ok(0), "how far the busy thread was");
    same!(env, first.join(), Ok(2), "first answer");
    same!(env, high.join(), Ok(3), "second answer");
    Ok(())
}

/// A server that takes an urgent call from the queue while it runs is urgent from then on.
pub fn from_the_queue(env: &Env<'_>) -> Outcome {
    let (gate, mailbox) = (event(env)?, mailbox(env)?);
    let scene = Scene::new(gate.0);
    let serves = Body::new(|| {
        scene.wait(SERVER)?;
        message::receive(mailbox.0, 0)?;
        scene.open(BUSY)?;
        let seen = scene.seen();
        message::reply(mailbox.0, &Message::new(2, &[]))?;
        Ok(seen)
    });
    let (calls, busy) = (
        Body::new(|| scene.wait(URGENT).and_then(|_| call_by(mailbox.0))),
        Body::new(|| scene.be_busy()),
    );
    let server = waiting(env, &serves, LOWEST)?;
    let _other = waiting(env, &busy, MEDIUM)?;
    let caller = waiting(env, &calls, HIGH)?;
    // Whether the call is there shows an event of the mailbox.
    call::mailbox_on_readable(mailbox.0, Some(gate.0), 16).must(env, "bind")?;
    scene.open(URGENT).must(env, "call")?;
    call::event_wait(gate.0, 16, 0, super::soon()).must(env, "it calls")?;
    scene.open(SERVER).must(env, "serve")?;
    same!(env, server.join(), Ok(0), "how far the busy thread was");
    same!(env, caller.join(), Ok(2), "answer");
    Ok(())
}

/// A priority goes along a chain: the server of a server is as urgent as the first caller.
pub fn along_a_chain(env: &Env<'_>) -> Outcome {
    let (gate, front, back) = (event(env)?, mailbox(env)?, mailbox(env)?);
    let scene = Scene::new(gate.0);
    let ends = Body::new(|| {
        message::receive(back.0, NEVER)?;
        scene.wait(SERVER)?;
        let seen = scene.seen();
        message::reply(back.0, &Message::new(2, &[]))?;
        Ok(seen)
    });
    let passes = Body::new(|| {
        message::receive(front.0, NEVER)?;
        let answer = call_by(back.0)?;
        message::reply_receive(front.0, &Message::new(answer + 1, &[]))?;
        message::reply(front.0, &Message::new(answer + 2, &[]))?;
        Ok(0)
    });
    let (calls, busy) = (
        Body::new(|| scene.wait(URGENT << 1).and_then(|_| call_by(front.0))),
        Body::new(|| scene.be_busy()),
    );
    let urgent = Body::new(|| scene.wait(URGENT).and_then(|_| call_by(front.0)));
    let opens = Body::new(|| scene.open_both());
    let last = waiting(env, &ends, LOWEST)?;
    let middle = waiting(env, &passes, LOWEST)?;
    let _other = waiting(env, &busy, MEDIUM)?;
    let _opener = waiting(env, &opens, 0)?;
    let low = waiting(env, &calls, LOW)?;
    let high = waiting(env, &urgent, HIGH)?;
    scene.open(URGENT << 1).must(env, "call")?;
    let both = |priority| {
        super::until(|| {
            [&middle, &last].map(|worker| worker.info().effective_priority) == [priority; 2]
        })
    };
    both(LOW).must(env, "both inherit from the first caller")?;
    last.reach(WAITING).must(env, "it serves")?;
    scene.open(URGENT).must(env, "call again")?;
    both(HIGH).must(env, "both inherit from the second")?;
    scene.open(OPENER).must(env, "open")?;
    same!(env, last.join(), Ok(0), "how far the busy thread was");
    same!(env, low.join(), Ok(3), "first answer");
    same!(env, high.join(), Ok(4), "second answer");
    same!(env, middle.join(), Ok(0), "the server between");
    same!(env, last.info().effective_priority, LOWEST, "afterwards");
    Ok(())
}

/// When the call is answered the server is what it was: others come before it at once.
pub fn ends_with_the_answer(env: &Env<'_>) -> Outcome {
    let (gate, mailbox) = (event(env)?, mailbox(env)?);
    let scene = Scene::new(gate.0);
    let serves = Body::new(|| {
        message::receive(mailbox.0, NEVER)?;
        scene.open(BUSY)?;
        message::reply(mailbox.0, &Message::new(2, &[]))?;
        Ok(scene.seen())
    });
    let (calls, busy) = (
        Body::new(|| scene.wait(URGENT).and_then(|_| call_by(mailbox.0))),
        Body::new(|| scene.be_busy()),
    );
    let server = waiting(env, &serves, LOWEST)?;
    let _other = waiting(env, &busy, MEDIUM)?;
    let caller = waiting(env, &calls, HIGH)?;
    scene.open(URGENT).must(env, "call")?;
    same!(env, caller.join(), Ok(2), "answer");
    let seen = server.join().must(env, "server")?;
    crate::check!(env, seen > 0, "the server went on before the busy thread");
    same!(env, server.info().effective_priority, LOWEST, "afterwards");
    Ok(())
}
