//! Programs that further shells have started: they end with them, when a job is ended.

use alloc::collections::BTreeSet;

use abi::Handle;
use sys::object::Process;

/// Ends all processes that come from others, by a handle of the machine. Without the rights to see and to open processes none is.
///
/// The others have ended: what they have started is all that there will be.
pub fn end(system: Handle, mut numbers: BTreeSet<u64>, status: u64) {
    loop {
        let mut is_done = true;
        let mut from = 0;
        while let Ok(usage) = sys::call::process_next(system, from) {
            from = usage.number + 1;
            if numbers.contains(&usage.parent) && numbers.insert(usage.number) {
                is_done = false;
                if let Ok(process) = sys::call::process_open(system, usage.number) {
                    // It may have ended just now.
                    let _ = Process::from_raw(process).kill(status);
                }
            }
        }
        if is_done {
            return;
        }
    }
}
