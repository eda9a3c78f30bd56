//! What the system holds when all that may be killed is stopped.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sys::abi::PAGE_SIZE;
use sys::held::{HEAP_OF_A_PAGE, Held as Kernel};
use sys::object::System;
use sys::time::{MILLISECOND, SECOND};

/// How long what was held may take to come back.
const SETTLE: u64 = 20 * SECOND;
const PAUSE: u64 = 10 * MILLISECOND;

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Frames that are free.
    frames: u64,
    /// Pages that processes have.
    pages: u64,
    /// Bytes of the kernel's heap that are in use.
    heap: u64,
    /// Handles of all processes.
    handles: u64,
    /// The numbers of the processes.
    processes: Vec<u64>,
}

impl Held {
    /// Now, when it is at rest.
    pub fn now(system: &System) -> Self {
        let Kernel { frames, heap, .. } = Kernel::at_rest(system.handle());
        let mut held = Self {
            frames,
            pages: 0,
            heap,
            handles: 0,
            processes: Vec::new(),
        };
        let mut from = 0;
        while let Ok(usage) = system.next_process(from) {
            from = usage.number + 1;
            held.processes.push(usage.number);
            held.pages += usage.memory / PAGE_SIZE;
            let Ok(process) = system.open_process(usage.number) else {
                continue;
            };
            let mut slot = 0;
            while let Ok(entry) = process.next_handle(slot) {
                slot = entry.index + 1;
                held.handles += 1;
            }
        }
        held
    }

    /// When it is no more than before, or after some time.
    pub fn settled(system: &System, before: &Self) -> Self {
        let until = sys::time::after(SETTLE);
        loop {
            let now = Self::now(system);
            if now.compare(before).is_ok() || sys::time::now() > until {
                return now;
            }
            sys::time::sleep(PAUSE);
        }
    }

    /// Whether nothing was lost since before.
    pub fn compare(&self, before: &Self) -> Result<String, String> {
        // Those that go on, init and the shell, may have found a use for more. What they drew without using it takes no frame, and nothing of the heap.
        let grown = self
            .pages
            .saturating_sub(before.pages)
            .min(before.frames.saturating_sub(self.frames));
        let is_back = self.frames + self.pages >= before.frames + before.pages
            && self.heap <= before.heap + grown * HEAP_OF_A_PAGE
            && self.handles <= before.handles
            && self.processes == before.processes;
        match is_back {
            true => Ok(format!("{self}, before and after")),
            false => Err(format!("before {before}; after {self}")),
        }
    }
}

impl core::fmt::Display for Held {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} frames free or of processes, {} bytes of heap, {} handles, {} processes",
            self.frames + self.pages,
            self.heap,
            self.handles,
            self.processes.len()
        )
    }
}
