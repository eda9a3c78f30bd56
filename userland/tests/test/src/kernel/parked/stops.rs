//! Parked threads that are suspended, moved, made more urgent and looked at.

use sys::abi::thread::{AT_BORDER, IN_CALL, Registers, SUSPENDED, WAITING};
use sys::abi::{Error, NEVER, Rights, Sysno, Wire};
use sys::call;
use sys::message::{self, Message};

use super::super::order::{apic, apics};
use super::super::orders::Orders;
use super::super::worker::{Body, Worker};
use super::super::{MS, event, mailbox, rest, until};
use super::{HOLD, Scene, WARM, call_by, start, warm};
use crate::area::Owned;
use crate::child::{Child, Code};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

fn suspend(env: &Env<'_>, worker: &Worker<'_>) -> Outcome {
    worker.reach(WAITING).must(env, "it waits")?;
    call::thread_suspend(worker.handle()).must(env, "suspend")?;
    worker.reach(SUSPENDED).must(env, "it is suspended")
}

fn resume(env: &Env<'_>, worker: &Worker<'_>) -> Outcome {
    call::thread_resume(worker.handle()).must(env, "resume")
}

/// What comes for a parked thread that is suspended waits until it is resumed; one that is resumed before waits on.
pub fn suspended(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 8;
    let scene = Scene::new(env)?;
    let (serves, holds, visits) = (
        Body::new(|| scene.serve()),
        Body::new(|| scene.hold()),
        Body::new(|| scene.visit()),
    );
    let server = start(env, &serves)?;
    for round in 0..ROUNDS {
        let caller = start(env, &holds)?;
        scene.reach(env, round + 1)?;
        suspend(env, &caller)?;
        if round % 2 == 0 {
            resume(env, &caller)?;
            rest(MS).must(env, "rest")?;
            if round % 4 == 0 {
                suspend(env, &caller)?;
            }
        }
        check!(env, !caller.has_ended(), "it went on without an answer");
        scene.open(env)?;
        server.reach(WAITING).must(env, "it has answered")?;
        if round % 4 != 2 {
            rest(2 * MS).must(env, "rest")?;
            caller.reach(SUSPENDED).must(env, "it is suspended still")?;
            check!(env, !caller.has_ended(), "it went on although suspended");
            resume(env, &caller)?;
        }
        same!(env, caller.join(), Ok(1), "the answer in round {round}");
        // The server, on which a caller waits then.
        suspend(env, &server)?;
        if round % 2 == 0 {
            resume(env, &server)?;
            rest(MS).must(env, "rest")?;
            if round % 4 == 0 {
                suspend(env, &server)?;
            }
        }
        let caller = start(env, &visits)?;
        if round % 4 != 2 {
            caller.reach(WAITING).must(env, "it calls")?;
            rest(2 * MS).must(env, "rest")?;
            check!(env, !caller.has_ended(), "it was answered");
            server.reach(SUSPENDED).must(env, "it is suspended still")?;
            resume(env, &server)?;
        }
        same!(env, caller.join(), Ok(1), "the visitor of round {round}");
    }
    scene.stop(env, &server, ROUNDS * (2 * WARM + 1))
}

/// A parked thread that may run elsewhere only goes on there.
pub fn moved(env: &Env<'_>) -> Outcome {
    let (apics, count) = apics(env)?;
    let (scene, go) = (Scene::new(env)?, event(env)?);
    let serves = Body::new(|| {
        let mut answer = Message::default();
        loop {
            let received = message::reply_receive(scene.mailbox.0, &answer)?.message;
            if received.tag.label() == HOLD {
                scene.pause()?;
            }
            answer = Message::new(0, &[apic()]);
        }
    });
    let visits = |label| {
        for _ in 0..WARM {
            message::call(scene.mailbox.0, &Message::new(1, &[]))?;
        }
        if label != HOLD {
            call::event_wait(go.0, 1, 0, NEVER)?;
        }
        message::call(scene.mailbox.0, &Message::new(label, &[]))
    };
    let holds = Body::new(|| visits(HOLD).map(|_| apic()));
    let calls = Body::new(|| visits(1).map(|answer| answer.words[0]));
    let server = start(env, &serves)?;
    for round in 0..24 {
        let cpu = round * 3 % count;
        let caller = start(env, &holds)?;
        scene.reach(env, round as u64 + 1)?;
        caller.reach(WAITING).must(env, "it waits")?;
        caller.pin(cpu as u64).must(env, "pin")?;
        scene.open(env)?;
        same!(env, caller.join(), Ok(apics[cpu]), "where the caller is");
        let caller = start(env, &calls)?;
        caller.reach(WAITING).must(env, "it waits")?;
        // It waits at the gate, or for an answer on the way there.
        rest(MS).must(env, "rest")?;
        server.reach(WAITING).must(env, "the server waits")?;
        server.pin(cpu as u64).must(env, "pin")?;
        call::event_signal(go.0, 1).must(env, "go on")?;
        same!(env, caller.join(), Ok(apics[cpu]), "where the server is");
        server.reach(WAITING).must(env, "it waits")?;
        server.pin(0).must(env, "pin")?;
    }
    Ok(())
}

