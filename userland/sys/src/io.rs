//! Reading and writing bytes: what programs are given as `stdin`, `stdout` and `stderr`, and [`print!`](crate::print).
//!
//! The three are ends of channels, given by name. Nothing happens to them until they are used for the first time. A program without
//! `stdout` writes to its log, line by line; without a log what it writes is lost.
//!
//! A program whose output nobody reads any more is ended by `print!` with status [`UNREAD`]; with [`Write`] it sees `PeerClosed`.

mod buffered;
mod standard;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use abi::{Error, NEVER};

use crate::channel::{Reader, Writer};

pub use buffered::{BufReader, LineWriter};
pub use standard::{Stderr, Stdin, Stdout, finish, stderr, stdin, stdout};

/// The exit status of a program that prints when nobody reads any more.
pub const UNREAD: u64 = 141;

/// Bytes can be read from it.
pub trait Read {
    /// Reads at least one byte, if the buffer has room; 0: there are no more.
    ///
    /// # Errors
    /// As what it reads from.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error>;

    /// Fills the buffer.
    ///
    /// # Errors
    /// `PeerClosed` when there are not so many bytes.
    fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<(), Error> {
        while !buffer.is_empty() {
            match self.read(buffer)? {
                0 => return Err(Error::PeerClosed),
                count => buffer = buffer.get_mut(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// Reads all that is left, to the end of `to`; returns how many bytes.
    ///
    /// # Errors
    /// `OutOfMemory`; as [`read`](Self::read).
    fn read_to_end(&mut self, to: &mut Vec<u8>) -> Result<usize, Error> {
        let mut piece = [0; 512];
        let before = to.len();
        loop {
            let count = self.read(&mut piece)?;
            if count == 0 {
                return Ok(to.len() - before);
            }
            to.try_reserve(count).map_err(|_| Error::OutOfMemory)?;
            to.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
    }

    /// Reads all that is left; what is no UTF-8 is replaced.
    ///
    /// # Errors
    /// As [`read_to_end`](Self::read_to_end).
    fn read_to_string(&mut self, to: &mut String) -> Result<usize, Error> {
        let mut bytes = Vec::new();
        let count = self.read_to_end(&mut bytes)?;
        to.push_str(&String::from_utf8_lossy(&bytes));
        Ok(count)
    }
}

/// Bytes can be written to it.
pub trait Write {
    /// Writes at least one of the bytes, if there are any; returns how many.
    ///
    /// # Errors
    /// As what it writes to.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error>;

    /// Sends what is kept back.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match self.write(bytes)? {
                0 => return Err(Error::PeerClosed),
                count => bytes = bytes.get(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// Writes text as [`write!`] makes it.
    ///
    /// # Errors
    /// As [`write`](Self::write); `InvalidArgument` when a value cannot be shown.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> Result<(), Error> {
        let mut sink = Sink {
            to: self,
            result: Ok(()),
        };
        let formatted = fmt::write(&mut sink, text);
        sink.result?;
        formatted.map_err(|_| Error::InvalidArgument)
    }
}

/// Formatted text goes here.
struct Sink<'a, W: ?Sized> {
    to: &'a mut W,
    result: Result<(), Error>,
}

impl<W: Write + ?Sized> fmt::Write for Sink<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.result = self.to.write_all(text.as_bytes());
        self.result.map_err(|_| fmt::Error)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        Self::read(self, buffer, NEVER)
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        Self::write(self, bytes, NEVER)
    }
}

impl Read for &[u8] {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let count = self.len().min(buffer.len());
        let (now, later) = self.split_at(count);
        for (place, byte) in buffer.iter_mut().zip(now) {
            *place = *byte;
        }
        *self = later;
        Ok(count)
    }
}

impl Write for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.try_reserve(bytes.len())
            .map_err(|_| Error::OutOfMemory)?;
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

/// Writes to `stdout`, for the macros.
#[doc(hidden)]
pub fn print(text: fmt::Arguments<'_>) {
    if stdout().write_fmt(text) == Err(Error::PeerClosed) {
        crate::call::process_exit(UNREAD);
    }
}

/// Writes to `stderr`, for the macros.
#[doc(hidden)]
pub fn eprint(text: fmt::Arguments<'_>) {
    // There is nobody to tell.
    let _ = stderr().write_fmt(text);
}

/// Prints to `stdout`.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => {
        $crate::io::print(format_args!($($argument)*))
    };
}

/// Prints a line to `stdout`.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)+) => {
        $crate::print!("{}\n", format_args!($($argument)+))
    };
}

/// Prints to `stderr`.
#[macro_export]
macro_rules! eprint {
    ($($argument:tt)*) => {
        $crate::io::eprint(format_args!($($argument)*))
    };
}

/// Prints a line to `stderr`.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($($argument:tt)+) => {
        $crate::eprint!("{}\n", format_args!($($argument)+))
    };
}
