//! What threads, processes and processors have used, and the lists of them.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::process::{ANY_CPU, Usage};
use sys::abi::statistics::Processor;
use sys::abi::thread::{SUSPENDED, WAITING};
use sys::abi::{Error, NAME_MAX, NEVER};
use sys::call;

use super::worker::{Body, Worker};
use super::{MS, event, rest, soon, until};
use crate::area::Owned;
use crate::child::{Child, Code};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

fn usage(env: &Env<'_>, process: &Owned) -> Result<Usage, Failed> {
    call::process_usage(process.0).must(env, "usage")
}

/// The figures of the first processors.
fn processors(env: &Env<'_>) -> Result<([Processor; MOST], usize), Failed> {
    let count = env.statistics().processors.min(MOST as u64);
    let mut found = [Processor::default(); MOST];
    for (cpu, place) in (0..count).zip(&mut found) {
        *place = call::processor_usage(env.system, cpu).must(env, "processor")?;
    }
    Ok((found, count as usize))
}

/// Processors that these tests look at.
const MOST: usize = 8;

/// Numbers, names and makers.
pub fn names(env: &Env<'_>) -> Outcome {
    let own = call::process_usage(env.own).must(env, "own")?;
    same!(env, &own.name()[..5], b"test\0", "the own name");
    same!(env, own.parent == 0, env.is_alone, "who made the program");
    let longest = "a name as long as any can be ...";
    same!(env, longest.len(), NAME_MAX, "length");
    let mut last = own.number;
    for name in ["", "b", longest, "\u{e4}\u{f6}\u{fc} \u{2713}"] {
        let process = Owned(call::process_create(name).must(env, "create")?);
        let found = usage(env, &process)?;
        let bytes = found.name();
        let (text, rest) = bytes.split_at(name.len());
        same!(env, text, name.as_bytes(), "name");
        check!(env, rest.iter().all(|&byte| byte == 0), "after the name");
        check!(env, found.number > last, "numbers do not grow");
        same!(env, found.parent, own.number, "who made it");
        let used = (found.threads, found.ran, found.switches);
        same!(env, used, (0, 0, 0), "what it used");
        let info = call::process_info(process.0).must(env, "info")?;
        same!(env, found.memory, info.memory, "memory");
        last = found.number;
    }
    Ok(())
}

/// The list of the machine has all processes with threads, in order, and no others.
pub fn list_of_processes(env: &Env<'_>) -> Outcome {
    let mut children = [const { None }; 5];
    for place in &mut children {
        let child = Child::new(env).must(env, "child")?;
        let thread = child.spawn_suspended(Code::Spin, 0, ANY_CPU);
        drop(thread.must(env, "thread")?);
        *place = Some(child);
    }
    let bare = Owned(call::process_create("bare").must(env, "create")?);
    let bare = usage(env, &bare)?.number;
    let own = call::process_usage(env.own).must(env, "own")?.number;
    let (mut from, mut found) = (0, 0u64);
    let wanted = |number| {
        let children = children.iter().flatten();
        let mut numbers =
            children.map(|child| Some(call::process_usage(child.handle()).ok()?.number));
        number == own || numbers.any(|own| own == Some(number))
    };
    loop {
        let next = match call::process_next(env.system, from) {
            Err(Error::NotReady) => break,
            next => next.must(env, "next")?,
        };
        check!(
            env,
            next.number >= from,
            "{} comes after {from}",
            next.number
        );
        check!(env, next.number != bare, "one without threads is listed");
        found += u64::from(wanted(next.number));
        from = next.number + 1;
    }
    same!(env, found, 6, "own processes in the list");
    same!(
        env,
        call::process_next(env.system, NEVER),
        Err(Error::NotReady),
        "the last"
    );
    for child in children.iter().flatten() {
        let before = call::process_usage(child.handle()).must(env, "usage")?;
        let listed = call::process_next(env.system, before.number);
        same!(env, listed, Ok(before), "as the list has it");
        call::process_kill(child.handle(), 0).must(env, "kill")?;
        child.end().must(env, "end")?;
        let after = call::process_next(env.system, before.number).map(|next| next.number);
        check!(
            env,
            after != Ok(before.number),
            "{} is still listed",
            before.number
        );
        let after = call::process_usage(child.handle()).must(env, "usage")?;
        same!(
            env,
            (after.number, after.threads),
            (before.number, 0),
            "one that has ended"
        );
    }
    Ok(())
}

