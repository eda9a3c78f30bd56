//! The date. Served by `drv.rtc` as `clock`.

use serde::{Deserialize, Serialize};

use crate::{Protocol, label};

/// The name in the directory.
pub const NAME: &str = "clock";

/// The protocol.
pub struct Clock;

impl Protocol for Clock {
    const LABEL: u64 = label(0x09, 1);
    type Request = Request;
    type Answer = Answer;
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// What the time is.
    Now,
    /// Sets the clock of the machine.
    Set {
        /// Seconds since 1970, UTC.
        seconds: u64,
    },
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done.
    Done,
    /// The time: `wall` is nanoseconds since 1970 (UTC) at `monotonic` nanoseconds of the monotonic clock, so that a client can go on by
    /// itself.
    Time {
        /// Nanoseconds since 1970, UTC.
        wall: u64,
        /// Nanoseconds on the monotonic clock.
        monotonic: u64,
    },
}
