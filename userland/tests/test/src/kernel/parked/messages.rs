//! What travels between parked threads, and what of their registers is kept.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::message::{REGISTER_WORDS, Tag, WORDS_MAX};
use sys::abi::{Error, Handle, Rights, Sysno};
use sys::call;
use sys::message::long::{Buffer, Room};
use sys::message::{self, Message};

use super::super::worker::Body;
use super::super::{event, mailbox, until};
use super::{HOLD, Scene, WARM, call_by, inverted, start, warm};
use crate::area::Owned;
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// What is in RBX during a call, and what RBP differs by.
const BESIDE: u64 = 0x0123_4567_89ab_cdef;
const APART: u64 = 0x5555_aaaa;
/// CF, PF, AF, ZF, SF, DF, OF, the one that is always set, and interrupts.
const FLAGS: u64 = 0xed7;

/// A call by its number, with something in all registers; error, badge, what came, and whether all else is as it was.
fn raw(number: u64, handle: Handle, sent: &Message) -> (u64, u64, Message, bool) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = sent.words;
    let (error, badge, tag): (u64, u64, u64);
    let (apart, flags): (u64, u64);
    // SAFETY: RBX, RBP and the flags are put back, and the kernel changes nothing but the registers that are named here.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "mov rbx, {beside}",
            "mov rbp, {other}",
            "push {flags}",
            "popfq",
            "syscall",
            "pushfq",
            "pop r11",
            "cld",
            "mov rcx, rbx",
            "xor rcx, rbp",
            "pop rbp",
            "pop rbx",
            beside = const BESIDE,
            other = const BESIDE ^ APART,
            flags = const FLAGS,
            inlateout("rax") number => error,
            inlateout("rdi") handle.0 => badge,
            inlateout("rsi") sent.tag.0 => tag,
            inlateout("rdx") a,
            inlateout("r10") b,
            inlateout("r8") c,
            inlateout("r9") d,
            inlateout("r12") e,
            inlateout("r13") f,
            inlateout("r14") g,
            inlateout("r15") h,
            lateout("rcx") apart,
            lateout("r11") flags,
        );
    }
    let message = Message {
        tag: Tag(tag),
        words: [a, b, c, d, e, f, g, h],
    };
    let is_kept = apart == APART && flags == FLAGS;
    (error, badge, message, is_kept)
}

/// A message with so many words, and with something in all registers.
fn full(side: u64, round: u64, words: u64) -> Message {
    Message {
        tag: Tag::new(side << 40 | round, words as u8),
        words: core::array::from_fn(|index| !(side << 56 | round << 16 | index as u64)),
    }
}

/// What the receiver of a message finds in its registers: its own, but for the words that the message has.
fn mixed(sent: &Message, own: &Message) -> Message {
    let mut mixed = *own;
    mixed.tag = sent.tag;
    let words = sent.tag.words();
    mixed.words[..words].copy_from_slice(&sent.words[..words]);
    mixed
}

/// All lengths of messages and answers: what comes is the message, and no register more is touched, on either side.
pub fn registers(env: &Env<'_>) -> Outcome {
    const LENGTHS: u64 = REGISTER_WORDS as u64 + 1;
    const ROUNDS: u64 = 4 * LENGTHS * LENGTHS;
    let mailbox = mailbox(env)?;
    let client = call::mailbox_badge(mailbox.0, 99).map(Owned);
    let client = client.must(env, "badge")?;
    let lengths = |round: u64| (round / LENGTHS % LENGTHS, round % LENGTHS);
    let calls = Body::new(|| {
        for round in 0..ROUNDS {
            let (there, back) = lengths(round);
            let sent = full(1, round, there);
            let (error, badge, answer, is_kept) = raw(Sysno::MailboxCall as u64, client.0, &sent);
            let wanted = mixed(&full(2, round, back), &sent);
            if (error, badge, answer, is_kept) != (0, client.0.0, wanted, true) {
                return Ok(round);
            }
        }
        Ok(ROUNDS)
    });
    let serves = Body::new(|| {
        let mut own = full(3, 0, 0);
        for round in 0..ROUNDS {
            let (there, back) = lengths(round);
            let number = Sysno::MailboxReplyReceive as u64;
            let (error, badge, received, is_kept) = raw(number, mailbox.0, &own);
            let wanted = mixed(&full(1, round, there), &own);
            if (error, badge, received, is_kept) != (0, 99, wanted, true) {
                return Ok(round);
            }
            own = full(2, round, back);
        }
        message::reply(mailbox.0, &own)?;
        Ok(ROUNDS)
    });
    let server = start(env, &serves)?;
    let caller = start(env, &calls)?;
    same!(env, server.join(), Ok(ROUNDS), "rounds of the server");
    same!(env, caller.join(), Ok(ROUNDS), "rounds of the caller");
    Ok(())
}

