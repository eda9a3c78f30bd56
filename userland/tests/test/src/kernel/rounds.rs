//! Many calls, each of which is checked.

use sys::abi::process::ANY_CPU;
use sys::abi::{Error, Handle};
use sys::call;
use sys::message::{self, Message, REGISTER_WORDS};

use super::mailbox;
use super::worker::{Body, Worker};
use crate::area::Owned;
use crate::child::{Child, Code};
use crate::harness::{Env, Must, Outcome};
use crate::same;

/// Calls a server that inverts words; how many rounds went well until the first that did not.
fn rounds(handle: Handle, number: u64, rounds: u64) -> Result<u64, Error> {
    for round in 0..rounds {
        let words: [u64; REGISTER_WORDS] =
            core::array::from_fn(|index| number << 48 | round << 8 | index as u64);
        let len = (round % (REGISTER_WORDS as u64 + 1)) as usize;
        let sent = Message::new(round, &words[..len]);
        let answer = message::call(handle, &sent)?;
        let is_right = |(answer, word): (&u64, &u64)| *answer == !*word;
        if answer.tag != sent.tag || !answer.words().iter().zip(&words).all(is_right) {
            return Ok(round);
        }
    }
    Ok(rounds)
}

/// Two processes call and answer in turn; all words are looked at.
pub fn ping_pong(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 10_000;
    let mailbox = mailbox(env)?;
    let client = call::mailbox_badge(mailbox.0, 1)
        .map(Owned)
        .must(env, "badge")?;
    let child = Child::new(env).must(env, "child")?;
    let there = call::handle_give(child.handle(), mailbox.0).must(env, "give")?;
    child.start(Code::Invert, there.0).must(env, "start")?;
    same!(env, rounds(client.0, 1, ROUNDS), Ok(ROUNDS), "rounds");
    Ok(())
}

/// Clients on all processors call one server; then several servers of one mailbox.
pub fn clients_on_all_processors(env: &Env<'_>) -> Outcome {
    const CLIENTS: u64 = 4;
    const ROUNDS: u64 = 1000;
    let cpus = env.statistics().processors;
    for servers in [1, 3] {
        let mailbox = mailbox(env)?;
        let client = call::mailbox_badge(mailbox.0, 1)
            .map(Owned)
            .must(env, "badge")?;
        let child = Child::new(env).must(env, "child")?;
        // The only one to receive by: if the servers end, so does all waiting for them.
        let there = call::handle_give(child.handle(), mailbox.0).must(env, "give")?;
        for _ in 0..servers {
            child.start(Code::Invert, there.0).must(env, "server")?;
        }
        let bodies: [_; CLIENTS as usize] = core::array::from_fn(|number| {
            let handle = client.0;
            Body::new(move || rounds(handle, number as u64, ROUNDS))
        });
        let mut workers = [const { None }; CLIENTS as usize];
        for ((number, place), body) in (0..).zip(&mut workers).zip(&bodies) {
            let cpu = if servers == 1 { number % cpus } else { ANY_CPU };
            *place = Some(Worker::start(env.own, cpu, body).must(env, "client")?);
        }
        for (number, worker) in workers.iter().flatten().enumerate() {
            same!(env, worker.join(), Ok(ROUNDS), "rounds of client {number}");
        }
    }
    Ok(())
}
