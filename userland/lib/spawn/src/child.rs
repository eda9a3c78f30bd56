//! A process that was made here.

use abi::process::{self, Info};
use abi::{Error, NEVER, PAGE_SIZE};
use sys::object::{Event, Process};

/// The bit that tells of the end, in an event that is used for nothing else.
const ENDED: u64 = 1;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By its own choice or that of another, with this status.
    Status(u64),
    /// By an exception that nobody handled: its vector.
    Fault(u64),
}

impl Exit {
    /// Whether it ended as it should: with status 0.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Status(0))
    }

    /// One number for both: the status, or 128 more than the vector.
    pub const fn code(self) -> u64 {
        match self {
            Self::Status(status) => status,
            Self::Fault(vector) => 128 + vector,
        }
    }
}

impl core::fmt::Display for Exit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "ended with status {status}"),
            Self::Fault(vector) => write!(f, "ended by exception {vector}"),
        }
    }
}

/// A process that was made here. It runs on when this is dropped, for as long as the process that made it.
#[derive(Debug)]
pub struct Child {
    process: Process,
    bias: u64,
}

impl Child {
    pub(crate) fn new(process: Process, bias: u64) -> Self {
        Self { process, bias }
    }

    /// The process, with all rights.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Gives up everything but the process.
    pub fn into_process(self) -> Process {
        self.process
    }

    /// What was added to all addresses of the program's file: for symbols.
    pub fn bias(&self) -> u64 {
        self.bias
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// As [`Process::info`].
    pub fn exit(&self) -> Result<Option<Exit>, Error> {
        exit_of(&self.process)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// As [`Child::wait_until`], but for `TimedOut`.
    pub fn wait(&self) -> Result<Exit, Error> {
        self.wait_until(NEVER)
    }

    /// Waits for its end until a time on the monotonic clock, in nanoseconds. An event that was bound by [`Child::on_exit`] is bound
    /// no more.
    ///
    /// # Errors
    /// `TimedOut`, or as the calls that make events and bind them.
    pub fn wait_until(&self, until: u64) -> Result<Exit, Error> {
        if let Some(exit) = self.exit()? {
            return Ok(exit);
        }
        let ended = Event::new()?;
        self.on_exit(Some(&ended), ENDED)?;
        loop {
            ended.wait(ENDED, until)?;
            if let Some(exit) = self.exit()? {
                return Ok(exit);
            }
        }
    }

    /// Sets bits of an event when it has ended; at once if it has. No event, with no bits, unbinds.
    ///
    /// # Errors
    /// As [`Process::on_exit`].
    pub fn on_exit(&self, event: Option<&Event>, bits: u64) -> Result<(), Error> {
        self.process.on_exit(event, bits)
    }

    /// Ends it with a status. It has ended when its exit says so.
    ///
    /// # Errors
    /// As [`Process::kill`].
    pub fn kill(&self, status: u64) -> Result<(), Error> {
        self.process.kill(status)
    }
}

/// How a process ended, if it has.
///
/// # Errors
/// As [`Process::info`].
pub fn exit_of(process: &Process) -> Result<Option<Exit>, Error> {
    let Info { state, status, .. } = process.info()?;
    Ok(match state {
        process::RUNNING => None,
        process::FAULTED => Some(Exit::Fault(status)),
        _ => Some(Exit::Status(status)),
    })
}

/// Where the stack of a new process is.
pub(crate) struct StackPlace {
    /// Its end.
    pub top: u64,
    /// The offset of the end in the area, whose first page is the guard.
    pub top_offset: u64,
}

impl StackPlace {
    /// For one of so many bytes that is mapped at an address.
    pub fn new(address: u64, len: u64) -> Self {
        let whole = len + PAGE_SIZE;
        Self {
            top: address + whole,
            top_offset: whole,
        }
    }
}
