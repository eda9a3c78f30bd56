//! What commands have in common: files, output, input, handles.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use files::Files;
use ipc::{Directory, Link};
use protocols::Protocol;
use sys::Context;
use sys::io::{Read, Write};
use sys::object::System;

use super::Failed;

/// Output is sent in pieces of this many bytes.
const PIECE: usize = 4096;

/// The standard output, buffered.
#[derive(Default)]
pub struct Out {
    buffer: Vec<u8>,
    is_unread: bool,
}

impl Out {
    /// Writes bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.buffer.extend(bytes);
        match self.buffer.len() >= PIECE {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) -> Result<(), Failed> {
        self.write(line.as_bytes())?;
        self.write(b"\n")
    }

    /// Writes lines.
    pub fn lines(&mut self, lines: impl IntoIterator<Item = String>) -> Result<(), Failed> {
        lines.into_iter().try_for_each(|line| self.line(&line))
    }

    /// Sends what is kept back.
    pub fn flush(&mut self) -> Result<(), Failed> {
        let buffer = core::mem::take(&mut self.buffer);
        if buffer.is_empty() {
            return Ok(());
        }
        let mut output = sys::io::stdout();
        let result = output.write_all(&buffer).and_then(|()| output.flush());
        result.map_err(|error| {
            self.is_unread |= error == abi::Error::PeerClosed;
            format!("the output cannot be written: {error}")
        })
    }

    /// Whether nobody reads it any more.
    pub fn is_unread(&self) -> bool {
        self.is_unread
    }
}

/// What a command works with.
pub struct Tool<'a> {
    pub context: &'a Context,
    pub name: &'static str,
    pub out: Out,
    directory: Option<Directory>,
    system: Option<System>,
    /// Not 0 when something went wrong with one of several arguments; the others were done.
    pub status: u64,
}

impl<'a> Tool<'a> {
    pub fn new(context: &'a Context, name: &'static str) -> Self {
        Self {
            context,
            name,
            out: Out::default(),
            directory: Directory::of(context),
            system: context.handle("system").map(System::from),
            status: 0,
        }
    }

    /// The way to the services.
    pub fn directory(&self) -> Result<Directory, Failed> {
        let directory = self.directory.as_ref();
        let directory = directory.ok_or("no service directory was given to it")?;
        directory.duplicate().map_err(|failure| failure.to_string())
    }

    /// The files.
    pub fn files(&self) -> Result<Files, Failed> {
        Files::of(self.context, &self.directory()?).map_err(|failure| failure.to_string())
    }

    /// The machine.
    pub fn system(&self) -> Result<&System, Failed> {
        let system = self.system.as_ref();
        system.ok_or_else(|| String::from("no handle of the machine was given to it"))
    }

    /// Says what is wrong with one argument; the command goes on.
    pub fn complain(&mut self, text: &str) {
        // In order with the output, if that can still be written.
        let _ = self.out.flush();
        super::complain(self.name, text);
        self.status = 1;
    }

    /// Hands the bytes of some files, or of the standard input if there are none, to `each`, piece by piece; an empty piece ends a file.
    /// `-` is the standard input, too. The rest of a file is left out when `each` says false.
    pub fn read(
        &mut self,
        names: &[String],
        mut each: impl FnMut(&mut Self, &str, &[u8]) -> Result<bool, Failed>,
    ) -> Result<(), Failed> {
        let standard = [String::from("-")];
        let names = if names.is_empty() { &standard } else { names };
        for name in names {
            if name != "-" {
                match self.files()?.read(name) {
                    Ok(bytes) => {
                        if bytes.is_empty() || each(self, name, &bytes)? {
                            each(self, name, &[])?;
                        }
                    }
                    Err(error) => self.complain(&error.to_string()),
                }
                continue;
            }
            let mut buffer = [0; 1024];
            loop {
                let count = sys::io::stdin().read(&mut buffer);
                let count = count.map_err(|error| format!("the input: {error}"))?;
                let piece = buffer.get(..count).unwrap_or_default();
                if !each(self, name, piece)? || count == 0 {
                    break;
                }
                // Who reads the output sees what there is so far.
                self.out.flush()?;
            }
        }
        Ok(())
    }

    /// The width of the terminal.
    pub fn columns(&self) -> usize {
        self.measure("COLUMNS", 20, 80)
    }

    /// The height of the terminal.
    pub fn rows(&self) -> usize {
        self.measure("LINES", 5, 24)
    }

    fn measure(&self, name: &str, least: usize, otherwise: usize) -> usize {
        let text = self.context.env(name);
        text.and_then(|text| text.parse().ok())
            .filter(|number| *number >= least)
            .unwrap_or(otherwise)
    }
}

/// How long a service is waited for that is not there, in nanoseconds: long enough to be started again.
const PATIENCE_NS: u64 = 5_000_000_000;

/// Waits for a service to be there, so that its answer can be waited for as long as it takes.
pub fn reach<P: Protocol>(link: &mut Link<P>) -> Result<(), Failed> {
    let result = link.mailbox(sys::time::after(PATIENCE_NS)).map(drop);
    result.map_err(|failure| format!("the service {}: {failure}", link.name()))
}

/// The number of an argument.
pub fn number(text: &str) -> Result<u64, Failed> {
    text.parse().map_err(|_| format!("'{text}' is no number"))
}
