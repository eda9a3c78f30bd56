//! Byte channels between two processes, or two threads: one writes, one reads.
//!
//! A channel is a ring (an area that shows its pages twice, so that what lies across the end lies in one piece all the same), a page of
//! positions, and two events. The kernel knows nothing of it. Whoever writes or reads enters the kernel only to wait, or to
//! wake the other side that waits.
//!
//! Each side waits for bits of an event: of a new one ([`Channel::new`]), or of any other ([`Channel::with`]), so that a program waits for
//! many channels and other things at once. [`exec`](crate::exec) does that.
//!
//! The sides need not trust each other: positions that cannot be are taken as the end of the other side, and memory is touched
//! only inside of the ring. The content may change while it is read, if the writer wants that.
//!
//! ```no_run
//! use sys::abi::NEVER;
//! use sys::channel::{Channel, Reader, Writer};
//!
//! # fn f(own: sys::abi::Handle) -> Result<(), sys::Error> {
//! let channel = Channel::new(4096)?;
//! let mut writer = Writer::new(own, channel.writer()?)?;
//! let mut reader = Reader::new(own, channel.reader()?)?;
//! writer.write_all(b"hello", NEVER)?;
//! drop(writer);
//! let mut buffer = [0; 16];
//! assert_eq!(reader.read_all(&mut buffer, NEVER)?, 5);
//! # Ok(()) }
//! ```
//!
//! # Why no wake-up is lost
//!
//! Who is about to wait says so first, and then looks once more. The other side moves its position first, and then looks whether
//! somebody waits. All four are in one order (`SeqCst`), so that one of the two sees the other.

mod end;
mod page;
mod reader;
mod writer;

use abi::{Error, Handle, PAGE_SIZE, Rights, area};

use crate::object::{Event, Owned, VmArea};
use page::Page;

pub use reader::Reader;
pub use writer::Writer;

/// Bit of a channel's own event: the other side has moved its position.
const MOVED: u64 = 1;
/// Bit of a channel's own event: the other side is gone. Whoever makes a channel between processes binds it to the end of the processes.
pub const CLOSED: u64 = 2;

/// What an end may do with the event on which it waits: bind it to the end of others, and let a thread wait in its place.
const OWN_EVENT: Rights = Rights::WAIT.union(Rights::SIGNAL).union(Rights::DUPLICATE);

/// How many handles an end consists of.
pub const HANDLES: usize = 4;

/// How a side of a channel waits.
#[derive(Debug)]
pub struct Waiter {
    /// An event, with SIGNAL. With WAIT, too, its end can wait by itself.
    pub event: Owned,
    /// Bits that say that the other side has moved its position.
    pub moved: u64,
    /// Bits that say that it is gone, for good. Those that are bits of `moved` as well say nothing by themselves: the end then looks
    /// whether the other side has closed.
    pub closed: u64,
}

impl Waiter {
    fn new() -> Result<Self, Error> {
        Ok(Self {
            event: Event::new()?.into_owned(),
            moved: MOVED,
            closed: CLOSED,
        })
    }
}

/// A new channel, from which its two ends are made, one each.
#[derive(Debug)]
pub struct Channel {
    ring: Owned,
    positions: Owned,
    writer: Waiter,
    reader: Waiter,
}

impl Channel {
    /// A channel with room for so many bytes, a multiple of the size of a page. The memory counts as the caller's.
    ///
    /// # Errors
    /// As the calls that make areas and events.
    pub fn new(bytes: u64) -> Result<Self, Error> {
        Self::with(bytes, None, None)
    }

    /// A channel whose sides wait as given; as [`new`](Self::new) where nothing is.
    ///
    /// # Errors
    /// As the calls that make areas and events.
    pub fn with(bytes: u64, writer: Option<Waiter>, reader: Option<Waiter>) -> Result<Self, Error> {
        let given = |waiter: Option<Waiter>| waiter.map_or_else(Waiter::new, Ok);
        let channel = Self {
            ring: VmArea::ring(bytes).and_then(|ring| committed(ring, bytes))?,
            positions: VmArea::open(PAGE_SIZE).and_then(|page| committed(page, PAGE_SIZE))?,
            writer: given(writer)?,
            reader: given(reader)?,
        };
        let page = channel.page()?;
        page.writer()
            .wait_for(channel.writer.moved, channel.writer.closed);
        page.reader()
            .wait_for(channel.reader.moved, channel.reader.closed);
        drop(page);
        Ok(channel)
    }

    fn page(&self) -> Result<Page, Error> {
        Page::new(crate::start::own(), &self.positions)
    }

