//! What commands of the shell read and write, unless they say otherwise: what redirections of compound commands and `$(...)` change.

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use files::{File, FileError, How};
use shell::expand::{self, BYTES_MAX, ExpandError};
use shell::interpret::{Flow, Host};
use shell::syntax::{Redirect, RedirectKind};

use super::console::Console;
use super::shell::Shell;

/// What commands write, to stand for `$(...)`.
#[derive(Default)]
pub struct Captured {
    pub bytes: Vec<u8>,
    /// There was more.
    pub is_too_long: bool,
}

impl Captured {
    /// Adds bytes; whether there was room.
    pub fn add(&mut self, bytes: &[u8]) -> bool {
        self.is_too_long |= self.bytes.len() + bytes.len() > BYTES_MAX;
        if !self.is_too_long {
            self.bytes.extend(bytes);
        }
        !self.is_too_long
    }
}

/// What commands read one after the other: a file, or a text of the script.
pub struct Supply {
    /// What comes first.
    ahead: Vec<u8>,
    file: Option<File>,
}

impl Supply {
    /// Reads what is next; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FileError> {
        if self.ahead.is_empty() {
            return self.file.as_mut().map_or(Ok(0), |file| file.read(buffer));
        }
        let count = self.ahead.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(self.ahead.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    /// Gives back what was read and is still to be read by others.
    pub fn put_back(&mut self, bytes: &[u8]) {
        self.ahead.splice(..0, bytes.iter().copied());
    }
}

/// Where something is written.
#[derive(Clone)]
pub enum Place {
    /// It is shown.
    Console,
    /// It is shown as what is said of errors, where that goes elsewhere.
    Errors,
    /// To a file.
    File(Rc<RefCell<File>>),
    /// It stands for `$(...)`.
    Captured(Rc<RefCell<Captured>>),
    /// The next command of the pipeline reads it.
    Pipe,
}

impl Place {
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Console, Self::Console)
            | (Self::Errors, Self::Errors)
            | (Self::Pipe, Self::Pipe) => true,
            (Self::File(one), Self::File(other)) => Rc::ptr_eq(one, other),
            (Self::Captured(one), Self::Captured(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// What is read.
#[derive(Clone)]
pub enum Origin {
    /// What is typed, or the standard input.
    Console,
    /// A file or a text.
    Supply(Rc<RefCell<Supply>>),
}

/// What commands read and write.
#[derive(Clone)]
pub struct Streams {
    pub input: Origin,
    pub output: Place,
    pub error: Place,
}

impl Streams {
    /// Those of a shell with this console.
    pub fn of(console: &Console) -> Self {
        Self {
            input: Origin::Console,
            output: Place::Console,
            error: match console.are_errors_apart() {
                true => Place::Errors,
                false => Place::Console,
            },
        }
    }
}

impl Shell {
    /// What redirections make of streams.
    pub fn redirected(
        &mut self,
        redirects: &[Redirect],
        mut streams: Streams,
    ) -> Result<Streams, String> {
        for redirect in redirects {
            match redirect.kind {
                RedirectKind::ErrorToOutput => {
                    streams.error = streams.output.clone();
                    continue;
                }
                RedirectKind::OutputToError => {
                    streams.output = streams.error.clone();
                    continue;
                }
                _ => {}
            }
            let target = expand::single(&redirect.target, self);
            let target = target.map_err(|error| match error {
                // That was told already.
                ExpandError::Ended => String::new(),
                error => error.to_string(),
            })?;
            let open = |how| {
                let file = self.files.open(&target, how);
                file.map_err(|error| error.to_string())
            };
            let place = |file| Place::File(Rc::new(RefCell::new(file)));
            let supply =
                |ahead, file| Origin::Supply(Rc::new(RefCell::new(Supply { ahead, file })));
            match redirect.kind {
                RedirectKind::Here => streams.input = supply(target.into_bytes(), None),
                RedirectKind::Input => streams.input = supply(Vec::new(), Some(open(How::Read)?)),
                RedirectKind::Output => streams.output = place(open(How::Create)?),
                RedirectKind::Append => streams.output = place(open(How::Append)?),
                RedirectKind::Error => streams.error = place(open(How::Create)?),
                _ => streams.error = place(open(How::Append)?),
            }
        }
        Ok(streams)
    }

    /// Writes what a command of the shell says.
    pub fn write(&mut self, place: &Place, bytes: &[u8]) -> Result<(), FileError> {
        match place {
            Place::Console => self.console.print(bytes),
            Place::Errors => self.console.print_error(bytes),
            Place::File(file) => file.borrow_mut().write_all(bytes)?,
            Place::Captured(captured) => {
                if !captured.borrow_mut().add(bytes) {
                    // Nothing of it can be used any more.
                    self.state().flow = Some(Flow::Abort);
                }
            }
            // Only programs have it.
            Place::Pipe => {}
        }
        Ok(())
    }

    /// Writes to where errors go.
    pub fn write_error(&mut self, bytes: &[u8]) {
        let place = self.streams.error.clone();
        if self.write(&place, bytes).is_err() {
            self.console.print_error(bytes);
        }
    }
}
