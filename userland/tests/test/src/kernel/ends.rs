//! Threads that are ended from outside, whatever they do at the moment. What they waited for is there for others.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::process::{ANY_CPU, RUNNING};
use sys::abi::thread::{ENDED, SUSPENDED, WAITING};
use sys::abi::{Error, Handle, NEVER, Rights, Sysno};
use sys::call;
use sys::message::{self, Message};

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{MS, event, mailbox, rest, soon, until};
use crate::area::{Area, Owned, PAGE, RW, load};
use crate::child::{Child, Code, End, words};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// Ends a thread in the middle of its work.
fn end(env: &Env<'_>, worker: &Worker<'_>) -> Outcome {
    check!(env, !worker.has_ended(), "it has ended before");
    worker.kill().must(env, "kill")?;
    same!(env, worker.info().state, ENDED, "state");
    same!(env, worker.join(), Err(Error::Ended), "result");
    Ok(())
}

pub fn in_user_mode(env: &Env<'_>) -> Outcome {
    let count = AtomicU64::new(0);
    let body = Body::new(|| -> Result<u64, Error> {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    for _ in 0..10 {
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        let before = count.load(Ordering::Relaxed);
        until(|| count.load(Ordering::Relaxed) > before).must(env, "it runs")?;
        end(env, &worker)?;
        let stopped = count.load(Ordering::Relaxed);
        rest(MS).must(env, "rest")?;
        same!(env, count.load(Ordering::Relaxed), stopped, "count then");
    }
    Ok(())
}

pub fn in_event_wait(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    for until in [NEVER, soon()] {
        let body = Body::new(|| call::event_wait(event.0, 1, 0, until));
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        worker.reach(WAITING).must(env, "it waits")?;
        end(env, &worker)?;
        call::event_signal(event.0, 1).must(env, "signal")?;
        same!(env, call::event_take(event.0, 1), Ok(1), "the bit");
    }
    Ok(())
}

/// A call that nobody has received yet goes with its caller.
pub fn in_queued_call(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let body = Body::new(|| message::call(mailbox.0, &Message::new(1, &[])).map(|_| 0));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    end(env, &worker)?;
    let found = message::receive(mailbox.0, 0);
    same!(env, found, Err(Error::TimedOut), "a message of nobody");
    Ok(())
}

/// The answer to a caller that was ended is refused, and the server goes on with the next.
pub fn in_served_call(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let label = AtomicU64::new(0);
    let body = Body::new(|| {
        let label = label.fetch_add(1, Ordering::Relaxed);
        let answer = message::call(mailbox.0, &Message::new(label, &[]))?;
        Ok(answer.tag.label())
    });
    for round in 0..4 {
        let first = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        let received = message::receive(mailbox.0, soon()).must(env, "receive")?;
        same!(env, received.message.tag.label(), 2 * round, "label");
        let second = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        second.reach(WAITING).must(env, "the next waits")?;
        end(env, &first)?;
        let next = if round % 2 == 0 {
            let reply = message::reply(mailbox.0, &Message::new(77, &[]));
            same!(env, reply, Err(Error::PeerClosed), "reply");
            message::receive(mailbox.0, soon())
        } else {
            message::reply_receive(mailbox.0, &Message::new(77, &[]))
        };
        let next = next.must(env, "the next")?;
        same!(env, next.message.tag.label(), 2 * round + 1, "its label");
        message::reply(mailbox.0, &Message::new(99, &[])).must(env, "reply")?;
        same!(env, second.join(), Ok(99), "the answer");
    }
    Ok(())
}

/// A server that was ended while it waited is given no message.
pub fn in_receive(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let body = Body::new(|| message::receive(mailbox.0, NEVER).map(|_| 0));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    end(env, &worker)?;
    let body = Body::new(|| {
        let answer = message::call(mailbox.0, &Message::new(5, &[]))?;
        Ok(answer.tag.label())
    });
    let caller = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let received = message::receive(mailbox.0, soon()).must(env, "receive")?;
    same!(env, received.message.tag.label(), 5, "label");
    message::reply(mailbox.0, &Message::new(6, &[])).must(env, "reply")?;
    same!(env, caller.join(), Ok(6), "answer");
    Ok(())
}

pub fn in_sleep(env: &Env<'_>) -> Outcome {
    for until in [NEVER, soon()] {
        let body = Body::new(|| call::thread_sleep(until).map(|()| 0));
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        worker.reach(WAITING).must(env, "it sleeps")?;
        end(env, &worker)?;
    }
    Ok(())
}

/// Suspended in user mode, in a wait, and before it has run at all.
pub fn suspended(env: &Env<'_>) -> Outcome {
    let (event, count) = (event(env)?, AtomicU64::new(0));
    let spins = Body::new(|| -> Result<u64, Error> {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let waits = Body::new(|| call::event_wait(event.0, 1, 0, NEVER));
    let spinner = Worker::start(env.own, ANY_CPU, &spins).must(env, "start")?;
    let waiter = Worker::start(env.own, ANY_CPU, &waits).must(env, "start")?;
    until(|| count.load(Ordering::Relaxed) > 0).must(env, "it runs")?;
    waiter.reach(WAITING).must(env, "it waits")?;
    for worker in [&spinner, &waiter] {
        call::thread_suspend(worker.handle()).must(env, "suspend")?;
        worker.reach(SUSPENDED).must(env, "it stops")?;
        end(env, worker)?;
    }
    let early = Worker::start(env.own, ANY_CPU, &spins).must(env, "start")?;
    call::thread_suspend(early.handle()).must(env, "suspend")?;
    end(env, &early)?;
    call::event_signal(event.0, 1).must(env, "signal")?;
    same!(env, call::event_take(event.0, 1), Ok(1), "the bit");
    Ok(())
}

/// A handle in a child of an object of ours.
fn lend(child: &Child, handle: Handle) -> Result<u64, Error> {
    let copy = call::handle_duplicate(handle, Rights::ALL)?;
    Ok(call::handle_give(child.handle(), copy)?.0)
}

/// A process ends whose threads run, wait in all ways, or are suspended; those who deal with it are told.
pub fn process_in_all_states(env: &Env<'_>) -> Outcome {
    for _ in 0..5 {
        process_once(env)?;
    }
    Ok(())
}

fn process_once(env: &Env<'_>) -> Outcome {
    let (event, served, queued, theirs) =
        (event(env)?, mailbox(env)?, mailbox(env)?, mailbox(env)?);
    let child = Child::new(env).must(env, "child")?;
    let orders = Orders::new(env, &child).must(env, "orders")?;
    let there = |handle: &Owned| lend(&child, handle.0).must(env, "lend");
    let (counter, counter_there) = orders.counter();
    let give = |slot, call, registers: &[u64]| {
        orders
            .give(slot, call, registers, ANY_CPU)
            .must(env, "give")
    };
    let threads = [
        give(0, Sysno::EventWait, &[there(&event)?, 1, 0, NEVER])?,
        give(1, Sysno::ThreadSleep, &[soon()])?,
        give(2, Sysno::MailboxCall, &[there(&queued)?, 0])?,
        give(3, Sysno::MailboxCall, &[there(&served)?, 0])?,
        give(4, Sysno::MailboxReceive, &[there(&theirs)?, NEVER])?,
        give(5, Sysno::EventWait, &[there(&event)?, 2, 0, soon()])?,
    ];
    call::thread_suspend(threads[5].0).must(env, "suspend")?;
    for cpu in 0..env.statistics().processors {
        let counting = child.spawn(Code::Count, counter_there, cpu);
        counting.must(env, "count")?;
    }
    message::receive(served.0, soon()).must(env, "receive")?;
    for thread in &threads[..5] {
        until(|| call::thread_info(thread.0).is_ok_and(|info| info.state == WAITING))
            .must(env, "all wait")?;
    }
    until(|| load(counter) > 1000).must(env, "it counts")?;
    call::process_kill(child.handle(), 9).must(env, "kill")?;
    same!(
        env,
        child.end().must(env, "end")?,
        End::Status(9),
        "the end"
    );
    for thread in &threads {
        let info = call::thread_info(thread.0).must(env, "info")?;
        same!(env, info.state, ENDED, "state of a thread");
    }
    for slot in 0..6 {
        check!(env, !orders.is_done(slot), "thread {slot} went on");
    }
    let reply = message::reply(served.0, &Message::new(1, &[]));
    same!(env, reply, Err(Error::PeerClosed), "reply");
    let found = message::receive(queued.0, 0);
    same!(env, found, Err(Error::TimedOut), "a message of nobody");
    let call = message::call_until(theirs.0, &Message::new(1, &[]), call::clock_read() + MS);
    same!(env, call, Err(Error::TimedOut), "a call that nobody serves");
    call::event_signal(event.0, 3).must(env, "signal")?;
    same!(env, call::event_take(event.0, 3), Ok(3), "bits");
    Ok(())
}

/// When a process has ended, what it held is back, whoever has ended it: here the one who handles its fault, while its only
/// thread leaves at the same time.
pub fn gives_everything_back(env: &Env<'_>) -> Outcome {
    /// Pages that only the child holds.
    const PAGES: u64 = 1024;
    /// Pages that the account of the child, which is still there, may keep for later.
    const KEPT: u64 = 256;
    const NOWHERE: u64 = 8;
    let used = || call::process_info(env.own).map(|info| info.memory / PAGE);
    for round in 0..100 {
        let child = Child::new(env).must(env, "child")?;
        let before = used().must(env, "info")?;
        let area = Area::open(PAGES).must(env, "area")?;
        call::vm_area_commit(area.handle(), 0, PAGES * PAGE).must(env, "commit")?;
        let view = area.map(child.handle(), 0, PAGES, RW).must(env, "map")?;
        view.keep();
        drop(area);
        check!(
            env,
            used().must(env, "info")? + KEPT >= before + PAGES,
            "it is not counted"
        );
        child.fault_and_end(Code::Read, NOWHERE).must(env, "end")?;
        let after = used().must(env, "info")?;
        check!(
            env,
            after <= before + KEPT,
            "round {round}: {after} pages are used, {before} before"
        );
    }
    Ok(())
}

/// Whoever sees that a thread or a process has ended finds the bits set that its end sets, so that they can be taken for good: they do
/// not come later, when the bit may mean another one.
pub fn seen_is_told(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 200;
    const THREAD: u64 = 1;
    const PROCESS: u64 = 2;
    let event = event(env)?;
    for round in 0..ROUNDS {
        let child = Child::new(env).must(env, "child")?;
        let status = words(env, &child, &[round]).must(env, "words")?;
        call::process_on_exit(child.handle(), Some(event.0), PROCESS).must(env, "bind")?;
        let thread = child.spawn_suspended(Code::Read, status, ANY_CPU);
        let thread = thread.must(env, "thread")?;
        call::thread_on_exit(thread.0, Some(event.0), THREAD).must(env, "bind")?;
        call::thread_resume(thread.0).must(env, "resume")?;
        while call::thread_info(thread.0).must(env, "info")?.state != ENDED {
            call::thread_yield();
        }
        let found = call::event_take(event.0, THREAD);
        same!(env, found, Ok(THREAD), "bits of a thread, round {round}");
        while call::process_info(child.handle()).must(env, "info")?.state == RUNNING {
            call::thread_yield();
        }
        let found = call::event_take(event.0, PROCESS);
        same!(env, found, Ok(PROCESS), "bits of a process, round {round}");
    }
    Ok(())
}
