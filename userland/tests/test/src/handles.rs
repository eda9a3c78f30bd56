//! The tests of handles: what closes them, what derived ones share with their parents, how many there may be.

use sys::abi::process::RUNNING;
use sys::abi::{Error, Handle, Rights, area};
use sys::call;

use crate::area::{Area, Owned, PAGE, RW};
use crate::child::{Child, Code, End, words};
use crate::harness::{Env, Must, Outcome, Test, list_suite, run_suite};
use crate::kernel::{interrupts, ports};
use crate::{check, same};

pub const TESTS: &[Test] = &[
    (
        "revoke-reaches-a-running-child",
        revoke_reaches_a_running_child,
    ),
    (
        "revoke-takes-descendants-only",
        revoke_takes_descendants_only,
    ),
    ("revoke-needs-a-right", revoke_needs_a_right),
    ("closing-keeps-ancestors", closing_keeps_ancestors),
    (
        "pages-go-with-the-last-handle",
        pages_go_with_the_last_handle,
    ),
    ("failed-give", failed_give),
    ("stale-handles", stale_handles),
    ("info", info),
    ("ports-refused", ports::refused),
    ("ports-in-many-ranges", ports::in_many_ranges),
    ("interrupt-refused", interrupts::refused),
    ("grow-to-the-quota", grow_to_the_quota),
    ("revoke-a-full-table", revoke_a_full_table),
];

/// The most handles of a process.
const QUOTA: u64 = 1 << 16;

/// Prints the names.
pub fn list(env: &Env<'_>) {
    list_suite(env, "handles", TESTS);
}

/// Runs all tests, or the one with a name.
pub fn run(env: &Env<'_>, name: Option<&str>) -> u64 {
    // What the kernel takes for good at the first use is not counted as lost.
    for (known, test) in TESTS {
        if name.is_none_or(|name| name == *known) {
            let _ = test(env);
        }
    }
    run_suite(env, "handles", TESTS, name)
}

/// How long a child may take for its signals, and how long to wait between two looks at it.
const PATIENCE_NS: u64 = 60_000_000_000;
const LOOK_NS: u64 = 10_000_000;

fn event(env: &Env<'_>) -> Result<Owned, crate::harness::Failed> {
    call::event_create().map(Owned).must(env, "event")
}

/// How many handles a process has.
fn count(process: Handle) -> u64 {
    call::process_info(process).map_or(u64::MAX, |info| info.handles)
}

/// A copy of a handle, in a process.
fn lend(process: Handle, handle: Handle) -> Result<Handle, Error> {
    let copy = call::handle_duplicate(handle, Rights::ALL)?;
    call::handle_give(process, copy)
}

/// A child that signals finds its handle gone, in the middle of its work.
fn revoke_reaches_a_running_child(env: &Env<'_>) -> Outcome {
    let (event, child) = (event(env)?, Child::new(env).must(env, "child")?);
    let there = lend(child.handle(), event.0).must(env, "lend")?;
    let argument = words(env, &child, &[there.0]).must(env, "argument")?;
    child.start(Code::Signal, argument).must(env, "start")?;
    let end = call::clock_read() + PATIENCE_NS;
    let mut signals = 0;
    while signals < 10 {
        match call::event_wait(event.0, 1, 0, call::clock_read() + LOOK_NS) {
            Ok(_) => signals += 1,
            Err(Error::TimedOut) => {
                // The child may have ended for want of memory.
                let info = call::process_info(child.handle()).must(env, "info")?;
                same!(env, info.state, RUNNING, "the child");
                check!(env, call::clock_read() < end, "only {signals} signals");
            }
            Err(error) => return Err(error).must(env, "wait"),
        }
    }
    call::handle_revoke(event.0).must(env, "revoke")?;
    let end = child.end().must(env, "end")?;
    same!(
        env,
        end,
        End::Status(Error::BadHandle.number()),
        "the end of the child"
    );
    // The handle itself is as it was.
    let _ = call::event_take(event.0, 1);
    call::event_signal(event.0, 2).must(env, "signal")?;
    same!(env, call::event_take(event.0, 3), Ok(2), "bits");
    Ok(())
}

