//! Calls on the calling process and thread.

use alloc::sync::Arc;

use abi::Error;

use crate::process::{Exit, Process};
use crate::sched;

/// `process_exit`.
pub fn exit(process: Arc<Process>, status: u64) -> Result<u64, Error> {
    process.set_exit(Exit::Status(status));
    drop(process);
    sched::exit_current()
}

/// `thread_yield`.
pub fn thread_yield() -> Result<u64, Error> {
    sched::yield_now();
    Ok(0)
}
