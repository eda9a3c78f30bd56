//! Several processors on the same memory.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::Error;
use sys::abi::process::{ANY_CPU, Action, EXITED};
use sys::call;

use crate::area::{Area, Mapping, Owned, PAGE, R, RW, load, store};
use crate::child::{CODE, Child, Code, End, words};
use crate::harness::{Env, Must, Outcome};
use crate::threads::Crew;
use crate::{check, same};

static ROUND: AtomicU64 = AtomicU64::new(0);
static ARRIVED: AtomicU64 = AtomicU64::new(0);
static CREW: AtomicU64 = AtomicU64::new(0);

const ROUNDS: u64 = 200;

/// Each adds one to a counter in a fresh page, in the same moment.
fn touch_together(_: u64, base: u64) {
    for round in 0..ROUNDS {
        ARRIVED.fetch_add(1, Ordering::AcqRel);
        while ROUND.load(Ordering::Acquire) <= round {
            if ARRIVED.load(Ordering::Acquire) == (round + 1) * CREW.load(Ordering::Acquire) {
                ROUND.fetch_max(round + 1, Ordering::AcqRel);
            }
            core::hint::spin_loop();
            call::thread_yield();
        }
        // From the end to the begin: else most pages would be there already, provided ahead of the run.
        let page = (base + (ROUNDS - 1 - round) * PAGE) as *const AtomicU64;
        // SAFETY: a word of a mapped page, which all use atomically.
        unsafe { (*page).fetch_add(1, Ordering::AcqRel) };
    }
}

/// Threads on all processors that fault on one page at once get one frame.
pub fn two_cpus_one_frame(env: &Env<'_>) -> Outcome {
    let cpus = env.statistics().processors;
    let crew = cpus.clamp(2, 8);
    ROUND.store(0, Ordering::Release);
    ARRIVED.store(0, Ordering::Release);
    CREW.store(crew, Ordering::Release);
    let area = Area::open(ROUNDS).must(env, "create")?;
    let view = area.map(env.own, 0, ROUNDS, RW).must(env, "map")?;
    let threads = Crew::start(
        env,
        (0..crew).map(|index| index % cpus),
        view.address,
        touch_together,
    );
    threads.must(env, "threads")?.join(env).must(env, "join")?;
    for round in 0..ROUNDS {
        same!(env, load(view.at(round, 0)), crew, "page {round}");
    }
    same!(env, area.info().committed, ROUNDS * PAGE, "committed");
    Ok(())
}

const TURNS: u64 = 100;

/// A child writes to a page all the time; once a change of its rights has returned, the content stands still.
pub fn no_write_after_protect(env: &Env<'_>) -> Outcome {
    let there = CODE + 64 * PAGE;
    let cpus = env.statistics().processors;
    let area = Area::open(1).must(env, "create")?;
    let view = area.map(env.own, 0, 1, RW).must(env, "map")?;
    let child = Child::new(env).must(env, "child")?;
    area.map_at(child.handle(), there, 0, 1, RW)
        .must(env, "map there")?
        .keep();
    let event = Owned(call::event_create().must(env, "event")?);
    call::process_on_exception(child.handle(), Some(event.0), 1).must(env, "listen")?;
    for turn in 0..TURNS {
        // A thread that writes its way through the page and runs into the end of it: a fault in any case.
        store(view.at(0, 0), 0);
        let argument = if turn == 0 {
            words(env, &child, &[there, there + 2 * PAGE]).must(env, "words")?
        } else {
            CODE + 16 * PAGE
        };
        child
            .start_on(Code::Touch, argument, turn % cpus)
            .must(env, "start")?;
        if turn % 2 == 0 {
            call::process_protect(child.handle(), there, PAGE, R).must(env, "protect")?;
            let seen = load(view.at(0, 0));
            for _ in 0..20 {
                call::thread_yield();
                same!(
                    env,
                    load(view.at(0, 0)),
                    seen,
                    "a page that cannot be written any more, turn {turn}"
                );
            }
            call::process_protect(child.handle(), there, PAGE, RW).must(env, "protect back")?;
        }
        let report = loop {
            call::event_wait(event.0, 1, 0, sys::abi::NEVER).must(env, "wait")?;
            match call::exception_read(child.handle()) {
                Ok(report) if report.address < there + PAGE => {
                    call::exception_resume(child.handle(), report.thread, Action::Retry)
                        .must(env, "retry")?;
                }
                Ok(report) => break report,
                Err(Error::NotReady) => {}
                Err(error) => return Err(error).must(env, "read"),
            }
        };
        same!(env, report.address, there + PAGE, "where the thread ends");
        // It stays there: threads that wait with an exception end with their process.
    }
    call::process_kill(child.handle(), 1).must(env, "kill")?;
    same!(env, child.end().must(env, "end")?, End::Status(1), "end");
    Ok(())
}

