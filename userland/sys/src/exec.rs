//! One thread that waits for many things at once: an executor of futures over one event.
//!
//! Whatever a program waits for sets bits of an event; the executor waits for that event, and for nothing else. Everything that is waited
//! for takes one of its 64 bits (one is its own). When none are left, what makes a new source returns `TooMany`. When nothing is
//! to do, the thread waits in the kernel: nothing wakes it but what it waits for, and timers at their time.
//!
//! ```no_run
//! use sys::exec::Executor;
//! use sys::object::Mailbox;
//! use sys::time::SECOND;
//!
//! # fn f(mailbox: Mailbox) -> Result<(), sys::Error> {
//! let exec = Executor::new()?;
//! let inbox = exec.mailbox(mailbox)?;
//! let ticks = exec.clone();
//! exec.spawn(async move {
//!     loop {
//!         ticks.sleep(SECOND).await;
//!         // ...
//!     }
//! });
//! exec.run_until(async {
//!     loop {
//!         let call = inbox.receive().await?;
//!         let sum = call.words().iter().sum();
//!         // It need not be answered here and now: a task can keep it.
//!         let _ = call.answer(0, [], &[sum]);
//!     }
//! })?
//! # }
//! ```
//!
//! Bits are hints: a future that is woken looks whether what it waits for has happened. So it does no harm that others, who have a handle
//! of the event with SIGNAL, set any of them.
//!
//! A thread has one executor. Its tasks do not receive messages otherwise meanwhile, as a thread has one call at a time that it can answer.

mod combine;
mod inbox;
mod inner;
mod queue;
mod source;
mod stream;
mod task;
mod timer;
mod waits;

use alloc::rc::Rc;
use core::future::Future;

use abi::{Error, Rights};

use crate::channel::{Reader, Waiter, Writer};
use crate::heap::try_box;
use crate::object::{Interrupt, Mailbox, Process};
use crate::thread::JoinHandle;

use inner::Inner;
use source::Source;

pub use combine::{Either, join, race};
pub use inbox::{Call, Inbox};
pub use stream::{AsyncReader, AsyncWriter};
pub use task::Task;
pub use timer::{Sleep, Timeout};
pub use waits::{Closed, Exit, Interrupts, Signal};

/// An executor. What is cloned is the same one.
#[derive(Clone)]
pub struct Executor(Rc<Inner>);

impl Executor {
    /// An executor with nothing to do.
    ///
    /// # Errors
    /// As `event_create`.
    pub fn new() -> Result<Self, Error> {
        Inner::new().map(Self)
    }

