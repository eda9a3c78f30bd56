//! The answer to a call, and the messages in registers.

use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering;

use abi::Error;
use abi::message::Tag;
use ksync::{Answer, Arc, Serial};
use ktrace::Group;

use super::long;
use crate::arch::current::trap::TrapFrame;
use crate::sched::thread::Thread;
use crate::sched::{self, Ready, Woken};
use crate::trace;

/// The right to answer a call, once. Who drops it refuses: the caller gets `PeerClosed`.
pub struct ReplyRight {
    pub(super) caller: Arc<Thread>,
    pub(super) serial: Serial,
}

impl ReplyRight {
    /// Answers with the message in a frame, whose words beyond the registers are [loaded](long::load). Gives the caller if it
    /// is to be made to run, by whoever gets it here: it does not end before.
    ///
    /// # Errors
    /// `PeerClosed` when the caller waits no more. Otherwise those of [`long::answer`]: the caller waits on.
    ///
    /// # Safety
    /// `frame` is that of the running thread.
    pub(super) unsafe fn answer(&self, frame: *const TrapFrame) -> Result<Option<Woken>, Error> {
        let ipc = &self.caller.ipc;
        if !ipc.call.claim(self.serial) {
            return Err(Error::PeerClosed);
        }
        // SAFETY: the running thread's frame (caller).
        let tag = Tag(unsafe { (*frame).rsi });
        if tag.is_short() {
            // SAFETY: the right was claimed, so that the caller does not go on until it is finished (invariant 13).
            unsafe { copy_message(frame, self.caller.frame()) };
        } else {
            // SAFETY: as above.
            let answered = unsafe { long::answer(tag, frame, &self.caller) };
            if let Err(error) = answered {
                ipc.call.release(self.serial);
                return Err(error);
            }
        }
        ipc.call.finish(self.serial, Answer::Given);
        // SAFETY: we have a reference; and if it was blocked, it does not end before it is made to run.
        Ok(unsafe { Ready::of(&self.caller) }.wake())
    }

    /// The right was used up, or the call is over: there is nobody to refuse to any more.
    #[inline(always)]
    pub(super) fn forget(self) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the field is moved out once, as nothing else of the right is dropped.
        drop(unsafe { core::ptr::read(&this.caller) });
    }

    /// The message of the call could not be taken: the caller gets this error.
    #[cold]
    pub(super) fn reject(self, error: Error) {
        let ipc = &self.caller.ipc;
        if ipc.call.claim(self.serial) {
            ipc.rejection.set(error);
            ipc.call.finish(self.serial, Answer::Rejected);
            sched::wake(&self.caller);
        }
    }
}

impl Drop for ReplyRight {
    #[inline]
    fn drop(&mut self) {
        // After an answer the serial number claims nothing any more.
        if self.caller.ipc.call.claim(self.serial) {
            if trace::is_on(Group::Ipc) {
                trace::reply(&self.caller, true);
            }
            self.caller.ipc.call.finish(self.serial, Answer::Refused);
            sched::wake(&self.caller);
        }
    }
}

/// Copies tag and words from one thread's registers to another's.
///
/// # Safety
/// One frame is that of the running thread, the other that of a thread that is blocked and cannot go on meanwhile (invariant 13).
#[inline(always)]
pub(super) unsafe fn copy_message(from: *const TrapFrame, to: *mut TrapFrame) {
    // SAFETY: both frames are there and nobody else touches them (caller).
    unsafe {
        let tag = (*from).rsi;
        (*to).rsi = tag;
        // One after the other, so that a short message ends early, and nothing of the sender goes along that it did not send.
        let words = Tag(tag).words();
        macro_rules! words {
            ($($at:literal $register:ident)*) => { $(
                if words <= $at {
                    return;
                }
                (*to).$register = (*from).$register;
            )* };
        }
        words!(0 rdx 1 r10 2 r8 3 r9 4 r12 5 r13 6 r14 7 r15);
    }
}

/// Makes a caller run that was answered, and does not get the processor at once.
#[inline]
pub(super) fn run_answered(caller: Woken) {
    if trace::is_on(Group::Ipc) {
        trace::reply(caller.thread(), false);
    }
    sched::run(caller);
}

/// Answers the call that the running thread serves, with the message in its registers.
///
/// # Errors
/// `NotReady` when it serves none; `PeerClosed` when the caller waits no more; those of long answers, when it goes on to serve the call.
pub fn reply() -> Result<(), Error> {
    let server = sched::current_ref();
    let before = server.priority();
    if let Some(caller) = server.answer()? {
        run_answered(caller);
    }
    sched::follow_priority(server, before);
    Ok(())
}

impl Thread {
    /// Answers the call that the thread, which runs, serves. Gives the caller if it is to be made to run.
    ///
    /// # Errors
    /// See [`reply`].
    pub(super) fn answer(&self) -> Result<Option<Woken>, Error> {
        let right = self.ipc.reply.take().ok_or(Error::NotReady)?;
        // SAFETY: the running thread's own frame.
        let answered = unsafe { right.answer(self.frame()) };
        match answered {
            Err(error) if error != Error::PeerClosed => self.ipc.reply.set(Some(right)),
            // The reference to the caller is given up here: it must not last while this thread waits.
            _ => {
                right.forget();
                self.forget_service();
            }
        }
        answered
    }

    /// The thread does not serve any longer; gives the right to answer the call that it served.
    #[inline]
    pub fn end_service(&self) -> Option<ReplyRight> {
        let right = self.ipc.reply.take();
        if right.is_some() {
            self.forget_service();
        }
        right
    }

    #[inline(always)]
    pub(super) fn forget_service(&self) {
        self.ipc
            .serves
            .store(core::ptr::null_mut(), Ordering::Relaxed);
        self.disinherit();
    }
}
