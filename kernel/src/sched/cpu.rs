//! The part of a CPU's area that belongs to the scheduler: run queue, idle thread, and the thread just left.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ksched::{Config, Decision, Priority, RunQueue};
use ksync::Arc;

use super::thread::{Affinity, OutOfMemory, Thread};
use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::{IrqLock, apic, time};

/// A thread in a run queue: one counted reference, as a plain pointer so that `ksched` can copy it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready(*const Thread);

// SAFETY: the pointer stands for a counted reference to a `Sync` type.
unsafe impl Send for Ready {}

impl Ready {
    /// Takes over one reference.
    pub(super) fn new(thread: Arc<Thread>) -> Self {
        Self(Arc::into_raw(thread))
    }

    /// A new reference to a thread that others keep alive at the moment.
    pub(super) fn borrow(thread: &Thread) -> Arc<Thread> {
        // SAFETY: every thread lies in an `Arc`, of which the caller's reference shows that it is alive.
        unsafe {
            Arc::increment_strong_count(thread);
            Arc::from_raw(thread)
        }
    }

    pub(super) fn thread(&self) -> &Thread {
        // SAFETY: the counted reference keeps the thread alive.
        unsafe { &*self.0 }
    }

    /// Drops the reference.
    pub(super) fn release(self) {
        // SAFETY: made from an `Arc` by `new`, and given up here once.
        drop(unsafe { Arc::from_raw(self.0) });
    }

    /// The reference goes on to live in the run queue.
    pub(super) fn forget(self) {}
}

/// What is to become of the thread that is switched away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays runnable and goes on with its quantum later.
    Requeue,
    /// It stays runnable behind the others of its priority.
    Yield,
    /// It waits to be woken.
    Block,
    /// It is over.
    Exit,
}

/// The run queue of one CPU and what belongs to it. `Cell`s are its owner's (invariant 5).
pub struct CpuQueue {
    ready: IrqLock<RunQueue<Ready>>,
    /// Threads that run or wait here, readable without the lock.
    load: AtomicUsize,
    idle: Cell<*const Thread>,
    left: Cell<Option<(Ready, Fate)>>,
    online: AtomicBool,
    timer_at_ns: Cell<Option<u64>>,
}

impl CpuQueue {
    /// An empty queue of a CPU that is not online.
    pub const fn new() -> Self {
        Self {
            ready: IrqLock::new(RunQueue::new(Config::DEFAULT)),
            load: AtomicUsize::new(0),
            idle: Cell::new(core::ptr::null()),
            left: Cell::new(None),
            online: AtomicBool::new(false),
            timer_at_ns: Cell::new(None),
        }
    }

    /// Whether the CPU takes threads.
    pub fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }

    pub(super) fn set_online(&self) {
        self.online.store(true, Ordering::Release);
    }

    pub(super) fn idle(&self) -> *const Thread {
        self.idle.get()
    }

    /// Gives the CPU its idle thread, for ever.
    pub(super) fn set_idle(&self, thread: Arc<Thread>) -> Result<(), OutOfMemory> {
        self.idle.set(Arc::into_raw(thread));
        self.reserve(super::THREADS.load(Ordering::Acquire) + 1)
    }

    /// Makes room for this many threads.
    pub(super) fn reserve(&self, total: usize) -> Result<(), OutOfMemory> {
        self.ready.lock().reserve(total).map_err(|_| OutOfMemory)
    }

    /// Puts a thread in; whether the CPU must be told.
    pub(super) fn enqueue(&self, ready: Ready, priority: Priority) -> bool {
        let mut queue = self.ready.lock();
        let decision = queue.enqueue(ready, priority, time::now_ns());
        let runnable = queue.runnable();
        self.load.store(runnable, Ordering::Relaxed);
        drop(queue);
        match decision {
            // The first that waits needs the timer that a thread alone does without.
            Ok(decision) => decision == Decision::Switch || runnable == 2,
            Err(error) => unreachable!("every queue has a place for every thread: {error}"),
        }
    }

    /// Whether something is runnable.
    pub(super) fn has_work(&self) -> bool {
        self.load.load(Ordering::Relaxed) != 0 || self.ready.lock().runnable() != 0
    }

    /// Whether nothing is runnable here but the running thread. To be asked by that thread.
    pub fn is_alone(&self) -> bool {
        self.load.load(Ordering::Relaxed) <= 1
    }

    /// Counts time; whether another thread should run.
    pub(super) fn tick(&self) -> bool {
        self.ready.lock().tick(time::now_ns()) == Decision::Switch
    }

    /// The thread to run next.
    pub(super) fn next(&self, fate: Fate) -> *const Thread {
        let now = time::now_ns();
        let mut queue = self.ready.lock();
        let next = match fate {
            Fate::Requeue => queue.pick(now),
            Fate::Yield => queue.yield_current(now),
            Fate::Block | Fate::Exit => {
                let _ = queue.block();
                queue.pick(now)
            }
        };
        self.load.store(queue.runnable(), Ordering::Relaxed);
        next.map_or(self.idle.get(), |ready| ready.0)
    }

    /// Arms this CPU's timer for the next decision, or stops it when there is none to come.
    pub(super) fn set_timer(&self) {
        let next = self.ready.lock().next_tick();
        match next {
            Some(at) => time::arm_timer_at(at),
            None if self.timer_at_ns.get().is_some() => apic::disarm_timer(),
            None => {}
        }
        self.timer_at_ns.set(next);
    }

    /// Notes which thread is being left.
    pub(super) fn leave(&self, thread: *const Thread, fate: Fate) {
        // The idle thread is in no queue, and its reference stays.
        let is_idle = core::ptr::eq(thread, self.idle.get());
        self.left.set(if is_idle {
            None
        } else {
            Some((Ready(thread), fate))
        });
    }

    /// The thread that was left by the last switch.
    pub(super) fn take_left(&self) -> Option<(Ready, Fate)> {
        self.left.take()
    }
}

/// The CPU for a thread: the one it is pinned to, or the online one with the least to do.
pub(super) fn choose(affinity: Affinity) -> &'static PerCpu {
    let pinned = match affinity {
        Affinity::Pinned(index) => {
            percpu::get(index as usize).filter(|area| area.queue.is_online())
        }
        Affinity::Any => None,
    };
    let lightest = || {
        percpu::all()
            .filter(|area| area.queue.is_online())
            .min_by_key(|area| area.queue.load.load(Ordering::Relaxed))
    };
    pinned.or_else(lightest).unwrap_or_else(percpu::current)
}
