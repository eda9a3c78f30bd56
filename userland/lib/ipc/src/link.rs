//! A service that may die and come back.

use alloc::string::String;
use alloc::vec::Vec;
use core::marker::PhantomData;

use protocols::Protocol;
use sys::object::{Mailbox, Owned};

use crate::{Directory, Failure, call};

/// A service by its name: looked up when it is first needed, and again after it was gone.
#[derive(Debug)]
pub struct Link<P> {
    directory: Directory,
    name: String,
    mailbox: Option<Mailbox>,
    _protocol: PhantomData<P>,
}

impl<P: Protocol> Link<P> {
    /// To a service of this name.
    pub fn new(directory: Directory, name: &str) -> Self {
        Self {
            directory,
            name: name.into(),
            mailbox: None,
            _protocol: PhantomData,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The service's mailbox; looks it up if need be, and waits for it until a time on the monotonic clock, in nanoseconds.
    ///
    /// # Errors
    /// As [`Directory::lookup`].
    pub fn mailbox(&mut self, until: u64) -> Result<&Mailbox, Failure> {
        let mailbox = match self.mailbox.take() {
            Some(mailbox) => mailbox,
            None => self.directory.lookup(&self.name, until)?,
        };
        Ok(self.mailbox.insert(mailbox))
    }

    /// Asks the service, and waits for it and its answer until a time. When it is gone in the midst of that, this says so
    /// ([`Failure::is_closed`]), as nobody knows what it did; the next request looks it up again.
    ///
    /// # Errors
    /// As [`Directory::lookup`] and [`call`].
    pub fn call(
        &mut self,
        request: &P::Request,
        handles: Vec<Owned>,
        until: u64,
    ) -> Result<(P::Answer, Vec<Owned>), Failure> {
        let result = call::<P>(self.mailbox(until)?, request, handles, until);
        if result.as_ref().is_err_and(Failure::is_closed) {
            self.mailbox = None;
        }
        result
    }

    /// Forgets the mailbox: the next request looks it up again. For who has learned otherwise that the service is gone.
    pub fn forget(&mut self) {
        self.mailbox = None;
    }
}