    /// The event on which the reader waits: to bind [`CLOSED`] of it to the end of the writer's process.
    pub fn reader_event(&self) -> Handle {
        self.reader.event.handle()
    }

    /// The event on which the writer waits: to bind [`CLOSED`] of it to the end of the reader's process.
    pub fn writer_event(&self) -> Handle {
        self.writer.event.handle()
    }

    /// Handles for [`Writer::new`], which can be given to another process.
    ///
    /// # Errors
    /// As `handle_duplicate`.
    pub fn writer(&self) -> Result<[Handle; HANDLES], Error> {
        self.end(Rights::MAP_WRITE, Rights::SIGNAL, OWN_EVENT)
    }

    /// Handles for [`Reader::new`], which can be given to another process.
    ///
    /// # Errors
    /// As `handle_duplicate`.
    pub fn reader(&self) -> Result<[Handle; HANDLES], Error> {
        self.end(Rights::NONE, OWN_EVENT, Rights::SIGNAL)
    }

    /// The end that writes, in this process.
    ///
    /// It takes from here for which bits it waits, not from the memory that both sides see: so the other end may have been given away
    /// already.
    ///
    /// # Errors
    /// As [`writer`](Self::writer) and [`Writer::new`].
    pub fn open_writer(&self) -> Result<Writer, Error> {
        let bits = (self.writer.moved, self.writer.closed);
        Writer::with_bits(crate::start::own(), self.writer()?, bits)
    }

    /// The end that reads, in this process. As [`open_writer`](Self::open_writer).
    ///
    /// # Errors
    /// As [`reader`](Self::reader) and [`Reader::new`].
    pub fn open_reader(&self) -> Result<Reader, Error> {
        let bits = (self.reader.moved, self.reader.closed);
        Reader::with_bits(crate::start::own(), self.reader()?, bits)
    }

    fn end(&self, ring: Rights, written: Rights, read: Rights) -> Result<[Handle; HANDLES], Error> {
        let ring = ring.union(Rights::MAP_READ).union(Rights::INSPECT);
        let positions = Rights::MAP_READ.union(Rights::MAP_WRITE);
        // An end may be handed on, whole.
        let narrow =
            |owned: &Owned, rights: Rights| owned.duplicate(rights.union(Rights::TRANSFER));
        let end = [
            narrow(&self.ring, ring)?,
            narrow(&self.positions, positions)?,
            narrow(&self.reader.event, written)?,
            narrow(&self.writer.event, read)?,
        ];
        Ok(end.map(Owned::into_raw))
    }

    /// Says that the writer is gone, on behalf of a process that has ended: the reader finds the end after what was written.
    ///
    /// # Errors
    /// As the calls that map an area.
    pub fn close_writer(&self) -> Result<(), Error> {
        self.page()?.writer().close();
        signal(&self.reader)
    }

    /// Says that the reader is gone, on behalf of a process that has ended: the writer gets `PeerClosed`.
    ///
    /// # Errors
    /// As the calls that map an area.
    pub fn close_reader(&self) -> Result<(), Error> {
        self.page()?.reader().close();
        signal(&self.writer)
    }
}

/// An area with all its pages: when memory is short, whoever makes the channel is told, and nobody else has an exception later.
fn committed(area: VmArea, len: u64) -> Result<Owned, Error> {
    area.commit(0, len)?;
    Ok(area.into_owned())
}

fn signal(waiter: &Waiter) -> Result<(), Error> {
    crate::call::event_signal(waiter.event.handle(), waiter.closed | waiter.moved)
}

/// Handles that were received, as an end takes them over.
///
/// # Errors
/// `InvalidArgument` for another number of handles; they are closed.
pub fn handles(all: impl IntoIterator<Item = Owned>) -> Result<[Handle; HANDLES], Error> {
    let mut all = all.into_iter();
    let mut next = || all.next().ok_or(Error::InvalidArgument);
    let end = [next()?, next()?, next()?, next()?];
    match all.next() {
        None => Ok(end.map(Owned::into_raw)),
        Some(_) => Err(Error::InvalidArgument),
    }
}

/// The most that is mapped for an end, so that its size in bytes fits.
const ROOM_MAX: u64 = 1 << 40;

/// What a ring has room for, by the size that its mapping has.
fn room(ring: &Owned) -> Result<u64, Error> {
    let info = crate::call::vm_area_info(ring.handle())?;
    let room = info.size / 2;
    // Another kind of area would not show its pages twice: whoever sends such an end is no writer of this protocol.
    let is_ring = info.kind == area::RING && room != 0 && room <= ROOM_MAX;
    is_ring.then_some(room).ok_or(Error::InvalidArgument)
}