/// Grandchildren in other processes go; parents, siblings and other handles of the object stay.
fn revoke_takes_descendants_only(env: &Env<'_>) -> Outcome {
    let (event, other) = (event(env)?, event(env)?);
    let (first, second) = (
        Child::new(env).must(env, "first")?,
        Child::new(env).must(env, "second")?,
    );
    let all = Rights::ALL;
    let middle = Owned(call::handle_duplicate(event.0, all).must(env, "middle")?);
    let sibling = Owned(call::handle_duplicate(event.0, all).must(env, "sibling")?);
    for child in [&first, &second] {
        lend(child.handle(), middle.0).must(env, "lend")?;
        lend(child.handle(), sibling.0).must(env, "lend the sibling")?;
        lend(child.handle(), other.0).must(env, "lend another")?;
    }
    call::handle_revoke(middle.0).must(env, "revoke")?;
    same!(env, count(first.handle()), 2, "handles of the first");
    same!(env, count(second.handle()), 2, "handles of the second");
    call::event_signal(middle.0, 1).must(env, "middle")?;
    call::event_signal(sibling.0, 1).must(env, "sibling")?;
    call::handle_revoke(event.0).must(env, "revoke all")?;
    same!(env, count(first.handle()), 1, "handles of the first");
    let gone = call::event_signal(middle.0, 1);
    same!(env, gone, Err(Error::BadHandle), "middle");
    let gone = call::event_signal(sibling.0, 1);
    same!(env, gone, Err(Error::BadHandle), "sibling");
    call::handle_revoke(event.0).must(env, "revoke once more")
}

fn revoke_needs_a_right(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    let weak = call::handle_duplicate(event.0, Rights::SIGNAL).must(env, "duplicate")?;
    let weak = Owned(weak);
    let revoked = call::handle_revoke(weak.0);
    same!(env, revoked, Err(Error::AccessDenied), "by a weak handle");
    let revoked = call::handle_revoke(Handle(0));
    same!(env, revoked, Err(Error::BadHandle), "by no handle");
    call::event_signal(weak.0, 1).must(env, "the weak handle")
}

/// What is between closes: the ends stay related.
fn closing_keeps_ancestors(env: &Env<'_>) -> Outcome {
    let (event, child) = (event(env)?, Child::new(env).must(env, "child")?);
    let mut last = call::handle_duplicate(event.0, Rights::ALL).must(env, "first")?;
    for _ in 0..100 {
        let next = call::handle_duplicate(last, Rights::ALL).must(env, "next")?;
        call::handle_close(last).must(env, "close")?;
        last = next;
    }
    call::handle_give(child.handle(), last).must(env, "give")?;
    same!(env, count(child.handle()), 1, "handles of the child");
    call::handle_revoke(event.0).must(env, "revoke")?;
    same!(env, count(child.handle()), 0, "handles of the child then");
    Ok(())
}

/// The last handle of an area is revoked in a process that lives on.
fn pages_go_with_the_last_handle(env: &Env<'_>) -> Outcome {
    const PAGES: u64 = 64;
    let child = Child::new(env).must(env, "child")?;
    let before = env.statistics().user;
    let area = Area::open(PAGES).must(env, "area")?;
    let own = call::handle_duplicate(area.handle(), Rights::ALL).must(env, "duplicate")?;
    lend(child.handle(), own).must(env, "lend")?;
    call::vm_area_commit(own, 0, PAGES * PAGE).must(env, "commit")?;
    drop(area);
    same!(env, env.statistics().user - before, PAGES, "pages in use");
    call::handle_revoke(own).must(env, "revoke")?;
    same!(env, count(child.handle()), 0, "handles of the child");
    same!(env, env.statistics().user - before, PAGES, "pages in use");
    call::handle_close(own).must(env, "close the last")?;
    same!(env, env.statistics().user, before, "pages in use then");
    Ok(())
}

