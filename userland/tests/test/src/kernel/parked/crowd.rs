//! Many threads at once, on one processor and on all.

use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sys::abi::process::ANY_CPU;
use sys::abi::{Error, Handle};
use sys::call;
use sys::message::{self, Message, REGISTER_WORDS};

use super::super::order::{apic, apics};
use super::super::worker::{Body, Worker};
use super::super::{MS, event, mailbox, rest, soon};
use super::{STOP, inverted};
use crate::harness::{Env, Must, Outcome, Random};
use crate::{check, same};

/// For how long one spins for what must come without a system call: about a minute, in ticks of the time-stamp counter.
const PATIENCE: u64 = 1 << 37;

/// Spins in user mode until something is so; whether it was before long.
fn spin_until(mut is_so: impl FnMut() -> bool) -> bool {
    // SAFETY: every processor that this runs on has the instruction, and user mode may use it.
    let now = || unsafe { _rdtsc() };
    let begin = now();
    loop {
        if is_so() {
            return true;
        }
        if now().wrapping_sub(begin) > PATIENCE {
            // The thread itself may have stood still, as when it was moved, since it looked.
            return is_so();
        }
        core::hint::spin_loop();
    }
}

/// Passes some time, at the most about as long as a call takes.
fn delay(random: &mut Random) {
    for step in 0..random.below(2000) {
        core::hint::black_box(step);
    }
}

/// What a client and those who watch it share.
struct Client {
    handle: Handle,
    number: u64,
    /// Answers that were right.
    rounds: AtomicU64,
    is_over: AtomicBool,
}

impl Client {
    /// Calls until it is over; an error when an answer is wrong.
    fn call(&self) -> Result<u64, Error> {
        let mut round = 0;
        while !self.is_over.load(Ordering::Acquire) {
            let words: [u64; REGISTER_WORDS] =
                core::array::from_fn(|index| self.number << 48 | round << 8 | index as u64);
            let len = (round % (REGISTER_WORDS as u64 + 1)) as usize;
            let sent = Message {
                words,
                ..Message::new(round % STOP, &words[..len])
            };
            if message::call(self.handle, &sent)? != inverted(&sent) {
                return Err(Error::InvalidArgument);
            }
            self.rounds.fetch_add(1, Ordering::AcqRel);
            round += 1;
        }
        Ok(1)
    }
}

