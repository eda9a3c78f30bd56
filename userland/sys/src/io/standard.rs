//! `stdin`, `stdout` and `stderr`.

use alloc::string::String;

use abi::log::Level;
use abi::{Error, NEVER};

use super::{BufReader, LineWriter, Read, Write};
use crate::channel::{Reader, Writer};
use crate::object::Owned;
use crate::sync::Mutex;
use crate::{channel, start};

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
        make: impl FnOnce([abi::Handle; channel::HANDLES]) -> Result<T, Error>,
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

/// What is read; without it there is nothing.
struct Input(Lazy<Reader>);

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let open = |end| Reader::new(start::own(), end);
        match self.0.get("stdin", open) {
            Some(reader) => reader.read(buffer, NEVER),
            None => Ok(0),
        }
    }
}

/// What is written to; without it the log, if there is one.
struct Output(Lazy<Writer>);

impl Output {
    fn writer(&mut self) -> Option<&mut Writer> {
        let open = |end| Writer::new(start::own(), end);
        self.0.get("stdout", open)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        if let Some(writer) = self.writer() {
            return writer.write(bytes, NEVER);
        }
        if let Some(system) = start::system() {
            let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            crate::log_write(system, Level::Info, text)?;
        }
        Ok(bytes.len())
    }
}

static INPUT: Mutex<BufReader<Input>> = Mutex::new(BufReader::new(Input(Lazy::New)));
static OUTPUT: Mutex<LineWriter<Output>> = Mutex::new(LineWriter::new(Output(Lazy::New)));
static ERRORS: Mutex<Lazy<Writer>> = Mutex::new(Lazy::New);

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
        INPUT.lock().read_line(line)
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        INPUT.lock().read(buffer)
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
        OUTPUT.lock().get_mut().writer().is_some()
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        OUTPUT.lock().write(bytes)
    }

    fn flush(&mut self) -> Result<(), Error> {
        OUTPUT.lock().flush()
    }
}

/// What the program is given to write errors to; without it, `stdout`. Nothing is kept back.
#[derive(Clone, Copy, Debug)]
pub struct Stderr(());

/// What the program is given to write errors to.
pub fn stderr() -> Stderr {
    Stderr(())
}

impl Stderr {
    /// Whether the program was given one, so that it is not `stdout`.
    pub fn is_given(self) -> bool {
        let open = |end| Writer::new(start::own(), end);
        ERRORS.lock().get("stderr", open).is_some()
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let open = |end| Writer::new(start::own(), end);
        if let Some(writer) = ERRORS.lock().get("stderr", open) {
            return writer.write(bytes, NEVER);
        }
        let mut output = OUTPUT.lock();
        let count = output.write(bytes)?;
        // To a log only whole lines.
        if output.get_mut().writer().is_some() {
            output.flush()?;
        }
        Ok(count)
    }
}

/// Sends what is kept back, at the end of a program.
pub fn finish() {
    // There is nobody to tell.
    let _ = OUTPUT.lock().flush();
}