    /// Begins a task. It runs when the executor does, also if what is returned is dropped.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        let (future, task) = task::pair(&self.0, future);
        task.started(inner::spawn(&self.0, alloc::boxed::Box::pin(future)))
    }

    /// Begins a task, if there is memory for it.
    ///
    /// # Errors
    /// `OutOfMemory`; the future is dropped.
    pub fn try_spawn<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> Result<Task<T>, Error> {
        let (future, task) = task::pair(&self.0, future);
        let future = try_box(future).map_err(|_| Error::OutOfMemory)?;
        let started = inner::try_spawn(&self.0, alloc::boxed::Box::into_pin(future))?;
        Ok(task.started(started))
    }

    /// Runs until a future is done, tasks meanwhile; what it returned.
    ///
    /// # Errors
    /// When the event cannot be waited for.
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> Result<T, Error> {
        self.0.run_until(core::pin::pin!(future))
    }

    /// Runs until all tasks are done.
    ///
    /// # Errors
    /// When the event cannot be waited for.
    pub fn run(&self) -> Result<(), Error> {
        self.run_until(core::future::poll_fn(|context| self.0.poll_idle(context)))
    }

    /// Drops all tasks. (An executor whose tasks have clones of it is not dropped before they are.)
    pub fn clear(&self) {
        self.0.clear();
    }

    /// How many tasks there are.
    pub fn tasks(&self) -> usize {
        self.0.tasks()
    }

    /// Receives the messages of a mailbox; the handle needs RECEIVE.
    ///
    /// # Errors
    /// `TooMany` without a free bit; as `mailbox_on_readable`.
    pub fn mailbox(&self, mailbox: Mailbox) -> Result<Inbox, Error> {
        Inbox::new(&self.0, mailbox)
    }

    /// How a side of a channel waits here: for [`Channel::with`](crate::channel::Channel::with).
    ///
    /// Its bit is the channel's until an end that waits by it is given to [`reader`](Self::reader) or [`writer`](Self::writer), and
    /// dropped. A waiter that never gets an end keeps its bit: see [`forget_waiter`](Self::forget_waiter).
    ///
    /// # Errors
    /// `TooMany` without a free bit; as `handle_duplicate`.
    pub fn waiter(&self) -> Result<Waiter, Error> {
        let source = Source::new(&self.0)?;
        let event = self.0.event().signaller()?.into_owned();
        let bits = source.reserve();
        Ok(Waiter {
            event,
            moved: bits,
            closed: bits,
        })
    }

    /// Frees the bits of a waiter whose end was not made, or was given up before it came here.
    pub fn forget_waiter(&self, bits: u64) {
        drop(Source::reserved(&self.0, bits));
    }

    /// Reads from a channel. An end that waits by a [`waiter`](Self::waiter) of this executor takes nothing more; for another one, which
    /// waits for an event of its own, a thread waits, and passes on what it hears.
    ///
    /// # Errors
    /// `TooMany` without a free bit; `InvalidArgument` for bits of this executor's event that are no waiter's; as the calls that make
    /// threads.
    pub fn reader(&self, reader: Reader) -> Result<AsyncReader, Error> {
        AsyncReader::new(&self.0, reader)
    }

    /// Writes to a channel. As [`reader`](Self::reader).
    ///
    /// # Errors
    /// As [`reader`](Self::reader).
    pub fn writer(&self, writer: Writer) -> Result<AsyncWriter, Error> {
        AsyncWriter::new(&self.0, writer)
    }

    /// Waits for a line of interrupts.
    ///
    /// # Errors
    /// `TooMany` without a free bit; as `interrupt_on_fire`.
    pub fn interrupt(&self, interrupt: Interrupt) -> Result<Interrupts, Error> {
        Interrupts::new(&self.0, interrupt)
    }

    /// Waits for the end of a process, which is told to one event at a time.
    ///
    /// # Errors
    /// `TooMany` without a free bit; as `process_on_exit`, and `handle_duplicate`: the handle needs INSPECT and DUPLICATE.
    pub fn exit_of(&self, process: &Process) -> Result<Exit, Error> {
        Exit::new(&self.0, process.duplicate(Rights::INSPECT)?)
    }

    /// Waits until nobody can receive from a mailbox any more: so a client learns that its server is gone. The handle needs CALL and
    /// DUPLICATE.
    ///
    /// # Errors
    /// `TooMany` without a free bit; as `mailbox_on_closed`, and `handle_duplicate`.
    pub fn closed(&self, mailbox: &Mailbox) -> Result<Closed, Error> {
        Closed::new(&self.0, mailbox)
    }

    /// Bits that anybody can set who gets a handle of the event.
    ///
    /// # Errors
    /// `TooMany` without a free bit.
    pub fn signal(&self) -> Result<Signal, Error> {
        Source::new(&self.0).map(Signal::new)
    }

    /// Waits until a thread has ended; what its closure returned.
    ///
    /// # Errors
    /// `Ended` when it was ended before it could return; `TooMany` without a free bit; as the calls that make threads.
    pub async fn join<T>(&self, thread: JoinHandle<T>) -> Result<T, Error> {
        waits::join(&self.0, thread).await
    }

    /// Waits until a time on the monotonic clock.
    pub fn sleep_until(&self, at: u64) -> Sleep {
        Sleep::new(&self.0, at)
    }

    /// Waits for so many nanoseconds.
    pub fn sleep(&self, ns: u64) -> Sleep {
        self.sleep_until(crate::time::after(ns))
    }

    /// Waits for a future, at most for so many nanoseconds: else `TimedOut`, and the future is dropped.
    pub fn timeout<F: Future>(&self, future: F, ns: u64) -> Timeout<F> {
        Timeout::new(future, self.sleep(ns))
    }

    /// Waits for a future, at the latest until a time.
    pub fn until<F: Future>(&self, future: F, at: u64) -> Timeout<F> {
        Timeout::new(future, self.sleep_until(at))
    }

    /// Lets the other tasks that are ready run first.
    pub async fn yield_now(&self) {
        let mut has_waited = false;
        core::future::poll_fn(|context| {
            if core::mem::replace(&mut has_waited, true) {
                return core::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            core::task::Poll::Pending
        })
        .await;
    }
}
