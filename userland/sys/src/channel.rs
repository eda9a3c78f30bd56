//! Byte channels between two processes, or two threads: one writes, one reads.
//!
//! A channel is a ring (an area that shows its pages twice, so that what lies across the end lies in one piece all the same), a page of
//! positions, and two events. The kernel knows nothing of it. Whoever writes or reads enters the kernel only to wait, or to
//! wake the other side that waits.
//!
//! The sides need not trust each other: positions that cannot be are taken as the end of the other side, and memory is touched
//! only inside of the ring. The content may change while it is read, if the writer wants that.
//!
//! # Why no wake-up is lost
//!
//! Who is about to wait says so first, and then looks once more. The other side moves its position first, and then looks whether
//! somebody waits. All four are in one order (`SeqCst`), so that one of the two sees the other.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::{Error, Handle, PAGE_SIZE, Rights, area};

use crate::call;

/// Bit of an event: the other side has moved its position.
const MOVED: u64 = 1;
/// Bit of an event: the other side is gone. Whoever makes a channel between processes binds it to the end of the processes.
pub const CLOSED: u64 = 2;

/// How many handles an end consists of.
pub const HANDLES: usize = 4;

/// What both sides know of one of them.
#[repr(C, align(64))]
struct Side {
    /// How many bytes it has written, or read, ever.
    position: AtomicU64,
    /// It waits for the other side.
    is_waiting: AtomicU32,
    is_closed: AtomicU32,
}

/// The page of positions.
#[repr(C)]
struct Positions {
    writer: Side,
    reader: Side,
}

/// How many bytes lie in a ring that has room for so many; `None` for positions that cannot be.
fn filled(written: u64, read: u64, room: u64) -> Option<u64> {
    let filled = written.wrapping_sub(read);
    (filled <= room).then_some(filled)
}

/// A handle that is closed when dropped.
#[derive(Debug)]
struct Owned(Handle);

impl Drop for Owned {
    fn drop(&mut self) {
        // Nobody else closes it; and if so, it is closed.
        let _ = call::handle_close(self.0);
    }
}

/// A new channel, from which its two ends are made, one each.
pub struct Channel {
    ring: Owned,
    positions: Owned,
    /// The reader waits for it.
    written: Owned,
    /// The writer waits for it.
    read: Owned,
}

impl Channel {
    /// A channel with room for so many bytes, a multiple of the size of a page. The memory counts as the caller's.
    ///
    /// # Errors
    /// As the calls that make areas and events.
    pub fn new(bytes: u64) -> Result<Self, Error> {
        Ok(Self {
            ring: Owned(call::vm_area_create(area::RING, bytes, 0)?),
            positions: Owned(call::vm_area_create(area::OPEN, PAGE_SIZE, 0)?),
            written: Owned(call::event_create()?),
            read: Owned(call::event_create()?),
        })
    }

    /// The event on which the reader waits: to bind [`CLOSED`] of it to the end of the writer's process.
    pub fn reader_event(&self) -> Handle {
        self.written.0
    }

    /// The event on which the writer waits: to bind [`CLOSED`] of it to the end of the reader's process.
    pub fn writer_event(&self) -> Handle {
        self.read.0
    }

    /// Handles for [`Writer::new`], which can be given to another process.
    ///
    /// # Errors
    /// As `handle_duplicate`.
    pub fn writer(&self) -> Result<[Handle; HANDLES], Error> {
        self.end(Rights::MAP_WRITE, Rights::SIGNAL, Rights::WAIT)
    }

    /// Handles for [`Reader::new`], which can be given to another process.
    ///
    /// # Errors
    /// As `handle_duplicate`.
    pub fn reader(&self) -> Result<[Handle; HANDLES], Error> {
        self.end(Rights::NONE, Rights::WAIT, Rights::SIGNAL)
    }

    fn end(&self, ring: Rights, written: Rights, read: Rights) -> Result<[Handle; HANDLES], Error> {
        let ring = ring.union(Rights::MAP_READ).union(Rights::INSPECT);
        let positions = Rights::MAP_READ.union(Rights::MAP_WRITE);
        let narrow = |owned: &Owned, rights: Rights| {
            call::handle_duplicate(owned.0, rights.union(Rights::TRANSFER)).map(Owned)
        };
        let end = [
            narrow(&self.ring, ring)?,
            narrow(&self.positions, positions)?,
            narrow(&self.written, written)?,
            narrow(&self.read, read)?,
        ];
        Ok(end.map(|owned| {
            let handle = owned.0;
            core::mem::forget(owned);
            handle
        }))
    }
}