/// A parked server becomes as urgent as those who wait for it, and is what it was with the answer.
pub fn urgent(env: &Env<'_>) -> Outcome {
    const BASE: u64 = 5;
    let scene = Scene::new(env)?;
    let gate = event(env)?;
    let serves = Body::new(|| scene.serve());
    let late = Body::new(|| {
        call::event_wait(gate.0, 1, 0, NEVER)?;
        call_by(scene.mailbox.0, 1)
    });
    let holds = Body::new(|| {
        call::event_wait(gate.0, 1, 0, NEVER)?;
        scene.hold()
    });
    let server = start(env, &serves)?;
    server.set_priority(BASE).must(env, "priority")?;
    let start_with = |body, priority| {
        let worker = start(env, body)?;
        worker.reach(WAITING).must(env, "it waits")?;
        worker.set_priority(priority).must(env, "priority")?;
        call::event_signal(gate.0, 1).must(env, "go")?;
        Ok(worker)
    };
    let is = |priority| {
        until(|| server.info().effective_priority == priority).must(env, "the server's priority")
    };
    for (round, (first, second)) in (1..).zip([(BASE, 2), (2, 3), (7, 6), (6, 1), (3, BASE)]) {
        let caller = start_with(&holds, first)?;
        scene.reach(env, round)?;
        is(first.min(BASE))?;
        let worker = start(env, &late)?;
        worker.reach(WAITING).must(env, "it waits")?;
        worker.set_priority(second).must(env, "priority")?;
        call::event_signal(gate.0, 1).must(env, "go")?;
        is(first.min(second).min(BASE))?;
        same!(env, server.info().priority, BASE, "its own priority");
        scene.open(env)?;
        same!(env, caller.join(), Ok(1), "first answer");
        same!(env, worker.join(), Ok(1), "second answer");
        server.reach(WAITING).must(env, "it waits")?;
        is(BASE)?;
    }
    scene.stop(env, &server, 5 * (WARM + 2))
}

/// A parked thread that is suspended shows with what it made its call, and when that is over what came of it.
pub fn debugged(env: &Env<'_>) -> Outcome {
    let (scene, theirs) = (Scene::new(env)?, mailbox(env)?);
    let child = Child::new(env).must(env, "child")?;
    let orders = Orders::new(env, &child).must(env, "orders")?;
    orders.keep_alive().must(env, "keep alive")?;
    let give = |handle: &Owned| {
        let copy = call::handle_duplicate(handle.0, Rights::ALL)?;
        call::handle_give(child.handle(), copy)
    };
    let (ours_there, theirs_there) = (give(&scene.mailbox), give(&theirs));
    let (ours_there, theirs_there) = (
        ours_there.must(env, "give")?,
        theirs_there.must(env, "give")?,
    );
    let read = |thread: &Owned| call::thread_read_registers(thread.0);
    let stop = |thread: &Owned, place| {
        until(|| read(thread).is_ok_and(|now| now.place == place)).must(env, "it stops")?;
        read(thread).must(env, "read")
    };
    let within = |within: &Registers, number: Sysno| Registers {
        rax: number as u64,
        rbx: within.rbx,
        rbp: within.rbp,
        rip: within.rip,
        rsp: within.rsp,
        rflags: within.rflags,
        place: IN_CALL,
        ..Registers::default()
    };
    let serves = Body::new(|| scene.serve());
    let visits = Body::new(|| scene.visit());
    let server = start(env, &serves)?;
    same!(env, start(env, &visits)?.join(), Ok(1), "a visitor");
    let words = [ours_there.0, 8 | HOLD << 12, 11, 12, 13, 14, 15, 16, 17, 18];
    let caller = orders.give(0, Sysno::MailboxCall, &words, 0);
    let caller = caller.must(env, "order")?;
    scene.reach(env, 1)?;
    let waits = || call::thread_info(caller.0).is_ok_and(|info| info.state == WAITING);
    until(waits).must(env, "it waits")?;
    same!(env, read(&caller), Err(Error::NotReady), "not suspended");
    call::thread_suspend(caller.0).must(env, "suspend")?;
    let stopped = stop(&caller, IN_CALL)?;
    same!(env, stopped, within(&stopped, Sysno::MailboxCall), "within");
    let plain = Registers {
        place: AT_BORDER,
        ..stopped
    };
    let written = call::thread_write_registers(caller.0, plain.to_bytes().as_ref());
    same!(env, written, Err(Error::NotReady), "a change");
    scene.open(env)?;
    let after = stop(&caller, AT_BORDER)?;
    same!(
        env,
        (after.rax, after.rdx, after.r15),
        (0, !11, !18),
        "answer"
    );
    call::thread_resume(caller.0).must(env, "resume")?;
    until(|| orders.is_done(0)).must(env, "it goes on")?;
    same!(env, orders.result(0, 4), !12, "a word of the answer");
    scene.stop(env, &server, WARM + 1)?;

    let server = child.spawn(Code::Invert, theirs_there.0, 0);
    let server = server.must(env, "server")?;
    let warms = Body::new(|| warm(theirs.0).map(|()| 1));
    let calls = Body::new(|| call_by(theirs.0, 77));
    same!(env, start(env, &warms)?.join(), Ok(1), "calls there");
    call::thread_suspend(server.0).must(env, "suspend")?;
    let stopped = stop(&server, IN_CALL)?;
    let wanted = within(&stopped, Sysno::MailboxReplyReceive);
    same!(env, stopped, wanted, "a server within");
    same!(env, stopped.rbx, theirs_there.0, "its register");
    let caller = start(env, &calls)?;
    let after = stop(&server, AT_BORDER)?;
    same!(
        env,
        (after.rax, after.rdx, after.rdi),
        (0, 77, 0),
        "message"
    );
    caller.reach(WAITING).must(env, "it waits")?;
    let other = Registers { rdx: 78, ..after };
    let written = call::thread_write_registers(server.0, other.to_bytes().as_ref());
    written.must(env, "a change")?;
    call::thread_resume(server.0).must(env, "resume")?;
    same!(env, caller.join(), Ok(0), "the answer to another word");
    same!(env, start(env, &warms)?.join(), Ok(1), "calls there");
    Ok(())
}
