//! Who runs, and where: priorities on one processor, bounded starvation, processors that a thread may run on.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sys::abi::process::ANY_CPU;
use sys::abi::thread::WAITING;
use sys::abi::{Error, NEVER};
use sys::call;

use super::worker::{Body, Worker};
use super::{MS, TRIES, event, rest, soon, until};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

/// The priorities of threads, and the order in which they run.
const PRIORITIES: [u64; 4] = [6, 2, 5, 3];
const ORDER: [u64; 4] = [1, 3, 2, 0];
/// Shorter than the quantum of any of them: one that has used that up is less urgent.
const AT_ONCE_NS: u64 = 5 * MS;

/// Threads of one processor that become ready at once run in the order of their priorities, whatever the order in which they were woken.
pub fn priorities(env: &Env<'_>) -> Outcome {
    for _ in 0..TRIES {
        let (order, ns) = run_by_priority(env)?;
        if ns < AT_ONCE_NS {
            same!(env, order, ORDER, "order");
            return Ok(());
        }
    }
    check!(env, false, "the machine stood still {TRIES} times");
    Ok(())
}

/// Lets them run: in which order they did, and how long that took.
fn run_by_priority(env: &Env<'_>) -> Result<([u64; 4], u64), Failed> {
    let gate = event(env)?;
    let (first, last) = (AtomicU64::new(0), AtomicU64::new(0));
    let (begun, ran) = (AtomicU64::new(0), AtomicU64::new(0));
    let order = [const { AtomicU64::new(u64::MAX) }; PRIORITIES.len()];
    let body = Body::new(|| {
        let own = begun.fetch_add(1, Ordering::AcqRel);
        call::event_wait(gate.0, 1, sys::abi::event::KEEP, NEVER)?;
        let place = ran.fetch_add(1, Ordering::AcqRel) as usize;
        order[place % PRIORITIES.len()].store(own, Ordering::Release);
        last.fetch_max(call::clock_read(), Ordering::AcqRel);
        Ok(own)
    });
    // It keeps the processor from the others until all of them are ready.
    let opener_gate = event(env)?;
    let open = Body::new(|| {
        call::event_wait(opener_gate.0, 1, 0, NEVER)?;
        first.store(call::clock_read(), Ordering::Release);
        call::event_signal(gate.0, 1).map(|()| 0)
    });
    let opener = Worker::start(env.own, 0, &open).must(env, "start")?;
    opener.reach(WAITING).must(env, "it waits")?;
    opener.set_priority(0).must(env, "priority")?;
    let mut workers = [const { None }; PRIORITIES.len()];
    for ((index, place), priority) in (1..).zip(&mut workers).zip(PRIORITIES) {
        let worker = Worker::start(env.own, 0, &body).must(env, "start")?;
        until(|| begun.load(Ordering::Acquire) == index).must(env, "it begins")?;
        worker.reach(WAITING).must(env, "it waits")?;
        worker.set_priority(priority).must(env, "priority")?;
        *place = Some(worker);
    }
    call::event_signal(opener_gate.0, 1).must(env, "open")?;
    for worker in workers.iter().flatten() {
        worker.wait().must(env, "end")?;
    }
    let order = order.each_ref().map(|place| place.load(Ordering::Acquire));
    let ns = last.load(Ordering::Acquire) - first.load(Ordering::Acquire);
    Ok((order, ns))
}

/// Whoever is woken by a less urgent thread runs before that goes on; whoever is woken by a more urgent one, after it.
pub fn preempts(env: &Env<'_>) -> Outcome {
    for (waker_priority, woken_priority) in [(6, 1), (1, 6)] {
        let (gate, event) = (event(env)?, event(env)?);
        let is_past = AtomicU64::new(0);
        let wakes = Body::new(|| {
            call::event_wait(gate.0, 1, 0, NEVER)?;
            call::event_signal(event.0, 1)?;
            is_past.store(1, Ordering::Release);
            Ok(0)
        });
        let wakens = Body::new(|| {
            call::event_wait(event.0, 1, 0, NEVER)?;
            Ok(is_past.load(Ordering::Acquire))
        });
        let waker = Worker::start(env.own, 0, &wakes).must(env, "start")?;
        let woken = Worker::start(env.own, 0, &wakens).must(env, "start")?;
        for (worker, priority) in [(&waker, waker_priority), (&woken, woken_priority)] {
            worker.reach(WAITING).must(env, "it waits")?;
            worker.set_priority(priority).must(env, "priority")?;
        }
        call::event_signal(gate.0, 1).must(env, "open")?;
        let wanted = u64::from(waker_priority < woken_priority);
        same!(env, woken.join(), Ok(wanted), "whether the waker was past");
        same!(env, waker.join(), Ok(0), "the waker");
    }
    Ok(())
}

