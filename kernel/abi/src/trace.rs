//! The trace of what the processors do.

/// What `system_trace` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Action {
    /// Recording begins; what was recorded before is forgotten.
    Start = 0,
    /// Recording ends, and what was recorded can be read.
    Stop = 1,
}

impl Action {
    /// The first of the numbers.
    pub const FIRST: u64 = 0;
    /// How many actions there are; their numbers are those from the first on.
    pub const COUNT: u64 = 2;

    /// The action with this number.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Start),
            1 => Some(Self::Stop),
            _ => None,
        }
    }
}

/// Where `system_trace_read` begins.
pub const BEGIN: u64 = 0;
/// What it writes as the next place when there is nothing more.
pub const END: u64 = u64::MAX;
