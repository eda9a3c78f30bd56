//! Who wants to know when nobody can receive from a mailbox any more: clients, each with events of its own.
//!
//! A process that ends leaves its bindings behind. Nobody hears of their events any more, by which they are found when the list is full.

use alloc::vec::Vec;

use abi::Error;

use super::Mailbox;
use crate::object::Binding;
use crate::process::Process;

/// The most bindings of a mailbox.
const ALL_MAX: usize = 1024;
/// The most of one process. The table of calls names it.
const OWN_MAX: usize = 8;

/// A binding, and the number of the process that made it.
struct Client {
    process: u64,
    binding: Binding,
}

/// The bindings of a mailbox.
pub(super) struct Clients(Vec<Client>);

impl Clients {
    /// None.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a binding, or puts it in the place of that of the same process for the same event. Gives what is to be dropped when the
    /// lock is open, and what went wrong.
    fn add(&mut self, process: u64, binding: Binding) -> (Option<Binding>, Result<(), Error>) {
        let mut own = 0;
        for client in &mut self.0 {
            if client.process != process {
                continue;
            }
            if core::ptr::eq(client.binding.event(), binding.event()) {
                let old = core::mem::replace(&mut client.binding, binding);
                return (Some(old), Ok(()));
            }
            own += 1;
        }
        if own >= OWN_MAX || self.0.len() >= ALL_MAX {
            return (Some(binding), Err(Error::TooMany));
        }
        if self.0.try_reserve(1).is_err() {
            return (Some(binding), Err(Error::OutOfMemory));
        }
        self.0.push(Client { process, binding });
        (None, Ok(()))
    }

    /// Takes out the first one from a place on that `is_it`, and moves the place there; others may change places, but only behind it.
    fn take(&mut self, from: &mut usize, is_it: impl Fn(&Client) -> bool) -> Option<Client> {
        let rest = self.0.get(*from..)?;
        *from += rest.iter().position(is_it)?;
        Some(self.0.swap_remove(*from))
    }

    /// Tells all.
    pub(super) fn tell(self) {
        for client in self.0 {
            client.binding.signal();
        }
    }
}

impl Mailbox {
    /// Sets bits when nobody can receive any more; at once if so. No binding: takes those of the process back.
    ///
    /// # Errors
    /// `TooMany`, `OutOfMemory`.
    pub fn on_closed(&self, process: &Process, binding: Option<Binding>) -> Result<(), Error> {
        let id = process.id();
        let Some(binding) = binding else {
            self.take_clients(|client| client.process == id);
            return Ok(());
        };
        match self.add_client(id, binding.clone()) {
            Err(Error::TooMany) => {
                // Those that nobody hears of make room.
                self.take_clients(|client| !client.binding.event().is_heard());
                self.add_client(id, binding)
            }
            result => result,
        }
    }

    fn add_client(&self, process: u64, binding: Binding) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.is_closed {
            drop(state);
            binding.signal();
            return Ok(());
        }
        let (old, result) = state.clients.add(process, binding);
        drop(state);
        drop(old);
        result
    }

    /// Takes out all bindings that `are_they`.
    fn take_clients(&self, are_they: impl Fn(&Client) -> bool) {
        let mut from = 0;
        loop {
            // One after the other, as each is dropped with the lock open.
            let taken = self.state.lock().clients.take(&mut from, &are_they);
            if taken.is_none() {
                return;
            }
        }
    }
}