/// Memory that is mapped as long as this is there.
struct Mapping {
    process: Handle,
    address: u64,
    len: u64,
}

impl Mapping {
    fn new(process: Handle, area: &Owned, len: u64, access: u64) -> Result<Self, Error> {
        let address = call::process_map(process, area.0, 0, 0, len, access)?;
        Ok(Self {
            process,
            address,
            len,
        })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // A whole mapping: this takes no memory.
        let _ = call::process_unmap(self.process, self.address, self.len);
    }
}

/// An end of a channel. `own` must stay open as long as it is there.
struct End {
    ring: Mapping,
    positions: Mapping,
    room: u64,
    /// To wait on.
    event: Owned,
    /// To wake the other side by.
    other_event: Owned,
    /// The position of this side. That in the shared page is only told, never asked.
    position: u64,
    is_peer_gone: bool,
    /// The other side has told a position that cannot be: nothing of it counts any more.
    is_broken: bool,
}

impl End {
    fn new(
        own: Handle,
        handles: [Handle; HANDLES],
        access: u64,
        is_writer: bool,
    ) -> Result<Self, Error> {
        let [ring, positions, written, read] = handles.map(Owned);
        let room = call::vm_area_info(ring.0)?.size / 2;
        let (event, other_event) = if is_writer {
            (read, written)
        } else {
            (written, read)
        };
        Ok(Self {
            ring: Mapping::new(own, &ring, 2 * room, access)?,
            positions: Mapping::new(own, &positions, PAGE_SIZE, area::READ | area::WRITE)?,
            room,
            event,
            other_event,
            position: 0,
            is_peer_gone: false,
            is_broken: false,
        })
    }

    fn positions(&self) -> &Positions {
        // SAFETY: a page that is mapped as long as this is there, at its begin; all of it is atomic, and any bytes are right.
        unsafe { &*(self.positions.address as *const Positions) }
    }

    /// Where byte `position` of all lies; from there on as many bytes as there is room for are in one piece.
    fn place(&self) -> *mut u8 {
        (self.ring.address + self.position % self.room) as *mut u8
    }

    /// Tells the other side how far this one is, and wakes it if it waits.
    fn advance(&mut self, count: u64, own: &Side, other: &Side) -> Result<(), Error> {
        self.position += count;
        own.position.store(self.position, Ordering::SeqCst);
        if other.is_waiting.swap(0, Ordering::SeqCst) != 0 {
            call::event_signal(self.other_event.0, MOVED)?;
        }
        Ok(())
    }

    /// Waits until `ready` says how many bytes can be moved, which is not 0, or the other side has gone; at the latest until a time.
    fn wait(
        &mut self,
        own: &Side,
        other: &Side,
        until: u64,
        ready: impl Fn(u64, u64) -> Option<u64>,
    ) -> Result<u64, Error> {
        let ready = |position| ready(position, other.position.load(Ordering::SeqCst));
        loop {
            // Before the position: what was written before the end counts.
            let is_gone = self.is_peer_gone || other.is_closed.load(Ordering::SeqCst) != 0;
            match ready(self.position) {
                None => {
                    self.is_broken = true;
                    self.is_peer_gone = true;
                    return Ok(0);
                }
                Some(_) if self.is_broken => return Ok(0),
                Some(count) if count != 0 || is_gone => return Ok(count),
                Some(_) => {}
            }
            if own.is_waiting.swap(1, Ordering::SeqCst) == 0 {
                continue;
            }
            match call::event_wait(self.event.0, MOVED | CLOSED, 0, until) {
                Ok(bits) => self.is_peer_gone |= bits & CLOSED != 0,
                Err(error) => {
                    own.is_waiting.store(0, Ordering::SeqCst);
                    return Err(error);
                }
            }
        }
    }

    fn close(&self, own: &Side) {
        own.is_closed.store(1, Ordering::SeqCst);
        // The event is there as long as this end has a handle of it.
        let _ = call::event_signal(self.other_event.0, CLOSED);
    }
}

