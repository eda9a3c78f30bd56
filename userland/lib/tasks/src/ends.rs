//! Channels between this process and a client: one end stays here, the handles of the other one are for the client.

use alloc::vec::Vec;

use abi::handle::ObjectType;
use abi::{Error, Rights};
use protocols::Fault;
use sys::channel::{Channel, HANDLES, Reader, Waiter, Writer};
use sys::exec::{AsyncReader, AsyncWriter, Executor};
use sys::object::Owned;

/// The handles of an end, for the client.
pub type Handles = [Owned; HANDLES];

/// Both ends of a new channel, by their handles.
struct Ends {
    writer: Handles,
    reader: Handles,
}

impl Ends {
    fn new(room: u64, writer: Option<Waiter>, reader: Option<Waiter>) -> Result<Self, Error> {
        let channel = Channel::with(room, writer, reader)?;
        Ok(Self {
            writer: channel.writer()?.map(Owned::from_raw),
            reader: channel.reader()?.map(Owned::from_raw),
        })
    }
}

/// How a client waits that has sent its own event, or none, with a request: the first of its handles, and the bits for it.
///
/// # Errors
/// `InvalidArgument` for another object, or no bits.
pub fn listener(
    event: Option<&Owned>,
    (moved, closed): (u64, u64),
) -> Result<Option<Waiter>, Fault> {
    let Some(event) = event else {
        return Ok(None);
    };
    if !event.is(ObjectType::Event) || moved == 0 || closed == 0 {
        return Err(Fault::InvalidArgument);
    }
    let rights = Rights::SIGNAL
        .union(Rights::DUPLICATE)
        .union(Rights::TRANSFER);
    let event = event
        .duplicate(rights)
        .map_err(|_| Fault::InvalidArgument)?;
    Ok(Some(Waiter {
        event,
        moved,
        closed,
    }))
}

/// A channel on which this process writes, and the client reads.
///
/// # Errors
/// As the calls that make channels; `TooMany` when the executor waits for too many things.
pub fn to_client(
    exec: &Executor,
    room: u64,
    client: Option<Waiter>,
) -> Result<(AsyncWriter, Handles), Error> {
    let waiter = exec.waiter()?;
    let bits = waiter.moved;
    let make = || -> Result<_, Error> {
        let Ends { writer, reader } = Ends::new(room, Some(waiter), client)?;
        let writer = Writer::new(sys::start::own(), writer.map(Owned::into_raw))?;
        Ok((writer, reader))
    };
    let (writer, handles) = make().inspect_err(|_| exec.forget_waiter(bits))?;
    Ok((exec.writer(writer)?, handles))
}

/// A channel on which the client writes, and this process reads.
///
/// # Errors
/// As [`to_client`].
pub fn from_client(
    exec: &Executor,
    room: u64,
    client: Option<Waiter>,
) -> Result<(AsyncReader, Handles), Error> {
    let waiter = exec.waiter()?;
    let bits = waiter.moved;
    let make = || -> Result<_, Error> {
        let Ends { writer, reader } = Ends::new(room, client, Some(waiter))?;
        let reader = Reader::new(sys::start::own(), reader.map(Owned::into_raw))?;
        Ok((reader, writer))
    };
    let (reader, handles) = make().inspect_err(|_| exec.forget_waiter(bits))?;
    Ok((exec.reader(reader)?, handles))
}

/// The handles of several ends, in order, for an answer.
pub fn list(ends: impl IntoIterator<Item = Handles>) -> Vec<Owned> {
    ends.into_iter().flatten().collect()
}
