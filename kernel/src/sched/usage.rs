//! What threads and processors have done: time and switches.
//!
//! Time is counted by the run queues, for the current thread and for the processor alike, whenever something happens there, in ticks of
//! the time-stamp counter, of which nanoseconds are made when somebody asks; the switches by the one that switches. Nothing is sampled.

use core::sync::atomic::{AtomicU64, Ordering};

use abi::statistics::Processor;

use super::cpu::{self, Ready};
use super::thread::Thread;
use crate::arch::current::percpu::PerCpu;
use crate::arch::current::time;

/// What a thread, or several, have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// For how long they have run, in nanoseconds.
    pub ran_ns: u64,
    /// How often they were given a processor.
    pub switches: u64,
}

impl Used {
    /// Nothing.
    pub const NONE: Self = Self {
        ran_ns: 0,
        switches: 0,
    };

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            ran_ns: self.ran_ns.wrapping_add(other.ran_ns),
            switches: self.switches.wrapping_add(other.switches),
        }
    }
}

/// One more, by the only one that writes.
#[inline(always)]
fn add_one(counter: &AtomicU64) {
    let next = counter.load(Ordering::Relaxed).wrapping_add(1);
    counter.store(next, Ordering::Relaxed);
}

/// A processor switches to a thread. To be called there, interrupts off.
#[inline(always)]
pub(super) fn count_switch(area: &PerCpu, to: &Thread) {
    add_one(&to.switches);
    add_one(&area.queue.switches);
}

/// What a thread has used up to now. Takes the lock of a run queue only if the thread runs.
pub fn of_thread(thread: &Thread) -> Used {
    let ran = if thread.is_on_cpu() {
        cpu::with_queue_of(thread, |queue, _| {
            // SAFETY: used with the lock of the queue held, which it needs to end if it is in there.
            let ready = unsafe { Ready::of(thread) };
            queue.ran(ready, time::tsc())
        })
    } else {
        None
    };
    Used {
        ran_ns: time::ns_of(ran.unwrap_or_else(|| thread.node.ran())),
        switches: thread.switches.load(Ordering::Relaxed),
    }
}

/// What a processor has done.
pub fn of_processor(area: &PerCpu) -> Processor {
    let (now, busy, runnable) = area.queue.busy();
    Processor {
        now,
        busy,
        switches: area.queue.switches.load(Ordering::Relaxed),
        interrupts: area.interrupts.load(Ordering::Relaxed),
        runnable: runnable as u64,
    }
}
