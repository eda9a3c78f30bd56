//! Threads of this program whose handles the tests keep: to be stopped, moved and ended from outside.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::thread::Info;
use sys::abi::{Error, Handle, NEVER};
use sys::{call, thread};

use super::soon;
use crate::area::{Area, Mapping, Owned, RW};

/// Pages of each stack.
const STACK_PAGES: u64 = 8;
/// Bit of a worker's event: it has ended.
const EXIT: u64 = 1;
/// `Report::state`: the work is not done.
const NONE: u64 = 0;
/// `Report::state`: it is done, and has a value.
const DONE: u64 = 1;
/// `Report::state`: it is done, with an error whose number is the value.
const FAILED: u64 = 2;

/// What a thread is to do.
pub struct Body<F>(F);

impl<F: Fn() -> Result<u64, Error> + Sync> Body<F> {
    pub const fn new(work: F) -> Self {
        Self(work)
    }
}

/// What came of a thread's work.
struct Report {
    state: AtomicU64,
    value: AtomicU64,
}

/// What a thread finds at the end of its stack.
struct Task<F> {
    report: Report,
    body: *const Body<F>,
}

extern "C" fn begin<F: Fn() -> Result<u64, Error> + Sync>(task: u64) -> ! {
    // SAFETY: the worker has put it there, and is dropped, which ends this thread, before the body goes.
    let (report, body) = unsafe {
        let task = &*(task as *const Task<F>);
        (&task.report, &*task.body)
    };
    let (state, value) = match (body.0)() {
        Ok(value) => (DONE, value),
        Err(error) => (FAILED, error.number()),
    };
    report.value.store(value, Ordering::Relaxed);
    report.state.store(state, Ordering::Release);
    call::thread_exit()
}

/// A thread; it is ended when dropped, which must happen: its stack and what it works on go then.
pub struct Worker<'a> {
    thread: Owned,
    exit: Owned,
    /// In the stack.
    report: *const Report,
    _stack: Mapping,
    body: PhantomData<&'a ()>,
}

impl<'a> Worker<'a> {
    /// Starts one in the process `own`, on a processor or any.
    pub fn start<F: Fn() -> Result<u64, Error> + Sync>(
        own: Handle,
        cpu: u64,
        body: &'a Body<F>,
    ) -> Result<Self, Error> {
        let stack = Area::guarded(1, STACK_PAGES)?.map(own, 0, STACK_PAGES + 1, RW)?;
        let exit = Owned(call::event_create()?);
        let top = stack.at(STACK_PAGES + 1, 0);
        let task = (top - size_of::<Task<F>>() as u64) as *mut Task<F>;
        let report = Report {
            state: AtomicU64::new(NONE),
            value: AtomicU64::new(0),
        };
        // SAFETY: the end of a stack that was mapped just now; a multiple of 8, as pages and the size are.
        let report = unsafe {
            task.write(Task { report, body });
            &raw const (*task).report
        };
        let handle = thread::start(own, begin::<F>, task as u64, task as u64, cpu)?;
        let worker = Self {
            thread: Owned(handle),
            exit,
            report,
            _stack: stack,
            body: PhantomData,
        };
        worker.restore()?;
        Ok(worker)
    }

    /// Binds the thread's end to the worker's own event, as it is from the start.
    pub fn restore(&self) -> Result<(), Error> {
        call::thread_on_exit(self.handle(), Some(self.exit.0), EXIT)
    }

    pub fn handle(&self) -> Handle {
        self.thread.0
    }

    pub fn info(&self) -> Info {
        call::thread_info(self.handle()).unwrap_or_default()
    }

    /// Waits until the thread is in a state ([`sys::abi::thread`]).
    pub fn reach(&self, state: u64) -> Result<(), Error> {
        super::until(|| self.info().state == state)
    }

    /// Whether the thread has ended.
    pub fn has_ended(&self) -> bool {
        call::event_wait(self.exit.0, EXIT, sys::abi::event::KEEP, 0).is_ok()
    }

    /// Waits until it has ended.
    pub fn wait(&self) -> Result<(), Error> {
        call::event_wait(self.exit.0, EXIT, sys::abi::event::KEEP, soon()).map(drop)
    }

    /// Ends it and waits for that.
    pub fn kill(&self) -> Result<(), Error> {
        call::thread_kill(self.handle())?;
        self.wait()
    }

    /// What its work came to; `Ended` when it was ended before.
    pub fn join(&self) -> Result<u64, Error> {
        self.wait()?;
        // SAFETY: it is in the stack, which is mapped as long as the worker is there, and is shared as atomics only.
        let report = unsafe { &*self.report };
        let state = report.state.load(Ordering::Acquire);
        let value = report.value.load(Ordering::Relaxed);
        match state {
            DONE => Ok(value),
            FAILED => Err(Error::from_number(value).unwrap_or(Error::UnknownCall)),
            _ => Err(Error::Ended),
        }
    }

    pub fn set_priority(&self, priority: u64) -> Result<(), Error> {
        call::thread_set_priority(self.handle(), priority)
    }

    /// Lets it run on one processor only.
    pub fn pin(&self, cpu: u64) -> Result<(), Error> {
        call::thread_set_affinity(self.handle(), &(1u64 << cpu).to_le_bytes())
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        let killed = call::thread_kill(self.handle());
        let gone = call::event_wait(self.exit.0, EXIT, sys::abi::event::KEEP, soon());
        if killed.is_err() || gone.is_err() {
            // It may still use what goes now.
            call::process_exit(NEVER);
        }
    }
}
