//! Channels.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::{Error, Handle, Rights};

use super::inner::Inner;
use super::source::Source;
use crate::channel::{Reader, Writer};
use crate::object::{Borrowed, Event};
use crate::thread;

/// What tells that an end can go on: bits of the executor's event, set by the other side or by a thread that waits for it.
struct Moves {
    source: Source,
    /// It ends with this.
    _helper: Option<Helper>,
}

/// A thread that waits for an event, and passes on what it hears.
struct Helper {
    event: Event,
    bits: u64,
    is_over: Arc<AtomicBool>,
}

/// The stack of such a thread.
const STACK: u64 = 16 * 1024;

impl Moves {
    fn new(inner: &Rc<Inner>, (event, bits): (Handle, u64)) -> Result<Self, Error> {
        let event = Borrowed::<Event>::new(event);
        let object = event.handle_info()?.object;
        if object == inner.event().handle_info()?.object {
            let source = Source::reserved(inner, bits).ok_or(Error::InvalidArgument)?;
            return Ok(Self {
                source,
                _helper: None,
            });
        }
        let source = Source::new(inner)?;
        let heard = event.duplicate(Rights::WAIT.union(Rights::SIGNAL))?;
        let own = event.duplicate(Rights::WAIT.union(Rights::SIGNAL))?;
        let (executor, mask) = (inner.event().signaller()?, source.mask());
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let pass_on = move || {
            while !ends.load(Ordering::SeqCst) {
                match own.wait(bits, abi::NEVER) {
                    Ok(_) => {}
                    Err(Error::OutOfMemory) => thread::yield_now(),
                    // Nobody can wait for it.
                    Err(_) => return,
                }
                let _ = executor.signal(mask);
            }
        };
        drop(thread::Builder::new().stack(STACK).spawn(pass_on)?);
        Ok(Self {
            source,
            _helper: Some(Helper {
                event: heard,
                bits,
                is_over,
            }),
        })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = self.event.signal(self.bits);
    }
}

/// An end of a channel that reads. Dropped, the writer gets `PeerClosed`.
pub struct AsyncReader {
    moves: Moves,
    reader: Reader,
}

impl AsyncReader {
    pub(super) fn new(inner: &Rc<Inner>, reader: Reader) -> Result<Self, Error> {
        let moves = Moves::new(inner, reader.event())?;
        Ok(Self { moves, reader })
    }

    /// Reads as many bytes as are there, at least one; 0 when there will be none any more.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Self { moves, reader } = self;
        poll_fn(|context| {
            moves
                .source
                .poll_until(context, || match reader.read_or_arm(buffer) {
                    Err(Error::NotReady) => None,
                    result => Some(result),
                })
        })
        .await
    }

    /// Reads until the buffer is full or there will be nothing any more; returns how many bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_all(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut count = 0;
        while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
            match self.read(rest).await? {
                0 => break,
                more => count += more,
            }
        }
        Ok(count)
    }

    /// As [`Reader::try_read`].
    ///
    /// # Errors
    /// `NotReady` when there are none yet.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.reader.try_read(buffer)
    }

    /// Whether nobody writes any more.
    pub fn is_closed(&self) -> bool {
        self.reader.is_closed()
    }
}

/// An end of a channel that writes. Dropped, the reader finds the end after what was written.
pub struct AsyncWriter {
    moves: Moves,
    writer: Writer,
}

impl AsyncWriter {
    pub(super) fn new(inner: &Rc<Inner>, writer: Writer) -> Result<Self, Error> {
        let moves = Moves::new(inner, writer.event())?;
        Ok(Self { moves, writer })
    }

    /// Writes as many of the bytes as there is room for, at least one.
    ///
    /// # Errors
    /// `PeerClosed` when nobody reads any more; as [`Writer::write`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let Self { moves, writer } = self;
        poll_fn(|context| {
            moves
                .source
                .poll_until(context, || match writer.write_or_arm(bytes) {
                    Err(Error::NotReady) => None,
                    result => Some(result),
                })
        })
        .await
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// As [`write`](Self::write); a part may have been written.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let count = self.write(bytes).await?;
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// As [`Writer::try_write`].
    ///
    /// # Errors
    /// `NotReady` when there is no room; `PeerClosed` when nobody reads any more.
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.writer.try_write(bytes)
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.writer.is_closed()
    }

    /// Waits until nobody reads any more.
    pub async fn closed(&mut self) {
        let Self { moves, writer } = self;
        poll_fn(|context| {
            moves
                .source
                .poll_until(context, || writer.is_closed().then_some(()))
        })
        .await;
    }
}