/// Beside a more urgent thread that never waits (and that yields, so that it is not demoted) a less urgent one makes progress.
pub fn low_is_not_starved(env: &Env<'_>) -> Outcome {
    let count = AtomicU64::new(0);
    let spins = Body::new(|| -> Result<u64, Error> {
        loop {
            call::thread_yield();
        }
    });
    let counts = Body::new(|| {
        while count.fetch_add(1, Ordering::AcqRel) < NEVER {
            core::hint::spin_loop();
        }
        Ok(0)
    });
    let low = Worker::start(env.own, 0, &counts).must(env, "low")?;
    low.set_priority(7).must(env, "priority")?;
    let high = Worker::start(env.own, 0, &spins).must(env, "high")?;
    high.set_priority(2).must(env, "priority")?;
    for round in 0..3 {
        rest(20 * MS).must(env, "rest")?;
        let before = count.load(Ordering::Acquire);
        let progress = until(|| count.load(Ordering::Acquire) > before);
        same!(env, progress, Ok(()), "progress in round {round}");
    }
    Ok(())
}

/// The number of the processor's local APIC: which processor this is, whatever the kernel says.
pub fn apic() -> u64 {
    u64::from(core::arch::x86_64::__cpuid(1).ebx >> 24)
}

/// The APIC numbers of the first processors, from threads that were made for one each.
pub fn apics(env: &Env<'_>) -> Result<([u64; MOST], usize), Failed> {
    let count = env.statistics().processors.min(MOST as u64);
    let body = Body::new(|| Ok(apic()));
    let mut apics = [u64::MAX; MOST];
    for (cpu, place) in (0..count).zip(&mut apics) {
        let worker = Worker::start(env.own, cpu, &body).must(env, "start")?;
        *place = worker.join().must(env, "join")?;
        same!(env, worker.info().processor, cpu, "processor");
    }
    Ok((apics, count as usize))
}

/// Processors that these tests use.
pub const MOST: usize = 8;

/// Threads that were made for a processor run there, each on another one.
pub fn affinity_at_creation(env: &Env<'_>) -> Outcome {
    let (apics, count) = apics(env)?;
    for (cpu, apic) in apics[..count].iter().enumerate() {
        let same = apics[..count].iter().filter(|other| *other == apic);
        same!(env, same.count(), 1, "threads on the processor of {cpu}");
    }
    Ok(())
}

/// A thread that runs is moved from processor to processor, and is nowhere else then.
pub fn affinity_moves(env: &Env<'_>) -> Outcome {
    let (apics, count) = apics(env)?;
    let (seen, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let body = Body::new(|| {
        while !is_over.load(Ordering::Acquire) {
            seen.fetch_or(1 << apic(), Ordering::AcqRel);
        }
        Ok(0)
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    for round in 0..24 {
        let cpu = round * 5 % count;
        let own = 1 << apics[cpu];
        worker.pin(cpu as u64).must(env, "pin")?;
        until(|| seen.swap(0, Ordering::AcqRel) == own).must(env, "it comes")?;
        rest(MS / 2).must(env, "rest")?;
        let elsewhere = seen.load(Ordering::Acquire) & !own;
        same!(env, elsewhere, 0, "other processors in round {round}");
        same!(env, worker.info().processor, cpu as u64, "processor");
    }
    is_over.store(true, Ordering::Release);
    worker.join().must(env, "join").map(drop)
}

/// A thread that waits goes on where it may run by then.
pub fn affinity_of_one_that_waits(env: &Env<'_>) -> Outcome {
    let (apics, count) = apics(env)?;
    let event = event(env)?;
    let at = AtomicU64::new(u64::MAX);
    let body = Body::new(|| {
        loop {
            let bits = call::event_wait(event.0, 3, 0, soon())?;
            if bits & 2 != 0 {
                return Ok(0);
            }
            at.store(apic(), Ordering::Release);
        }
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    for round in 0..24 {
        let cpu = round * 3 % count;
        worker.reach(WAITING).must(env, "it waits")?;
        worker.pin(cpu as u64).must(env, "pin")?;
        at.store(u64::MAX, Ordering::Release);
        call::event_signal(event.0, 1).must(env, "signal")?;
        until(|| at.load(Ordering::Acquire) != u64::MAX).must(env, "it runs")?;
        same!(env, at.load(Ordering::Acquire), apics[cpu], "round {round}");
    }
    call::event_signal(event.0, 2).must(env, "signal")?;
    worker.join().must(env, "join").map(drop)
}
