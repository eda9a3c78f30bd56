//! The end of a mailbox, of its server, of handles: whoever waits is told.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::process::ANY_CPU;
use sys::abi::thread::WAITING;
use sys::abi::{Error, Handle, NEVER, Rights, Sysno};
use sys::call;
use sys::message::{self, Message};

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{MS, event, mailbox, rest, soon, until};
use crate::area::Owned;
use crate::child::{Child, Code, End};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

fn call_by(handle: Handle) -> Result<u64, Error> {
    let answer = message::call(handle, &Message::new(1, &[]))?;
    Ok(answer.tag.label())
}

fn badge(env: &Env<'_>, mailbox: &Owned) -> Result<Owned, Failed> {
    call::mailbox_badge(mailbox.0, 1)
        .map(Owned)
        .must(env, "badge")
}

/// When nobody can receive any more, callers that wait are refused, and later ones at once.
pub fn refuses_callers(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let client = badge(env, &mailbox)?;
    let body = Body::new(|| call_by(client.0));
    let timed =
        Body::new(|| message::call_until(client.0, &Message::new(1, &[]), soon()).map(|_| 0));
    let mut workers = [const { None }; 4];
    for (index, place) in workers.iter_mut().enumerate() {
        let worker = if index % 2 == 0 {
            Worker::start(env.own, ANY_CPU, &body)
        } else {
            Worker::start(env.own, ANY_CPU, &timed)
        };
        let worker = worker.must(env, "start")?;
        worker.reach(WAITING).must(env, "it waits")?;
        *place = Some(worker);
    }
    drop(mailbox);
    for worker in workers.iter().flatten() {
        same!(
            env,
            worker.join(),
            Err(Error::PeerClosed),
            "one that waited"
        );
    }
    same!(
        env,
        call_by(client.0),
        Err(Error::PeerClosed),
        "a later one"
    );
    Ok(())
}

/// Threads that wait to receive are told, too.
pub fn refuses_receivers(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let first = Body::new(|| message::receive(mailbox.0, NEVER).map(|_| 0));
    let second = Body::new(|| message::receive(mailbox.0, soon()).map(|_| 0));
    let third = Body::new(|| message::reply_receive(mailbox.0, &Message::default()).map(|_| 0));
    let workers = [
        Worker::start(env.own, ANY_CPU, &first).must(env, "start")?,
        Worker::start(env.own, ANY_CPU, &second).must(env, "start")?,
        Worker::start(env.own, ANY_CPU, &third).must(env, "start")?,
    ];
    for worker in &workers {
        worker.reach(WAITING).must(env, "it waits")?;
    }
    call::handle_close(mailbox.0).must(env, "close")?;
    for worker in &workers {
        same!(
            env,
            worker.join(),
            Err(Error::PeerClosed),
            "one that waited"
        );
    }
    Ok(())
}

/// A mailbox is open while one handle with RECEIVE is there, wherever it is.
pub fn with_the_last_server(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let client = badge(env, &mailbox)?;
    let child = Child::new(env).must(env, "child")?;
    let copy = || call::handle_duplicate(mailbox.0, Rights::ALL).must(env, "copy");
    let second = Owned(copy()?);
    call::handle_give(child.handle(), copy()?).must(env, "give")?;
    drop(mailbox);
    let body = Body::new(|| call_by(client.0));
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it waits")?;
    drop(second);
    rest(5 * MS).must(env, "rest")?;
    check!(env, !worker.has_ended(), "refused while a server is there");
    call::process_kill(child.handle(), 1).must(env, "kill")?;
    same!(env, worker.join(), Err(Error::PeerClosed), "the caller");
    Ok(())
}

/// Copies that cannot receive do not keep a mailbox open, whoever has them: their owners are told of the end.
pub fn with_copies_of_clients(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let told = event(env)?;
    let rights = Rights::CALL.union(Rights::DUPLICATE);
    let rights = rights.union(Rights::TRANSFER);
    let copy = |handle: Handle, rights| call::handle_duplicate(handle, rights).map(Owned);
    let client = copy(mailbox.0, rights).must(env, "copy")?;
    // It has fewer rights already, and does not get them back.
    let again = copy(client.0, Rights::ALL).must(env, "copy again")?;
    let child = Child::new(env).must(env, "child")?;
    let given = call::handle_duplicate(again.0, rights).must(env, "copy to give")?;
    call::handle_give(child.handle(), given).must(env, "give")?;
    call::mailbox_on_closed(client.0, Some(told.0), 1).must(env, "bind")?;
    let body = Body::new(|| call_by(again.0));
    let waiting = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    waiting.reach(WAITING).must(env, "it waits")?;
    drop(mailbox);
    same!(env, waiting.join(), Err(Error::PeerClosed), "who waited");
    same!(env, call::event_take(told.0, 1), Ok(1), "the event");
    let later = call_by(client.0);
    same!(env, later, Err(Error::PeerClosed), "a later call");
    Ok(())
}

