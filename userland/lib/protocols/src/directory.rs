//! The service directory: who offers what. Served by `srv.init`; every process has its own way in, the handle `directory`, and finds
//! those services only that it may use.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Protocol, label};

/// The protocol.
pub struct Directory;

impl Protocol for Directory {
    const LABEL: u64 = label(0x01, 1);
    type Request = Request;
    type Answer = Answer;
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A handle to call a service by. Waits for the service until a time on the monotonic clock, in nanoseconds: 0 only looks,
    /// and all ones wait for ever. Answered by [`Answer::Done`] with one handle: a mailbox with CALL.
    Lookup {
        /// Name of the service.
        name: String,
        /// Until when to wait.
        until: u64,
    },
    /// Offers a service, by one handle: a mailbox with CALL, DUPLICATE and TRANSFER. A service of that name whose mailbox is closed is replaced. Only
    /// those may that the manifest lets provide it.
    Register {
        /// Name of the service.
        name: String,
    },
    /// A way into the directory that finds only some of the services that this one finds; for a child. Answered with one handle.
    Narrow {
        /// Names of services; a `*` at the end stands for any rest.
        names: Vec<String>,
    },
    /// The names that can be found, from the first one behind `after` on.
    List {
        /// The last name that is known already; empty at first.
        after: String,
    },
    /// How the service that asks wants to be told to stop: one handle, an event with SIGNAL, and the bits that are set then. It then ends by itself; who does
    /// not is killed after a while.
    OnStop {
        /// The bits.
        bits: u64,
    },
    /// Says that the service that asks is ready, for those that wait to be started after it. Registering all that it provides says so, too.
    Ready,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done.
    Done,
    /// Names, in order; empty when there are no more.
    Names(Vec<String>),
}
