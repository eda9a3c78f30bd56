//! Calls on events.

use abi::{Error, Rights};

use crate::object::{Event, Object};
use crate::process::Process;

/// `event_create`.
pub fn create(process: &Process) -> Result<u64, Error> {
    const RIGHTS: Rights = Rights::DUPLICATE
        .union(Rights::TRANSFER)
        .union(Rights::SIGNAL)
        .union(Rights::WAIT);
    let event = Event::new().map_err(|_| Error::OutOfMemory)?;
    let handle = process.add_handle(Object::Event(event), RIGHTS)?;
    Ok(handle.0)
}

/// `event_signal`.
pub fn signal(event: &Event, bits: u64) -> Result<u64, Error> {
    event.signal(bits);
    Ok(0)
}

/// `event_wait`.
pub fn wait(event: &Event, mask: u64) -> Result<u64, Error> {
    if mask == 0 {
        return Err(Error::InvalidArgument);
    }
    event.wait(mask)
}

/// `event_take`.
pub fn take(event: &Event, mask: u64) -> Result<u64, Error> {
    Ok(event.take(mask))
}