/// A server thread that ends, or is ended, refuses the call that it serves; the mailbox lives.
pub fn server_thread_ends(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let calls = Body::new(|| call_by(mailbox.0));
    let serving = AtomicU64::new(0);
    for is_killed in [true, false] {
        let serves = Body::new(|| {
            message::receive(mailbox.0, NEVER)?;
            serving.store(1, Ordering::Release);
            if is_killed {
                loop {
                    core::hint::spin_loop();
                }
            }
            Ok(0)
        });
        serving.store(0, Ordering::Release);
        let server = Worker::start(env.own, ANY_CPU, &serves).must(env, "server")?;
        let caller = Worker::start(env.own, ANY_CPU, &calls).must(env, "caller")?;
        until(|| serving.load(Ordering::Acquire) == 1).must(env, "it serves")?;
        if is_killed {
            check!(env, !caller.has_ended(), "refused too early");
            server.kill().must(env, "kill")?;
        }
        same!(env, caller.join(), Err(Error::PeerClosed), "the caller");
        let next = Worker::start(env.own, ANY_CPU, &calls).must(env, "the next")?;
        message::receive(mailbox.0, soon()).must(env, "receive")?;
        message::reply(mailbox.0, &Message::new(8, &[])).must(env, "reply")?;
        same!(env, next.join(), Ok(8), "the next");
    }
    Ok(())
}

/// A server process that ends refuses the call that it serves, and with the last handle those that wait.
pub fn server_process_ends(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let client = badge(env, &mailbox)?;
    let child = Child::new(env).must(env, "child")?;
    let there = call::handle_give(child.handle(), mailbox.0).must(env, "give")?;
    let orders = Orders::new(env, &child).must(env, "orders")?;
    // A thread that only waits keeps the process, so that the other may be ended by itself.
    let stays = orders.give(1, Sysno::ThreadSleep, &[NEVER], ANY_CPU);
    let stays = stays.must(env, "a thread that stays")?;
    let serves = orders.give(0, Sysno::MailboxReceive, &[there.0, NEVER], ANY_CPU);
    serves.must(env, "a server")?;
    // It receives, and ends without an answer.
    same!(env, call_by(client.0), Err(Error::PeerClosed), "first call");
    let body = Body::new(|| call_by(client.0));
    let waiting = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    waiting.reach(WAITING).must(env, "it waits")?;
    call::thread_kill(stays.0).must(env, "kill the last thread")?;
    same!(
        env,
        child.end().must(env, "end")?,
        End::Status(0),
        "the end"
    );
    same!(env, waiting.join(), Err(Error::PeerClosed), "second call");
    same!(env, call_by(client.0), Err(Error::PeerClosed), "third call");
    Ok(())
}

/// A mailbox names the thread that received last, which may be all that is left of a process: it goes when another one receives, be it
/// a thread that finds a message or one that waits for it. (The checked kernel sees whether a lock is held then.)
pub fn server_replaced(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let client = badge(env, &mailbox)?;
    let calls = Body::new(|| call_by(client.0));
    for is_waiting in [true, false] {
        let child = Child::new(env).must(env, "child")?;
        let copy = call::handle_duplicate(mailbox.0, Rights::ALL).must(env, "copy")?;
        let there = call::handle_give(child.handle(), copy).must(env, "give")?;
        child.start(Code::Invert, there.0).must(env, "start")?;
        same!(env, call_by(client.0), Ok(1), "the child's answer");
        call::process_kill(child.handle(), 1).must(env, "kill")?;
        child.end().must(env, "end")?;
        drop(child);
        let serves = Body::new(|| {
            message::receive(mailbox.0, soon())?;
            message::reply(mailbox.0, &Message::new(2, &[])).map(|()| 0)
        });
        if is_waiting {
            let server = Worker::start(env.own, ANY_CPU, &serves).must(env, "server")?;
            server.reach(WAITING).must(env, "it waits")?;
            same!(
                env,
                call_by(client.0),
                Ok(2),
                "the answer of one that waits"
            );
            same!(env, server.join(), Ok(0), "the server");
        } else {
            let caller = Worker::start(env.own, ANY_CPU, &calls).must(env, "caller")?;
            caller.reach(WAITING).must(env, "it waits")?;
            message::receive(mailbox.0, soon()).must(env, "receive")?;
            message::reply(mailbox.0, &Message::new(2, &[])).must(env, "reply")?;
            same!(
                env,
                caller.join(),
                Ok(2),
                "the answer of one that came later"
            );
        }
    }
    Ok(())
}

/// A call that is on its way is answered although the handle that it was made by is revoked; no other can be made by that.
pub fn revoked_client(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let client = call::mailbox_badge(mailbox.0, 5).must(env, "badge")?;
    let body = Body::new(|| call_by(client));
    let queued = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    queued.reach(WAITING).must(env, "it waits")?;
    call::handle_revoke(mailbox.0).must(env, "revoke")?;
    same!(env, call_by(client), Err(Error::BadHandle), "a later call");
    let received = message::receive(mailbox.0, 0).must(env, "receive")?;
    same!(env, received.badge, 5, "badge");
    message::reply(mailbox.0, &Message::new(6, &[])).must(env, "reply")?;
    same!(env, queued.join(), Ok(6), "answer");
    Ok(())
}

