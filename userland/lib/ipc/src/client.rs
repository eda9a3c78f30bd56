//! Asking a server.

use alloc::vec::Vec;

use abi::{Handle, NEVER};
use protocols::{Fault, HANDLES_MAX, Protocol, WireError};
use sys::message::long::{Buffer, Room};
use sys::object::{Mailbox, Owned};

use crate::Failure;
use crate::wire::{self, Words};

/// Asks the server of a mailbox, and waits for its answer until a time on the monotonic clock, in nanoseconds. The handles go with the request
/// if the server takes it; else they are closed.
///
/// # Errors
/// What the kernel says ([`Failure::is_closed`] when the server is gone), what the server says, or that the request does not fit.
pub fn call<P: Protocol>(
    mailbox: &Mailbox,
    request: &P::Request,
    handles: Vec<Owned>,
    until: u64,
) -> Result<(P::Answer, Vec<Owned>), Failure> {
    if handles.len() > HANDLES_MAX {
        return Err(WireError::TooLong.into());
    }
    let words = Words::of(request, handles.len())?;
    let mut raw = [Handle(0); HANDLES_MAX];
    for (place, handle) in raw.iter_mut().zip(&handles) {
        *place = handle.handle();
    }
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room)?;
    let raw = raw.get(..handles.len()).unwrap_or_default();
    buffer.put(P::LABEL, raw, words.as_slice());
    if until == NEVER {
        buffer.call(mailbox.handle())?;
    } else {
        buffer.call_until(mailbox.handle(), until)?;
    }
    // They are the server's now.
    for handle in handles {
        let _ = handle.into_raw();
    }
    let handles: Vec<Owned> = buffer.handles().map(Owned::from_raw).collect();
    if buffer.tag().label() != P::LABEL {
        return Err(Fault::WrongProtocol.into());
    }
    let words = buffer.words().get(handles.len()..).unwrap_or_default();
    let answer: Result<P::Answer, Fault> = wire::value(words)?;
    Ok((answer?, handles))
}
