//! Exceptions of user threads: faults are resolved, what cannot be is reported, and by default ends the process.

use alloc::vec::Vec;

use abi::process::{self as report, Action, Exception};
use ksync::Arc;

use super::{Exit, Process};
use crate::arch::current::trap::{PAGE_FAULT, TrapFrame, exception_name};
use crate::arch::current::usercopy;
use crate::object::Binding;
use crate::sched::{self, thread::Thread};
use crate::trace;
use crate::vm::{Access, FaultError};

/// Bit of a page fault's error code (Intel SDM vol. 3A, 4.7): a store.
const STORE: u64 = 1 << 1;
/// Bit of a page fault's error code: an instruction fetch.
const FETCH: u64 = 1 << 4;
/// Bit of a page fault's error code: a reserved bit was set in an entry.
const RESERVED: u64 = 1 << 3;

/// A thread that waits for the answer to its exception.
struct Pending {
    thread: Arc<Thread>,
    exception: Exception,
    is_read: bool,
}

/// The exceptions of a process, and who wants to know of them.
#[derive(Default)]
pub struct Exceptions {
    listener: Option<Binding>,
    pending: Vec<Pending>,
}

impl Exceptions {
    /// Nothing, and nobody.
    pub const fn new() -> Self {
        Self {
            listener: None,
            pending: Vec::new(),
        }
    }

    /// Forgets all; to be called when no thread is left.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The first exception that was not read yet. It counts as read when [`Self::mark_read`] is told so.
    pub fn unread(&self) -> Option<Exception> {
        self.pending
            .iter()
            .find(|pending| !pending.is_read)
            .map(|pending| pending.exception)
    }

    /// The exception of this thread was read.
    pub fn mark_read(&mut self, thread: u64) {
        for pending in &mut self.pending {
            pending.is_read |= pending.exception.thread == thread;
        }
    }

    fn take(&mut self, thread: u64) -> Option<Pending> {
        let place = self
            .pending
            .iter()
            .position(|pending| pending.exception.thread == thread)?;
        Some(self.pending.swap_remove(place))
    }

    fn is_waiting(&self, thread: u64) -> bool {
        self.pending
            .iter()
            .any(|pending| pending.exception.thread == thread)
    }
}

impl Process {
    /// Sets who hears of exceptions. Threads that wait with one when nobody listens any more try again, and end the process
    /// if that fails.
    pub fn on_exception(&self, binding: Option<Binding>) {
        let (old, left) = {
            let mut exceptions = self.exceptions.lock();
            let left = if binding.is_none() {
                core::mem::take(&mut exceptions.pending)
            } else {
                Vec::new()
            };
            (core::mem::replace(&mut exceptions.listener, binding), left)
        };
        drop(old);
        for pending in left {
            sched::wake(&pending.thread);
        }
    }

    /// Answers the exception of a thread; whether it waited with one.
    pub fn resume(&self, thread: u64, action: Action) -> bool {
        let Some(pending) = self.exceptions.lock().take(thread) else {
            return false;
        };
        if action == Action::End {
            self.end_by(&pending.exception);
        }
        sched::wake(&pending.thread);
        true
    }

    fn end_by(&self, exception: &Exception) {
        self.log_exception(exception);
        self.end(Exit::Fault(exception.vector));
    }

    fn log_exception(&self, exception: &Exception) {
        let name = exception_name(exception.vector);
        let thread = exception.thread;
        if exception.vector == PAGE_FAULT {
            let access = match exception.access {
                report::WRITE => "writing",
                report::EXECUTE => "executing",
                _ => "reading",
            };
            let cause = match exception.reason {
                report::NOT_MAPPED => "nothing is mapped there",
                report::PROTECTION => "the mapping forbids it",
                report::GUARD => "it is a guard page",
                report::BEYOND_AREA => "the area has become shorter than its mapping",
                report::OUT_OF_MEMORY => "no memory is free",
                report::OVER_LIMIT => "the memory limit is reached",
                _ => "it is not canonical",
            };
            let address = exception.address;
            log::error!(
                "{} was ended: {name} of thread {thread}, {access} {address:#x}: {cause}",
                self.name()
            );
        } else {
            log::error!(
                "{} was ended: {name} of thread {thread}, error code {:#x}",
                self.name(),
                exception.error_code
            );
        }
        let at = klog::markup::Frame {
            cpu: crate::arch::current::percpu::current().index,
            frame: 0,
            address: exception.instruction,
            module: Some(self.name()),
        };
        log::error!("  at {at}");
    }