/// A handle that could not be given has the value that it had.
fn failed_give(env: &Env<'_>) -> Outcome {
    let (event, child) = (event(env)?, Child::new(env).must(env, "child")?);
    call::process_kill(child.handle(), 7).must(env, "kill")?;
    let given = call::handle_give(child.handle(), event.0);
    same!(env, given, Err(Error::Ended), "to one that has ended");
    call::event_signal(event.0, 1).must(env, "signal")?;
    let weak = call::handle_duplicate(event.0, Rights::SIGNAL).must(env, "duplicate")?;
    let weak = Owned(weak);
    let second = Child::new(env).must(env, "second child")?;
    let given = call::handle_give(second.handle(), weak.0);
    same!(env, given, Err(Error::AccessDenied), "without the right");
    same!(
        env,
        count(second.handle()),
        0,
        "handles of the second child"
    );
    call::event_signal(weak.0, 1).must(env, "signal by the weak one")
}

fn stale_handles(env: &Env<'_>) -> Outcome {
    let first = call::event_create().must(env, "event")?;
    call::handle_close(first).must(env, "close")?;
    for round in 0..1000u64 {
        let next = event(env)?;
        check!(
            env,
            next.0 != first,
            "the value came again in round {round}"
        );
        let stale = call::event_signal(first, 1);
        same!(env, stale, Err(Error::BadHandle), "round {round}");
    }
    same!(
        env,
        call::handle_close(first),
        Err(Error::BadHandle),
        "closed twice"
    );
    Ok(())
}

fn info(env: &Env<'_>) -> Outcome {
    let (first, second) = (event(env)?, event(env)?);
    let copy = call::handle_duplicate(first.0, Rights::WAIT).must(env, "duplicate")?;
    let copy = Owned(copy);
    let of = |handle| call::handle_info(handle).must(env, "info");
    let (first, second, copy) = (of(first.0)?, of(second.0)?, of(copy.0)?);
    same!(env, first.object, copy.object, "number of the copy");
    check!(
        env,
        first.object != second.object,
        "two events have one number"
    );
    same!(
        env,
        copy.rights,
        u64::from(Rights::WAIT.0),
        "rights of the copy"
    );
    same!(
        env,
        (first.kind, second.kind),
        (copy.kind, copy.kind),
        "types"
    );
    let own = of(env.own)?;
    check!(env, own.kind != first.kind, "a process is an event");
    let gone = call::handle_info(Handle(u64::MAX));
    same!(env, gone, Err(Error::BadHandle), "of no handle");
    Ok(())
}

/// Fills the table with copies of a handle, then calls `end` with the number of copies.
fn fill(env: &Env<'_>, handle: Handle, mut each: impl FnMut(u64, Handle)) -> Result<u64, Error> {
    let before = count(env.own);
    loop {
        match call::handle_duplicate(handle, Rights::ALL) {
            Ok(copy) => each(count(env.own) - before, copy),
            Err(Error::TooMany) => return Ok(count(env.own) - before),
            Err(error) => return Err(error),
        }
    }
}

/// As many handles as there may be, noted in an area; then all are closed.
fn grow_to_the_quota(env: &Env<'_>) -> Outcome {
    let notes = Area::open(QUOTA * 8 / PAGE).must(env, "area")?;
    let notes = notes
        .map(env.own, 0, QUOTA * 8 / PAGE, RW)
        .must(env, "map")?;
    let event = event(env)?;
    let before = count(env.own);
    let copies = fill(env, event.0, |number, copy| {
        crate::area::store(notes.at(0, number - 1), copy.0);
    });
    let copies = copies.must(env, "fill")?;
    same!(env, before + copies, QUOTA, "handles");
    let full = call::vm_area_create(area::OPEN, PAGE, 0);
    same!(env, full, Err(Error::TooMany), "one more");
    for number in 0..copies {
        let copy = Handle(crate::area::load(notes.at(0, number)));
        call::event_signal(copy, 1).must(env, "signal")?;
        call::handle_close(copy).must(env, "close")?;
    }
    same!(env, count(env.own), before, "handles then");
    Ok(())
}

/// As many copies as there may be go at once.
fn revoke_a_full_table(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    let before = count(env.own);
    let copies = fill(env, event.0, |_, _| {}).must(env, "fill")?;
    same!(env, before + copies, QUOTA, "handles");
    call::handle_revoke(event.0).must(env, "revoke")?;
    same!(env, count(env.own), before, "handles then");
    call::event_signal(event.0, 1).must(env, "signal")
}