/// A number that only begins as that of a call is none, whoever is parked.
pub fn number(env: &Env<'_>) -> Outcome {
    let scene = Scene::new(env)?;
    let serves = Body::new(|| scene.serve());
    let server = start(env, &serves)?;
    let calls = Body::new(|| {
        warm(scene.mailbox.0)?;
        let sent = Message::new(5, &[6]);
        let number = Sysno::MailboxCall as u64 | 1 << 32;
        let (error, _, _, is_kept) = raw(number, scene.mailbox.0, &sent);
        Ok(u64::from(error == Error::UnknownCall.number() && is_kept))
    });
    same!(
        env,
        start(env, &calls)?.join(),
        Ok(1),
        "whether it is unknown"
    );
    scene.stop(env, &server, WARM)
}

/// Words of a long message, all different.
fn content(side: u64, round: u64) -> [u64; WORDS_MAX] {
    core::array::from_fn(|index| !(side << 56 | round << 16 | index as u64))
}

/// Long messages and handles go to parked threads and come from them, between short ones.
pub fn long(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 200;
    let (mailbox, event) = (mailbox(env)?, event(env)?);
    let object = |handle: Handle| call::handle_info(handle).map(|info| info.object);
    let wanted = object(event.0).must(env, "info")?;
    // Four short rounds, and one that is not: long there, long back, with a handle, all of that.
    let lengths = |round: u64| match round % 20 {
        4 => (64, 3, 0),
        9 => (2, 33, 0),
        14 => (5, 0, 1),
        19 => (63, 20, 1),
        _ => (round as usize % 9, round as usize % 7, 0),
    };
    let calls = Body::new(|| {
        let mut room = Room::new();
        let mut buffer = Buffer::new(&mut room)?;
        for round in 0..ROUNDS {
            let (there, back, handles) = lengths(round);
            let copy = call::handle_duplicate(event.0, Rights::ALL)?;
            buffer.put(round, &[copy][..handles], &content(1, round)[..there]);
            buffer.call(mailbox.0)?;
            let mut answer = [Handle(0); 1];
            for (place, handle) in answer.iter_mut().zip(buffer.handles()) {
                *place = handle;
            }
            let is_right = buffer.tag()
                == Tag::new(round, (back + handles) as u8).with_handles(handles as u8)
                && buffer.words()[handles..] == content(2, round)[..back];
            let copy = if handles == 1 { answer[0] } else { copy };
            if !is_right || object(copy)? != wanted {
                return Ok(round);
            }
            call::handle_close(copy)?;
        }
        Ok(ROUNDS)
    });
    let serves = Body::new(|| {
        let mut room = Room::new();
        let mut buffer = Buffer::new(&mut room)?;
        for round in 0..ROUNDS {
            let (there, back, handles) = lengths(round);
            buffer.reply_receive(mailbox.0)?;
            let mut sent = [Handle(0); 1];
            for (place, handle) in sent.iter_mut().zip(buffer.handles()) {
                *place = handle;
            }
            let words = &buffer.words()[handles..];
            if buffer.tag().label() != round || *words != content(1, round)[..there] {
                return Ok(round);
            }
            buffer.put(round, &sent[..handles], &content(2, round)[..back]);
        }
        buffer.reply(mailbox.0)?;
        Ok(ROUNDS)
    });
    let server = start(env, &serves)?;
    let caller = start(env, &calls)?;
    same!(env, server.join(), Ok(ROUNDS), "rounds of the server");
    same!(env, caller.join(), Ok(ROUNDS), "rounds of the caller");
    Ok(())
}

