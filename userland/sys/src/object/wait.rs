//! What threads wait for, and where they call each other: events, mailboxes, the right to answer.

use abi::{Error, Rights, event};

use super::{bound, object};
use crate::call;
use crate::message::{self, Message, Received};

object! {
    /// 64 bits that threads set, wait for and clear.
    Event
}

impl Event {
    /// An event with all bits clear.
    ///
    /// # Errors
    /// As `event_create`.
    pub fn new() -> Result<Self, Error> {
        call::event_create().map(Self::from_raw)
    }

    /// Sets bits.
    ///
    /// # Errors
    /// Those of the handle, which needs SIGNAL.
    #[inline]
    pub fn signal(&self, bits: u64) -> Result<(), Error> {
        call::event_signal(self.handle(), bits)
    }

    /// Clears and returns the bits of a mask that are set.
    ///
    /// # Errors
    /// Those of the handle, which needs WAIT.
    #[inline]
    pub fn take(&self, mask: u64) -> Result<u64, Error> {
        call::event_take(self.handle(), mask)
    }

    /// Waits until a bit of a mask is set; returns those that are, and clears them.
    ///
    /// # Errors
    /// `TimedOut` at the time on the monotonic clock; `InvalidArgument` for the mask 0; as `event_wait`.
    #[inline]
    pub fn wait(&self, mask: u64, until: u64) -> Result<u64, Error> {
        call::event_wait(self.handle(), mask, 0, until)
    }

    /// Waits until all bits of a mask are set, and clears them.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_all(&self, mask: u64, until: u64) -> Result<u64, Error> {
        call::event_wait(self.handle(), mask, event::ALL, until)
    }

    /// Waits until a bit of a mask is set; returns those that are, and leaves them set.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_keep(&self, mask: u64, until: u64) -> Result<u64, Error> {
        call::event_wait(self.handle(), mask, event::KEEP, until)
    }

    /// Sets bits at a time, instead of what was asked for earlier; `abi::NEVER`: none.
    ///
    /// # Errors
    /// As `event_set_timer`.
    pub fn set_timer(&self, bits: u64, at: u64) -> Result<(), Error> {
        call::event_set_timer(self.handle(), bits, at)
    }

    /// A handle for others to set bits by, which they can give away.
    ///
    /// # Errors
    /// As `handle_duplicate`.
    pub fn signaller(&self) -> Result<Self, Error> {
        self.duplicate(
            Rights::SIGNAL
                .union(Rights::TRANSFER)
                .union(Rights::DUPLICATE),
        )
    }
}

object! {
    /// Where threads call others. A handle is for calling, receiving, or both.
    Mailbox
}

impl Mailbox {
    /// A mailbox; the handle is for both.
    ///
    /// # Errors
    /// As `mailbox_create`.
    pub fn new() -> Result<Self, Error> {
        call::mailbox_create().map(Self::from_raw)
    }

    /// A handle to call by, of whose messages the receiver learns the badge.
    ///
    /// # Errors
    /// As `mailbox_badge`.
    pub fn badge(&self, badge: u64) -> Result<Self, Error> {
        call::mailbox_badge(self.handle(), badge).map(Self::from_raw)
    }

    /// Sends a message of up to eight words, and waits for the answer.
    ///
    /// # Errors
    /// As [`message::call`].
    #[inline]
    pub fn call(&self, message: &Message) -> Result<Message, Error> {
        message::call(self.handle(), message)
    }

    /// As [`call`](Self::call), at the latest until a time.
    ///
    /// # Errors
    /// As [`message::call_until`].
    pub fn call_until(&self, message: &Message, until: u64) -> Result<Message, Error> {
        message::call_until(self.handle(), message, until)
    }

    /// Waits for a message, at the latest until a time; 0 only looks.
    ///
    /// # Errors
    /// As [`message::receive`].
    pub fn receive(&self, until: u64) -> Result<Received, Error> {
        message::receive(self.handle(), until)
    }

    /// Answers the call that this thread received last.
    ///
    /// # Errors
    /// As [`message::reply`].
    pub fn reply(&self, message: &Message) -> Result<(), Error> {
        message::reply(self.handle(), message)
    }

    /// Answers, and waits for the next message.
    ///
    /// # Errors
    /// As [`message::reply_receive`].
    #[inline]
    pub fn reply_receive(&self, message: &Message) -> Result<Received, Error> {
        message::reply_receive(self.handle(), message)
    }

    /// Sets bits of an event when a message comes that nobody waits for; at once if there is one. `None`, with 0, unbinds.
    ///
    /// # Errors
    /// As `mailbox_on_readable`.
    pub fn on_readable(&self, event: Option<&Event>, bits: u64) -> Result<(), Error> {
        call::mailbox_on_readable(self.handle(), bound(event), bits)
    }

    /// Sets bits of an event when nobody can receive any more; at once if so. `None`, with 0, unbinds all events of this process.
    ///
    /// # Errors
    /// As `mailbox_on_closed`.
    pub fn on_closed(&self, event: Option<&Event>, bits: u64) -> Result<(), Error> {
        call::mailbox_on_closed(self.handle(), bound(event), bits)
    }
}

object! {
    /// The right to answer a call, once. Dropped without an answer, the caller gets `PeerClosed`.
    Reply
}

impl Reply {
    /// Takes the right to answer the call that this thread received last.
    ///
    /// # Errors
    /// As `mailbox_detach`.
    pub fn detach() -> Result<Self, Error> {
        call::mailbox_detach().map(Self::from_raw)
    }

    /// Answers with up to eight words.
    ///
    /// # Errors
    /// As [`message::answer`].
    pub fn answer(&self, message: &Message) -> Result<(), Error> {
        message::answer(self.handle(), message)
    }
}
