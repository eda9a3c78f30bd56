//! Parked threads that end, and whose mailbox ends.

use sys::abi::thread::{SUSPENDED, WAITING};
use sys::abi::{Error, Rights, Sysno};
use sys::call;

use super::super::orders::Orders;
use super::super::worker::Body;
use super::super::{mailbox, until};
use super::{HOLD, Scene, WARM, call_by, start, warm};
use crate::area::{Area, Owned, PAGE, RW};
use crate::child::{Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// The answer to a parked caller that was ended goes nowhere, and the server serves those who wait already, or come later.
pub fn caller_killed(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 6;
    let scene = Scene::new(env)?;
    let (serves, holds) = (Body::new(|| scene.serve()), Body::new(|| scene.hold()));
    let server = start(env, &serves)?;
    for round in 0..ROUNDS {
        let first = start(env, &holds)?;
        scene.reach(env, 2 * round + 1)?;
        first.reach(WAITING).must(env, "it waits")?;
        let mut second = None;
        if round % 2 == 0 {
            let worker = start(env, &holds)?;
            worker.reach(WAITING).must(env, "the next waits")?;
            second = Some(worker);
        }
        first.kill().must(env, "kill")?;
        same!(env, first.join(), Err(Error::Ended), "the first");
        scene.open(env)?;
        let second = match second {
            Some(worker) => worker,
            None => start(env, &holds)?,
        };
        scene.reach(env, 2 * round + 2)?;
        scene.open(env)?;
        same!(env, second.join(), Ok(1), "the next");
    }
    scene.stop(env, &server, 2 * ROUNDS * (WARM + 1))
}

/// A parked caller whose server thread ends is told; what waits in the mailbox goes to another server.
pub fn server_thread_ends(env: &Env<'_>) -> Outcome {
    let scene = Scene::new(env)?;
    let (serves, holds, visits) = (
        Body::new(|| scene.serve()),
        Body::new(|| scene.hold()),
        Body::new(|| scene.visit()),
    );
    for round in 0..4 {
        let server = start(env, &serves)?;
        let caller = start(env, &holds)?;
        scene.reach(env, round + 1)?;
        caller.reach(WAITING).must(env, "it waits")?;
        server.kill().must(env, "kill")?;
        same!(env, caller.join(), Err(Error::PeerClosed), "the caller");
        // One that is parked itself when it is ended.
        let server = start(env, &serves)?;
        let visitor = start(env, &visits)?;
        same!(env, visitor.join(), Ok(1), "a visitor");
        server.reach(WAITING).must(env, "it waits")?;
        server.kill().must(env, "kill")?;
        let caller = start(env, &visits)?;
        caller.reach(WAITING).must(env, "it waits")?;
        check!(env, !caller.has_ended(), "it was told, or answered");
        let next = start(env, &serves)?;
        same!(env, caller.join(), Ok(1), "the caller");
        scene.stop(env, &next, WARM)?;
    }
    Ok(())
}

/// The process of a parked server ends while a caller is parked, too.
pub fn server_process_ends(env: &Env<'_>) -> Outcome {
    for _ in 0..4 {
        let (child, mailbox) = (Child::new(env).must(env, "child")?, mailbox(env)?);
        let client = call::mailbox_badge(mailbox.0, 3).map(Owned);
        let client = client.must(env, "badge")?;
        let there = call::handle_give(child.handle(), mailbox.0).must(env, "give")?;
        let server = child.spawn(Code::Invert, there.0, 0).must(env, "server")?;
        let (warms, calls) = (
            Body::new(|| warm(client.0).map(|()| 1)),
            Body::new(|| warm(client.0).and_then(|()| call_by(client.0, 1))),
        );
        same!(env, start(env, &warms)?.join(), Ok(1), "before");
        // It stops as soon as it has the next call, which it does not answer.
        call::thread_suspend(server.0).must(env, "suspend")?;
        let caller = start(env, &calls)?;
        caller.reach(WAITING).must(env, "it waits")?;
        let state = || call::thread_info(server.0).map(|info| info.state);
        until(|| state() == Ok(SUSPENDED)).must(env, "it stops")?;
        call::process_kill(child.handle(), 5).must(env, "kill")?;
        same!(env, child.end(), Ok(End::Status(5)), "the end");
        same!(env, caller.join(), Err(Error::PeerClosed), "the caller");
        let later = call_by(client.0, 1);
        same!(env, later, Err(Error::PeerClosed), "a later one");
    }
    Ok(())
}

/// The last handle goes by which a parked server could receive.
pub fn mailbox_closed(env: &Env<'_>) -> Outcome {
    for _ in 0..4 {
        let scene = Scene::new(env)?;
        let client = call::mailbox_badge(scene.mailbox.0, 1).map(Owned);
        let client = client.must(env, "badge")?;
        let (serves, visits) = (Body::new(|| scene.serve()), Body::new(|| scene.visit()));
        let server = start(env, &serves)?;
        same!(env, start(env, &visits)?.join(), Ok(1), "a visitor");
        server.reach(WAITING).must(env, "it waits")?;
        call::handle_close(scene.mailbox.0).must(env, "close")?;
        same!(env, server.join(), Err(Error::PeerClosed), "the server");
        let later = call_by(client.0, 1);
        same!(env, later, Err(Error::PeerClosed), "a later call");
    }
    Ok(())
}

/// A process ends with threads that are parked, on either side: what it held is back.
pub fn memory_is_back(env: &Env<'_>) -> Outcome {
    /// Pages that only the child holds.
    const PAGES: u64 = 1024;
    /// Pages that the account of the child, which is still there, may keep for later.
    const KEPT: u64 = 256;
    let used = || call::process_info(env.own).map(|info| info.memory / PAGE);
    for round in 0..20 {
        let scene = Scene::new(env)?;
        let (child, theirs) = (Child::new(env).must(env, "child")?, mailbox(env)?);
        let before = used().must(env, "info")?;
        let area = Area::open(PAGES).must(env, "area")?;
        call::vm_area_commit(area.handle(), 0, PAGES * PAGE).must(env, "commit")?;
        area.map(child.handle(), 0, PAGES, RW)
            .must(env, "map")?
            .keep();
        drop(area);
        let there = |handle: &Owned| {
            let copy = call::handle_duplicate(handle.0, Rights::ALL)?;
            call::handle_give(child.handle(), copy)
        };
        let (theirs_there, ours_there) = (there(&theirs), there(&scene.mailbox));
        let (theirs_there, ours_there) = (
            theirs_there.must(env, "give")?,
            ours_there.must(env, "give")?,
        );
        let orders = Orders::new(env, &child).must(env, "orders")?;
        orders.keep_alive().must(env, "keep alive")?;
        child
            .start_on(Code::Invert, theirs_there.0, 0)
            .must(env, "server")?;
        let warms = Body::new(|| warm(theirs.0).map(|()| 1));
        same!(env, start(env, &warms)?.join(), Ok(1), "calls there");
        let (serves, visits) = (Body::new(|| scene.serve()), Body::new(|| scene.visit()));
        let server = start(env, &serves)?;
        same!(env, start(env, &visits)?.join(), Ok(1), "a visitor");
        let caller = orders.give(0, Sysno::MailboxCall, &[ours_there.0, HOLD << 12], 0);
        caller.must(env, "call from there")?;
        scene.reach(env, 1)?;
        call::process_kill(child.handle(), 9).must(env, "kill")?;
        same!(env, child.end(), Ok(End::Status(9)), "the end");
        check!(env, !orders.is_done(0), "the caller went on");
        let after = used().must(env, "info")?;
        check!(
            env,
            after <= before + KEPT,
            "round {round}: {after} pages, {before} before"
        );
        scene.open(env)?;
        scene.stop(env, &server, WARM + 1)?;
        let late = sys::message::call_until(theirs.0, &Default::default(), call::clock_read());
        same!(
            env,
            late,
            Err(Error::TimedOut),
            "a call of one that has ended"
        );
    }
    Ok(())
}
