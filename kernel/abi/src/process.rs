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

wire! {
    /// What a process is and has used, as a list of processes shows it.
    Usage {
        /// Its number, unique for the life of the system.
        number,
        /// The number of the process that made it; 0 for one that the kernel started.
        parent,
        /// Its name in UTF-8, followed by zeros: bytes 0 to 7, the first one in the lowest bits. See [`Usage::name`].
        name_0,
        /// Bytes 8 to 15 of the name.
        name_1,
        /// Bytes 16 to 23 of the name.
        name_2,
        /// Bytes 24 to 31 of the name.
        name_3,
        /// Threads.
        threads,
        /// Bytes of memory, as [`Info::memory`].
        memory,
        /// For how long its threads have run, those that have ended included, in nanoseconds.
        ran,
        /// How often its threads were given a processor, those that have ended included.
        switches,
    }
}

impl Usage {
    /// The words of a name; what is longer than [`crate::NAME_MAX`] bytes is left out.
    pub fn name_words(name: &str) -> [u64; crate::NAME_MAX / 8] {
        let mut bytes = [0; crate::NAME_MAX];
        for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
            *place = byte;
        }
        let mut words = [0; crate::NAME_MAX / 8];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }

    /// The bytes of the name, and zeros behind them.
    pub fn name(&self) -> [u8; crate::NAME_MAX] {
        let mut name = [0; crate::NAME_MAX];
        let words = [self.name_0, self.name_1, self.name_2, self.name_3];
        for (place, word) in name.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        name
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
    /// The first of the numbers.
    pub const FIRST: u64 = 0;
    /// How many actions there are; their numbers are those from the first on.
    pub const COUNT: u64 = 2;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in [
            "",
            "a",
            "eight by",
            "nine or more",
            "thirty-two bytes, not one more .",
            "\u{e4}\u{f6}",
        ] {
            let [name_0, name_1, name_2, name_3] = Usage::name_words(name);
            let usage = Usage {
                name_0,
                name_1,
                name_2,
                name_3,
                ..Usage::default()
            };
            let bytes = usage.name();
            let (own, rest) = bytes.split_at(name.len());
            assert_eq!(own, name.as_bytes());
            assert!(rest.iter().all(|&byte| byte == 0));
        }
    }
}
