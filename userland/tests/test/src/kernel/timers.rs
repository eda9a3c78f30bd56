//! What happens at a time: deadlines of waits, timers of events, sleep.

use sys::abi::event::KEEP;
use sys::abi::process::ANY_CPU;
use sys::abi::thread::WAITING;
use sys::abi::{Error, NEVER};
use sys::call;

use super::worker::{Body, Worker};
use super::{MS, TRIES, event, rest, soon};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// A wait ends at its deadline, not before; what comes first counts.
pub fn deadline(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    for ms in [1, 5, 20] {
        let until = call::clock_read() + ms * MS;
        let found = call::event_wait(event.0, 1, 0, until);
        same!(env, found, Err(Error::TimedOut), "after {ms} ms");
        let now = call::clock_read();
        check!(env, now >= until, "{} ns too early", until - now);
    }
    let past = call::event_wait(event.0, 1, 0, 1);
    same!(env, past, Err(Error::TimedOut), "in the past");
    call::event_signal(event.0, 1).must(env, "signal")?;
    let past = call::event_wait(event.0, 1, 0, 1);
    same!(env, past, Ok(1), "a bit that is set, in the past");
    let body = Body::new(|| call::event_wait(event.0, 2, 0, soon()));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    call::event_signal(event.0, 2).must(env, "signal")?;
    same!(env, worker.join(), Ok(2), "a bit before the deadline");
    // Who has waited in vain takes nothing later.
    call::event_signal(event.0, 1).must(env, "signal")?;
    same!(env, call::event_take(event.0, 3), Ok(1), "bits left");
    Ok(())
}

/// A wait until 0 only looks.
pub fn poll(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    let found = call::event_wait(event.0, 1, 0, 0);
    same!(env, found, Err(Error::TimedOut), "nothing is set");
    call::event_signal(event.0, 3).must(env, "signal")?;
    same!(env, call::event_wait(event.0, 1, KEEP, 0), Ok(1), "kept");
    same!(env, call::event_wait(event.0, 1, 0, 0), Ok(1), "taken");
    let found = call::event_wait(event.0, 1, 0, 0);
    same!(env, found, Err(Error::TimedOut), "taken already");
    same!(env, call::event_take(event.0, 3), Ok(2), "the other bit");
    Ok(())
}

/// A timer sets its bits at its time, once.
pub fn fires_once(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    for (bits, ms) in [(0b100, 20), (0b110, 3), (1 << 63, 1)] {
        let at = call::clock_read() + ms * MS;
        call::event_set_timer(event.0, bits, at).must(env, "set")?;
        let found = call::event_wait(event.0, bits, 0, soon());
        let now = call::clock_read();
        same!(env, found, Ok(bits), "bits");
        check!(env, now >= at, "{} ns too early", at - now);
        rest(2 * ms * MS).must(env, "rest")?;
        same!(env, call::event_take(event.0, NEVER), Ok(0), "bits then");
    }
    call::event_set_timer(event.0, 1, 1).must(env, "set in the past")?;
    let found = call::event_wait(event.0, 1, 0, soon());
    same!(env, found, Ok(1), "bits of a time in the past");
    // After it has fired it can be set again, and be taken back.
    call::event_set_timer(event.0, 1, NEVER).must(env, "take back")
}

/// A timer that is set anew is another one: the old bits do not come, at neither time.
pub fn replaced(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    for _ in 0..TRIES {
        let first = call::clock_read() + 100 * MS;
        let second = first + 20 * MS;
        call::event_set_timer(event.0, 1, first).must(env, "set")?;
        call::event_set_timer(event.0, 2, second).must(env, "set again")?;
        let in_time = call::clock_read() < first;
        let found = call::event_wait(event.0, 2, 0, soon());
        let now = call::clock_read();
        same!(env, found, Ok(2), "bits of the second time");
        check!(env, now >= second, "{} ns too early", second - now);
        let other = call::event_take(event.0, NEVER).must(env, "take")?;
        if in_time {
            same!(env, other, 0, "bits of the first time");
            return Ok(());
        }
    }
    check!(env, false, "the machine stood still {TRIES} times");
    Ok(())
}

/// A timer that was taken back sets nothing.
pub fn cancelled(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    for _ in 0..TRIES {
        let at = call::clock_read() + 100 * MS;
        call::event_set_timer(event.0, 1, at).must(env, "set")?;
        call::event_set_timer(event.0, 1, NEVER).must(env, "take back")?;
        let in_time = call::clock_read() < at;
        call::thread_sleep(at + 20 * MS).must(env, "sleep")?;
        let found = call::event_take(event.0, NEVER).must(env, "take")?;
        if in_time {
            same!(env, found, 0, "bits of a timer that was taken back");
            return Ok(());
        }
    }
    check!(env, false, "the machine stood still {TRIES} times");
    Ok(())
}

/// The timer of an event goes with it; while a thread waits, the event is there.
pub fn of_a_closed_event(env: &Env<'_>) -> Outcome {
    let mut last = 0;
    for round in 0..50 {
        let event = event(env)?;
        last = call::clock_read() + (1 + round % 10) * MS;
        call::event_set_timer(event.0, 1, last).must(env, "set")?;
    }
    let event = call::event_create().must(env, "event")?;
    let body = Body::new(|| call::event_wait(event, 1, 0, NEVER));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    let at = call::clock_read() + 20 * MS;
    call::event_set_timer(event, 1, at).must(env, "set")?;
    call::handle_close(event).must(env, "close")?;
    same!(
        env,
        worker.join(),
        Ok(1),
        "one that waits for a closed event"
    );
    check!(env, call::clock_read() >= at, "too early");
    call::thread_sleep(last + 20 * MS).must(env, "sleep")
}

/// A sleep is at least as long as asked.
pub fn sleep(env: &Env<'_>) -> Outcome {
    for us in [0, 1, 100, 1000, 5000, 20000] {
        let until = call::clock_read() + us * 1000;
        call::thread_sleep(until).must(env, "sleep")?;
        let now = call::clock_read();
        check!(env, now >= until, "{} ns too early", until - now);
    }
    call::thread_sleep(0).must(env, "until 0")?;
    // Several at once, each on its own.
    let body = Body::new(|| {
        for ms in 0..10 {
            let until = call::clock_read() + ms * MS;
            call::thread_sleep(until)?;
            if call::clock_read() < until {
                return Ok(1);
            }
        }
        Ok(0)
    });
    let mut workers = [const { None }; 8];
    for place in &mut workers {
        *place = Some(Worker::start(env.own, ANY_CPU, &body).must(env, "start")?);
    }
    for worker in workers.iter().flatten() {
        same!(env, worker.join(), Ok(0), "whether one woke too early");
    }
    Ok(())
}
