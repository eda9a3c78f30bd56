//! Which thread runs, and what else is asked of it.

use ksync::Arc;

use super::thread::Thread;
use crate::arch::current::percpu::{self, PerCpu};
use crate::process::Process;

#[inline(always)]
pub fn current_ref() -> &'static Thread {
    // SAFETY: the running thread lives while it runs, and the reference is only used by it.
    unsafe { &*percpu::current().current.get() }
}

/// The running thread.
pub fn current_thread() -> Arc<Thread> {
    // SAFETY: it runs.
    unsafe { counted(current_ref()) }
}

/// A counted reference to a thread.
///
/// # Safety
/// It was started and has not ended.
#[inline]
pub unsafe fn counted(thread: &Thread) -> Arc<Thread> {
    // SAFETY: every thread lies in an `Arc`, of which the scheduler holds one until the thread has ended (caller).
    unsafe {
        Arc::increment_strong_count(thread);
        Arc::from_raw(thread)
    }
}

/// The process of the running thread, if it has one. To be used by that thread, as [`current_ref`].
#[inline(always)]
pub fn current_process() -> Option<&'static Arc<Process>> {
    current_ref().process.as_ref()
}

/// The number of the running thread.
pub fn current_id() -> u64 {
    current_ref().id
}

/// Whether the running thread belongs to a program, or is the thread with this number.
#[cfg(feature = "fault-injection")]
pub fn is_for_program(id: u64) -> bool {
    percpu::is_ready()
        && thread_on(percpu::current())
            .is_some_and(|thread| thread.process.is_some() || thread.id == id)
}

/// Whether the running thread must end instead of going back to user mode.
#[inline]
pub fn current_must_end() -> bool {
    current_ref().must_end()
}

fn thread_on(area: &PerCpu) -> Option<&Thread> {
    // SAFETY: null or the thread that the CPU runs; asked for by that CPU itself, or by a panic that has stopped it.
    unsafe { area.current.get().as_ref() }
}

/// The number of the thread that a CPU runs, asked for by that CPU; 0 before it runs any.
pub fn id_on(area: &PerCpu) -> u64 {
    thread_on(area).map_or(0, |thread| thread.id)
}

/// The name of the thread that a CPU runs: for the panic report.
pub fn name_on(area: &PerCpu) -> &str {
    thread_on(area).map_or("start", Thread::name)
}

/// The program that a CPU runs: for the panic report.
pub fn module_on(area: &PerCpu) -> &str {
    thread_on(area)
        .and_then(|thread| thread.process.as_ref())
        .map_or("?", |process| process.name())
}

/// The name of the running thread: for the panic report.
pub fn current_name() -> &'static str {
    if percpu::is_ready() {
        name_on(percpu::current())
    } else {
        "start"
    }
}
