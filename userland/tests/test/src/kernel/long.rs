//! Messages with more words than fit into registers, and with handles.

use sys::abi::message::{HANDLES_MAX, REGISTER_WORDS, Tag, WORDS_MAX};
use sys::abi::process::ANY_CPU;
use sys::abi::thread::WAITING;
use sys::abi::{Error, Handle, NEVER, Rights, Sysno};
use sys::call;
use sys::message::long::{Buffer, Room};
use sys::message::{self, Message};

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{MS, event, mailbox, soon, until};
use crate::area::{Area, Owned, RW};
use crate::child::Child;
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// Words of a message, all different.
fn content(side: u64, round: u64) -> [u64; WORDS_MAX] {
    core::array::from_fn(|index| !(side << 56 | round << 16 | index as u64))
}

/// Every length, with another one for the answer: all words come, and no word more is touched.
pub fn words(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 2 * WORDS_MAX as u64;
    let mailbox = mailbox(env)?;
    let lengths = |round: u64| (round as usize % 65, (round * 7 + 3) as usize % 65);
    let body = Body::new(|| {
        let mut room = Room::new();
        let mut buffer = Buffer::new(&mut room)?;
        for round in 0..ROUNDS {
            let (there, back) = lengths(round);
            let sent = content(1, round);
            buffer.put(0, &[], &sent);
            buffer.set_tag(Tag::new(round, there as u8));
            buffer.call(mailbox.0)?;
            let answer = content(2, round);
            let is_right = buffer.tag() == Tag::new(round + 1, back as u8)
                && buffer.words() == &answer[..back];
            buffer.set_tag(Tag::new(0, WORDS_MAX as u8));
            if !is_right || buffer.words()[back..] != sent[back..] {
                return Ok(round);
            }
        }
        Ok(ROUNDS)
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room).must(env, "buffer")?;
    for round in 0..ROUNDS {
        let (there, back) = lengths(round);
        let received = buffer.reply_receive(mailbox.0);
        received.must(env, "receive")?;
        same!(env, buffer.tag(), Tag::new(round, there as u8), "tag");
        let wanted = content(1, round);
        check!(
            env,
            buffer.words() == &wanted[..there],
            "words of round {round}"
        );
        buffer.put(0, &[], &content(2, round));
        buffer.set_tag(Tag::new(round + 1, back as u8));
    }
    buffer.reply(mailbox.0).must(env, "the last reply")?;
    same!(env, worker.join(), Ok(ROUNDS), "rounds that were right");
    Ok(())
}

/// What a handle names.
fn object(handle: Handle) -> Result<(u64, u64), Error> {
    call::handle_info(handle).map(|info| (info.object, info.rights))
}

/// Handles go there and back: they name the same with the same rights, and the sender's are gone.
pub fn handles(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let body = Body::new(|| {
        // Sends back what comes, the first handle last.
        let mut message = Message::default();
        for _ in 0..=HANDLES_MAX {
            let received = message::reply_receive(mailbox.0, &message)?;
            message = received.message;
            let count = message.tag.handles();
            message.words[..count].reverse();
        }
        message::reply(mailbox.0, &message)?;
        Ok(0)
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    for count in 0..=HANDLES_MAX {
        let mut handles = [Handle(0); HANDLES_MAX];
        let mut objects = [(0, 0); HANDLES_MAX];
        for (place, seen) in handles.iter_mut().zip(&mut objects).take(count) {
            *place = call::event_create().must(env, "event")?;
            *seen = object(*place).must(env, "info")?;
        }
        let words = [0x77; HANDLES_MAX];
        let sent = Message::with_handles(5, &handles[..count], &words[count..]);
        let answer = message::call(mailbox.0, &sent).must(env, "call")?;
        same!(env, answer.tag, sent.tag, "tag with {count} handles");
        for handle in &handles[..count] {
            same!(env, object(*handle), Err(Error::BadHandle), "sent handle");
        }
        for (handle, wanted) in answer.handles().zip(objects[..count].iter().rev()) {
            same!(env, object(handle), Ok(*wanted), "handle of the answer");
            call::handle_close(handle).must(env, "close")?;
        }
        check!(
            env,
            answer.words[count..] == words[count..],
            "the other words"
        );
    }
    worker.join().must(env, "join").map(drop)
}

/// Handles go to another process and come from one, in messages of words and handles.
pub fn handles_across_processes(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let (ours, event) = (mailbox(env)?, event(env)?);
    let wanted = object(event.0).must(env, "info")?;
    let caller = call::mailbox_badge(ours.0, 4).must(env, "badge")?;
    let caller = call::handle_give(child.handle(), caller).must(env, "give")?;
    let copy = call::handle_duplicate(event.0, Rights::ALL).must(env, "copy")?;
    let there = call::handle_give(child.handle(), copy).must(env, "give")?;
    let orders = Orders::new(env, &child).must(env, "orders")?;
    orders.keep_alive().must(env, "keep alive")?;
    let tag = Tag::new(9, 2).with_handles(1);
    orders
        .give(
            0,
            Sysno::MailboxCall,
            &[caller.0, tag.0, there.0, 42],
            ANY_CPU,
        )
        .must(env, "call there")?;
    let received = message::receive(ours.0, soon()).must(env, "receive")?;
    same!(env, received.badge, 4, "badge");
    same!(env, received.message.tag, tag, "tag");
    same!(env, received.message.words[1], 42, "the word");
    let here = Handle(received.message.words[0]);
    same!(env, object(here), Ok(wanted), "the child's handle");
    let answer = Message::with_handles(10, &[here], &[43]);
    message::reply(ours.0, &answer).must(env, "reply")?;
    same!(env, object(here), Err(Error::BadHandle), "handle after");
    until(|| orders.is_done(0)).must(env, "it returns")?;
    same!(env, orders.result(0, 0), 0, "error of the child's call");
    same!(env, orders.result(0, 4), 43, "the answer's word");
    let back = orders.result(0, 3);
    for (handle, error) in [(there.0, Error::BadHandle.number()), (back, 0)] {
        let order = orders.give(1, Sysno::EventSignal, &[handle, 1 << 7], ANY_CPU);
        order.must(env, "signal there")?;
        until(|| orders.is_done(1)).must(env, "it returns")?;
        same!(env, orders.result(1, 0), error, "signal by {handle:#x}");
    }
    same!(env, call::event_take(event.0, u64::MAX), Ok(1 << 7), "bits");
    call::process_kill(child.handle(), 0).must(env, "kill")?;
    child.end().must(env, "end").map(drop)
}

/// Without buffers: the sender's is missed at once, a server's is the caller's error, a caller's is the server's, which can answer still.
pub fn without_buffers(env: &Env<'_>) -> Outcome {
    let mailbox = mailbox(env)?;
    let nine = Message {
        tag: Tag::new(1, 9),
        words: [1; REGISTER_WORDS],
    };
    let bad = Error::BadAddress;
    same!(env, message::call(mailbox.0, &nine), Err(bad), "call");
    let late = call::clock_read();
    let called = message::call_until(mailbox.0, &nine, late);
    same!(env, called, Err(Error::InvalidArgument), "call until");
    same!(env, message::reply(mailbox.0, &nine), Err(bad), "reply");

    let body = Body::new(|| {
        let mut room = Room::new();
        let mut buffer = Buffer::new(&mut room)?;
        buffer.put(1, &[], &[1; 9]);
        let first = buffer.call(mailbox.0);
        buffer.put(2, &[], &[2; 8]);
        buffer.call(mailbox.0)?;
        drop(buffer);
        let answer = message::call(mailbox.0, &Message::new(3, &[]))?;
        Ok(match first {
            Err(Error::NotTaken) => answer.tag.label(),
            _ => 0,
        })
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    // The first message is too long for this thread, which sees the second.
    let received = message::receive(mailbox.0, soon()).must(env, "receive")?;
    same!(env, received.message.tag, Tag::new(2, 8), "first tag");
    message::reply(mailbox.0, &Message::new(2, &[])).must(env, "reply")?;
    let received = message::receive(mailbox.0, soon()).must(env, "receive")?;
    same!(env, received.message.tag, Tag::new(3, 0), "second tag");
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room).must(env, "buffer")?;
    buffer.put(4, &[], &[4; 9]);
    let untaken = Err(Error::NotTaken);
    same!(env, buffer.reply(mailbox.0), untaken, "long reply");
    let again = buffer.reply_receive(mailbox.0).map(drop);
    same!(env, again, untaken, "and receive");
    buffer.put(77, &[], &[4; 8]);
    buffer.reply(mailbox.0).must(env, "short reply")?;
    same!(env, worker.join(), Ok(77), "the caller");
    Ok(())
}

/// Buffers that are not there: each side learns what it must, and no handle is lost.
pub fn bad_buffers(env: &Env<'_>) -> Outcome {
    let (mailbox, event) = (mailbox(env)?, event(env)?);
    for address in [1, 4, 12, sys::abi::USER_END - 8, sys::abi::USER_END] {
        let set = call::mailbox_set_buffer(address);
        same!(env, set, Err(Error::InvalidArgument), "at {address:#x}");
    }
    let own = env.own;
    let before = call::process_info(own).must(env, "info")?.handles;
    let body = Body::new(|| {
        // One page, of which the second half of the buffer is beyond the end.
        let view = Area::open(1)?.map(own, 0, 1, RW)?;
        let handle = call::handle_duplicate(event.0, Rights::ALL)?;
        let tag = Tag::new(6, 64).with_handles(1);
        let message = Message {
            tag,
            words: [handle.0; REGISTER_WORDS],
        };
        call::mailbox_set_buffer(view.at(1, 0) - 256)?;
        let cut = message::call(mailbox.0, &message).map(drop);
        // Only the first part is read; an answer of 64 words does not fit.
        let short = Message {
            tag: Tag::new(6, 32).with_handles(1),
            ..message
        };
        let answered = message::call(mailbox.0, &short).map(drop);
        call::mailbox_set_buffer(0)?;
        let wanted = (Err(Error::BadAddress), Err(Error::BadAddress));
        Ok(u64::from((cut, answered) == wanted))
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room).must(env, "buffer")?;
    buffer.receive(mailbox.0, soon()).must(env, "receive")?;
    same!(env, buffer.words().len(), 32, "words");
    let Some(here) = buffer.handles().next() else {
        check!(env, false, "no handle came");
        return Ok(());
    };
    buffer.put(7, &[here], &[7; 63]);
    buffer.reply(mailbox.0).must(env, "reply")?;
    same!(env, worker.join(), Ok(1), "the caller's errors");
    drop(worker);
    let after = call::process_info(env.own).must(env, "info")?.handles;
    same!(env, after, before, "handles");

    // A server whose buffer is gone: the caller keeps its handle.
    let body = Body::new(|| {
        let mut room = Room::new();
        let mut buffer = Buffer::new(&mut room)?;
        let handle = call::handle_duplicate(event.0, Rights::ALL)?;
        buffer.put(8, &[handle], &[8; 9]);
        let called = buffer.call(mailbox.0);
        call::handle_close(handle)?;
        Ok(u64::from(called == Err(Error::NotTaken)))
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    worker.reach(WAITING).must(env, "it calls")?;
    let view = Area::open(1).and_then(|area| area.map(env.own, 0, 1, RW));
    let view = view.must(env, "map")?;
    call::mailbox_set_buffer(view.at(0, 0)).must(env, "buffer")?;
    drop(view);
    let received = message::receive(mailbox.0, call::clock_read() + 5 * MS).map(drop);
    same!(env, received, Err(Error::TimedOut), "receive");
    drop(buffer);
    same!(env, worker.join(), Ok(1), "the caller's handle");
    Ok(())
}

/// Messages whose handles cannot be sent: an error, at once or when a server comes, and all of them stay.
pub fn handles_stay(env: &Env<'_>) -> Outcome {
    let (mailbox, event) = (mailbox(env)?, event(env)?);
    let copy = |rights| call::handle_duplicate(event.0, rights).map(Owned);
    let good = copy(Rights::ALL).must(env, "copy")?;
    let fixed = copy(Rights::SIGNAL).must(env, "copy")?;
    for (bad, wanted) in [
        (fixed.0, Error::AccessDenied),
        (Handle(0), Error::BadHandle),
        (Handle(u64::MAX), Error::BadHandle),
    ] {
        let sent = Message::with_handles(1, &[good.0, bad], &[]);
        same!(env, message::call(mailbox.0, &sent), Err(wanted), "call");
        same!(env, message::reply(mailbox.0, &sent), Err(wanted), "reply");
        object(good.0).must(env, "the good one stays")?;
    }
    // One that is there twice is found out when it is taken, and so is one that goes while the call waits.
    let gone = call::handle_duplicate(event.0, Rights::ALL).must(env, "copy")?;
    for second in [good.0, gone] {
        let body = Body::new(|| {
            let sent = Message::with_handles(1, &[good.0, second], &[]);
            message::call(mailbox.0, &sent).map(|_| 0)
        });
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        worker.reach(WAITING).must(env, "it calls")?;
        if second == gone {
            call::handle_revoke(event.0).must(env, "revoke")?;
        }
        let received = message::receive(mailbox.0, call::clock_read() + MS).map(drop);
        same!(env, received, Err(Error::TimedOut), "receive");
        same!(env, worker.join(), Err(Error::BadHandle), "the call");
        let stays = object(good.0).is_ok();
        same!(env, stays, second != gone, "whether the first one stays");
    }
    // The revocation has closed them.
    core::mem::forget((good, fixed));
    Ok(())
}

/// Long calls with a deadline: the eighth word comes from the buffer, and a message that nobody received keeps its handle.
pub fn deadlines(env: &Env<'_>) -> Outcome {
    let (mailbox, event) = (mailbox(env)?, event(env)?);
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room).must(env, "buffer")?;
    let sent = content(3, 0);
    buffer.put(1, &[event.0], &sent[1..]);
    let called = buffer.call_until(mailbox.0, call::clock_read() + 2 * MS);
    same!(env, called, Err(Error::TimedOut), "call of nobody");
    object(event.0).must(env, "the handle stays")?;
    drop(buffer);
    let body = Body::new(|| {
        let mut room = Room::new();
        let mut buffer = Buffer::new(&mut room)?;
        buffer.put(1, &[], &sent);
        buffer.call_until(mailbox.0, soon())?;
        Ok(u64::from(buffer.words() == &content(4, 0)[..8]))
    });
    let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
    let mut buffer = Buffer::new(&mut room).must(env, "buffer")?;
    buffer.receive(mailbox.0, NEVER).must(env, "receive")?;
    check!(env, buffer.words() == sent, "words with a deadline");
    buffer.put(2, &[], &content(4, 0)[..8]);
    buffer.reply(mailbox.0).must(env, "reply")?;
    same!(env, worker.join(), Ok(1), "the answer");
    Ok(())
}
