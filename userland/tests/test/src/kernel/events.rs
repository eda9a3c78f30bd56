//! Events: bits that threads set, wait for and clear.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::event::{ALL, KEEP};
use sys::abi::process::ANY_CPU;
use sys::abi::thread::WAITING;
use sys::abi::{Error, Handle, NEVER, Rights, Sysno};
use sys::call;

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{MS, event, rest, soon, until};
use crate::child::Child;
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// Bits that are set, without changing them.
fn bits(event: Handle) -> u64 {
    call::event_wait(event, u64::MAX, KEEP, 0).unwrap_or(0)
}

/// Bits before, mask, how; what comes back, and the bits afterwards.
type Case = (u64, u64, u64, Result<u64, Error>, u64);

/// What a wait gives that does not have to wait, and what it leaves.
pub fn any_all_keep(env: &Env<'_>) -> Outcome {
    let owned = event(env)?;
    let event = owned.0;
    let cases: &[Case] = &[
        (0b0110, 0b0010, 0, Ok(0b0010), 0b0100),
        (0b0110, 0b1110, 0, Ok(0b0110), 0),
        (0b0110, 0b1001, 0, Err(Error::TimedOut), 0b0110),
        (0b0110, 0b0010, KEEP, Ok(0b0010), 0b0110),
        (0b0110, 0b1010, KEEP, Ok(0b0010), 0b0110),
        (0b0110, 0b0110, ALL, Ok(0b0110), 0),
        (0b0111, 0b0110, ALL, Ok(0b0110), 0b0001),
        (0b0110, 0b0111, ALL, Err(Error::TimedOut), 0b0110),
        (0b0110, 0b0110, ALL | KEEP, Ok(0b0110), 0b0110),
        (0b0110, 0b0111, ALL | KEEP, Err(Error::TimedOut), 0b0110),
        (1 << 63, u64::MAX, 0, Ok(1 << 63), 0),
        (u64::MAX, u64::MAX, ALL, Ok(u64::MAX), 0),
        (0b0110, 0, 0, Err(Error::InvalidArgument), 0b0110),
        (0b0110, 0b0110, 4, Err(Error::InvalidArgument), 0b0110),
    ];
    for (index, &(before, mask, how, result, after)) in cases.iter().enumerate() {
        let _ = call::event_take(event, u64::MAX);
        call::event_signal(event, before).must(env, "signal")?;
        for until in [0, NEVER] {
            if result == Err(Error::TimedOut) && until == NEVER {
                continue;
            }
            let _ = call::event_take(event, u64::MAX);
            call::event_signal(event, before).must(env, "signal")?;
            let found = call::event_wait(event, mask, how, until);
            same!(env, found, result, "case {index}");
            same!(env, bits(event), after, "bits left in case {index}");
        }
    }
    call::event_signal(event, 0b1100).must(env, "signal")?;
    let _ = call::event_take(event, u64::MAX);
    call::event_signal(event, 0b1100).must(env, "signal")?;
    same!(env, call::event_take(event, 0b0101), Ok(0b0100), "taken");
    same!(env, call::event_take(event, 0b0101), Ok(0), "taken again");
    same!(env, bits(event), 0b1000, "bits left");
    Ok(())
}

/// A thread that wants all bits is not woken by some, and these stay for others until it has all.
pub fn all_waits_for_all(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    let body = Body::new(|| call::event_wait(event.0, 0b111, ALL, NEVER));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    for bit in [0b001, 0b100] {
        worker.reach(WAITING).must(env, "it waits")?;
        call::event_signal(event.0, bit).must(env, "signal")?;
        rest(5 * MS).must(env, "rest")?;
        check!(env, !worker.has_ended(), "woken by bit {bit}");
    }
    same!(env, bits(event.0), 0b101, "bits that are set meanwhile");
    same!(env, call::event_take(event.0, 1), Ok(1), "a bit is taken");
    call::event_signal(event.0, 0b1010).must(env, "signal")?;
    rest(5 * MS).must(env, "rest")?;
    check!(env, !worker.has_ended(), "woken although a bit was taken");
    call::event_signal(event.0, 0b0001).must(env, "signal")?;
    same!(env, worker.join(), Ok(0b111), "what it was given");
    same!(env, bits(event.0), 0b1000, "bits left");
    Ok(())
}

const WAITERS: usize = 8;

/// One bit wakes one thread: the one that waits longest.
pub fn first_come(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    let (begun, woken) = (AtomicU64::new(0), AtomicU64::new(0));
    let order = [const { AtomicU64::new(u64::MAX) }; WAITERS];
    let body = Body::new(|| {
        let own = begun.fetch_add(1, Ordering::AcqRel);
        call::event_wait(event.0, 1, 0, NEVER)?;
        let place = woken.fetch_add(1, Ordering::AcqRel) as usize;
        if let Some(place) = order.get(place) {
            place.store(own, Ordering::Release);
        }
        Ok(own)
    });
    let mut workers = [const { None }; WAITERS];
    for (index, place) in (1..).zip(&mut workers) {
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        until(|| begun.load(Ordering::Acquire) == index).must(env, "it begins")?;
        worker.reach(WAITING).must(env, "it waits")?;
        *place = Some(worker);
    }
    for (number, place) in (0..).zip(&order) {
        call::event_signal(event.0, 1).must(env, "signal")?;
        until(|| place.load(Ordering::Acquire) != u64::MAX).must(env, "one wakes")?;
        let own = place.load(Ordering::Acquire);
        same!(env, own, number, "who is woken");
        rest(MS).must(env, "rest")?;
        same!(env, woken.load(Ordering::Acquire), number + 1, "how many");
        same!(env, bits(event.0), 0, "bits left");
    }
    for worker in workers.iter().flatten() {
        worker.wait().must(env, "end")?;
    }
    Ok(())
}