/// Several servers and clients; now and then a client is ended and another one comes, and some are suspended, moved or made more
/// urgent. Each answer is the one to what was asked, and nobody waits for ever.
pub fn crowd(env: &Env<'_>) -> Outcome {
    const CLIENTS: usize = 5;
    const SERVERS: usize = 2;
    const STEPS: usize = 150;
    let cpus = env.statistics().processors;
    let mut random = Random::new(u64::from(call::clock_read() as u32));
    for is_on_one in [true, false] {
        let mailbox = mailbox(env)?;
        let served = AtomicU64::new(0);
        // Most waits are such as park; some are not.
        let serves = Body::new(|| {
            let mut answer = Message::default();
            loop {
                let count = served.fetch_add(1, Ordering::AcqRel);
                let received = if count % 64 < 48 {
                    message::reply_receive(mailbox.0, &answer)?
                } else {
                    // The caller may be gone; the first time there is none.
                    let _ = message::reply(mailbox.0, &answer);
                    message::receive(mailbox.0, soon())?
                };
                answer = inverted(&received.message);
                if received.message.tag.label() == STOP {
                    message::reply(mailbox.0, &answer)?;
                    return Ok(1);
                }
            }
        });
        let clients: [Client; CLIENTS] = core::array::from_fn(|number| Client {
            handle: mailbox.0,
            number: number as u64,
            rounds: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        let bodies = clients.each_ref().map(|client| Body::new(|| client.call()));
        let place = |number: usize| match (is_on_one, number % 3) {
            (true, _) => 0,
            (false, 2) => ANY_CPU,
            (false, _) => number as u64 % cpus,
        };
        let mut servers = [const { None }; SERVERS];
        for (number, server) in servers.iter_mut().enumerate() {
            *server = Some(Worker::start(env.own, place(number), &serves).must(env, "server")?);
        }
        let begin = |number: usize| Worker::start(env.own, place(number), &bodies[number]);
        let mut workers = [const { None }; CLIENTS];
        for (number, worker) in workers.iter_mut().enumerate() {
            *worker = Some(begin(number).must(env, "client")?);
        }
        for _ in 0..STEPS {
            let number = random.below(CLIENTS as u64) as usize;
            let Some(worker) = &workers[number] else {
                continue;
            };
            check!(
                env,
                !worker.has_ended(),
                "client {number}: {:?}",
                worker.join()
            );
            match random.below(6) {
                0 | 1 => {
                    worker.kill().must(env, "kill")?;
                    workers[number] = Some(begin(number).must(env, "another client")?);
                }
                2 => {
                    call::thread_suspend(worker.handle()).must(env, "suspend")?;
                    rest(MS / 2).must(env, "rest")?;
                    call::thread_resume(worker.handle()).must(env, "resume")?;
                }
                3 => {
                    worker
                        .set_priority(3 + random.below(3))
                        .must(env, "priority")?;
                }
                4 if !is_on_one => worker.pin(random.below(cpus)).must(env, "pin")?,
                _ => {
                    let server = random.below(SERVERS as u64) as usize;
                    if let Some(server) = &servers[server] {
                        call::thread_suspend(server.handle()).must(env, "suspend")?;
                        call::thread_resume(server.handle()).must(env, "resume")?;
                        if !is_on_one {
                            server.pin(random.below(cpus)).must(env, "pin")?;
                        }
                    }
                }
            }
            rest(MS / 4).must(env, "rest")?;
        }
        for client in &clients {
            client.is_over.store(true, Ordering::Release);
        }
        for (number, worker) in workers.iter().flatten().enumerate() {
            same!(env, worker.join(), Ok(1), "client {number}");
        }
        for _ in 0..SERVERS {
            message::call(mailbox.0, &Message::new(STOP, &[])).must(env, "stop")?;
        }
        for server in servers.iter().flatten() {
            same!(env, server.join(), Ok(1), "a server");
        }
        let rounds = clients
            .each_ref()
            .map(|client| client.rounds.load(Ordering::Acquire));
        let all = rounds.iter().sum::<u64>();
        check!(env, all > 0, "nobody was served");
        let served = served.load(Ordering::Acquire);
        check!(env, served >= all, "{all} answers, {served} calls");
    }
    Ok(())
}

/// A server that is moved while it is called: it comes to where it may run without being called again.
pub fn moved_while_called(env: &Env<'_>) -> Outcome {
    let (apics, count) = apics(env)?;
    let mailbox = mailbox(env)?;
    let (wanted, arrived) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    let serves = Body::new(|| {
        let mut seen = 0;
        loop {
            message::reply_receive(mailbox.0, &Message::default())?;
            let next = wanted.load(Ordering::Acquire);
            if next != seen {
                seen = next;
                if !spin_until(|| apic() == next & 0xffff) {
                    return Ok(next);
                }
                arrived.store(next, Ordering::Release);
            }
        }
    });
    let calls = Body::new(|| {
        while !is_over.load(Ordering::Acquire) {
            message::call(mailbox.0, &Message::default())?;
        }
        Ok(0)
    });
    let server = Worker::start(env.own, 0, &serves).must(env, "server")?;
    let callers = [
        Worker::start(env.own, 0, &calls).must(env, "caller")?,
        Worker::start(env.own, count as u64 - 1, &calls).must(env, "caller")?,
    ];
    for round in 1..400 {
        let cpu = round % count;
        server.pin(cpu as u64).must(env, "pin")?;
        let next = (round as u64) << 16 | apics[cpu];
        wanted.store(next, Ordering::Release);
        let has_come = || arrived.load(Ordering::Acquire) == next || server.has_ended();
        super::super::until(has_come).must(env, "it comes")?;
        check!(
            env,
            !server.has_ended(),
            "round {round}: it is not on {cpu}: {:?}",
            server.join()
        );
    }
    is_over.store(true, Ordering::Release);
    for caller in &callers {
        same!(env, caller.join(), Ok(0), "a caller");
    }
    Ok(())
}

/// A server that an urgent caller calls while it parks is more urgent than the one that it has answered, and runs at once: that one
/// does not enter the kernel by itself.
pub fn outranked(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 2_000;
    let cpus = env.statistics().processors;
    if cpus == 1 {
        return Ok(());
    }
    let mailbox = mailbox(env)?;
    let gate = event(env)?;
    let (calling, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let serves = Body::new(|| {
        loop {
            message::reply_receive(mailbox.0, &Message::default())?;
        }
    });
    // Calls at any moment, and says when.
    let hurries = Body::new(|| {
        let mut random = Random::new(7);
        let mut number = 1;
        while !is_over.load(Ordering::Acquire) {
            delay(&mut random);
            calling.store(number, Ordering::Release);
            message::call(mailbox.0, &Message::default())?;
            calling.store(0, Ordering::Release);
            number += 1;
        }
        Ok(0)
    });
    let stays = Body::new(|| {
        let mut random = Random::new(8);
        call::event_wait(gate.0, 1, 0, soon())?;
        for round in 0..ROUNDS {
            delay(&mut random);
            message::call(mailbox.0, &Message::default())?;
            let now = calling.load(Ordering::Acquire);
            if now != 0 && !spin_until(|| calling.load(Ordering::Acquire) != now) {
                return Ok(round);
            }
        }
        Ok(ROUNDS)
    });
    let server = Worker::start(env.own, 0, &serves).must(env, "server")?;
    server.set_priority(3).must(env, "priority")?;
    let patient = Worker::start(env.own, 0, &stays).must(env, "caller")?;
    patient.set_priority(5).must(env, "priority")?;
    let other = Worker::start(env.own, 1, &hurries).must(env, "another")?;
    other.set_priority(1).must(env, "priority")?;
    call::event_signal(gate.0, 1).must(env, "go")?;
    let rounds = patient.join();
    is_over.store(true, Ordering::Release);
    same!(env, rounds, Ok(ROUNDS), "rounds until the server was late");
    same!(env, other.join(), Ok(0), "the other caller");
    Ok(())
}
