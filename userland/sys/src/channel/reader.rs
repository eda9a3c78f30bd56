//! The end that reads.

use abi::{Error, Handle};

use super::HANDLES;
use super::end::{End, Look, Role};
use crate::bytes::copy;

/// The end that reads. When it is dropped, the writer gets `PeerClosed`.
pub struct Reader(End);

impl Reader {
    /// Takes over the handles of [`Channel::reader`](super::Channel::reader), in the process `own`, a handle with MAP that must stay
    /// open ([`crate::start::own`]).
    ///
    /// # Errors
    /// As the calls that map areas; `InvalidArgument` for handles of something else. They are closed.
    pub fn new(own: Handle, handles: [Handle; HANDLES]) -> Result<Self, Error> {
        End::new(own, handles, Role::Reader, None).map(Self)
    }

    /// As [`new`](Self::new), and waits for these bits.
    pub(super) fn with_bits(
        own: Handle,
        handles: [Handle; HANDLES],
        bits: (u64, u64),
    ) -> Result<Self, Error> {
        End::new(own, handles, Role::Reader, Some(bits)).map(Self)
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

    /// Whether nobody writes any more; there may be bytes left.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
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
        let there = self.0.wait(until)?;
        self.get(buffer, there)
    }

    /// Reads as many bytes as are there now and `buffer` has room for; 0 when there will be none any more.
    ///
    /// # Errors
    /// `NotReady` when there are none yet.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let look = self.0.look();
        self.get_if(buffer, look)
    }

    /// As [`try_read`](Self::try_read); after `NotReady` the event tells when there are some.
    pub fn read_or_arm(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let look = self.0.look_or_arm();
        self.get_if(buffer, look)
    }

    fn get_if(&mut self, buffer: &mut [u8], look: Look) -> Result<usize, Error> {
        match look {
            _ if buffer.is_empty() => Ok(0),
            Look::Ready(there) => self.get(buffer, there),
            Look::Wait => Err(Error::NotReady),
        }
    }

    fn get(&mut self, buffer: &mut [u8], there: u64) -> Result<usize, Error> {
        let end = &mut self.0;
        let count = buffer.len().min(there as usize);
        // SAFETY: `count` bytes from this place on were written, in the mapping.
        unsafe { copy(buffer.as_mut_ptr(), end.place(), count) };
        end.advance(count as u64)?;
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