/// The list of a process has all its threads, in order, and none that has ended.
pub fn list_of_threads(env: &Env<'_>) -> Outcome {
    const COUNT: usize = 70;
    let child = Child::new(env).must(env, "child")?;
    let none = call::process_next_thread(child.handle(), 0);
    same!(env, none, Err(Error::NotReady), "a process without threads");
    let mut threads = [const { None }; COUNT];
    for place in &mut threads {
        let thread = child.spawn_suspended(Code::Spin, 0, ANY_CPU);
        *place = Some(thread.must(env, "thread")?);
    }
    for round in 0..2 {
        let mut from = 0;
        for (index, thread) in (0..).zip(&threads) {
            let Some(thread) = thread else { continue };
            let wanted = call::thread_info(thread.0).must(env, "info")?;
            let next = call::process_next_thread(child.handle(), from);
            same!(env, next, Ok(wanted), "thread {index} in round {round}");
            same!(env, wanted.state, SUSPENDED, "state");
            same!(env, (wanted.ran, wanted.switches), (0, 0), "what it used");
            from = wanted.number + 1;
        }
        let next = call::process_next_thread(child.handle(), from);
        same!(env, next, Err(Error::NotReady), "the last");
        for place in threads.iter_mut().step_by(3) {
            let Some(thread) = place.take() else { continue };
            call::thread_kill(thread.0).must(env, "kill")?;
            let before = call::process_info(child.handle())
                .must(env, "info")?
                .threads;
            check!(env, before <= COUNT as u64, "{before} threads");
        }
        let left = threads.iter().flatten().count() as u64;
        let threads = || call::process_info(child.handle()).map(|info| info.threads);
        until(|| threads() == Ok(left)).must(env, "they end")?;
    }
    Ok(())
}

/// The time of threads that spin, one on each processor, is that of their process and of their processors, and not more than has gone by.
pub fn time(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let (_, count) = processors(env)?;
    let mut threads = [const { None }; MOST];
    for (cpu, place) in (0..count as u64).zip(&mut threads) {
        let thread = child.spawn(Code::Spin, 0, cpu).must(env, "thread")?;
        *place = Some(thread);
    }
    let ran = |thread: &Owned| call::thread_info(thread.0).map_or(0, |info| info.ran);
    let of_threads = || {
        threads
            .each_ref()
            .map(|place| place.as_ref().map_or(0, ran))
    };
    let of_process = || call::process_usage(child.handle()).map_or(0, |usage| usage.ran);
    let all_run = until(|| threads.iter().flatten().all(|thread| ran(thread) > 0));
    all_run.must(env, "all run")?;
    let limit = soon();
    for round in 0.. {
        let start = call::clock_read();
        let (cpus, before) = (processors(env)?.0, of_threads());
        rest(30 * MS).must(env, "rest")?;
        let (least, between, most) = (of_threads(), of_process(), of_threads());
        let (cpus_then, end) = (processors(env)?.0, call::clock_read());
        let sum = |figures: [u64; MOST]| figures.iter().sum::<u64>();
        check!(
            env,
            sum(least) <= between && between <= sum(most),
            "the process has {between}, its threads {least:?} before and {most:?} after that"
        );
        let mut is_spinning = true;
        for cpu in 0..count {
            let ran = most[cpu] - before[cpu];
            check!(
                env,
                ran <= end - start,
                "{ran} of {} ns in round {round}",
                end - start
            );
            let (first, last) = (cpus[cpu], cpus_then[cpu]);
            let (busy, passed) = (last.busy - first.busy, last.now - first.now);
            let inner = least[cpu] - before[cpu];
            check!(env, busy <= passed, "busy for {busy} of {passed} ns");
            // What the thread got was in the time between the two looks at the processor, up to a look that takes a while.
            check!(
                env,
                inner <= busy,
                "a thread ran {inner} ns, its processor {busy}"
            );
            // Beside it there was this thread for a moment, and nobody else.
            is_spinning &= inner >= passed / 4;
            check!(env, last.runnable >= 1, "the spinner is not there");
        }
        // The host may stop a processor while this thread has it, or between two looks: it is enough to be right once.
        if is_spinning && round >= 3 {
            break;
        }
        check!(
            env,
            end < limit,
            "the threads have little of their processors: {before:?} before and {least:?} after"
        );
    }
    Ok(())
}