static STOP: AtomicU64 = AtomicU64::new(0);
static PLACE: AtomicU64 = AtomicU64::new(0);
static WRONG: AtomicU64 = AtomicU64::new(0);
/// How many turns each thread has finished.
static TURNS_DONE: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];

/// Writes to the current place, if there is one, as fast as it can.
fn use_place(index: u64, _: u64) {
    while STOP.load(Ordering::Acquire) == 0 {
        let place = PLACE.load(Ordering::Acquire);
        if place != 0 {
            let word = place + index * 8;
            let value = load(word);
            store(word, value + 1);
            if load(word) != value + 1 {
                WRONG.fetch_add(1, Ordering::AcqRel);
            }
        }
        let turns = TURNS_DONE[index as usize].fetch_add(1, Ordering::AcqRel);
        if turns.is_multiple_of(64) {
            // Others want this processor, too.
            call::thread_yield();
        }
    }
}

/// Waits until each of the threads has finished a turn that began after this.
fn settle(threads: u64) {
    for turns in TURNS_DONE.iter().take(threads as usize) {
        let start = turns.load(Ordering::Acquire);
        while turns.load(Ordering::Acquire) < start + 2 {
            call::thread_yield();
        }
    }
}

/// The same address shows one area after the other; no processor goes on to use the frames of the last one.
pub fn no_access_after_unmap(env: &Env<'_>) -> Outcome {
    for flag in [&STOP, &PLACE, &WRONG] {
        flag.store(0, Ordering::Release);
    }
    let cpus = env.statistics().processors;
    let threads = cpus.min(8);
    let crew = Crew::start(env, 0..threads, 0, use_place).must(env, "threads")?;
    let probe = Area::open(1).must(env, "create")?;
    // Far behind the places that the kernel will choose in this test.
    let address = probe.map(env.own, 0, 1, R).must(env, "map")?.address + 4096 * PAGE;
    let sum = |view: &Mapping| (0..8).map(|word| load(view.at(0, word))).sum::<u64>();
    let used = |address: u64| {
        PLACE.store(address, Ordering::Release);
        settle(threads);
        PLACE.store(0, Ordering::Release);
        settle(threads);
    };
    // On a loaded emulator a round takes a second; a few will do then.
    let end = call::clock_read() + 5_000_000_000;
    for round in 0..100 {
        if round >= 10 && call::clock_read() > end {
            break;
        }
        let old = Area::open(1).must(env, "create")?;
        let seen = old.map(env.own, 0, 1, R).must(env, "map a second view")?;
        let view = old.map_at(env.own, address, 0, 1, RW).must(env, "map")?;
        used(address);
        view.unmap().must(env, "unmap")?;
        let before = sum(&seen);
        check!(env, before > 0, "nobody has written, round {round}");
        // Fresh frames at the same address: whoever has an old translation writes into those that `seen` shows.
        let fresh = Area::open(1).must(env, "create")?;
        let second = fresh
            .map_at(env.own, address, 0, 1, RW)
            .must(env, "map again")?;
        used(address);
        same!(
            env,
            sum(&seen),
            before,
            "the frame that is not mapped there any more, round {round}"
        );
        drop(second);
    }
    STOP.store(1, Ordering::Release);
    crew.join(env).must(env, "join")?;
    same!(
        env,
        WRONG.load(Ordering::Acquire),
        0,
        "words that were not what was written"
    );
    Ok(())
}

/// Threads that run on all processors end when their process is killed, wherever they are.
pub fn threads_end_with_their_process(env: &Env<'_>) -> Outcome {
    let cpus = env.statistics().processors;
    for round in 0..6 {
        let child = Child::new(env).must(env, "child")?;
        for cpu in 0..cpus.min(16) {
            child.start_on(Code::Spin, 0, cpu).must(env, "start")?;
        }
        child.start_on(Code::Spin, 0, ANY_CPU).must(env, "start")?;
        if round % 2 == 0 {
            for _ in 0..5 {
                call::thread_yield();
            }
        }
        call::process_kill(child.handle(), round).must(env, "kill")?;
        same!(
            env,
            child.end().must(env, "end")?,
            End::Status(round),
            "end"
        );
        let info = call::process_info(child.handle()).must(env, "info")?;
        same!(
            env,
            (info.state, info.threads, info.mappings, info.handles),
            (EXITED, 0, 0, 0),
            "what is left"
        );
    }
    Ok(())
}