/// The mailbox stays open when copies of its handle are revoked that somebody waits by; it closes with the last.
pub fn revoked_server(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let client = badge(env, &mailbox)?;
    let master = call::handle_duplicate(mailbox.0, Rights::ALL).must(env, "copy")?;
    let copy = call::handle_duplicate(master, Rights::RECEIVE).must(env, "copy")?;
    let body = Body::new(|| message::receive(copy, NEVER).map(|_| 0));
    let server = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    server.reach(WAITING).must(env, "it waits")?;
    call::handle_revoke(master).must(env, "revoke")?;
    call::handle_close(master).must(env, "close")?;
    let gone = message::receive(copy, 0).map(drop);
    same!(env, gone, Err(Error::BadHandle), "the revoked handle");
    rest(5 * MS).must(env, "rest")?;
    check!(
        env,
        !server.has_ended(),
        "it was told although the mailbox is open"
    );
    drop(mailbox);
    same!(
        env,
        server.join(),
        Err(Error::PeerClosed),
        "the one that waits"
    );
    same!(env, call_by(client.0), Err(Error::PeerClosed), "a call");
    Ok(())
}

/// Clients are told that nobody can receive any more, each by its own events; at once if so.
pub fn tells_clients(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let client = badge(env, &mailbox)?;
    let (first, second) = (event(env)?, event(env)?);
    let on_closed = |event: &Owned, bits| call::mailbox_on_closed(client.0, Some(event.0), bits);
    let bits = |event: &Owned| call::event_take(event.0, NEVER);
    on_closed(&first, 1).must(env, "bind")?;
    on_closed(&second, 6).must(env, "bind the second")?;
    // The same event again: other bits in their place.
    on_closed(&first, 8).must(env, "bind again")?;
    let copy = call::handle_duplicate(mailbox.0, Rights::ALL).map(Owned);
    let copy = copy.must(env, "copy")?;
    drop(mailbox);
    same!(env, bits(&first), Ok(0), "a server is there");
    drop(copy);
    same!(env, bits(&first), Ok(8), "the first");
    same!(env, bits(&second), Ok(6), "the second");
    on_closed(&first, 16).must(env, "bind late")?;
    same!(env, bits(&first), Ok(16), "at once");
    let none = call::mailbox_on_closed(client.0, None, 1);
    same!(
        env,
        none,
        Err(Error::InvalidArgument),
        "bits without an event"
    );
    same!(
        env,
        on_closed(&first, 0),
        Err(Error::InvalidArgument),
        "no bits"
    );
    Ok(())
}

/// Who takes its bindings back is not told; others are. Nobody has more than eight.
pub fn tells_those_who_want_it(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let client = badge(env, &mailbox)?;
    let events = [(); 9].map(|()| event(env));
    for (index, event) in events.iter().enumerate() {
        let Ok(event) = event else { return Err(Failed) };
        let bound = call::mailbox_on_closed(client.0, Some(event.0), 1);
        let wanted = if index < 8 {
            Ok(())
        } else {
            Err(Error::TooMany)
        };
        same!(env, bound, wanted, "binding {index}");
    }
    call::mailbox_on_closed(client.0, None, 0).must(env, "take back")?;
    let last = event(env)?;
    call::mailbox_on_closed(client.0, Some(last.0), 1).must(env, "bind")?;
    drop(mailbox);
    for (index, event) in events.iter().enumerate() {
        let Ok(event) = event else { return Err(Failed) };
        let bits = call::event_take(event.0, NEVER);
        same!(env, bits, Ok(0), "binding {index} after it was taken back");
    }
    same!(env, call::event_take(last.0, NEVER), Ok(1), "the last");
    Ok(())
}

/// A client in another process is told when the server's process is killed, and what it bound is gone with it when it is killed itself.
pub fn tells_of_killed_servers(env: &Env<'_>) -> Outcome {
    let told = event(env)?;
    for round in 0..8 {
        let mailbox = mailbox(env)?;
        let client = badge(env, &mailbox)?;
        let server = Child::new(env).must(env, "child")?;
        server.start(Code::Spin, 0).must(env, "start")?;
        call::handle_give(server.handle(), mailbox.0).must(env, "give")?;
        call::mailbox_on_closed(client.0, Some(told.0), 1).must(env, "bind")?;
        rest(MS / 4).must(env, "rest")?;
        same!(env, call::event_take(told.0, 1), Ok(0), "in round {round}");
        call::process_kill(server.handle(), 1).must(env, "kill")?;
        let bits = call::event_wait(told.0, 1, 0, soon());
        same!(env, bits, Ok(1), "the end in round {round}");
    }
    Ok(())
}
