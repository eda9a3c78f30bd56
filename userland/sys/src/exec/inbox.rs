//! Messages of mailboxes, and the answers to them.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll};

use abi::message::{HANDLES_MAX, REGISTER_WORDS, WORDS_MAX};
use abi::{Error, Handle};

use super::inner::Inner;
use super::source::Source;
use super::timer::Sleep;
use crate::message::Message;
use crate::message::long::{Buffer, Room};
use crate::object::{Mailbox, Owned, Reply};
use crate::time::MILLISECOND;

/// How long to wait until the right to answer can be had as a handle, when there was no room for one.
const PAUSE: u64 = MILLISECOND;

/// Calls that were received, and not answered yet.
pub struct Calls {
    last: Cell<u64>,
    /// The call that this thread received last, which it can answer without a handle.
    current: Cell<Option<u64>>,
    /// The others.
    detached: RefCell<Vec<(u64, Reply)>>,
    room: RefCell<Box<Room>>,
}

impl Calls {
    pub fn new() -> Self {
        Self {
            last: Cell::new(0),
            current: Cell::new(None),
            detached: RefCell::new(Vec::new()),
            room: RefCell::new(Box::new(Room::new())),
        }
    }

    /// Makes the right to answer the last call a handle, so that another one can be received.
    fn detach(&self) -> Result<(), Error> {
        let Some(current) = self.current.get() else {
            return Ok(());
        };
        let mut detached = self.detached.borrow_mut();
        detached.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
        match Reply::detach() {
            Ok(reply) => detached.push((current, reply)),
            // The caller does not wait any more.
            Err(Error::NotReady) => {}
            Err(error) => return Err(error),
        }
        self.current.set(None);
        Ok(())
    }

    fn take(&self, number: u64) -> Option<Reply> {
        let mut detached = self.detached.borrow_mut();
        let index = detached.iter().position(|(other, _)| *other == number)?;
        Some(detached.swap_remove(index).1)
    }
}

/// The messages of a mailbox.
pub struct Inbox {
    mailbox: Rc<Mailbox>,
    source: Source,
    /// There was nothing when it was looked last.
    is_empty: Cell<bool>,
    /// When to try again to make room for another call.
    pause: RefCell<Option<Sleep>>,
}

impl Inbox {
    pub(super) fn new(inner: &Rc<Inner>, mailbox: Mailbox) -> Result<Self, Error> {
        let source = Source::new(inner)?;
        mailbox.on_readable(Some(inner.event()), source.mask())?;
        Ok(Self {
            mailbox: Rc::new(mailbox),
            source,
            is_empty: Cell::new(false),
            pause: RefCell::new(None),
        })
    }

    /// The mailbox: for handles to call it by.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Waits for the next call.
    ///
    /// # Errors
    /// As [`message::receive`](crate::message::receive).
    pub async fn receive(&self) -> Result<Call, Error> {
        poll_fn(|context| self.poll_receive(context)).await
    }

    fn poll_receive(&self, context: &mut Context<'_>) -> Poll<Result<Call, Error>> {
        loop {
            if self.is_empty.get() && self.source.poll_set(context).is_pending() {
                return Poll::Pending;
            }
            self.is_empty.set(false);
            if self.source.inner().calls.detach().is_err() {
                return self.poll_pause(context);
            }
            self.pause.borrow_mut().take();
            match self.try_receive() {
                Err(Error::TimedOut) => self.is_empty.set(true),
                result => return Poll::Ready(result),
            }
        }
    }

