//! Calls on threads.

use abi::{Error, Rights, process::ANY_CPU};
use ksync::Arc;

use crate::arch::current::percpu;
use crate::arch::current::usercopy::USER_END;
use crate::object::Object;
use crate::process::Process;
use crate::sched;
use crate::sched::thread::{Affinity, Start, Thread};

/// `thread_yield`.
pub fn yield_now() -> Result<u64, Error> {
    sched::yield_now();
    Ok(0)
}

/// `thread_exit`.
pub fn exit() -> Result<u64, Error> {
    sched::leave_current();
    Ok(0)
}

/// `thread_create`.
pub fn create(
    process: &Process,
    target: &Arc<Process>,
    entry: u64,
    stack: u64,
    argument: u64,
    cpu: u64,
) -> Result<u64, Error> {
    if entry >= USER_END || stack > USER_END {
        return Err(Error::InvalidArgument);
    }
    let affinity = match cpu {
        ANY_CPU => Affinity::Any,
        cpu => {
            let area = usize::try_from(cpu).ok().and_then(percpu::get);
            let area = area.filter(|area| area.queue.is_online());
            Affinity::Pinned(area.ok_or(Error::InvalidArgument)?.index)
        }
    };
    let start = Start::User {
        entry,
        stack,
        argument,
    };
    let thread = Thread::new(target.name(), affinity, Some(target.clone()), start)
        .map_err(|_| Error::OutOfMemory)?;
    const RIGHTS: Rights = Rights::DUPLICATE
        .union(Rights::TRANSFER)
        .union(Rights::INSPECT);
    let handle = process.add_handle(Object::Thread(thread.clone()), RIGHTS)?;
    let started = target.add_thread(&thread).and_then(|()| {
        sched::add(thread.clone()).map_err(|_| {
            target.withdraw_thread(&thread);
            Error::OutOfMemory
        })
    });
    if let Err(error) = started {
        let _ = process.remove_handle(handle);
        return Err(error);
    }
    Ok(handle.0)
}
