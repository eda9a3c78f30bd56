//! Messages of up to 64 words, which travel through a buffer of the thread.

use core::marker::PhantomData;

use abi::message::{REGISTER_WORDS, Tag, WORDS_MAX};
use abi::{Error, Handle, Sysno};

use super::exchange;
use crate::call;

/// Room for a message.
#[repr(C, align(64))]
#[derive(Clone, Debug)]
pub struct Room([u64; WORDS_MAX]);

impl Room {
    /// Room with nothing in it.
    pub const fn new() -> Self {
        Self([0; WORDS_MAX])
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

/// The buffer of the calling thread: what is to be sent, or was received last. The thread has no other at the same time. It can also
/// send and receive short messages.
pub struct Buffer<'a> {
    room: *mut Room,
    tag: Tag,
    /// Borrowed, and of one thread.
    _room: PhantomData<(&'a mut Room, *mut ())>,
}

impl<'a> Buffer<'a> {
    /// Makes this the calling thread's buffer.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(room: &'a mut Room) -> Result<Self, Error> {
        let room = &raw mut *room;
        call::mailbox_set_buffer(room as u64)?;
        Ok(Self {
            room,
            tag: Tag::default(),
            _room: PhantomData,
        })
    }

    /// Puts a message in: a label, of which the lowest 52 bits count, handles, which will be moved to the receiver, and words; what is
    /// beyond 64 words in all is left out.
    pub fn put(&mut self, label: u64, handles: &[Handle], words: &[u64]) {
        let given = handles
            .iter()
            .map(|handle| handle.0)
            .chain(words.iter().copied());
        for (place, word) in self.all_mut().iter_mut().zip(given) {
            *place = word;
        }
        let len = (handles.len() + words.len()).min(WORDS_MAX);
        self.tag = Tag::new(label, len as u8).with_handles(handles.len().min(len) as u8);
    }

    /// What it is, and how long.
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// Says what it is, and how long, with the words that are there.
    pub fn set_tag(&mut self, tag: Tag) {
        self.tag = tag;
    }

    /// The handles that were received: the first ones of the words.
    pub fn handles(&self) -> impl Iterator<Item = Handle> {
        let count = self.tag.handles();
        self.words().iter().take(count).map(|word| Handle(*word))
    }

    /// Its words.
    pub fn words(&self) -> &[u64] {
        self.all().get(..self.tag.words()).unwrap_or(self.all())
    }

    fn all(&self) -> &[u64; WORDS_MAX] {
        // SAFETY: borrowed for the life of this; the kernel writes to it only while a method of this is being called.
        unsafe { &(*self.room).0 }
    }

    fn all_mut(&mut self) -> &mut [u64; WORDS_MAX] {
        // SAFETY: as above.
        unsafe { &mut (*self.room).0 }
    }

    /// Sends the message, or only its tag, by a call; gives the badge of what came back.
    fn exchange(
        &mut self,
        number: Sysno,
        handle: Handle,
        second: u64,
        last: Option<u64>,
    ) -> Result<u64, Error> {
        let mut registers = [0; REGISTER_WORDS];
        let (first, _) = self.all().split_at(REGISTER_WORDS);
        registers.copy_from_slice(first);
        if let (Some(last), Some(place)) = (last, registers.last_mut()) {
            *place = last;
        }
        let received = exchange(number, handle, second, registers)?;
        let (first, _) = self.all_mut().split_at_mut(REGISTER_WORDS);
        first.copy_from_slice(&received.message.words);
        self.tag = received.message.tag;
        Ok(received.badge)
    }

    /// Sends the message by a handle with CALL, and waits for the answer, which is here then.
    ///
    /// # Errors
    /// Those of the handle, and of those in the message, which stay; `NotTaken` when the server has no room for it; `PeerClosed`,
    /// `OutOfMemory`.
    pub fn call(&mut self, mailbox: Handle) -> Result<(), Error> {
        self.exchange(Sysno::MailboxCall, mailbox, self.tag.0, None)?;
        Ok(())
    }

    /// As [`call`](Self::call), at the latest until a time on the monotonic clock, in nanoseconds.
    ///
    /// # Errors
    /// As [`call`](Self::call); `TimedOut`.
    pub fn call_until(&mut self, mailbox: Handle, until: u64) -> Result<(), Error> {
        self.exchange(Sysno::MailboxCallUntil, mailbox, self.tag.0, Some(until))?;
        Ok(())
    }

    /// Waits for a message, at the latest until a time on the monotonic clock, in nanoseconds; returns the badge of the handle that it was
    /// sent by.
    ///
    /// # Errors
    /// As [`receive`](super::receive).
    pub fn receive(&mut self, mailbox: Handle, until: u64) -> Result<u64, Error> {
        self.exchange(Sysno::MailboxReceive, mailbox, until, None)
    }

    /// Answers the call whose message was received last.
    ///
    /// # Errors
    /// As [`reply`](super::reply); `NotTaken` when the caller has no room: it waits still.
    pub fn reply(&mut self, mailbox: Handle) -> Result<(), Error> {
        let tag = self.tag;
        self.exchange(Sysno::MailboxReply, mailbox, tag.0, None)?;
        self.tag = tag;
        Ok(())
    }

    /// Answers as [`reply`](Self::reply), if there is somebody to answer, and waits for the next message.
    ///
    /// # Errors
    /// As [`reply_receive`](super::reply_receive); `NotTaken` when the caller has no room: it waits still, and nothing was received.
    pub fn reply_receive(&mut self, mailbox: Handle) -> Result<u64, Error> {
        self.exchange(Sysno::MailboxReplyReceive, mailbox, self.tag.0, None)
    }

    /// Answers the call that a handle of [`mailbox_detach`](call::mailbox_detach) stands for.
    ///
    /// # Errors
    /// As [`answer`](super::answer); `NotTaken` when the caller has no room: it waits still.
    pub fn answer(&mut self, reply: Handle) -> Result<(), Error> {
        let tag = self.tag;
        self.exchange(Sysno::ReplyAnswer, reply, tag.0, None)?;
        self.tag = tag;
        Ok(())
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // Cannot fail: 0 is an address of user space.
        let _ = call::mailbox_set_buffer(0);
    }
}