/// One signal wakes all who leave the bit, and the first who takes it; not the second.
pub fn keep_wakes_all(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    let keeps = Body::new(|| call::event_wait(event.0, 0b11, KEEP, NEVER));
    let takes = Body::new(|| call::event_wait(event.0, 0b10, 0, NEVER));
    let start = |body| -> Result<Worker<'_>, Error> {
        let worker = Worker::start(env.own, ANY_CPU, body)?;
        worker.reach(WAITING)?;
        Ok(worker)
    };
    let mut keepers = [const { None }; WAITERS];
    for place in &mut keepers {
        let worker = Worker::start(env.own, ANY_CPU, &keeps).must(env, "start")?;
        worker.reach(WAITING).must(env, "it waits")?;
        *place = Some(worker);
    }
    let first = start(&takes).must(env, "first")?;
    let second = start(&takes).must(env, "second")?;
    call::event_signal(event.0, 0b10).must(env, "signal")?;
    for worker in keepers.iter().flatten() {
        same!(env, worker.join(), Ok(0b10), "one that leaves the bit");
    }
    same!(env, first.join(), Ok(0b10), "the first that takes it");
    rest(5 * MS).must(env, "rest")?;
    check!(env, !second.has_ended(), "the second was woken, too");
    same!(env, bits(event.0), 0, "bits left");
    call::event_signal(event.0, 0b10).must(env, "signal")?;
    same!(env, second.join(), Ok(0b10), "the second");
    Ok(())
}

const MANY: usize = 32;

/// Each of many threads waits for a bit of its own; one signal has them all.
pub fn many_waiters(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    let (begun, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let body = Body::new(|| {
        let own = 1 << begun.fetch_add(1, Ordering::AcqRel);
        let found = call::event_wait(event.0, own, 0, NEVER)?;
        if found != own {
            return Err(Error::InvalidArgument);
        }
        sum.fetch_add(found, Ordering::AcqRel);
        Ok(found)
    });
    let mut workers = [const { None }; MANY];
    for place in &mut workers {
        *place = Some(Worker::start(env.own, ANY_CPU, &body).must(env, "start")?);
    }
    for worker in workers.iter().flatten() {
        worker.reach(WAITING).must(env, "it waits")?;
    }
    let all = (1 << MANY) - 1;
    call::event_signal(event.0, all).must(env, "signal")?;
    for worker in workers.iter().flatten() {
        worker.wait().must(env, "end")?;
    }
    same!(env, sum.load(Ordering::Acquire), all, "all bits");
    same!(env, bits(event.0), 0, "bits left");
    Ok(())
}

/// Gives a child a handle of an event.
fn lend(child: &Child, event: Handle) -> Result<Handle, Error> {
    call::handle_give(child.handle(), call::handle_duplicate(event, Rights::ALL)?)
}

/// Another process signals and waits.
pub fn across_processes(env: &Env<'_>) -> Outcome {
    let (event, child) = (event(env)?, Child::new(env).must(env, "child")?);
    let there = lend(&child, event.0).must(env, "lend")?.0;
    let orders = Orders::new(env, &child).must(env, "orders")?;
    let wait = [there, 0b11, ALL, NEVER];
    let waiting = orders
        .give(0, Sysno::EventWait, &wait, ANY_CPU)
        .must(env, "wait there")?;
    let info = call::thread_info(waiting.0).must(env, "info")?;
    check!(env, info.number != 0, "the thread has no number");
    until(|| call::thread_info(waiting.0).is_ok_and(|info| info.state == WAITING))
        .must(env, "it waits")?;
    let _signal = orders
        .give(1, Sysno::EventSignal, &[there, 0b101], ANY_CPU)
        .must(env, "signal there")?;
    let found = call::event_wait(event.0, 0b100, 0, soon());
    same!(env, found, Ok(0b100), "what the child has signalled");
    check!(env, !orders.is_done(0), "the child was woken by one bit");
    call::event_signal(event.0, 0b010).must(env, "signal")?;
    until(|| orders.is_done(0) && orders.is_done(1)).must(env, "both return")?;
    same!(env, orders.result(0, 0), 0, "error of the wait");
    same!(env, orders.result(0, 3), 0b11, "bits of the wait");
    same!(env, orders.result(1, 0), 0, "error of the signal");
    same!(env, bits(event.0), 0, "bits left");
    child.end().must(env, "end").map(drop)
}

/// Two threads wake each other many times; each bit counts once.
pub fn no_signal_is_lost(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 2000;
    let (there, back) = (event(env)?, event(env)?);
    let body = Body::new(|| {
        for _ in 0..ROUNDS {
            call::event_wait(there.0, 1, 0, soon())?;
            call::event_signal(back.0, 1)?;
        }
        Ok(ROUNDS)
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    for round in 0..ROUNDS {
        call::event_signal(there.0, 1).must(env, "signal")?;
        let found = call::event_wait(back.0, 1, 0, soon());
        same!(env, found, Ok(1), "answer of round {round}");
    }
    same!(env, worker.join(), Ok(ROUNDS), "rounds");
    same!(env, bits(there.0) | bits(back.0), 0, "bits left");
    Ok(())
}
