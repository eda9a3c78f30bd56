//! The power server: it has the services ended in order, and then switches the machine off or restarts it.
//!
//! Whoever asks is answered at once, as it will be ended, too. Services that do not end do not keep the machine on: there is a limit.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

use abi::Error;
use abi::power::Action;
use ipc::{Failure, Link};
use protocols::Fault;
use protocols::power::{Answer, Request};
use protocols::services::{self, Services};
use sys::call;
use sys::object::{Owned, System};
use sys::time::SECOND;

/// How long all services have to end.
pub const PATIENCE: u64 = 20 * SECOND;

/// What the server needs.
pub struct Power {
    system: System,
    services: Link<Services>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    action: Action,
    status: u64,
}

impl From<Request> for Order {
    fn from(request: Request) -> Self {
        let (action, status) = match request {
            Request::Off { status } => (Action::Off, status),
            Request::Restart => (Action::Restart, 0),
        };
        Self { action, status }
    }
}

/// The order in a request, and what is answered before it is carried out.
///
/// # Errors
/// `InvalidArgument` for a request with handles.
pub fn begin(request: Request, handles: &[Owned]) -> Result<(Order, Answer), Fault> {
    if !handles.is_empty() {
        return Err(Fault::InvalidArgument);
    }
    Ok((request.into(), Answer::Begun))
}

impl Power {
    /// By the machine, with POWER, and the way to `services`.
    pub fn new(system: System, services: Link<Services>) -> Self {
        Self { system, services }
    }

    /// Ends all services, at the latest after [`PATIENCE`], and then the machine. Returns only if that is not possible.
    pub fn carry_out(&mut self, order: Order) -> Error {
        log::info!("{:?}: all services end", order.action);
        let until = sys::time::after(PATIENCE);
        if let Err(failure) = self.stop_services(until) {
            log::warn!("services may not have ended: {failure}");
        }
        match call::system_power(self.system.handle(), order.action, order.status) {
            Ok(()) => Error::NotSupported,
            Err(error) => error,
        }
    }

    fn stop_services(&mut self, until: u64) -> Result<(), Failure> {
        let stopped = self
            .services
            .call(&services::Request::StopAll, Vec::new(), until);
        stopped.map(drop)
    }
}
