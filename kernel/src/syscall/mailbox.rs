//! Calls on mailboxes.

use abi::message::{REGISTER_WORDS, Tag};
use abi::{Error, Handle, NEVER, ObjectType, Rights};
use kobj::Named;

use super::decode::{AnyHandle, handle, objects};
use super::dispatch::{Caller, Mailboxes, Message};
use super::process::binding;
use crate::arch::current::trap::TrapFrame;
use crate::object::mailbox::parked::{self, Waited};
use crate::object::mailbox::{self, End, Mailbox};
use crate::object::{HandleTable, Object};
use crate::sched;
use crate::sched::direct::Parking;

/// The first word of the message in the running thread's registers.
#[inline]
fn message() -> Message {
    // SAFETY: the thread's own frame; whoever wrote to it has let it go on (invariant 13).
    Message(unsafe { (*sched::current_ref().frame()).rdx })
}

/// The tag of the message in the running thread's registers.
#[inline]
fn tag() -> Tag {
    // SAFETY: as above.
    Tag(unsafe { (*sched::current_ref().frame()).rsi })
}

impl Caller<'_> {
    /// Prepares what is to be sent, if it is not all in registers.
    #[inline(always)]
    fn load(self, tag: Tag) -> Result<(), Error> {
        if tag.is_short() {
            return Ok(());
        }
        mailbox::load(self.0, tag)
    }

    /// The answer to a call that was given.
    #[inline(always)]
    fn answered(self) -> Result<Message, Error> {
        // Handles have come already.
        if tag().words() > REGISTER_WORDS {
            mailbox::store(self.0)?;
        }
        Ok(message())
    }

    /// The message that was received, or the next for which there is room.
    #[inline(always)]
    fn received(self, from: &Mailbox, until: u64) -> Result<Message, Error> {
        while !tag().is_short() && !mailbox::accept(self.0) {
            from.receive(until)?;
        }
        Ok(message())
    }
}

/// `mailbox_call`, the short way if there is one.
#[inline(always)]
pub fn try_call(frame: *const TrapFrame) {
    try_shortly(frame, Rights::CALL, |parking, to| {
        parked::try_call(parking, frame, to.mailbox, to.badge);
    });
}

/// `mailbox_reply_receive`, the short way if there is one.
#[inline(always)]
pub fn try_reply_and_receive(frame: *const TrapFrame) {
    try_shortly(frame, Rights::RECEIVE, |parking, from| {
        parked::try_reply_and_receive(parking, frame, from.mailbox);
    });
}

/// Tries a short way with the mailbox in RDI, if the thread can park and the message in its registers is short. It comes back if
/// nothing has happened.
#[inline(always)]
fn try_shortly(
    frame: *const TrapFrame,
    rights: Rights,
    way: impl FnOnce(Parking, objects::Mailbox),
) {
    // SAFETY: the frame that the entry code has pushed; nobody else touches it while the thread runs.
    let (register, tag) = unsafe { ((*frame).rdi, Tag((*frame).rsi)) };
    if tag.is_short()
        && let Some(parking) = Parking::new()
        && let Some(process) = &parking.thread().process
        // What is wrong with the handle is for the usual way to tell.
        && let Ok(mailbox) = handle::<objects::Mailbox>(process, register, rights)
    {
        way(parking, mailbox);
    }
}

/// Goes on with a call in which the running thread was parked.
pub fn go_on(caller: Caller<'_>) -> Result<u64, Error> {
    let message = match parked::go_on()? {
        Waited::Answer => caller.answered(),
        Waited::Message(mailbox) => caller.received(&mailbox, NEVER),
    };
    message.map(|message| message.0)
}

impl Mailboxes for Caller<'_> {
    fn mailbox_create(self) -> Result<Handle, Error> {
        const RIGHTS: Rights = Rights::of(ObjectType::Mailbox);
        let end = Mailbox::new().map_err(|_| Error::OutOfMemory)?;
        self.0.add_handle(Object::Mailbox(end), RIGHTS)
    }

    fn mailbox_badge(self, mailbox: AnyHandle, badge: u64) -> Result<Handle, Error> {
        const RIGHTS: Rights = Rights::CALL
            .union(Rights::DUPLICATE)
            .union(Rights::TRANSFER);
        HandleTable::derive(self.0.handles(), mailbox.handle, mailbox.needed, |named| {
            let Object::Mailbox(end) = named.object else {
                return Err(Error::WrongType);
            };
            Ok(Named {
                object: Object::Mailbox(End::Client(end.into_mailbox())),
                rights: RIGHTS,
                data: badge,
            })
        })
    }

    fn mailbox_call(self, to: objects::Mailbox, tag: Tag) -> Result<Message, Error> {
        self.load(tag)?;
        Mailbox::call(to.mailbox, to.badge, NEVER)?;
        self.answered()
    }

    fn mailbox_call_until(self, to: objects::Mailbox, tag: Tag) -> Result<Message, Error> {
        let frame = sched::current_ref().frame();
        // SAFETY: the running thread's own frame.
        let until = unsafe { (*frame).r15 };
        if tag.words() >= REGISTER_WORDS {
            let eighth = mailbox::eighth_word()?;
            // SAFETY: as above.
            unsafe { (*frame).r15 = eighth };
        }
        self.load(tag)?;
        Mailbox::call(to.mailbox, to.badge, until)?;
        self.answered()
    }

    fn mailbox_receive(self, from: objects::Mailbox, until: u64) -> Result<Message, Error> {
        from.mailbox.receive(until)?;
        self.received(&from.mailbox, until)
    }

    fn mailbox_reply(self, _: objects::Mailbox, tag: Tag) -> Result<(), Error> {
        self.load(tag)?;
        mailbox::reply()
    }

    fn mailbox_reply_receive(self, from: objects::Mailbox, tag: Tag) -> Result<Message, Error> {
        mailbox::load_answer(tag)?;
        let mailbox = Mailbox::reply_and_receive(from.mailbox)?;
        self.received(&mailbox, NEVER)
    }

    fn mailbox_set_buffer(self, address: u64) -> Result<(), Error> {
        mailbox::set_buffer(address)
    }

    fn mailbox_detach(self) -> Result<Handle, Error> {
        const RIGHTS: Rights = Rights::of(ObjectType::Reply);
        if !mailbox::is_serving() {
            return Err(Error::NotReady);
        }
        let reply = mailbox::Reply::new().map_err(|_| Error::OutOfMemory)?;
        // Until the right is there whoever guesses the handle finds nothing to answer.
        let handle = self.0.add_handle(Object::Reply(reply.clone()), RIGHTS)?;
        mailbox::detach(&reply)?;
        Ok(handle)
    }

    fn reply_answer(self, reply: objects::Reply, tag: Tag) -> Result<(), Error> {
        self.load(tag)?;
        reply.answer()
    }

    fn mailbox_on_closed(
        self,
        mailbox: objects::Mailbox,
        event: Option<objects::Event>,
        bits: u64,
    ) -> Result<(), Error> {
        let binding = binding(event, bits)?;
        mailbox.mailbox.on_closed(self.0, binding)
    }

    fn mailbox_on_readable(
        self,
        mailbox: objects::Mailbox,
        event: Option<objects::Event>,
        bits: u64,
    ) -> Result<(), Error> {
        mailbox.mailbox.on_readable(binding(event, bits)?);
        Ok(())
    }
}
