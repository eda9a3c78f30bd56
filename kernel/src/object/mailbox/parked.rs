//! The short way of calls: threads that wait in a mailbox while they are parked ([`crate::sched::direct`]).

use core::sync::atomic::Ordering;

use abi::message::{REGISTER_WORDS, Tag};
use abi::{Error, NEVER};
use ksync::{Answer, Arc};

use super::reply::{ReplyRight, copy_message};
use super::{Mailbox, Waiting, chain};
use crate::arch::current::IrqOff;
use crate::arch::current::trap::TrapFrame;
use crate::sched::direct::{self, Next, Parking};
use crate::sched::thread::Thread;
use crate::sched::{self, Ready, Woken};

/// The running thread, whose message was delivered, parks until it is answered; the one who got the message has the processor.
pub(super) fn call(mailbox: Arc<Mailbox>, server: Woken) -> ! {
    park(sched::current_ref(), mailbox);
    // SAFETY: nothing is left on the stack, and what the thread waits for is noted.
    unsafe { direct::hand_off(server, |_| false) }
}

/// The running thread, which is in the list of those who wait for a message, parks until there is one; the one that it has answered has
/// the processor.
pub(super) fn receive(mailbox: Arc<Mailbox>, caller: Woken) -> ! {
    park(sched::current_ref(), mailbox);
    // SAFETY: as above. Handles of an answer are the caller's already.
    unsafe {
        direct::hand_off(caller, |caller| {
            let is_over = is_in_registers(caller) && caller.ipc.call.ended() == Some(Answer::Given);
            if is_over {
                chain::leave(caller);
                end_wait(caller);
            }
            is_over
        })
    }
}

/// Whether no words of the message in a parked thread's frame are left to be stored.
fn is_in_registers(thread: &Thread) -> bool {
    // SAFETY: the thread was woken by us, and is parked: nobody else touches what is its own (invariant 13).
    Tag(unsafe { (*thread.frame()).rsi }).words() <= REGISTER_WORDS
}

/// Notes where the running thread is about to park.
#[inline(always)]
fn park(thread: &Thread, mailbox: Arc<Mailbox>) {
    let before = thread.ipc.parked.replace(Some(mailbox));
    // It was taken when the thread went on: there is nothing to drop.
    debug_assert!(before.is_none(), "a thread is parked in two calls");
    core::mem::forget(before);
}

/// Calls with a short message, if a server is parked, has served before, and may run here. Otherwise nothing has happened.
#[inline(always)]
pub fn try_call(parking: Parking, frame: *const TrapFrame, mailbox: Arc<Mailbox>, badge: u64) {
    let caller = parking.thread();
    let mut state = mailbox.state.lock_within(IrqOff::known());
    // Nobody else waits to be served while there is a server.
    let Some(first) = state.servers.first() else {
        return;
    };
    let server = first.0.thread();
    if !parking.suits(server) || !state.is_last(server) {
        return;
    }
    let Some(woken) = first.0.wake_parked() else {
        return;
    };
    let _ = state.pop_server();
    let serial = caller.ipc.call.begin();
    caller.ipc.place.enter(&mailbox);
    server.inherit(caller.priority());
    // SAFETY: neither of the two ends meanwhile: one runs, the other was woken by us and does not go on (invariant 13).
    unsafe {
        let to = server.frame();
        copy_message(frame, to);
        (*to).rdi = badge;
        let right = ReplyRight {
            caller: sched::counted(caller),
            serial,
        };
        server.ipc.serve(&mailbox, right);
    }
    drop(state);
    park(caller, mailbox);
    // SAFETY: nothing is left on the stack, and what the thread waits for is noted.
    unsafe {
        parking.hand_off(
            woken,
            #[inline(always)]
            |server, next| match next {
                Next::User => end_wait(server),
                Next::Kernel => server.ipc.is_received.store(true, Ordering::Release),
            },
        )
    }
}

/// Answers the call that the running thread serves with a short message, and waits for the next, if none waits yet, and the caller is
/// parked, and may run here. Otherwise nothing has happened.
#[inline(always)]
pub fn try_reply_and_receive(parking: Parking, frame: *const TrapFrame, mailbox: Arc<Mailbox>) {
    let server = parking.thread();
    let Some(right) = server.ipc.reply.take() else {
        return;
    };
    let Some(woken) = try_receive(parking, frame, &mailbox, &right) else {
        server.ipc.reply.set(Some(right));
        return;
    };
    let serial = right.serial;
    right.forget();
    park(server, mailbox);
    // SAFETY: nothing is left on the stack, and what the thread waits for is noted.
    unsafe {
        parking.hand_off(
            woken,
            #[inline(always)]
            |caller, next| match next {
                Next::User => {
                    caller.ipc.call.complete(serial);
                    chain::leave(caller);
                    end_wait(caller);
                }
                Next::Kernel => caller.ipc.call.finish(serial, Answer::Given),
            },
        )
    }
}

/// Writes the answer to the call that the running thread serves, wakes the caller, and puts the thread among those who wait for a
/// message: all of it or nothing. What is left to do for the caller is to end its call, which is claimed.
#[inline(always)]
fn try_receive(
    parking: Parking,
    frame: *const TrapFrame,
    mailbox: &Mailbox,
    right: &ReplyRight,
) -> Option<Woken> {
    let server = parking.thread();
    let caller = &*right.caller;
    let mut state = mailbox.state.lock_within(IrqOff::known());
    if state.is_closed || !state.callers.is_empty() || !parking.suits(caller) {
        return None;
    }
    if !caller.ipc.call.claim(right.serial) {
        return None;
    }
    // SAFETY: one runs, and the other has not ended, as its call is claimed.
    let (waiting, caller_ready) = unsafe { (Waiting::new(server), Ready::of(caller)) };
    let Some(woken) = caller_ready.wake_parked() else {
        caller.ipc.call.release(right.serial);
        return None;
    };
    // SAFETY: the call is claimed, and the caller was woken by us and does not go on (invariant 13). From the moment that the thread
    // is in the list others write to its frame: the answer is out of there by then.
    unsafe { copy_message(frame, caller.frame()) };
    server.forget_service();
    state.push_server(waiting);
    Some(woken)
}

/// Ends the system call of a parked thread, whose registers have the message, without an error. The first word of the message is the
/// value of the call. The thread was woken by us, and is parked: nobody else touches what is its own (invariant 13).
#[inline(always)]
fn end_wait(thread: &Thread) {
    drop(thread.ipc.parked.take());
    // SAFETY: as above.
    unsafe { (*thread.frame()).rax = 0 };
}

/// What the running thread, which was parked, has waited for.
pub enum Waited {
    /// The answer to its call.
    Answer,
    /// A message, from this mailbox.
    Message(Arc<Mailbox>),
}

/// Waits on where the running thread has parked, until there is what it waits for.
///
/// # Errors
/// As [`Mailbox::call`] and [`Mailbox::reply_and_receive`].
pub fn go_on() -> Result<Waited, Error> {
    let thread = sched::current_ref();
    let Some(mailbox) = thread.ipc.parked.take() else {
        unreachable!("a thread is parked that waits for nothing");
    };
    if thread.ipc.place.target().is_null() {
        mailbox.wait_for_message(thread, NEVER)?;
        return Ok(Waited::Message(mailbox));
    }
    let result = mailbox.wait_for_answer(thread, NEVER);
    mailbox.end_call(thread, result)?;
    Ok(Waited::Answer)
}