/// What threads have used that have ended stays with their process.
pub fn of_the_ended(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let keep = child.spawn_suspended(Code::Spin, 0, ANY_CPU);
    let _keep = keep.must(env, "keep")?;
    let mut last = Usage::default();
    for round in 0..8 {
        let thread = child.spawn(Code::Spin, 0, ANY_CPU).must(env, "thread")?;
        let info = || call::thread_info(thread.0).unwrap_or_default();
        until(|| info().ran > 2 * MS).must(env, "it runs")?;
        let before = info();
        let with = call::process_usage(child.handle()).must(env, "usage")?;
        check!(
            env,
            with.ran >= last.ran + before.ran,
            "{with:?} after {last:?} and {before:?}"
        );
        call::thread_kill(thread.0).must(env, "kill")?;
        until(|| call::process_info(child.handle()).is_ok_and(|info| info.threads == 1))
            .must(env, "it ends")?;
        let after = call::process_usage(child.handle()).must(env, "usage")?;
        check!(
            env,
            after.ran >= with.ran,
            "{after:?} after {with:?} in round {round}"
        );
        check!(
            env,
            after.switches > last.switches,
            "{after:?} after {last:?}"
        );
        same!(
            env,
            call::process_usage(child.handle()),
            Ok(after),
            "a moment later"
        );
        last = after;
    }
    Ok(())
}

/// Two threads that wait for each other are switched to once for each round, and their processor counts both.
pub fn switches(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 500;
    let (ping, pong) = (event(env)?, event(env)?);
    let ended = AtomicU64::new(0);
    let first = Body::new(|| {
        for _ in 0..ROUNDS {
            call::event_signal(ping.0, 1)?;
            call::event_wait(pong.0, 1, 0, NEVER)?;
        }
        ended.fetch_add(1, Ordering::AcqRel);
        call::event_wait(pong.0, 2, 0, NEVER)
    });
    let second = Body::new(|| {
        for _ in 0..ROUNDS {
            call::event_wait(ping.0, 1, 0, NEVER)?;
            call::event_signal(pong.0, 1)?;
        }
        ended.fetch_add(1, Ordering::AcqRel);
        call::event_wait(ping.0, 2, 0, NEVER)
    });
    let before = processors(env)?.0[0];
    let workers = [
        Worker::start(env.own, 0, &second).must(env, "start")?,
        Worker::start(env.own, 0, &first).must(env, "start")?,
    ];
    until(|| ended.load(Ordering::Acquire) == 2).must(env, "they play")?;
    for worker in &workers {
        worker.reach(WAITING).must(env, "it waits")?;
    }
    rest(5 * MS).must(env, "rest")?;
    let after = processors(env)?.0[0];
    let counts = [workers[0].info().switches, workers[1].info().switches];
    for count in counts {
        // Besides there are the first one, and those after others that are woken here now and then.
        check!(
            env,
            (ROUNDS..2 * ROUNDS).contains(&count),
            "{count} switches"
        );
    }
    let both = counts[0] + counts[1];
    let counted = after.switches - before.switches;
    check!(
        env,
        counted >= both,
        "{counted} switches of the processor, {both} to the two threads"
    );
    // Who waits is not switched to.
    rest(20 * MS).must(env, "rest")?;
    let then = [workers[0].info().switches, workers[1].info().switches];
    same!(env, then, counts, "switches to threads that wait");
    call::event_signal(ping.0, 2).must(env, "signal")?;
    call::event_signal(pong.0, 2).must(env, "signal")?;
    workers[0].join().must(env, "join")?;
    workers[1].join().must(env, "join").map(drop)
}

/// Processors without work are not busy, and the one that works is.
pub fn idle_processors(env: &Env<'_>) -> Outcome {
    let spins = AtomicU64::new(0);
    let is_over = AtomicU64::new(0);
    let body = Body::new(|| {
        while is_over.load(Ordering::Relaxed) == 0 {
            spins.fetch_add(1, Ordering::Relaxed);
        }
        Ok(0)
    });
    let share = |before: &Processor, after: &Processor| {
        100 * (after.busy - before.busy) / (after.now - before.now).max(1)
    };
    // Others may use the host at any moment: it is enough to be right once.
    let idle = until(|| {
        let look = || processors(env).map(|(found, _)| found).unwrap_or_default();
        let before = look();
        let rested = rest(20 * MS).is_ok();
        let after = look();
        let shares = before
            .iter()
            .zip(&after)
            .map(|(before, after)| share(before, after));
        rested && shares.max().is_some_and(|most| most < 20)
    });
    idle.must(env, "no processor is idle while all wait")?;
    let last = processors(env)?.1 - 1;
    let worker = Worker::start(env.own, last as u64, &body).must(env, "start")?;
    until(|| spins.load(Ordering::Relaxed) > 0).must(env, "it spins")?;
    let before = processors(env)?.0[last];
    rest(30 * MS).must(env, "rest")?;
    let after = processors(env)?.0[last];
    let busy = share(&before, &after);
    check!(
        env,
        busy > 90,
        "the processor that works is busy for {busy} of 100"
    );
    is_over.store(1, Ordering::Relaxed);
    worker.join().must(env, "join").map(drop)
}
