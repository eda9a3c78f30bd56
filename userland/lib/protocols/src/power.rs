//! Switching off and restarting. Served by `srv.power` as `power`.

use serde::{Deserialize, Serialize};

use crate::{Protocol, label};

/// The name in the directory.
pub const NAME: &str = "power";

/// The protocol.
pub struct Power;

impl Protocol for Power {
    const LABEL: u64 = label(0x08, 1);
    type Request = Request;
    type Answer = Answer;
}

/// What can be asked. The services are stopped in order before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Switches the machine off.
    Off {
        /// What an emulator is told: 0 if all is well.
        status: u64,
    },
    /// Restarts the machine.
    Restart,
}

/// What is answered, shortly before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It will be done.
    Begun,
}
