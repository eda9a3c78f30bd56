//! Answering clients.

use alloc::vec::Vec;
use core::convert::Infallible;

use abi::Error;
use protocols::{Fault, Protocol, WireError};
use sys::exec::{Call, Inbox};
use sys::object::Owned;

use crate::wire::{self, Words};

/// What becomes of a request: an answer with handles, or why not.
pub type Outcome<P> = Result<(<P as Protocol>::Answer, Vec<Owned>), Fault>;

/// A request that was received. Dropped without an answer, the client is told that the server is gone.
pub struct Incoming {
    /// The badge of the handle that it was sent by: who asks.
    pub badge: u64,
    /// The handles that came with it; those that are left here are closed.
    pub handles: Vec<Owned>,
    call: Call,
}

impl From<Call> for Incoming {
    fn from(mut call: Call) -> Self {
        Self {
            badge: call.badge(),
            handles: call.take_handles(),
            call,
        }
    }
}

impl Incoming {
    /// The label: which protocol it is of ([`Protocol::LABEL`]).
    pub fn label(&self) -> u64 {
        self.call.label()
    }

    /// What is asked.
    ///
    /// # Errors
    /// [`Fault::WrongProtocol`] for another protocol's label, [`Fault::Malformed`] for what is no request.
    pub fn request<P: Protocol>(&self) -> Result<P::Request, Fault> {
        if self.call.label() != P::LABEL {
            return Err(Fault::WrongProtocol);
        }
        wire::value(self.call.words()).map_err(|_| Fault::Malformed)
    }

    /// Answers: now, or later and from any task.
    ///
    /// # Errors
    /// When the client does not wait any more, or cannot take the answer. A server can go on.
    pub fn answer<P: Protocol>(self, outcome: Outcome<P>) -> Result<(), Error> {
        let (answer, handles) = match outcome {
            Ok((answer, handles)) => (Ok(answer), handles),
            Err(fault) => (Err(fault), Vec::new()),
        };
        match Words::of(&answer, handles.len()) {
            Ok(words) => self.call.answer(P::LABEL, handles, words.as_slice()),
            Err(WireError::TooLong | WireError::Malformed) => {
                let fault: Result<P::Answer, Fault> = Err(Fault::NoRoom);
                let words = Words::of(&fault, 0).map_err(|_| Error::InvalidArgument)?;
                self.call.answer(P::LABEL, [], words.as_slice())
            }
        }
    }
}

/// Answers the requests of a mailbox, one after the other: `handler` gets the badge, the request and its handles.
///
/// # Errors
/// When nothing can be received any more.
pub async fn serve<P: Protocol>(
    inbox: &Inbox,
    mut handler: impl AsyncFnMut(u64, P::Request, Vec<Owned>) -> Outcome<P>,
) -> Result<Infallible, Error> {
    loop {
        let mut incoming = match inbox.receive().await {
            Ok(call) => Incoming::from(call),
            // The kernel has no memory for it just now: the client waits, and it is tried again.
            Err(Error::OutOfMemory) => {
                sys::thread::yield_now();
                continue;
            }
            Err(error) => return Err(error),
        };
        let outcome = match incoming.request::<P>() {
            Ok(request) => {
                let handles = core::mem::take(&mut incoming.handles);
                handler(incoming.badge, request, handles).await
            }
            Err(fault) => Err(fault),
        };
        // Who does not wait any more need not be told.
        let _ = incoming.answer::<P>(outcome);
    }
}