/// A parked server without a buffer takes no long message, and serves on.
pub fn without_a_buffer(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 20;
    let scene = Scene::new(env)?;
    let (serves, visits) = (Body::new(|| scene.serve()), Body::new(|| scene.visit()));
    let sends = Body::new(|| {
        let mut room = Room::new();
        let mut buffer = Buffer::new(&mut room)?;
        for _ in 0..ROUNDS {
            warm(scene.mailbox.0)?;
            buffer.put(1, &[], &[1; 9]);
            if buffer.call(scene.mailbox.0) != Err(Error::NotTaken) {
                return Ok(0);
            }
        }
        Ok(1)
    });
    let server = start(env, &serves)?;
    let sender = start(env, &sends)?;
    same!(env, sender.join(), Ok(1), "whether all were refused");
    same!(env, start(env, &visits)?.join(), Ok(1), "a visitor");
    scene.stop(env, &server, (ROUNDS + 1) * WARM)
}

/// A parked caller is answered later, by another thread that has the right to, or by a plain reply.
pub fn answered_later(env: &Env<'_>) -> Outcome {
    const ROUNDS: u64 = 8;
    let scene = Scene::new(env)?;
    let (right, replied) = (AtomicU64::new(0), AtomicU64::new(0));
    let serves = Body::new(|| {
        let mut received = message::receive(scene.mailbox.0, u64::MAX)?.message;
        loop {
            let answer = inverted(&received);
            received = match received.tag.label() {
                HOLD if right.load(Ordering::Acquire) == 0 => {
                    right.store(call::mailbox_detach()?.0, Ordering::Release);
                    message::reply_receive(scene.mailbox.0, &answer)?.message
                }
                HOLD => {
                    scene.pause()?;
                    message::reply(scene.mailbox.0, &answer)?;
                    replied.fetch_add(1, Ordering::AcqRel);
                    message::receive(scene.mailbox.0, u64::MAX)?.message
                }
                _ => message::reply_receive(scene.mailbox.0, &answer)?.message,
            };
        }
    });
    let (holds, visits) = (Body::new(|| scene.hold()), Body::new(|| scene.visit()));
    let _server = start(env, &serves)?;
    for round in 0..ROUNDS {
        right.store(0, Ordering::Release);
        let caller = start(env, &holds)?;
        until(|| right.load(Ordering::Acquire) != 0).must(env, "it has the right")?;
        // The server has others to serve meanwhile, one of which is not answered at once.
        same!(env, start(env, &visits)?.join(), Ok(1), "a visitor");
        let second = start(env, &holds)?;
        scene.reach(env, round + 1)?;
        check!(env, !caller.has_ended(), "it was answered");
        let answer = inverted(&Message::new(HOLD, &[HOLD, HOLD << 20, !HOLD]));
        let reply = Owned(Handle(right.load(Ordering::Acquire)));
        if round % 4 == 3 {
            drop(reply);
            same!(env, caller.join(), Err(Error::PeerClosed), "no answer");
        } else {
            message::answer(reply.0, &answer).must(env, "answer")?;
            same!(env, caller.join(), Ok(1), "the late answer");
        }
        scene.open(env)?;
        same!(env, second.join(), Ok(1), "the second answer");
        same!(env, call_by(scene.mailbox.0, 3), Ok(1), "a call of ours");
        same!(env, replied.load(Ordering::Acquire), round + 1, "replies");
    }
    Ok(())
}
