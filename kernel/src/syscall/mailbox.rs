//! Calls on mailboxes.

use abi::message::{REGISTER_WORDS, Tag};
use abi::{Error, Handle, NEVER, ObjectType, Rights};
use kobj::Named;

use super::decode::{AnyHandle, objects};
use super::dispatch::{Caller, Mailboxes, Message};
use super::process::binding;
use crate::object::mailbox::{self, End, Mailbox};
use crate::object::{HandleTable, Object};
use crate::sched;

/// The first word of the message in the running thread's registers.
#[inline]
fn message() -> Message {
    // SAFETY: the thread's own frame; whoever wrote to it has let it go on (invariant 13).
    Message(unsafe { (*sched::current_ref().frame()).rdx })
}

/// Whether the message in the running thread's registers is all there.
#[inline]
fn is_short() -> bool {
    // SAFETY: as above.
    Tag(unsafe { (*sched::current_ref().frame()).rsi }).is_short()
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
        if !is_short() {
            mailbox::store(self.0)?;
        }
        Ok(message())
    }

    /// The message that was received, or the next for which there is room.
    #[inline(always)]
    fn received(self, from: &Mailbox, until: u64) -> Result<Message, Error> {
        while !is_short() && !mailbox::accept(self.0) {
            from.receive(until)?;
        }
        Ok(message())
    }
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

    #[inline(always)]
    fn mailbox_call(self, to: objects::Mailbox, tag: Tag) -> Result<Message, Error> {
        self.load(tag)?;
        to.mailbox.call(to.badge, NEVER)?;
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
        to.mailbox.call(to.badge, until)?;
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

    #[inline(always)]
    fn mailbox_reply_receive(self, from: objects::Mailbox, tag: Tag) -> Result<Message, Error> {
        self.load(tag)?;
        from.mailbox.reply_and_receive()?;
        self.received(&from.mailbox, NEVER)
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