    /// Reports an exception and waits for the answer; without a listener the process ends.
    fn raise(&self, exception: Exception) {
        let listener = {
            let mut exceptions = self.exceptions.lock();
            let is_listened =
                exceptions.listener.is_some() && exceptions.pending.try_reserve(1).is_ok();
            if is_listened {
                exceptions.pending.push(Pending {
                    thread: sched::current_thread(),
                    exception,
                    is_read: false,
                });
            }
            exceptions.listener.clone().filter(|_| is_listened)
        };
        let Some(listener) = listener else {
            return self.end_by(&exception);
        };
        listener.signal();
        drop(listener);
        while self.exceptions.lock().is_waiting(exception.thread) && !sched::current_must_end() {
            sched::block();
        }
    }
}

/// How an access that faulted was meant.
fn access_of(error: u64) -> Access {
    if error & FETCH != 0 {
        Access::Execute
    } else if error & STORE != 0 {
        Access::Write
    } else {
        Access::Read
    }
}

/// Called for a page fault in kernel mode that may be one of `usercopy`; whether the access can be tried again, or goes on
/// at the place that the frame names now.
pub fn on_kernel_page_fault(frame: &mut TrapFrame, address: u64) -> bool {
    let Some(target) = usercopy::fixup(frame.rip) else {
        return false;
    };
    let is_resolved = sched::with_current_process(|process| {
        let resolved = process.space().resolve(address, access_of(frame.error));
        if resolved.is_ok() {
            process.count_fault();
        }
        resolved.is_ok()
    });
    if is_resolved != Some(true) {
        frame.rip = target;
    }
    true
}

/// Called for an exception in user mode, on the thread's kernel stack, interrupts off.
#[inline]
pub fn on_user_exception(frame: &TrapFrame, address: u64) {
    let mut reason = report::OTHER;
    // A reserved bit: the tables are wrong, and that is never the program's doing.
    let is_resolvable = frame.vector == PAGE_FAULT && frame.error & RESERVED == 0;
    if is_resolvable {
        let resolved = sched::with_current_process(|process| {
            let resolved = process.space().resolve(address, access_of(frame.error));
            if resolved.is_ok() {
                process.count_fault();
            }
            resolved
        });
        reason = match resolved {
            Some(Ok(())) => return,
            Some(Err(error)) => reason_of(error),
            None => report::OTHER,
        };
    }
    if frame.vector == PAGE_FAULT && !is_resolvable || !tell(frame, address, reason) {
        crate::panic::on_exception(frame);
    }
}

fn reason_of(error: FaultError) -> u64 {
    match error {
        FaultError::NotMapped => report::NOT_MAPPED,
        FaultError::Protection => report::PROTECTION,
        FaultError::Guard => report::GUARD,
        FaultError::Beyond => report::BEYOND_AREA,
        FaultError::OutOfMemory => report::OUT_OF_MEMORY,
        FaultError::OverLimit => report::OVER_LIMIT,
    }
}

/// Tells the process of an exception of its running thread, and waits for the answer; false if there is no process.
#[cold]
fn tell(frame: &TrapFrame, address: u64, reason: u64) -> bool {
    trace::record(trace::Phase::Instant, "fault");
    let is_page_fault = frame.vector == PAGE_FAULT;
    let exception = Exception {
        thread: sched::current_id(),
        vector: frame.vector,
        address: if is_page_fault { address } else { 0 },
        access: match access_of(frame.error) {
            Access::Execute if is_page_fault => report::EXECUTE,
            Access::Write if is_page_fault => report::WRITE,
            _ => report::READ,
        },
        reason,
        instruction: frame.rip,
        error_code: frame.error,
    };
    sched::with_current_process(|process| process.raise(exception)).is_some()
}
