//! The end that writes.

use alloc::vec::Vec;

use abi::{Error, Handle};

use super::HANDLES;
use super::end::{End, Look, Role};
use crate::bytes::copy;

/// The end that writes. When it is dropped, the reader finds the end after what was written.
pub struct Writer(End);

impl Writer {
    /// Takes over the handles of [`Channel::writer`](super::Channel::writer), in the process `own`, a handle with MAP that must stay
    /// open ([`crate::start::own`]).
    ///
    /// # Errors
    /// As the calls that map areas; `InvalidArgument` for handles of something else. They are closed.
    pub fn new(own: Handle, handles: [Handle; HANDLES]) -> Result<Self, Error> {
        End::new(own, handles, Role::Writer, None).map(Self)
    }

    /// As [`new`](Self::new), and waits for these bits.
    pub(super) fn with_bits(
        own: Handle,
        handles: [Handle; HANDLES],
        bits: (u64, u64),
    ) -> Result<Self, Error> {
        End::new(own, handles, Role::Writer, Some(bits)).map(Self)
    }

    /// The handles, to be given to another process, which goes on where this has stopped. The channel stays open.
    pub fn into_handles(self) -> [Handle; HANDLES] {
        self.0.into_handles()
    }

    /// The event on which it waits, and the bits for which.
    pub fn event(&self) -> (Handle, u64) {
        self.0.event()
    }

    /// How many bytes the channel has room for.
    pub fn room(&self) -> u64 {
        self.0.room()
    }

    /// What was written and the reader has not taken, as far as it has told: for who writes that to another one when this one is gone.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn untaken(&self) -> Result<Vec<u8>, Error> {
        let (place, count) = self.0.untaken();
        let count = count as usize;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(count)
            .map_err(|_| Error::OutOfMemory)?;
        bytes.resize(count, 0);
        // SAFETY: `count` bytes from this place on lie in the mapping, as there are no more than there is room for.
        unsafe { copy(bytes.as_mut_ptr(), place, count) };
        Ok(bytes)
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
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
        let free = self.0.wait(until)?;
        self.put(bytes, free)
    }

    /// Writes as many of the bytes as there is room for now.
    ///
    /// # Errors
    /// `NotReady` when there is no room; `PeerClosed` when nobody reads any more.
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let look = self.0.look();
        self.put_if(bytes, look)
    }

    /// As [`try_write`](Self::try_write); after `NotReady` the event tells when there is room.
    pub fn write_or_arm(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let look = self.0.look_or_arm();
        self.put_if(bytes, look)
    }

    fn put_if(&mut self, bytes: &[u8], look: Look) -> Result<usize, Error> {
        match look {
            _ if bytes.is_empty() => Ok(0),
            Look::Ready(free) => self.put(bytes, free),
            Look::Wait => Err(Error::NotReady),
        }
    }

    fn put(&mut self, bytes: &[u8], free: u64) -> Result<usize, Error> {
        let end = &mut self.0;
        if end.is_closed() {
            return Err(Error::PeerClosed);
        }
        let count = bytes.len().min(free as usize);
        // SAFETY: `count` bytes from this place on are free, in the mapping.
        unsafe { copy(end.place(), bytes.as_ptr(), count) };
        end.advance(count as u64)?;
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
