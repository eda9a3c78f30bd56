//! `stdin`, `stdout` and `stderr`.

use alloc::string::String;
use alloc::vec::Vec;

use abi::log::Level;
use abi::{Error, NEVER};

use super::{Read, Write};
use crate::channel::{Reader, Writer};
use crate::object::Owned;
use crate::sync::Mutex;
use crate::{channel, start};

/// Bytes of output that are kept until a line is complete, and of input that was not asked for yet.
const KEPT: usize = 1024;

/// An end that is made when it is used first.
enum Lazy<T> {
    New,
    There(T),
    Absent,
}

impl<T> Lazy<T> {
    /// The end, from the four handles of a name.
    fn get(
        &mut self,
        name: &str,
        make: impl FnOnce([abi::Handle; 4]) -> Result<T, Error>,
    ) -> Option<&mut T> {
        if let Self::New = self {
            let handles: [Option<Owned>; channel::HANDLES] =
                core::array::from_fn(|_| start::take(name));
            let end = channel::handles(handles.into_iter().flatten()).and_then(make);
            *self = end.map_or(Self::Absent, Self::There);
        }
        match self {
            Self::There(end) => Some(end),
            _ => None,
        }
    }
}

struct Input {
    reader: Lazy<Reader>,
    kept: [u8; KEPT],
    /// Which of those were not asked for yet.
    from: usize,
    to: usize,
}

static INPUT: Mutex<Input> = Mutex::new(Input {
    reader: Lazy::New,
    kept: [0; KEPT],
    from: 0,
    to: 0,
});

impl Input {
    /// What is there, at least one byte; nothing at the end.
    fn fill(&mut self) -> Result<&[u8], Error> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            let own = start::own();
            if let Some(reader) = self.reader.get("stdin", |end| Reader::new(own, end)) {
                self.to = reader.read(&mut self.kept, NEVER)?;
            }
        }
        Ok(self.kept.get(self.from..self.to).unwrap_or_default())
    }
}

/// What the program is given to read. Without it there is nothing to read.
#[derive(Clone, Copy, Debug)]
pub struct Stdin(());

/// What the program is given to read.
pub fn stdin() -> Stdin {
    Stdin(())
}

impl Stdin {
    /// Reads a line with its end, to the end of `line`; returns how many bytes, 0 when there are no more. What is no UTF-8 is replaced.
    ///
    /// # Errors
    /// `OutOfMemory`; as [`Reader::read`].
    pub fn read_line(self, line: &mut String) -> Result<usize, Error> {
        let mut bytes = Vec::new();
        let mut input = INPUT.lock();
        loop {
            let there = input.fill()?;
            let end = there.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(there.len(), |end| end + 1);
            bytes.try_reserve(count).map_err(|_| Error::OutOfMemory)?;
            bytes.extend_from_slice(there.get(..count).unwrap_or_default());
            input.from += count;
            if end.is_some() || count == 0 {
                line.push_str(&String::from_utf8_lossy(&bytes));
                return Ok(bytes.len());
            }
        }
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut input = INPUT.lock();
        let count = input.fill()?.read(buffer)?;
        input.from += count;
        Ok(count)
    }
}

struct Output {
    writer: Lazy<Writer>,
    kept: [u8; KEPT],
    len: usize,
}

static OUTPUT: Mutex<Output> = Mutex::new(Output {
    writer: Lazy::New,
    kept: [0; KEPT],
    len: 0,
});
static ERRORS: Mutex<Lazy<Writer>> = Mutex::new(Lazy::New);

impl Output {
    fn writer(&mut self) -> Option<&mut Writer> {
        let own = start::own();
        self.writer.get("stdout", |end| Writer::new(own, end))
    }

    fn send(&mut self) -> Result<(), Error> {
        let len = core::mem::take(&mut self.len);
        let kept = self.kept;
        let bytes = kept.get(..len).unwrap_or_default();
        match self.writer() {
            Some(writer) => writer.write_all(bytes, NEVER),
            None => {
                let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
                if let Some(system) = start::system().filter(|_| len != 0) {
                    crate::log_write(system, Level::Info, text)?;
                }
                Ok(())
            }
        }
    }

    /// Keeps the bytes, and sends what is complete.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        let (lines, rest) = bytes.split_at(end.map_or(0, |end| end + 1));
        if !lines.is_empty() {
            self.keep(lines)?;
            self.send()?;
        }
        self.keep(rest)
    }

    fn keep(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let free = self.kept.get_mut(self.len..).unwrap_or_default();
            if free.is_empty() {
                self.send()?;
                continue;
            }
            let count = free.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            for (place, byte) in free.iter_mut().zip(now) {
                *place = *byte;
            }
            self.len += count;
            bytes = later;
        }
        Ok(())
    }
}

/// What the program is given to write to; without it, its log. What is written goes out with the end of a line, or by
/// [`flush`](Write::flush), or at the end of `main`.
#[derive(Clone, Copy, Debug)]
pub struct Stdout(());

/// What the program is given to write to.
pub fn stdout() -> Stdout {
    Stdout(())
}

impl Stdout {
    /// Whether the program was given one.
    pub fn is_given(self) -> bool {
        OUTPUT.lock().writer().is_some()
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        OUTPUT.lock().put(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        OUTPUT.lock().send()
    }
}

/// What the program is given to write errors to; without it, `stdout`. Nothing is kept back.
#[derive(Clone, Copy, Debug)]
pub struct Stderr(());

/// What the program is given to write errors to.
pub fn stderr() -> Stderr {
    Stderr(())
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let own = start::own();
        let mut errors = ERRORS.lock();
        match errors.get("stderr", |end| Writer::new(own, end)) {
            Some(writer) => writer.write(bytes, NEVER),
            None => {
                let mut output = OUTPUT.lock();
                output.put(bytes)?;
                // To a log only whole lines.
                if output.writer().is_some() {
                    output.send()?;
                }
                Ok(bytes.len())
            }
        }
    }
}

/// Sends what is kept back, at the end of a program.
pub fn finish() {
    // There is nobody to tell.
    let _ = OUTPUT.lock().send();
}
