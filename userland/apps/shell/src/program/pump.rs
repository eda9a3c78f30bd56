//! Moves bytes: from programs to the terminal and to files, and from files and the shell's own commands to programs.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use abi::Error;
use files::File;
use sys::channel::{Reader, Writer};

use super::console::Console;
use super::streams::{Captured, Supply};

/// Bytes that are moved at once.
const PIECE: usize = 4096;
/// How many pieces are moved before others get their turn.
const PIECES_MAX: usize = 16;

/// Where bytes come from, besides those that are there already.
pub enum Source {
    /// A program writes them.
    Channel(Reader),
    /// They lie in a file, or in a text.
    Supply(Rc<RefCell<Supply>>),
}

/// Where bytes go.
pub enum Sink {
    /// They are shown.
    Console,
    /// They are shown as what is said of errors.
    Errors,
    /// A program reads them.
    Channel(Writer),
    /// They go to a file.
    File(Rc<RefCell<File>>),
    /// They stand for `$(...)`.
    Captured(Rc<RefCell<Captured>>),
}

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Some were moved, and there may be more.
    Moved,
    /// The shell's event will tell when there are more.
    Waits,
    /// All were moved, or nobody wants them.
    Done,
}

/// A way of bytes.
pub struct Pump {
    source: Option<Source>,
    sink: Sink,
    buffer: Vec<u8>,
}

impl Pump {
    pub fn new(source: Source, sink: Sink) -> Self {
        Self {
            source: Some(source),
            sink,
            buffer: Vec::new(),
        }
    }

    /// Of bytes that are there.
    pub fn of_bytes(bytes: Vec<u8>, sink: Sink) -> Self {
        Self {
            source: None,
            sink,
            buffer: bytes,
        }
    }

    /// Whether it ends at the terminal, or comes from a program at least: what has to be waited for.
    pub fn is_output(&self) -> bool {
        !matches!(self.sink, Sink::Channel(_))
    }

    /// Gives back what comes from a file or a text and was not moved.
    pub fn give_back(&mut self) {
        if let Some(Source::Supply(supply)) = &self.source {
            supply.borrow_mut().put_back(&self.buffer);
            self.buffer.clear();
        }
    }

    /// Moves what can be moved now.
    pub fn step(&mut self, console: &mut Console) -> Progress {
        let mut moved = false;
        for _ in 0..PIECES_MAX {
            let progress = match self.buffer.is_empty() {
                true => self.fill(console),
                false => self.drain(console),
            };
            match progress {
                Progress::Moved => moved = true,
                Progress::Done => return Progress::Done,
                Progress::Waits if moved => return Progress::Moved,
                Progress::Waits => return Progress::Waits,
            }
        }
        Progress::Moved
    }

    fn fill(&mut self, console: &mut Console) -> Progress {
        let Some(source) = &mut self.source else {
            return Progress::Done;
        };
        self.buffer.resize(PIECE, 0);
        let result = match source {
            Source::Channel(reader) => reader.read_or_arm(&mut self.buffer).map_err(Some),
            Source::Supply(supply) => supply.borrow_mut().read(&mut self.buffer).map_err(|error| {
                console.print_error(format!("6s: {error}\n").as_bytes());
                None
            }),
        };
        self.buffer.truncate(result.unwrap_or(0));
        match result {
            Ok(1..) => Progress::Moved,
            Err(Some(Error::NotReady)) => Progress::Waits,
            Ok(0) | Err(_) => {
                self.source = None;
                Progress::Done
            }
        }
    }

    fn drain(&mut self, console: &mut Console) -> Progress {
        match &mut self.sink {
            Sink::Console if !console.has_room() => return Progress::Waits,
            Sink::Errors => {
                console.print_error(&self.buffer);
                self.buffer.clear();
            }
            Sink::Console => {
                console.print(&self.buffer);
                self.buffer.clear();
            }
            Sink::Channel(writer) => match writer.write_or_arm(&self.buffer) {
                Ok(count) => drop(self.buffer.drain(..count)),
                Err(Error::NotReady) => return Progress::Waits,
                Err(_) => {
                    self.give_back();
                    return Progress::Done;
                }
            },
            Sink::Captured(captured) => {
                if !captured.borrow_mut().add(&self.buffer) {
                    return Progress::Done;
                }
                self.buffer.clear();
            }
            Sink::File(file) => {
                if let Err(error) = file.borrow_mut().write_all(&self.buffer) {
                    console.print_error(format!("6s: {error}\n").as_bytes());
                    return Progress::Done;
                }
                self.buffer.clear();
            }
        }
        Progress::Moved
    }
}
