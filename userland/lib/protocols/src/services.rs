//! The services and what becomes of them. Served by `srv.init` as `services`.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Protocol, label};

/// The name in the directory.
pub const NAME: &str = "services";

/// The protocol.
pub struct Services;

impl Protocol for Services {
    const LABEL: u64 = label(0x02, 1);
    type Request = Request;
    type Answer = Answer;
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The services, from the first one behind `after` on, in the manifest's order.
    List {
        /// The last name that is known already; empty at first.
        after: String,
    },
    /// Ends a service and starts it again, whatever its policy says. Answered when it has started.
    Restart {
        /// Its name.
        name: String,
    },
    /// Ends a service; it stays so until it is started.
    Stop {
        /// Its name.
        name: String,
    },
    /// Starts a service that does not run.
    Start {
        /// Its name.
        name: String,
    },
    /// Ends all services but the one that asks, in the reverse order of their start. Answered when they have ended.
    StopAll,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done.
    Done,
    /// Some services; none when there are no more.
    Services(Vec<Service>),
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: State,
    /// The number of its process, or of the last one; 0 before the first.
    pub process: u64,
    /// How often it was started again after an end that nobody asked for.
    pub restarts: u32,
    /// When it was started last, in nanoseconds on the monotonic clock.
    pub since: u64,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It waits for those that it needs.
    Waiting,
    /// It was started and has not said that it is ready.
    Starting,
    /// It runs.
    Running,
    /// It has ended and will be started again after a while.
    BackOff,
    /// It is being stopped.
    Stopping,
    /// It has ended as it should, or was stopped. The status of its last end.
    Stopped(u64),
    /// It has ended too often, or could not be started. The status of its last end.
    Failed(u64),
}
