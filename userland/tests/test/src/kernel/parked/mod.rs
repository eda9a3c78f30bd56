//! Calls between threads that park: two that exchange short messages on one processor wait, from the second round on, with nothing on
//! their kernel stacks. Whatever else happens to them must be as with any thread that waits.

mod crowd;
mod ends;
mod messages;
mod stops;

use core::sync::atomic::{AtomicU64, Ordering};

pub use crowd::{crowd, moved_while_called, outranked};
pub use ends::{
    caller_killed, mailbox_closed, memory_is_back, server_process_ends, server_thread_ends,
};
pub use messages::{answered_later, long, number, registers, without_a_buffer};
pub use stops::{debugged, moved, suspended, urgent};
use sys::abi::{Error, Handle, NEVER};
use sys::call;
use sys::message::{self, Message};

use super::worker::{Body, Worker};
use super::{event, mailbox, until};
use crate::area::Owned;
use crate::harness::{Env, Failed, Must, Outcome};
use crate::same;

/// Rounds after which both sides park whenever they can.
const WARM: u64 = 8;
/// Label of a call that is answered when the gate opens.
const HOLD: u64 = 1000;
/// Label of the last call.
const STOP: u64 = 1001;

/// The answer of the servers here, as `Code::Invert` gives it: the words that the message has, inverted.
fn inverted(message: &Message) -> Message {
    let mut answer = *message;
    let len = message.tag.words().min(answer.words.len());
    for word in &mut answer.words[..len] {
        *word = !*word;
    }
    answer
}

/// Calls a server that inverts; 1 if it did.
fn call_by(mailbox: Handle, label: u64) -> Result<u64, Error> {
    let sent = Message::new(label, &[label, label << 20, !label]);
    let answer = message::call(mailbox, &sent)?;
    Ok(u64::from(answer == inverted(&sent)))
}

/// Calls so often that caller and server, which share a processor, are parked.
fn warm(mailbox: Handle) -> Result<(), Error> {
    for label in 0..WARM {
        if call_by(mailbox, label)? != 1 {
            return Err(Error::InvalidArgument);
        }
    }
    Ok(())
}

/// A mailbox, and a gate that holds its server up.
struct Scene {
    mailbox: Owned,
    gate: Owned,
    /// How many calls were held up.
    held: AtomicU64,
}

impl Scene {
    fn new(env: &Env<'_>) -> Result<Self, Failed> {
        Ok(Self {
            mailbox: mailbox(env)?,
            gate: event(env)?,
            held: AtomicU64::new(0),
        })
    }

    /// Serves until it is stopped; how many calls came before that.
    fn serve(&self) -> Result<u64, Error> {
        let mut answer = Message::default();
        let mut served = 0;
        loop {
            let received = message::reply_receive(self.mailbox.0, &answer)?.message;
            answer = inverted(&received);
            match received.tag.label() {
                HOLD => self.pause()?,
                STOP => {
                    message::reply(self.mailbox.0, &answer)?;
                    return Ok(served);
                }
                _ => {}
            }
            served += 1;
        }
    }

    /// Waits at the gate.
    fn pause(&self) -> Result<(), Error> {
        self.held.fetch_add(1, Ordering::AcqRel);
        call::event_wait(self.gate.0, 1, 0, NEVER).map(drop)
    }

    /// Calls until both are parked, and then with a call that is held up.
    fn hold(&self) -> Result<u64, Error> {
        warm(self.mailbox.0)?;
        call_by(self.mailbox.0, HOLD)
    }

    /// Calls until both are parked, and goes.
    fn visit(&self) -> Result<u64, Error> {
        warm(self.mailbox.0).map(|()| 1)
    }

    /// Waits until so many calls were held up in all.
    fn reach(&self, env: &Env<'_>, calls: u64) -> Outcome {
        until(|| self.held.load(Ordering::Acquire) == calls).must(env, "it is held up")
    }

    fn open(&self, env: &Env<'_>) -> Outcome {
        call::event_signal(self.gate.0, 1).must(env, "open")
    }

    /// Stops the server, which has served so many calls.
    fn stop(&self, env: &Env<'_>, server: &Worker<'_>, served: u64) -> Outcome {
        let last = call_by(self.mailbox.0, STOP);
        same!(env, last, Ok(1), "the last call");
        same!(env, server.join(), Ok(served), "calls that were served");
        Ok(())
    }
}

/// A thread on the processor that all of these share.
fn start<'a, F: Fn() -> Result<u64, Error> + Sync>(
    env: &Env<'_>,
    body: &'a Body<F>,
) -> Result<Worker<'a>, Failed> {
    Worker::start(env.own, 0, body).must(env, "start")
}
