//! Exceptions that nobody is there to answer: a thread waits as long as somebody has a handle of the event that was told.

use sys::abi::process::{ANY_CPU, Action, RUNNING};
use sys::abi::thread::ENDED;
use sys::abi::{Error, Handle, Rights};
use sys::call;

use super::{MS, event, rest, until};
use crate::area::Owned;
use crate::child::{Child, Code, End};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::same;

/// Nothing is mapped there.
const NOWHERE: u64 = 8;
/// How a child ends that nobody helps.
const FAULT: End = End::Fault(14);

/// A child with a thread that waits with an exception, of which an event was told.
fn faulted(env: &Env<'_>, listener: Handle) -> Result<(Child, Owned), Failed> {
    let child = Child::new(env).must(env, "child")?;
    call::process_on_exception(child.handle(), Some(listener), 1).must(env, "bind")?;
    let thread = child.spawn(Code::Read, NOWHERE, ANY_CPU);
    let thread = thread.must(env, "thread")?;
    call::event_wait(listener, 1, 0, super::soon()).must(env, "the report")?;
    Ok((child, thread))
}

/// Whether a child has not ended a while later.
fn waits(env: &Env<'_>, child: &Child) -> Outcome {
    rest(5 * MS).must(env, "rest")?;
    let info = call::process_info(child.handle()).must(env, "info")?;
    same!(env, info.state, RUNNING, "state of one that waits");
    Ok(())
}

fn ends(env: &Env<'_>, child: &Child) -> Outcome {
    same!(env, child.end().must(env, "end")?, FAULT, "the end");
    Ok(())
}

/// The last handle of the event goes before the exception, or while threads wait with one: the process ends as if nobody had ever listened.
pub fn closed(env: &Env<'_>) -> Outcome {
    let listener = event(env)?;
    let child = Child::new(env).must(env, "child")?;
    call::process_on_exception(child.handle(), Some(listener.0), 1).must(env, "bind")?;
    drop(listener);
    child.start(Code::Read, NOWHERE).must(env, "start")?;
    ends(env, &child)?;
    let listener = event(env)?;
    let (child, _thread) = faulted(env, listener.0)?;
    let second = child.spawn(Code::Write, NOWHERE, ANY_CPU);
    let _second = second.must(env, "a second thread")?;
    call::event_wait(listener.0, 1, 0, super::soon()).must(env, "its report")?;
    waits(env, &child)?;
    drop(listener);
    ends(env, &child)
}

/// The one who would have answered ends, and with it the last handle. A copy elsewhere is enough for the thread to wait.
pub fn listener_ends(env: &Env<'_>) -> Outcome {
    let listener = event(env)?;
    let (child, _thread) = faulted(env, listener.0)?;
    let keeper = Child::new(env).must(env, "keeper")?;
    let copy = call::handle_duplicate(listener.0, Rights::ALL).must(env, "copy")?;
    call::handle_give(keeper.handle(), copy).must(env, "give")?;
    drop(listener);
    waits(env, &child)?;
    call::process_kill(keeper.handle(), 0).must(env, "kill")?;
    ends(env, &child)
}

/// Handles that are revoked are gone, too.
pub fn revoked(env: &Env<'_>) -> Outcome {
    let listener = event(env)?;
    let copy = call::handle_duplicate(listener.0, Rights::ALL).must(env, "copy")?;
    let (child, _thread) = faulted(env, copy)?;
    call::handle_revoke(listener.0).must(env, "revoke")?;
    waits(env, &child)?;
    drop(listener);
    ends(env, &child)
}

/// A thread that waits has the event that was bound last to thank.
pub fn bound_anew(env: &Env<'_>) -> Outcome {
    let (first, second) = (event(env)?, event(env)?);
    let (child, _thread) = faulted(env, first.0)?;
    call::process_on_exception(child.handle(), Some(second.0), 1).must(env, "bind anew")?;
    drop(first);
    waits(env, &child)?;
    let report = call::exception_read(child.handle()).must(env, "read")?;
    call::exception_resume(child.handle(), report.thread, Action::Retry).must(env, "retry")?;
    call::event_wait(second.0, 1, 0, super::soon()).must(env, "the second report")?;
    drop(second);
    ends(env, &child)
}

/// The event is that of the end, too, which keeps it, but lets nobody hear of it.
pub fn kept_by_a_binding(env: &Env<'_>) -> Outcome {
    let listener = event(env)?;
    let (child, thread) = faulted(env, listener.0)?;
    call::thread_on_exit(thread.0, Some(listener.0), 2).must(env, "bind")?;
    drop(listener);
    ends(env, &child)
}

/// A thread that is ended while it waits with an exception leaves nothing of that.
pub fn thread_is_ended(env: &Env<'_>) -> Outcome {
    let listener = event(env)?;
    let (child, first) = faulted(env, listener.0)?;
    let number = call::thread_info(first.0).must(env, "info")?.number;
    let report = call::exception_read(child.handle()).must(env, "read")?;
    same!(env, report.thread, number, "the thread that waits");
    for round in 0..50 {
        let thread = child.spawn(Code::Read, NOWHERE, ANY_CPU);
        let thread = thread.must(env, "thread")?;
        call::event_wait(listener.0, 1, 0, super::soon()).must(env, "the report")?;
        call::thread_kill(thread.0).must(env, "kill")?;
        until(|| call::thread_info(thread.0).is_ok_and(|info| info.state == ENDED))
            .must(env, "its end")?;
        let report = call::exception_read(child.handle());
        same!(env, report, Err(Error::NotReady), "a report, round {round}");
    }
    call::exception_resume(child.handle(), number, Action::End).must(env, "end")?;
    ends(env, &child)
}
