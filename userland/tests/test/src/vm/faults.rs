//! Faults: what is reported, who hears of it, and what happens if nobody does.

use sys::abi::{Error, process};
use sys::call;

use crate::area::{Area, PAGE, R, RW, load};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

const THERE: u64 = CODE + 64 * PAGE;

/// A report names thread, address, access, reason and instruction.
pub fn reports(env: &Env<'_>) -> Outcome {
    for (code, access) in [
        (Code::Read, process::READ),
        (Code::Write, process::WRITE),
        (Code::Jump, process::EXECUTE),
    ] {
        let child = Child::new(env).must(env, "child")?;
        let report = child.fault(code, THERE + 8).must(env, "fault")?;
        same!(env, report.vector, 14, "vector");
        same!(env, report.address, THERE + 8, "address");
        same!(env, report.access, access, "access");
        same!(env, report.reason, process::NOT_MAPPED, "reason");
        check!(env, report.thread != 0, "there is no thread");
        let is_there =
            (CODE..CODE + PAGE).contains(&report.instruction) || report.instruction == THERE + 8;
        check!(env, is_there, "instruction {:#x}", report.instruction);
        same!(
            env,
            call::exception_read(child.handle()).err(),
            Some(Error::NotReady),
            "a second report"
        );
        same!(
            env,
            call::exception_resume(child.handle(), report.thread + 1, process::Action::Retry),
            Err(Error::NotReady),
            "an answer to another thread"
        );
        let info = call::process_info(child.handle()).must(env, "info")?;
        same!(
            env,
            info.state,
            process::RUNNING,
            "state while the thread waits"
        );
        call::exception_resume(child.handle(), report.thread, process::Action::End)
            .must(env, "end")?;
        same!(env, child.end().must(env, "end")?, End::Fault(14), "end");
    }
    Ok(())
}

/// A thread whose exception was answered with the end of its process does not run again: it would fault, and report that.
pub fn end_is_final(env: &Env<'_>) -> Outcome {
    // Each round causes the same allocations: the first those for what is kept, too.
    let rounds = if env.is_cold { 3 } else { 50 };
    for round in 0..rounds {
        let child = Child::new(env).must(env, "child")?;
        let report = child.fault(Code::Read, THERE).must(env, "fault")?;
        call::exception_resume(child.handle(), report.thread, process::Action::End)
            .must(env, "end")?;
        check!(
            env,
            !child.reports_again().must(env, "wait")?,
            "a second report, round {round}"
        );
        same!(
            env,
            call::exception_resume(child.handle(), report.thread, process::Action::Retry),
            Err(Error::NotReady),
            "a second answer"
        );
        same!(env, child.end().must(env, "end")?, End::Fault(14), "end");
    }
    Ok(())
}

/// Whoever hears of a fault can mend it, and the thread goes on.
pub fn handler_resolves(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let area = Area::open(1).must(env, "create")?;
    let report = child.fault(Code::Write, THERE).must(env, "fault")?;
    // Without a change it faults again.
    call::exception_resume(child.handle(), report.thread, process::Action::Retry)
        .must(env, "retry")?;
    let again = child.report().must(env, "second report")?;
    same!(env, again, report, "the second report");
    area.map_at(child.handle(), THERE, 0, 1, RW)
        .must(env, "map there")?
        .keep();
    call::exception_resume(child.handle(), report.thread, process::Action::Retry)
        .must(env, "retry")?;
    same!(env, child.end().must(env, "end")?, End::Status(0), "end");
    let view = area.map(env.own, 0, 1, R).must(env, "map")?;
    same!(
        env,
        load(view.address),
        THERE,
        "what was written in the end"
    );
    Ok(())
}

/// Without anybody who listens a fault ends the process; also when whoever listened stops.
pub fn ends_process(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    same!(
        env,
        child.run(Code::Read, THERE).must(env, "run")?,
        End::Fault(14),
        "end"
    );
    let child = Child::new(env).must(env, "child")?;
    child.fault(Code::Read, THERE).must(env, "fault")?;
    call::process_on_exception(child.handle(), None, 0).must(env, "unbind")?;
    same!(
        env,
        child.end().must(env, "end")?,
        End::Fault(14),
        "end after nobody listens"
    );
    // One that waits with an exception can be killed.
    let child = Child::new(env).must(env, "child")?;
    child.fault(Code::Read, THERE).must(env, "fault")?;
    call::process_kill(child.handle(), 3).must(env, "kill")?;
    same!(
        env,
        child.end().must(env, "end")?,
        End::Status(3),
        "end of the killed"
    );
    // Nothing can be done to one that has ended.
    same!(
        env,
        child.start(Code::Spin, 0).err(),
        Some(Error::Ended),
        "a thread after the end"
    );
    let area = Area::open(1).must(env, "create")?;
    same!(
        env,
        area.map(child.handle(), 0, 1, R).err(),
        Some(Error::Ended),
        "a mapping after the end"
    );
    same!(
        env,
        call::handle_give(child.handle(), area.handle()).err(),
        Some(Error::Ended),
        "a handle after the end"
    );
    same!(
        env,
        area.info().size,
        PAGE,
        "the handle that could not be given"
    );
    Ok(())
}

/// What the kernel reads from and writes to memory that was never touched comes in like any other page; what is not
/// mapped, or guarded, or read-only, is an error.
pub fn kernel_copies_fault_pages_in(env: &Env<'_>) -> Outcome {
    let area = Area::open(2).must(env, "create")?;
    let view = area.map(env.own, 0, 2, RW).must(env, "map")?;
    let info = |address: u64| {
        let handle = area.handle().0;
        call::raw(
            sys::abi::Sysno::VmAreaInfo as u64,
            [handle, address, 0, 0, 0, 0],
        )
    };
    // Over the border between two pages without frames.
    info(view.address + PAGE - 16).must(env, "info")?;
    same!(
        env,
        load(view.address + PAGE - 8),
        2 * PAGE,
        "what the kernel wrote"
    );
    same!(env, area.info().committed, 2 * PAGE, "committed");
    view.protect(1, 1, R).must(env, "protect")?;
    same!(
        env,
        info(view.address + PAGE - 8),
        Err(Error::BadAddress),
        "info over read-only memory"
    );
    same!(
        env,
        info(view.address + PAGE),
        Err(Error::BadAddress),
        "info to read-only memory"
    );
    let guarded = Area::guarded(1, 1).must(env, "create")?;
    let guard = guarded.map(env.own, 0, 2, RW).must(env, "map")?;
    same!(
        env,
        info(guard.address),
        Err(Error::BadAddress),
        "info to a guard page"
    );
    info(guard.address + PAGE).must(env, "info behind the guard page")?;
    let gone = guard.address;
    drop(guard);
    same!(
        env,
        info(gone + PAGE),
        Err(Error::BadAddress),
        "info to what was unmapped"
    );
    // A shared page is copied before the kernel writes to it.
    view.protect(0, 2, RW).must(env, "protect")?;
    let copy = area.snapshot().must(env, "snapshot")?;
    info(view.address).must(env, "info to a shared page")?;
    let old = copy.map(env.own, 0, 1, R).must(env, "map the copy")?;
    same!(env, load(old.address + 8), 0, "the snapshot");
    same!(
        env,
        load(view.address + 8),
        2 * PAGE,
        "what the kernel wrote"
    );
    Ok(())
}