/// Copies bytes of which one side may be changed by others meanwhile: no reference to them is made.
///
/// # Safety
/// `from` can be read and `to` be written, so many bytes each.
unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the caller's promise; the direction flag is clear (System V ABI).
    unsafe {
        core::arch::asm!(
            "rep movsq",
            "mov ecx, {rest:e}",
            "rep movsb",
            rest = in(reg) count % 8,
            inout("rcx") count / 8 => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
}

/// The end that writes. When it is dropped, the reader finds the end after what was written.
pub struct Writer(End);

impl Writer {
    /// Takes over the handles of [`Channel::writer`], in the process `own`, a handle with MAP that must stay open.
    ///
    /// # Errors
    /// As the calls that map areas.
    pub fn new(own: Handle, handles: [Handle; HANDLES]) -> Result<Self, Error> {
        End::new(own, handles, area::READ | area::WRITE, true).map(Self)
    }

    /// Writes as many of the bytes as there is room for, and waits for room if there is none; at the latest until a time on the
    /// monotonic clock, in nanoseconds. Returns how many, at least one unless there are none.
    ///
    /// # Errors
    /// `PeerClosed` when nobody reads any more; `TimedOut`, `OutOfMemory`.
    pub fn write(&mut self, bytes: &[u8], until: u64) -> Result<usize, Error> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let end = &mut self.0;
        let page = end.positions.address as *const Positions;
        // SAFETY: as in `End::positions`; the mapping stays, whatever is done to the other fields.
        let Positions { writer, reader } = unsafe { &*page };
        let room = end.room;
        let free = end.wait(writer, reader, until, |written, read| {
            filled(written, read, room).map(|filled| room - filled)
        })?;
        if end.is_peer_gone || reader.is_closed.load(Ordering::Relaxed) != 0 {
            return Err(Error::PeerClosed);
        }
        let count = bytes.len().min(free as usize);
        // SAFETY: `count` bytes from this place on are free, in the mapping.
        unsafe { copy(end.place(), bytes.as_ptr(), count) };
        end.advance(count as u64, writer, reader)?;
        Ok(count)
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// As [`Self::write`]; a part may have been written.
    pub fn write_all(&mut self, mut bytes: &[u8], until: u64) -> Result<(), Error> {
        while !bytes.is_empty() {
            let count = self.write(bytes, until)?;
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.close(&self.0.positions().writer);
    }
}

/// The end that reads. When it is dropped, the writer gets `PeerClosed`.
pub struct Reader(End);

impl Reader {
    /// Takes over the handles of [`Channel::reader`], in the process `own`, a handle with MAP that must stay open.
    ///
    /// # Errors
    /// As the calls that map areas.
    pub fn new(own: Handle, handles: [Handle; HANDLES]) -> Result<Self, Error> {
        End::new(own, handles, area::READ, false).map(Self)
    }

    /// Reads as many bytes as are there and `buffer` has room for, and waits for some if there are none; at the latest until a time on
    /// the monotonic clock, in nanoseconds. Returns how many; 0 when there will be none any more, or `buffer` is empty.
    ///
    /// # Errors
    /// `TimedOut`, `OutOfMemory`.
    pub fn read(&mut self, buffer: &mut [u8], until: u64) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let end = &mut self.0;
        let page = end.positions.address as *const Positions;
        // SAFETY: as in `End::positions`; the mapping stays, whatever is done to the other fields.
        let Positions { writer, reader } = unsafe { &*page };
        let room = end.room;
        let there = end.wait(reader, writer, until, |read, written| {
            filled(written, read, room)
        })?;
        let count = buffer.len().min(there as usize);
        // SAFETY: `count` bytes from this place on were written, in the mapping.
        unsafe { copy(buffer.as_mut_ptr(), end.place(), count) };
        end.advance(count as u64, reader, writer)?;
        Ok(count)
    }

    /// Reads until `buffer` is full or there will be nothing any more; returns how many bytes that were.
    ///
    /// # Errors
    /// As [`Self::read`]; some may have been read.
    pub fn read_all(&mut self, buffer: &mut [u8], until: u64) -> Result<usize, Error> {
        let mut count = 0;
        while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
            match self.read(rest, until)? {
                0 => break,
                more => count += more,
            }
        }
        Ok(count)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.close(&self.0.positions().reader);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_tell_how_much_there_is() {
        assert_eq!(filled(0, 0, 4096), Some(0));
        assert_eq!(filled(4096, 0, 4096), Some(4096));
        assert_eq!(filled(5, u64::MAX - 2, 4096), Some(8));
    }

    #[test]
    fn positions_that_cannot_be_are_found() {
        assert_eq!(filled(4097, 0, 4096), None);
        assert_eq!(filled(0, 1, 4096), None);
        assert_eq!(filled(u64::MAX, 0, 4096), None);
    }

    #[test]
    fn bytes_are_copied_whatever_their_number() {
        let from: Vec<u8> = (0..64).collect();
        for count in 0..from.len() {
            let mut to = vec![0xff; from.len()];
            // SAFETY: both are longer.
            unsafe { copy(to.as_mut_ptr(), from.as_ptr(), count) };
            assert_eq!(to[..count], from[..count]);
            assert!(to[count..].iter().all(|byte| *byte == 0xff));
        }
    }
}
