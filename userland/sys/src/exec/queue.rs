//! Tasks that are to run: the part of an executor that other threads see.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::Error;

use crate::object::Event;
use crate::sync::Mutex;

/// The bit by which the executor is told from another thread that a task is to run.
pub const WAKE: u64 = 1 << 63;

/// What wakes a task.
pub struct TaskWaker {
    queue: Arc<Queue>,
    /// Where the task is.
    pub index: usize,
    /// It is in the queue.
    is_queued: AtomicBool,
}

/// Tasks that are to run, in order, each at most once.
pub struct Queue {
    pub event: Event,
    ready: Mutex<VecDeque<Arc<TaskWaker>>>,
    /// The executor waits, or is about to.
    is_waiting: AtomicBool,
}

impl Queue {
    pub fn new() -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            event: Event::new()?,
            ready: Mutex::new(VecDeque::new()),
            is_waiting: AtomicBool::new(false),
        }))
    }

    /// Makes room for so many tasks.
    pub fn reserve(&self, tasks: usize) -> Result<(), Error> {
        let mut ready = self.ready.lock();
        let more = tasks.saturating_sub(ready.len());
        ready.try_reserve(more).map_err(|_| Error::OutOfMemory)
    }

    pub fn len(&self) -> usize {
        self.ready.lock().len()
    }

    /// The next task; one that wakes it from now on puts it in again.
    pub fn pop(&self) -> Option<Arc<TaskWaker>> {
        let next = self.ready.lock().pop_front()?;
        next.is_queued.store(false, Ordering::SeqCst);
        Some(next)
    }

    /// Says that the executor is about to wait; whether it may, as nothing is to run. Who puts something in from now on sets the bit.
    pub fn begin_to_wait(&self) -> bool {
        self.is_waiting.store(true, Ordering::SeqCst);
        let may = self.ready.lock().is_empty();
        if !may {
            self.end_of_wait();
        }
        may
    }

    pub fn end_of_wait(&self) {
        self.is_waiting.store(false, Ordering::SeqCst);
    }

    fn push(&self, task: Arc<TaskWaker>) {
        self.ready.lock().push_back(task);
        if self.is_waiting.swap(false, Ordering::SeqCst) {
            // The event is there as long as this is.
            let _ = self.event.signal(WAKE);
        }
    }
}

impl TaskWaker {
    pub fn new(queue: &Arc<Queue>, index: usize) -> Arc<Self> {
        Arc::new(Self {
            queue: Arc::clone(queue),
            index,
            is_queued: AtomicBool::new(false),
        })
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::SeqCst) {
            let queue = Arc::clone(&self.queue);
            queue.push(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.load(Ordering::SeqCst) {
            Arc::clone(self).wake();
        }
    }
}
