//! Processes: what can be asked, and how their faults are reported.

/// For `thread_create`: whichever processor suits best.
pub const ANY_CPU: u64 = u64::MAX;

/// [`Info::state`]: it has not ended.
pub const RUNNING: u64 = 0;
/// [`Info::state`]: it ended by its own choice or was ended with a status.
pub const EXITED: u64 = 1;
/// [`Info::state`]: it ended by an exception that nobody handled.
pub const FAULTED: u64 = 2;

wire! {
    /// What `process_info` tells.
    Info {
        /// One of the states above.
        state,
        /// The exit status, or the vector of the exception.
        status,
        /// Bytes of memory that count against the limit: pages of its areas, page tables, kernel stacks, and what the processes use
        /// that it made.
        memory,
        /// The limit, in bytes.
        limit,
        /// Threads.
        threads,
        /// Mappings.
        mappings,
        /// Handles.
        handles,
        /// Pages that were provided at a fault.
        faults,
    }
}

/// [`Exception::access`]: a load.
pub const READ: u64 = 0;
/// [`Exception::access`]: a store.
pub const WRITE: u64 = 1;
/// [`Exception::access`]: an instruction fetch.
pub const EXECUTE: u64 = 2;

/// [`Exception::reason`]: not a page fault; see `vector`.
pub const OTHER: u64 = 0;
/// [`Exception::reason`]: nothing is mapped at the address.
pub const NOT_MAPPED: u64 = 1;
/// [`Exception::reason`]: the mapping does not allow the access.
pub const PROTECTION: u64 = 2;
/// [`Exception::reason`]: the address is in a guard page of its area.
pub const GUARD: u64 = 3;
/// [`Exception::reason`]: the area is shorter than its mapping by now.
pub const BEYOND_AREA: u64 = 4;
/// [`Exception::reason`]: there is no free memory for the page.
pub const OUT_OF_MEMORY: u64 = 5;
/// [`Exception::reason`]: the memory limit of the process that made the area.
pub const OVER_LIMIT: u64 = 6;

/// The answer to an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Action {
    /// The thread tries the instruction again.
    Retry = 0,
    /// The process ends, as if nobody had listened.
    End = 1,
}

impl Action {
    /// The action with this number.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Retry),
            1 => Some(Self::End),
            _ => None,
        }
    }
}

wire! {
    /// Why a thread waits.
    Exception {
        /// Number of the thread, unique for the life of the system.
        thread,
        /// Vector of the exception.
        vector,
        /// The address that was accessed; for page faults only.
        address,
        /// How.
        access,
        /// Why it failed.
        reason,
        /// The instruction.
        instruction,
        /// The error code that the processor gave.
        error_code,
    }
}
