//! Further threads of a process.

use abi::{Error, Handle};

use crate::call;

/// Starts a thread of this process on a stack that the caller has mapped, and that must stay so while the thread lives. `stack_top`
/// is the end of it; the thread begins in `entry` and ends by [`call::thread_exit`].
///
/// # Errors
/// As [`call::thread_create`].
pub fn spawn(
    own: Handle,
    entry: extern "C" fn(u64) -> !,
    argument: u64,
    stack_top: u64,
    cpu: u64,
) -> Result<Handle, Error> {
    // A function expects the stack as a call leaves it: a multiple of 16, less the return address.
    let stack = (stack_top & !15).wrapping_sub(8);
    call::thread_create(own, entry as usize as u64, stack, argument, cpu, 0)
}
