//! Stopped threads that end, that go on beside others, or that are resumed while somebody looks.

use core::sync::atomic::{AtomicBool, Ordering};

use sys::abi::process::{ANY_CPU, EXITED, RUNNING};
use sys::abi::thread::{ENDED, Registers};
use sys::abi::{Error, Handle};
use sys::call;

use super::super::{MS, event, rest, soon, until};
use super::{PAGE, read, read_when_stopped, share, state, write};
use crate::area::{Owned, load, store};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Must, Outcome, Random};
use crate::threads::Crew;
use crate::{check, same};

/// Threads that never ran, or whose registers were changed, end as others do, by themselves and with their process.
pub fn ends(env: &Env<'_>) -> Outcome {
    let exit = event(env)?;
    for round in 0..12 {
        let child = Child::new(env).must(env, "child")?;
        let thread = child
            .spawn_suspended(Code::Spin, 0, round % 2 * ANY_CPU)
            .must(env, "thread")?;
        call::thread_on_exit(thread.0, Some(exit.0), 1).must(env, "bind")?;
        let begun = read(&thread).must(env, "read")?;
        if round % 3 == 1 {
            write(&thread, &Registers { rip: CODE, ..begun }).must(env, "write")?;
        } else if round % 3 == 2 {
            call::thread_resume(thread.0).must(env, "resume")?;
            call::thread_suspend(thread.0).must(env, "suspend")?;
            read_when_stopped(env, &thread)?;
        }
        if round < 6 {
            call::thread_kill(thread.0).must(env, "kill")?;
        } else {
            call::process_kill(child.handle(), 3).must(env, "kill")?;
        }
        same!(
            env,
            call::event_wait(exit.0, 1, 0, soon()),
            Ok(1),
            "its end"
        );
        until(|| state(&thread) == ENDED).must(env, "state")?;
        same!(env, read(&thread), Err(Error::Ended), "reading");
        same!(env, write(&thread, &begun), Err(Error::Ended), "writing");
        let status = if round < 6 { 0 } else { 3 };
        same!(env, child.end(), Ok(End::Status(status)), "the process");
    }
    // The last handle goes while it is suspended; the process holds it.
    let child = Child::new(env).must(env, "child")?;
    drop(child.spawn_suspended(Code::Spin, 0, ANY_CPU));
    let info = call::process_info(child.handle()).must(env, "info")?;
    same!(
        env,
        (info.state, info.threads),
        (RUNNING, 1),
        "state, threads"
    );
    call::process_kill(child.handle(), 4).must(env, "kill")?;
    same!(env, child.end(), Ok(End::Status(4)), "the end");
    let info = call::process_info(child.handle()).must(env, "info")?;
    same!(env, info.state, EXITED, "state");
    Ok(())
}

/// Threads with different bases of FS and GS share a processor, and each keeps its own.
pub fn bases_stay(env: &Env<'_>) -> Outcome {
    const COUNT: u64 = 4;
    let child = Child::new(env).must(env, "child")?;
    let view = share(env, &child)?;
    let mut threads = [const { None }; COUNT as usize];
    for (index, place) in (0..).zip(&mut threads) {
        let at = 64 * index;
        let (fs, gs) = (1000 + index, 2000 + index);
        store(view.at(0, at), fs);
        store(view.at(0, at + 1), gs);
        // Two on a processor, and two that may move.
        let cpu = if index < 2 { 0 } else { ANY_CPU };
        let thread = child
            .spawn_suspended(Code::Bases, 0, cpu)
            .must(env, "thread")?;
        let registers = Registers {
            rdi: fs,
            rsi: gs,
            rdx: PAGE + 8 * (at + 2),
            fs_base: PAGE + 8 * at,
            gs_base: PAGE + 8 * (at + 1),
            ..read(&thread).must(env, "read")?
        };
        write(&thread, &registers).must(env, "write")?;
        call::thread_resume(thread.0).must(env, "resume")?;
        *place = Some(thread);
    }
    for round in 0..6 {
        let before = [0, 1, 2, 3].map(|index| load(view.at(0, 64 * index + 2)));
        for (index, before) in (0..).zip(before) {
            let counts = until(|| load(view.at(0, 64 * index + 2)) > before);
            same!(env, counts, Ok(()), "thread {index} in round {round}");
        }
        rest(5 * MS).must(env, "rest")?;
        let process = call::process_info(child.handle()).must(env, "info")?;
        same!(env, process.state, RUNNING, "the process");
    }
    Ok(())
}

/// The thread that suspends and resumes is to stop.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Resumes and suspends a thread, with some time in between, until told to stop.
fn toggle(_: u64, thread: u64) {
    let mut random = Random::new(7);
    let mut some_time = || {
        for _ in 0..random.below(5) {
            call::thread_yield();
        }
    };
    while !IS_OVER.load(Ordering::Acquire) {
        let _ = call::thread_resume(Handle(thread));
        some_time();
        let _ = call::thread_suspend(Handle(thread));
        some_time();
    }
}

/// Reads and changes beside a thread that suspends and resumes: each does the whole of it or nothing.
pub fn beside_resume(env: &Env<'_>) -> Outcome {
    const CHANGES: u64 = 300;
    let child = Child::new(env).must(env, "child")?;
    let view = share(env, &child)?;
    let thread = child.spawn_suspended(Code::Count, PAGE, ANY_CPU);
    let thread = thread.must(env, "thread")?;
    IS_OVER.store(false, Ordering::Release);
    let toggles = Crew::start(env, [ANY_CPU].into_iter(), thread.0.0, toggle);
    let toggles = toggles.must(env, "start")?;
    let changed = change_often(env, &thread, CHANGES);
    IS_OVER.store(true, Ordering::Release);
    toggles.join(env).must(env, "join")?;
    changed?;
    call::thread_resume(thread.0).must(env, "resume")?;
    let before = load(view.at(0, 0));
    until(|| load(view.at(0, 0)) > before).must(env, "it counts")
}

/// Changes registers that the thread does not use, again and again, and looks whether all of the last change is there.
fn change_often(env: &Env<'_>, thread: &Owned, changes: u64) -> Outcome {
    let (mut mark, end) = (0, soon());
    while mark < changes {
        check!(env, call::clock_read() < end, "only {mark} changes");
        let now = match read(thread) {
            Ok(now) => now,
            Err(error) => {
                same!(env, error, Error::NotReady, "reading");
                call::thread_yield();
                continue;
            }
        };
        let all = [now.r12, now.r13, now.r14, now.r15, now.rcx, now.r11];
        same!(env, all, [mark; 6], "the registers");
        same!(env, now.rdi, PAGE, "RDI");
        let next = mark + 1;
        let mut changed = now;
        (changed.r12, changed.r13, changed.r14) = (next, next, next);
        (changed.r15, changed.rcx, changed.r11) = (next, next, next);
        match write(thread, &changed) {
            Ok(()) => mark = next,
            Err(error) => same!(env, error, Error::NotReady, "writing"),
        }
    }
    Ok(())
}