    /// Waits a moment: there is no room for the right to answer the last call, which would be lost with the next.
    fn poll_pause(&self, context: &mut Context<'_>) -> Poll<Result<Call, Error>> {
        let mut pause = self.pause.borrow_mut();
        let inner = self.source.inner();
        let sleep = pause.get_or_insert_with(|| Sleep::new(inner, crate::time::after(PAUSE)));
        if core::pin::Pin::new(sleep).poll(context).is_ready() {
            *pause = None;
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn try_receive(&self) -> Result<Call, Error> {
        let inner = self.source.inner();
        let calls = &inner.calls;
        let mut room = calls.room.borrow_mut();
        let mut buffer = Buffer::new(&mut room)?;
        let badge = buffer.receive(self.mailbox.handle(), 0)?;
        let number = calls.last.get() + 1;
        calls.last.set(number);
        calls.current.set(Some(number));
        let tag = buffer.tag();
        let mut handles = [const { None }; HANDLES_MAX];
        for (place, handle) in handles.iter_mut().zip(buffer.handles()) {
            *place = Some(Owned::from_raw(handle));
        }
        let data = buffer.words().get(tag.handles()..).unwrap_or_default();
        let mut words = [0; WORDS_MAX];
        for (place, word) in words.iter_mut().zip(data) {
            *place = *word;
        }
        Ok(Call {
            inner: Rc::clone(inner),
            number,
            mailbox: Rc::clone(&self.mailbox),
            badge,
            label: tag.label(),
            handles,
            words,
            len: data.len(),
            is_answered: false,
        })
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let _ = self.mailbox.on_readable(None, 0);
    }
}

use core::future::Future;

/// A call that was received. It can be answered at any time; dropped without an answer, the caller gets `PeerClosed`.
pub struct Call {
    inner: Rc<Inner>,
    number: u64,
    mailbox: Rc<Mailbox>,
    badge: u64,
    label: u64,
    handles: [Option<Owned>; HANDLES_MAX],
    words: [u64; WORDS_MAX],
    len: usize,
    is_answered: bool,
}

impl Call {
    /// The badge of the handle that it was sent by.
    pub fn badge(&self) -> u64 {
        self.badge
    }

    /// What it is.
    pub fn label(&self) -> u64 {
        self.label
    }

    /// Its words, without handles.
    pub fn words(&self) -> &[u64] {
        self.words.get(..self.len).unwrap_or(&self.words)
    }

    /// Takes the next of the handles that came with it. (One that was revoked on the way is of no object.) What is not taken is closed.
    pub fn take_handle(&mut self) -> Option<Owned> {
        self.handles.iter_mut().find_map(Option::take)
    }

    /// Takes all of the handles.
    pub fn take_handles(&mut self) -> Vec<Owned> {
        self.handles.iter_mut().filter_map(Option::take).collect()
    }

    /// Answers. The handles are moved to the caller, or closed; at most eight, and 64 with the words.
    ///
    /// # Errors
    /// `PeerClosed` when the caller waits no more; `NotTaken` when it has no room for words or handles, `AccessDenied` for handles that
    /// cannot be moved, `InvalidArgument` for too many: then it gets `PeerClosed`.
    pub fn answer(
        mut self,
        label: u64,
        handles: impl IntoIterator<Item = Owned>,
        words: &[u64],
    ) -> Result<(), Error> {
        self.is_answered = true;
        let mut own = [const { None }; HANDLES_MAX];
        let mut count = 0;
        for handle in handles {
            let place = own.get_mut(count).ok_or(Error::InvalidArgument);
            match place {
                Ok(place) => *place = Some(handle),
                Err(error) => return self.give_up(error),
            }
            count += 1;
        }
        if count + words.len() > WORDS_MAX {
            return self.give_up(Error::InvalidArgument);
        }
        let mut raw = [Handle(0); HANDLES_MAX];
        for (place, handle) in raw.iter_mut().zip(own.iter().flatten()) {
            *place = handle.handle();
        }
        let raw = raw.get(..count).unwrap_or_default();
        match self.send(label, raw, words) {
            Ok(()) => {
                // They are the caller's now.
                own.into_iter().flatten().for_each(|handle| {
                    handle.into_raw();
                });
                Ok(())
            }
            Err(error) => self.give_up(error),
        }
    }

    fn send(&self, label: u64, handles: &[Handle], words: &[u64]) -> Result<(), Error> {
        let calls = &self.inner.calls;
        let is_current = calls.current.get() == Some(self.number);
        let reply = calls.take(self.number);
        let result = if handles.len() + words.len() <= REGISTER_WORDS {
            let message = Message::with_handles(label, handles, words);
            match &reply {
                Some(reply) => reply.answer(&message),
                None if is_current => self.mailbox.reply(&message),
                None => Err(Error::PeerClosed),
            }
        } else {
            let mut room = calls.room.borrow_mut();
            let mut buffer = Buffer::new(&mut room)?;
            buffer.put(label, handles, words);
            match &reply {
                Some(reply) => buffer.answer(reply.handle()),
                None if is_current => buffer.reply(self.mailbox.handle()),
                None => Err(Error::PeerClosed),
            }
        };
        if is_current && result.is_ok() {
            calls.current.set(None);
        }
        result
    }

    /// Lets the caller go without an answer.
    fn give_up(&self, error: Error) -> Result<(), Error> {
        let calls = &self.inner.calls;
        drop(calls.take(self.number));
        if calls.current.get() == Some(self.number) {
            // Without room for the handle the caller waits until the next call is received.
            if let Ok(reply) = Reply::detach() {
                drop(reply);
            }
            calls.current.set(None);
        }
        Err(error)
    }

    /// Takes the right to answer, for another thread or process.
    ///
    /// # Errors
    /// As `mailbox_detach`; `PeerClosed` when the caller waits no more.
    pub fn detach(mut self) -> Result<Reply, Error> {
        self.is_answered = true;
        let calls = &self.inner.calls;
        if calls.current.get() == Some(self.number) {
            calls.detach()?;
        }
        calls.take(self.number).ok_or(Error::PeerClosed)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_answered {
            let _ = self.give_up(Error::PeerClosed);
        }
    }
}
