//! The loop of an executor, and its tasks.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use abi::{Error, NEVER};

use super::inbox::Calls;
use super::queue::{Queue, TaskWaker};
use super::source::Sources;
use super::timer::Timers;
use super::waits::Watched;
use crate::object::Event;
use crate::time;

pub type Job = Pin<Box<dyn Future<Output = ()>>>;

/// The index of the future of `run_until`, which is no task.
const MAIN: usize = usize::MAX;

/// A place for a task.
enum Slot {
    Free,
    /// It is being polled; if it is cancelled meanwhile, it is dropped afterwards.
    Running {
        is_cancelled: bool,
    },
    Waiting(Job),
}

struct Entry {
    slot: Slot,
    waker: Arc<TaskWaker>,
}

/// A task that has begun: where it is, and which one.
pub struct Started {
    waker: Arc<TaskWaker>,
}

/// What an executor has.
pub struct Inner {
    queue: Arc<Queue>,
    tasks: RefCell<Vec<Entry>>,
    /// How many of them there are.
    count: Cell<usize>,
    /// Who waits until there are none.
    idle: RefCell<Option<Waker>>,
    pub sources: Sources,
    pub timers: Timers,
    pub calls: Calls,
    pub watched: Watched,
}

pub fn spawn(inner: &Rc<Inner>, job: Job) -> Started {
    match try_spawn(inner, job) {
        Ok(started) => started,
        Err(_) => alloc::alloc::handle_alloc_error(core::alloc::Layout::new::<Entry>()),
    }
}

pub fn try_spawn(inner: &Rc<Inner>, job: Job) -> Result<Started, Error> {
    let mut tasks = inner.tasks.borrow_mut();
    let free = |entry: &Entry| matches!(entry.slot, Slot::Free);
    let index = match tasks.iter().position(free) {
        Some(index) if inner.count.get() < tasks.len() => index,
        _ => {
            tasks.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
            tasks.len()
        }
    };
    // The future of `run_until` is one more.
    inner.queue.reserve(tasks.len() + 2)?;
    let waker = TaskWaker::new(&inner.queue, index);
    let entry = Entry {
        slot: Slot::Waiting(job),
        waker: Arc::clone(&waker),
    };
    match tasks.get_mut(index) {
        Some(place) => *place = entry,
        None => tasks.push(entry),
    }
    drop(tasks);
    inner.count.set(inner.count.get() + 1);
    Waker::from(Arc::clone(&waker)).wake();
    Ok(Started { waker })
}

impl Inner {
    pub fn new() -> Result<Rc<Self>, Error> {
        Ok(Rc::new(Self {
            queue: Queue::new()?,
            tasks: RefCell::new(Vec::new()),
            count: Cell::new(0),
            idle: RefCell::new(None),
            sources: Sources::new(),
            timers: Timers::new(),
            calls: Calls::new(),
            watched: Watched::new(),
        }))
    }

    pub fn event(&self) -> &Event {
        &self.queue.event
    }

    pub fn tasks(&self) -> usize {
        self.count.get()
    }

    pub fn poll_idle(&self, context: &Context<'_>) -> Poll<()> {
        if self.count.get() == 0 {
            return Poll::Ready(());
        }
        *self.idle.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    pub fn run_until<F: Future>(&self, mut future: Pin<&mut F>) -> Result<F::Output, Error> {
        let main = TaskWaker::new(&self.queue, MAIN);
        let waker = Waker::from(Arc::clone(&main));
        waker.wake_by_ref();
        loop {
            // Those that are ready now, once each: then what has come meanwhile is looked at.
            for _ in 0..self.queue.len() {
                let Some(next) = self.queue.pop() else { break };
                if !Arc::ptr_eq(&next, &main) {
                    self.poll_task(&next);
                } else if let Poll::Ready(output) =
                    future.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    return Ok(output);
                }
            }
            self.wait()?;
        }
    }

    /// Takes the bits of the event, and fires timers; waits for both if nothing is to run.
    fn wait(&self) -> Result<(), Error> {
        let next = self.timers.fire();
        let bits = if self.queue.begin_to_wait() {
            let bits = self.event().wait(u64::MAX, next.unwrap_or(NEVER));
            self.queue.end_of_wait();
            bits
        } else {
            self.event().take(u64::MAX)
        };
        match bits {
            Ok(bits) => self.sources.wake(bits),
            Err(Error::TimedOut) => {}
            // The kernel has no memory for the time: it is asked again.
            Err(Error::OutOfMemory) => crate::call::thread_yield(),
            Err(error) => return Err(error),
        }
        if next.is_some_and(|next| next <= time::now()) {
            self.timers.fire();
        }
        Ok(())
    }

    fn poll_task(&self, waker: &Arc<TaskWaker>) {
        let Some(mut job) = self.take(waker) else {
            return;
        };
        let poll = {
            let waker = Waker::from(Arc::clone(waker));
            job.as_mut().poll(&mut Context::from_waker(&waker))
        };
        let mut tasks = self.tasks.borrow_mut();
        let Some(entry) = tasks.get_mut(waker.index) else {
            return;
        };
        let is_cancelled = matches!(entry.slot, Slot::Running { is_cancelled: true });
        if poll.is_pending() && !is_cancelled {
            entry.slot = Slot::Waiting(job);
            return;
        }
        entry.slot = Slot::Free;
        drop(tasks);
        self.ended();
        // Not while anything is borrowed: dropping it may use the executor.
        drop(job);
    }

    /// The task that a waker means, if it is still there.
    fn take(&self, waker: &Arc<TaskWaker>) -> Option<Job> {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.get_mut(waker.index)?;
        if !Arc::ptr_eq(&entry.waker, waker) {
            return None;
        }
        let running = Slot::Running {
            is_cancelled: false,
        };
        match core::mem::replace(&mut entry.slot, running) {
            Slot::Waiting(job) => Some(job),
            other => {
                entry.slot = other;
                None
            }
        }
    }

    /// Drops a task, or lets it be dropped after it was polled.
    pub fn cancel(&self, started: &Started) {
        match self.take(&started.waker) {
            Some(job) => {
                if let Some(entry) = self.tasks.borrow_mut().get_mut(started.waker.index) {
                    entry.slot = Slot::Free;
                }
                self.ended();
                drop(job);
            }
            None => {
                let mut tasks = self.tasks.borrow_mut();
                let entry = tasks.get_mut(started.waker.index);
                if let Some(entry) = entry.filter(|entry| Arc::ptr_eq(&entry.waker, &started.waker))
                    && let Slot::Running { is_cancelled } = &mut entry.slot
                {
                    *is_cancelled = true;
                }
            }
        }
    }

    /// Drops all tasks, and those that they begin meanwhile.
    pub fn clear(&self) {
        let waker = |entry: &Entry| {
            let is_there = matches!(entry.slot, Slot::Waiting(_));
            is_there.then(|| Arc::clone(&entry.waker))
        };
        loop {
            let next = self.tasks.borrow().iter().find_map(waker);
            let Some(waker) = next else { break };
            self.cancel(&Started { waker });
        }
        let mut tasks = self.tasks.borrow_mut();
        for entry in tasks.iter_mut() {
            if let Slot::Running { is_cancelled } = &mut entry.slot {
                *is_cancelled = true;
            }
        }
    }

    fn ended(&self) {
        self.count.set(self.count.get() - 1);
        if self.count.get() == 0
            && let Some(waker) = self.idle.borrow_mut().take()
        {
            waker.wake();
        }
    }
}
