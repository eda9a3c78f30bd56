//! Futexes: threads that wait for words of memory.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sys::abi::process::ANY_CPU;
use sys::abi::thread::WAITING;
use sys::abi::{Error, NEVER, Sysno};
use sys::call;

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{MS, event, soon, until};
use crate::area::{Area, Mapping, PAGE, RW};
use crate::child::Child;
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

fn address(word: &AtomicU32) -> u64 {
    word.as_ptr() as u64
}

/// Waits for a word as long as it has this value.
fn sleep_while(word: &AtomicU32, value: u32) -> Result<(), Error> {
    while word.load(Ordering::Acquire) == value {
        match call::futex_wait(address(word), u64::from(value), soon()) {
            Ok(()) | Err(Error::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A word in a page of ours.
fn word(view: &Mapping, index: u64) -> &AtomicU32 {
    // SAFETY: a page that is mapped as long as `view` is there, and shared as atomic words only.
    unsafe { &*((view.at(0, 0) + index * 4) as *const AtomicU32) }
}

fn page(env: &Env<'_>) -> Result<Mapping, Failed> {
    let view = Area::open(1).and_then(|area| area.map(env.own, 0, 1, RW));
    view.must(env, "page")
}

/// Who waits is woken, by the word that it waits for and no other; whoever comes too late does not wait.
pub fn wait_and_wake(env: &Env<'_>) -> Outcome {
    let words = [AtomicU32::new(7), AtomicU32::new(7)];
    let body = Body::new(|| call::futex_wait(address(&words[0]), 7, NEVER).map(|()| 1));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    same!(env, call::futex_wake(address(&words[1]), 9), Ok(0), "other");
    same!(env, call::futex_wake(address(&words[0]), 0), Ok(0), "none");
    check!(env, !worker.has_ended(), "woken for nothing");
    same!(env, call::futex_wake(address(&words[0]), 9), Ok(1), "one");
    same!(env, worker.join(), Ok(1), "the wait");
    same!(
        env,
        call::futex_wake(address(&words[0]), 9),
        Ok(0),
        "nobody"
    );
    let late = call::futex_wait(address(&words[0]), 8, NEVER);
    same!(env, late, Err(Error::Changed), "another value");
    Ok(())
}

/// A wait ends at its time, or with its thread, and nobody is left in the list.
pub fn ends(env: &Env<'_>) -> Outcome {
    let word = AtomicU32::new(0);
    let start = call::clock_read();
    let timed_out = call::futex_wait(address(&word), 0, start + 2 * MS);
    same!(env, timed_out, Err(Error::TimedOut), "a deadline");
    check!(env, call::clock_read() >= start + 2 * MS, "too early");
    let past = call::futex_wait(address(&word), 0, 0);
    same!(env, past, Err(Error::TimedOut), "one that is over");
    let body = Body::new(|| call::futex_wait(address(&word), 0, NEVER).map(|()| 1));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    worker.kill().must(env, "kill")?;
    same!(env, call::futex_wake(address(&word), 9), Ok(0), "the dead");
    Ok(())
}

/// Those who wait are woken by priority, then in order; as many as wanted.
pub fn order(env: &Env<'_>) -> Outcome {
    const PRIORITIES: [u64; 6] = [5, 3, 6, 3, 5, 7];
    const ORDER: [u64; 6] = [1, 3, 0, 4, 2, 5];
    let (word, gate) = (AtomicU32::new(0), event(env)?);
    let next = AtomicU64::new(0);
    let woken = [const { AtomicU64::new(0) }; 6];
    let body = Body::new(|| {
        let own = next.fetch_add(1, Ordering::Relaxed) as usize;
        call::event_wait(gate.0, 1 << own, 0, NEVER)?;
        call::futex_wait(address(&word), 0, NEVER)?;
        woken[own].store(1, Ordering::Release);
        Ok(0)
    });
    let mut workers = [const { None }; 6];
    for ((index, place), priority) in (0..).zip(&mut workers).zip(PRIORITIES) {
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        until(|| next.load(Ordering::Relaxed) > index).must(env, "it begins")?;
        worker.reach(WAITING).must(env, "it waits at the gate")?;
        worker.set_priority(priority).must(env, "priority")?;
        // From here on it can run: when it waits again, it is in the list.
        call::event_signal(gate.0, 1 << index).must(env, "open")?;
        worker.reach(WAITING).must(env, "it waits")?;
        *place = Some(worker);
    }
    for who in ORDER {
        same!(env, call::futex_wake(address(&word), 1), Ok(1), "wake");
        until(|| woken[who as usize].load(Ordering::Acquire) == 1).must(env, "the next")?;
        let awake = woken.iter().filter(|one| one.load(Ordering::Acquire) == 1);
        let wanted = ORDER.iter().position(|one| *one == who).unwrap_or(0) + 1;
        same!(env, awake.count(), wanted, "how many are awake");
    }
    Ok(())
}

/// The word is the memory, not the address: other places and other processes, and both halves of a ring.
pub fn same_memory(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let area = Area::open(2).must(env, "area")?;
    let first = area.map(env.own, 0, 2, RW).must(env, "map")?;
    let second = area.map(env.own, 1, 1, RW).must(env, "map again")?;
    let there = area.map_at(child.handle(), 0x70_0000, 0, 2, RW);
    there.must(env, "map there")?.keep();
    let orders = Orders::new(env, &child).must(env, "orders")?;
    let wait = [0x70_0000 + PAGE + 8, 0, NEVER];
    let thread = orders.give(0, Sysno::FutexWait, &wait, ANY_CPU);
    let thread = thread.must(env, "wait there")?;
    let is_waiting = || call::thread_info(thread.0).is_ok_and(|info| info.state == WAITING);
    until(is_waiting).must(env, "it waits")?;
    same!(
        env,
        call::futex_wake(first.at(0, 1), 9),
        Ok(0),
        "the page before"
    );
    same!(
        env,
        call::futex_wake(second.at(0, 1), 9),
        Ok(1),
        "by another address"
    );
    until(|| orders.is_done(0)).must(env, "it returns")?;
    same!(env, orders.result(0, 0), 0, "error there");
    drop(thread);
    call::process_kill(child.handle(), 0).must(env, "kill")?;
    child.end().must(env, "end")?;

    let ring = Area::ring(1).must(env, "ring")?;
    let view = ring.map(env.own, 0, 2, RW).must(env, "map")?;
    let body = Body::new(|| call::futex_wait(view.at(0, 3), 0, NEVER).map(|()| 0));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    same!(
        env,
        call::futex_wake(view.at(1, 3), 1),
        Ok(1),
        "second half"
    );
    worker.join().must(env, "join").map(drop)
}

/// Waiting threads are moved to another word, of the same area and of another one.
pub fn requeue(env: &Env<'_>) -> Outcome {
    let (one, other) = (page(env)?, page(env)?);
    for to in [word(&one, 5), word(&other, 5)] {
        let from = word(&one, 0);
        let count = AtomicU64::new(0);
        let body = Body::new(|| {
            call::futex_wait(address(from), 0, soon())?;
            Ok(count.fetch_add(1, Ordering::AcqRel))
        });
        let mut workers = [const { None }; 5];
        for place in &mut workers {
            let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
            worker.reach(WAITING).must(env, "it waits")?;
            *place = Some(worker);
        }
        let moved = call::futex_requeue(address(from), 1, 3, address(to));
        same!(env, moved, Ok(4), "woken and moved");
        until(|| count.load(Ordering::Acquire) == 1).must(env, "one is woken")?;
        same!(env, call::futex_wake(address(from), 9), Ok(1), "who stayed");
        // One of the three that were moved is ended: it is not in the list any more.
        let waiting = |worker: &&Worker<'_>| worker.info().state == WAITING;
        until(|| workers.iter().flatten().filter(waiting).count() == 3).must(env, "three")?;
        let last = workers.iter().flatten().find(waiting);
        if let Some(last) = last {
            last.kill().must(env, "kill")?;
        }
        same!(
            env,
            call::futex_wake(address(to), 9),
            Ok(2),
            "who was moved"
        );
        until(|| count.load(Ordering::Acquire) == 4).must(env, "all are awake")?;
        let same = call::futex_requeue(address(to), 0, 9, address(to));
        same!(env, same, Ok(0), "to the same word");
    }
    Ok(())
}

/// Words that cannot be.
pub fn bad_arguments(env: &Env<'_>) -> Outcome {
    let view = page(env)?;
    let at = view.at(0, 0);
    for offset in [1, 2, 3, 5] {
        let wrong = Err(Error::InvalidArgument);
        same!(env, call::futex_wait(at + offset, 0, 0), wrong, "wait");
        same!(
            env,
            call::futex_wake(at + offset, 1).map(drop),
            wrong,
            "wake"
        );
    }
    let bad = Error::BadAddress;
    let nothing = 0x1000;
    same!(env, call::futex_wait(nothing, 0, 0), Err(bad), "wait");
    same!(env, call::futex_wake(nothing, 1), Err(bad), "wake");
    let moved = call::futex_requeue(at, 1, 1, nothing);
    same!(env, moved, Err(bad), "requeue");
    // Mapped, but not to be read.
    call::process_protect(env.own, at, PAGE, 0).must(env, "protect")?;
    same!(env, call::futex_wait(at, 0, 0), Err(bad), "wait there");
    Ok(())
}

/// A mutex as Drepper describes in "Futexes Are Tricky": 0 free, 1 taken, 2 taken and somebody may wait.
struct Mutex(AtomicU32);

impl Mutex {
    fn lock(&self) -> Result<(), Error> {
        let relaxed = Ordering::Relaxed;
        let taken = self.0.compare_exchange(0, 1, Ordering::Acquire, relaxed);
        if taken.is_ok() {
            return Ok(());
        }
        while self.0.swap(2, Ordering::Acquire) != 0 {
            match call::futex_wait(address(&self.0), 2, soon()) {
                Ok(()) | Err(Error::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn unlock(&self) -> Result<(), Error> {
        if self.0.swap(0, Ordering::Release) == 2 {
            call::futex_wake(address(&self.0), 1)?;
        }
        Ok(())
    }
}

/// A mutex of many threads, on all processors: nobody is lost, and no two are in.
pub fn mutex(env: &Env<'_>) -> Outcome {
    const THREADS: usize = 8;
    const ROUNDS: u64 = 400;
    let (mutex, count) = (Mutex(AtomicU32::new(0)), AtomicU64::new(0));
    let gate = AtomicU32::new(0);
    let body = Body::new(|| {
        sleep_while(&gate, 0)?;
        for round in 0..ROUNDS {
            mutex.lock()?;
            // Not one step: two who are in would lose some.
            let now = count.load(Ordering::Relaxed);
            if round % 16 == 0 {
                call::thread_yield();
            }
            count.store(now + 1, Ordering::Relaxed);
            mutex.unlock()?;
        }
        Ok(ROUNDS)
    });
    let mut workers = [const { None }; THREADS];
    for place in &mut workers {
        *place = Some(Worker::start(env.own, ANY_CPU, &body).must(env, "start")?);
    }
    gate.store(1, Ordering::Release);
    let woken = call::futex_wake(address(&gate), u64::MAX);
    woken.must(env, "open the gate")?;
    for worker in workers.iter().flatten() {
        same!(env, worker.join(), Ok(ROUNDS), "rounds");
    }
    same!(
        env,
        count.load(Ordering::Relaxed),
        THREADS as u64 * ROUNDS,
        "sum"
    );
    Ok(())
}
