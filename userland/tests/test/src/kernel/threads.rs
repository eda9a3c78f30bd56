//! Threads: their end as an event, suspension, what can be asked.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::process::ANY_CPU;
use sys::abi::thread::{ENDED, NORMAL_PRIORITY, RUNNABLE, SUSPENDED, WAITING};
use sys::abi::{Error, NEVER, Sysno};
use sys::call;

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{MS, event, rest, soon, until};
use crate::area::{Owned, load};
use crate::child::{Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// Work that has no end: the thread is ended from outside.
fn idle() -> Result<u64, Error> {
    call::thread_sleep(NEVER).map(|()| 0)
}

/// The event of a thread's end: bound before and after it, replaced, unbound.
pub fn on_exit(env: &Env<'_>) -> Outcome {
    let (event, other) = (event(env)?, event(env)?);
    let body = Body::new(idle);
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let bind = |thread, event, bits| call::thread_on_exit(thread, event, bits);
    let thread = worker.handle();
    let wrong = bind(thread, Some(event.0), 0);
    same!(env, wrong, Err(Error::InvalidArgument), "no bits");
    let wrong = bind(thread, None, 1);
    same!(env, wrong, Err(Error::InvalidArgument), "no event");
    // The worker is ended without its own event, so that it is not dropped as usual: seen by its state.
    bind(thread, Some(event.0), 1).must(env, "bind")?;
    bind(thread, Some(other.0), 6).must(env, "bind another")?;
    call::thread_kill(thread).must(env, "kill")?;
    let found = call::event_wait(other.0, 6, sys::abi::event::ALL, soon());
    same!(env, found, Ok(6), "bits of the event that was bound last");
    worker.reach(ENDED).must(env, "it ends")?;
    same!(env, call::event_take(event.0, NEVER), Ok(0), "the first");
    bind(thread, Some(event.0), 8).must(env, "bind after the end")?;
    same!(env, call::event_take(event.0, NEVER), Ok(8), "at once");
    call::thread_kill(thread).must(env, "kill one that has ended")?;
    worker.restore().must(env, "restore")?;
    // Unbound, it tells nobody.
    let body = Body::new(idle);
    let second = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    bind(second.handle(), Some(event.0), 1).must(env, "bind")?;
    bind(second.handle(), None, 0).must(env, "unbind")?;
    call::thread_kill(second.handle()).must(env, "kill")?;
    second.reach(ENDED).must(env, "it ends")?;
    same!(env, call::event_take(event.0, NEVER), Ok(0), "bits");
    second.restore().must(env, "restore")
}

/// Threads of another process are told and stopped one by one; with the last the process ends.
pub fn in_another_process(env: &Env<'_>) -> Outcome {
    let (event, child) = (event(env)?, Child::new(env).must(env, "child")?);
    let orders = Orders::new(env, &child).must(env, "orders")?;
    let (counter, there) = orders.counter();
    let counting = child
        .spawn(Code::Count, there, ANY_CPU)
        .must(env, "count")?;
    let sleeping = orders.give(0, Sysno::ThreadSleep, &[NEVER], ANY_CPU);
    let sleeping = sleeping.must(env, "sleep")?;
    for (thread, bit) in [(&counting, 1), (&sleeping, 2)] {
        call::thread_on_exit(thread.0, Some(event.0), bit).must(env, "bind")?;
    }
    let info = |thread: &Owned| call::thread_info(thread.0).unwrap_or_default();
    let numbers = (info(&counting).number, info(&sleeping).number);
    check!(env, numbers.0 != numbers.1, "two threads have one number");
    until(|| info(&sleeping).state == WAITING).must(env, "one sleeps")?;
    until(|| load(counter) > 1000).must(env, "one counts")?;
    call::thread_suspend(counting.0).must(env, "suspend")?;
    until(|| info(&counting).state == SUSPENDED).must(env, "it stops")?;
    let stopped = load(counter);
    rest(10 * MS).must(env, "rest")?;
    same!(env, load(counter), stopped, "what it counts suspended");
    call::thread_resume(counting.0).must(env, "resume")?;
    until(|| load(counter) > stopped).must(env, "it goes on")?;
    call::thread_kill(counting.0).must(env, "kill")?;
    same!(env, call::event_wait(event.0, 1, 0, soon()), Ok(1), "end");
    let stopped = load(counter);
    let process = call::process_info(child.handle()).must(env, "info")?;
    same!(
        env,
        process.state,
        sys::abi::process::RUNNING,
        "the process"
    );
    rest(5 * MS).must(env, "rest")?;
    same!(env, load(counter), stopped, "what it counts afterwards");
    call::thread_kill(sleeping.0).must(env, "kill")?;
    same!(env, call::event_wait(event.0, 2, 0, soon()), Ok(2), "end");
    same!(
        env,
        child.end().must(env, "end")?,
        End::Status(0),
        "the end"
    );
    check!(env, !orders.is_done(0), "the sleeper went on");
    let late = child.spawn(Code::Count, there, ANY_CPU).map(drop);
    same!(env, late, Err(Error::Ended), "a thread in an ended process");
    Ok(())
}

/// A suspended thread makes no progress; a resumed one does.
pub fn suspend(env: &Env<'_>) -> Outcome {
    let count = AtomicU64::new(0);
    let body = Body::new(|| -> Result<u64, Error> {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let now = || count.load(Ordering::Relaxed);
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    for round in 0..20 {
        let before = now();
        until(|| now() > before).must(env, "it runs")?;
        // Once or twice: one resume is enough.
        for _ in 0..=round % 2 {
            call::thread_suspend(worker.handle()).must(env, "suspend")?;
        }
        worker.reach(SUSPENDED).must(env, "it stops")?;
        let stopped = now();
        rest(2 * MS).must(env, "rest")?;
        same!(env, now(), stopped, "what it counts in round {round}");
        call::thread_resume(worker.handle()).must(env, "resume")?;
        until(|| now() > stopped).must(env, "it goes on")?;
        call::thread_resume(worker.handle()).must(env, "resume one that runs")?;
    }
    Ok(())
}

/// What a suspended thread waits for comes to it, but it goes on only when resumed; a resumed sleeper sleeps on.
pub fn suspend_waiting(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    let past = AtomicU64::new(0);
    let body = Body::new(|| {
        let found = call::event_wait(event.0, 1, 0, NEVER)?;
        past.store(1, Ordering::Release);
        Ok(found)
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    call::thread_suspend(worker.handle()).must(env, "suspend")?;
    worker.reach(SUSPENDED).must(env, "it stops")?;
    call::thread_resume(worker.handle()).must(env, "resume")?;
    worker.reach(WAITING).must(env, "it waits on")?;
    call::thread_suspend(worker.handle()).must(env, "suspend")?;
    call::event_signal(event.0, 1).must(env, "signal")?;
    rest(10 * MS).must(env, "rest")?;
    same!(env, past.load(Ordering::Acquire), 0, "whether it went on");
    same!(
        env,
        call::event_take(event.0, 1),
        Ok(0),
        "the bit is its own"
    );
    call::thread_resume(worker.handle()).must(env, "resume")?;
    same!(env, worker.join(), Ok(1), "what it was given");

    let until = call::clock_read() + 50 * MS;
    let body = Body::new(|| {
        call::thread_sleep(until)?;
        Ok(u64::from(call::clock_read() < until))
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    while call::clock_read() < until && !worker.has_ended() {
        call::thread_suspend(worker.handle()).must(env, "suspend")?;
        call::thread_resume(worker.handle()).must(env, "resume")?;
        rest(MS).must(env, "rest")?;
    }
    same!(env, worker.join(), Ok(0), "whether it woke too early");
    Ok(())
}

/// What is told of a thread follows what it does.
pub fn info(env: &Env<'_>) -> Outcome {
    let (event, is_out) = (event(env)?, AtomicU64::new(0));
    let body = Body::new(|| {
        call::event_wait(event.0, 1, 0, NEVER)?;
        while is_out.load(Ordering::Acquire) == 0 {
            core::hint::spin_loop();
        }
        Ok(7)
    });
    let idle = Body::new(idle);
    let other = Worker::start(env.own, ANY_CPU, &idle).must(env, "start")?;
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    check!(
        env,
        worker.info().number > other.info().number,
        "numbers do not grow"
    );
    worker.reach(WAITING).must(env, "it waits")?;
    let before = worker.info();
    let priorities = (before.priority, before.effective_priority);
    let normal = (NORMAL_PRIORITY, NORMAL_PRIORITY);
    same!(env, priorities, normal, "priorities");
    worker.set_priority(6).must(env, "priority")?;
    let now = worker.info();
    same!(env, (now.priority, now.effective_priority), (6, 6), "then");
    same!(env, now.state, WAITING, "state");
    call::event_signal(event.0, 1).must(env, "signal")?;
    worker.reach(RUNNABLE).must(env, "it runs")?;
    until(|| worker.info().ran > before.ran).must(env, "its time counts")?;
    is_out.store(1, Ordering::Release);
    same!(env, worker.join(), Ok(7), "result");
    let ended = worker.info();
    same!(env, ended.state, ENDED, "state");
    same!(env, ended.number, before.number, "number");
    Ok(())
}

pub fn bad_arguments(env: &Env<'_>) -> Outcome {
    let idle = Body::new(idle);
    let wrong = Err(Error::InvalidArgument);
    for cpu in [env.statistics().processors, 1000, u64::MAX - 1] {
        let started = Worker::start(env.own, cpu, &idle).map(drop);
        same!(env, started, wrong, "processor {cpu}");
    }
    let worker = Worker::start(env.own, ANY_CPU, &idle).must(env, "start")?;
    for priority in [8, 256, u64::MAX] {
        same!(env, worker.set_priority(priority), wrong, "{priority}");
    }
    let sets: &[&[u8]] = &[&[], &[0], &[0; 8], &[0, 0, 0, 0, 0, 0, 0, 0x80]];
    for set in sets {
        let moved = call::thread_set_affinity(worker.handle(), set);
        same!(env, moved, wrong, "processors {set:x?}");
    }
    same!(env, worker.info().priority, NORMAL_PRIORITY, "priority");
    Ok(())
}
