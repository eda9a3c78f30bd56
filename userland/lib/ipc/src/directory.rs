//! The way into the service directory.

use alloc::string::String;
use alloc::vec::Vec;

use abi::{NEVER, Rights};
use protocols::directory::{Answer, Directory as Protocol, Request};
use protocols::{Fault, WireError};
use sys::Context;
use sys::object::{Mailbox, Owned};

use crate::{Failure, call};

/// The name of the handle among those that a process was given.
const HANDLE: &str = "directory";
/// What a handle that is given away allows.
const WAY_IN: Rights = Rights::CALL
    .union(Rights::DUPLICATE)
    .union(Rights::TRANSFER);

/// The service directory, as far as this process may use it.
#[derive(Debug)]
pub struct Directory(Mailbox);

impl Directory {
    /// That of this process, if it was given one; once.
    pub fn of(context: &Context) -> Option<Self> {
        context.handle(HANDLE).map(Self::from_owned)
    }

    /// By a handle that somebody gave.
    pub fn from_owned(handle: Owned) -> Self {
        Self(Mailbox::from(handle))
    }

    /// A second way in.
    ///
    /// # Errors
    /// As `handle_duplicate`.
    pub fn duplicate(&self) -> Result<Self, Failure> {
        Ok(Self(self.0.duplicate(WAY_IN)?))
    }

    /// To give it to another process.
    pub fn into_owned(self) -> Owned {
        self.0.into_owned()
    }

    /// Looks a service up, and waits for it until a time on the monotonic clock, in nanoseconds; 0 only looks.
    ///
    /// # Errors
    /// `AccessDenied` for a service that this process may not use; `NotFound` or `TimedOut` when it is not there in time.
    pub fn lookup(&self, name: &str, until: u64) -> Result<Mailbox, Failure> {
        let request = Request::Lookup {
            name: name.into(),
            until,
        };
        one(self.ask(&request, Vec::new())?).map(Mailbox::from)
    }

    /// Offers a service, by a mailbox that this process receives from.
    ///
    /// # Errors
    /// `AccessDenied` when the manifest does not let it; `Exists` when somebody else offers it.
    pub fn register(&self, name: &str, mailbox: &Mailbox) -> Result<(), Failure> {
        let handle = mailbox.duplicate(WAY_IN)?.into_owned();
        let request = Request::Register { name: name.into() };
        self.ask(&request, alloc::vec![handle]).map(drop)
    }

    /// As [`register`](Self::register), and messages have a badge that says who asks: a number, never 0 and below 2^56, for each way into the
    /// directory by which the service was looked up. For that the directory gets the right to receive, which it does not use.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_by_client(&self, name: &str, mailbox: &Mailbox) -> Result<(), Failure> {
        let handle = mailbox.duplicate(WAY_IN.union(Rights::RECEIVE))?;
        let request = Request::Register { name: name.into() };
        self.ask(&request, alloc::vec![handle.into_owned()])
            .map(drop)
    }

    /// A way in that finds only some of the services, for another process. A `*` at the end of a name stands for any rest.
    ///
    /// # Errors
    /// What the directory says.
    pub fn narrow(&self, names: &[&str]) -> Result<Owned, Failure> {
        let names = names.iter().map(|name| String::from(*name)).collect();
        one(self.ask(&Request::Narrow { names }, Vec::new())?)
    }

    /// The names that can be found.
    ///
    /// # Errors
    /// What the directory says.
    pub fn list(&self) -> Result<Vec<String>, Failure> {
        let mut all: Vec<String> = Vec::new();
        loop {
            let after = all.last().cloned().unwrap_or_default();
            match call::<Protocol>(&self.0, &Request::List { after }, Vec::new(), NEVER)? {
                (Answer::Names(names), _) if names.is_empty() => return Ok(all),
                (Answer::Names(names), _) => all.extend(names),
                (Answer::Done, _) => return Err(WireError::Malformed.into()),
            }
        }
    }

    /// Says that this service is ready.
    ///
    /// # Errors
    /// What the directory says.
    pub fn ready(&self) -> Result<(), Failure> {
        self.ask(&Request::Ready, Vec::new()).map(drop)
    }

    /// Asks for bits of an event to be set when this service shall stop. The handle needs SIGNAL.
    ///
    /// # Errors
    /// What the directory says.
    pub fn on_stop(&self, event: Owned, bits: u64) -> Result<(), Failure> {
        self.ask(&Request::OnStop { bits }, alloc::vec![event])
            .map(drop)
    }

    fn ask(&self, request: &Request, handles: Vec<Owned>) -> Result<Vec<Owned>, Failure> {
        let (_, handles) = call::<Protocol>(&self.0, request, handles, NEVER)?;
        Ok(handles)
    }
}

/// The one handle of an answer.
fn one(handles: Vec<Owned>) -> Result<Owned, Failure> {
    handles
        .into_iter()
        .next()
        .ok_or(Failure::Fault(Fault::Failed))
}
