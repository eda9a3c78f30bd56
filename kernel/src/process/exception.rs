//! Exceptions of user threads: faults are resolved, what cannot be is reported, and by default ends the process.

use alloc::vec::Vec;

use abi::process::{self as report, Action, Exception};
use ksync::Arc;
use ktrace::Group;

use super::{Exit, Process};
use crate::arch::current::trap::{GENERAL_PROTECTION, PAGE_FAULT, TrapFrame, exception_name};
use crate::arch::current::usercopy;
use crate::object::Binding;
use crate::object::event::Unheard;
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
    /// The answer is that the process ends: the thread waits on, until it must end.
    is_last: bool,
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

    /// The place of one that was not answered.
    fn place(&self, is_it: impl Fn(&Pending) -> bool) -> Option<usize> {
        let mut pending = self.pending.iter();
        pending.position(|pending| !pending.is_last && is_it(pending))
    }

    fn take(&mut self, is_it: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let place = self.place(is_it)?;
        Some(self.pending.swap_remove(place))
    }

    /// Answers that the process ends.
    fn make_last(&mut self, thread: u64) -> Option<Exception> {
        let place = self.place(|pending| pending.exception.thread == thread)?;
        let pending = self.pending.get_mut(place)?;
        (pending.is_read, pending.is_last) = (true, true);
        Some(pending.exception)
    }

    /// A thread waits no more, answered or not. What this gives is dropped when the lock is open.
    fn withdraw(&mut self, thread: u64) -> Option<Pending> {
        let mut pending = self.pending.iter();
        let place = pending.position(|pending| pending.exception.thread == thread)?;
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
    /// if that fails. Who cannot be heard by anybody, as the event has no handle, does not listen.
    pub fn on_exception(&self, binding: Option<Binding>) {
        let nobody_listens = binding.is_none();
        let old = {
            let mut exceptions = self.exceptions.lock();
            let old = core::mem::replace(&mut exceptions.listener, binding);
            // They wait as long as the event has a handle, which is another one now. No more than `THREADS_MAX`.
            for pending in &exceptions.pending {
                sched::wake(&pending.thread);
            }
            old
        };
        drop(old);
        let next = || self.exceptions.lock().take(|_| true);
        while nobody_listens && let Some(pending) = next() {
            sched::wake(&pending.thread);
        }
    }

    /// Answers the exception of a thread; whether it waited with one.
    pub fn resume(&self, thread: u64, action: Action) -> bool {
        match action {
            Action::Retry => {
                let of_thread = |pending: &Pending| pending.exception.thread == thread;
                let pending = self.exceptions.lock().take(of_thread);
                pending.is_some_and(|pending| {
                    sched::wake(&pending.thread);
                    true
                })
            }
            Action::End => {
                // The thread hears of it when it must end, and does not run before.
                let exception = self.exceptions.lock().make_last(thread);
                exception.is_some_and(|exception| {
                    self.end_by(&exception);
                    true
                })
            }
        }
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
            let listener = exceptions.listener.clone();
            let listener = listener.filter(|listener| listener.event().is_heard());
            let listener = listener.filter(|_| exceptions.pending.try_reserve(1).is_ok());
            if listener.is_some() {
                exceptions.pending.push(Pending {
                    thread: sched::current_thread(),
                    exception,
                    is_read: false,
                    is_last: false,
                });
            }
            listener
        };
        let Some(listener) = listener else {
            return self.end_by(&exception);
        };
        listener.signal();
        drop(listener);
        self.wait_for_answer(&exception);
        let gone = self.exceptions.lock().withdraw(exception.thread);
        drop(gone);
    }

    /// Blocks the running thread, which has raised an exception, until it is to try again, or to end. If nobody listens any more it
    /// tries again.
    fn wait_for_answer(&self, exception: &Exception) {
        let thread = exception.thread;
        while !sched::current_must_end() {
            let listener = {
                let exceptions = self.exceptions.lock();
                if !exceptions.is_waiting(thread) {
                    return;
                }
                exceptions.listener.clone()
            };
            let Some(listener) = listener else {
                sched::block();
                continue;
            };
            let Err(Unheard) = listener.event().block_while_heard() else {
                continue;
            };
            drop(listener);
            let of_thread = |pending: &Pending| pending.exception.thread == thread;
            let unanswered = self.exceptions.lock().take(of_thread);
            if unanswered.is_some() {
                return;
            }
            // Whoever has answered wakes it, or makes it end.
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
    let resolved = sched::current_process().map(|process| {
        let resolved = process.space().resolve(address, access_of(frame.error));
        if resolved.is_ok() {
            process.count_fault();
        }
        resolved
    });
    let outcome = match resolved {
        Some(Ok(())) => None,
        Some(Err(error)) => Some(reason_of(error)),
        None => Some(report::OTHER),
    };
    if trace::is_on(Group::Fault) {
        trace::fault(frame.vector, [address, frame.error, frame.rip], outcome);
    }
    if outcome.is_some() {
        frame.rip = target;
    }
    true
}

/// Called for an exception in user mode, on the thread's kernel stack, interrupts off. The frame is a pointer, as a debugger may write
/// to that of a thread that waits here (invariant 13).
#[inline]
pub fn on_user_exception(frame: *const TrapFrame, address: u64) {
    // SAFETY: the frame that the entry code has pushed; nobody else touches it while the thread runs.
    let (vector, error) = unsafe { ((*frame).vector, (*frame).error) };
    let mut reason = report::OTHER;
    // A reserved bit: the tables are wrong, and that is never the program's doing.
    let is_resolvable = vector == PAGE_FAULT && error & RESERVED == 0;
    if is_resolvable {
        let resolved = sched::current_process().map(|process| {
            let resolved = process.space().resolve(address, access_of(error));
            if resolved.is_ok() {
                process.count_fault();
            }
            resolved
        });
        reason = match resolved {
            Some(Ok(())) => {
                if trace::is_on(Group::Fault) {
                    // SAFETY: as above.
                    let rip = unsafe { (*frame).rip };
                    trace::fault(vector, [address, error, rip], None);
                }
                return;
            }
            Some(Err(error)) => reason_of(error),
            None => report::OTHER,
        };
    }
    // A thread of the process that was given ports while this one ran.
    if vector == GENERAL_PROTECTION
        && sched::current_process().is_some_and(|process| process.ports.catch_up())
    {
        return;
    }
    if vector == PAGE_FAULT && !is_resolvable || !tell(frame, address, reason) {
        // SAFETY: as above; the thread goes nowhere any more.
        crate::panic::on_exception(unsafe { &*frame });
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
fn tell(frame: *const TrapFrame, address: u64, reason: u64) -> bool {
    // SAFETY: as in `on_user_exception`.
    let (vector, error, rip) = unsafe { ((*frame).vector, (*frame).error, (*frame).rip) };
    let is_page_fault = vector == PAGE_FAULT;
    if trace::is_on(Group::Fault) {
        let address = if is_page_fault { address } else { 0 };
        trace::fault(vector, [address, error, rip], Some(reason));
    }
    let exception = Exception {
        thread: sched::current_id(),
        vector,
        address: if is_page_fault { address } else { 0 },
        access: match access_of(error) {
            Access::Execute if is_page_fault => report::EXECUTE,
            Access::Write if is_page_fault => report::WRITE,
            _ => report::READ,
        },
        reason,
        instruction: rip,
        error_code: error,
    };
    sched::current_process()
        .map(|process| process.raise(exception))
        .is_some()
}
