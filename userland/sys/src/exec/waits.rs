//! Interrupts, the ends of processes and threads, and bits that others set.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};

use abi::process::{Info, RUNNING};
use abi::{Error, Rights};

use super::inner::Inner;
use super::source::Source;
use crate::channel::Waiter;
use crate::object::{Interrupt, Mailbox, Process};
use crate::thread::{self, JoinHandle};

/// A line of interrupts.
pub struct Interrupts {
    interrupt: Interrupt,
    source: Source,
}

impl Interrupts {
    pub(super) fn new(inner: &Rc<Inner>, interrupt: Interrupt) -> Result<Self, Error> {
        let source = Source::new(inner)?;
        interrupt.on_fire(Some(inner.event()), source.mask())?;
        Ok(Self { interrupt, source })
    }

    /// Waits until the line has fired, and lets it fire again: whoever serves its device does so after this. Returns how often it had.
    ///
    /// For a line that stays active until the device is served use [`fired_level`](Self::fired_level).
    ///
    /// # Errors
    /// As `interrupt_acknowledge`.
    pub async fn fired(&self) -> Result<u64, Error> {
        poll_fn(|context| {
            self.source
                .poll_until(context, || match self.interrupt.acknowledge() {
                    Err(Error::NotReady) => None,
                    result => Some(result),
                })
        })
        .await
    }

    /// Waits until the line has fired, and does not acknowledge it: for levels, whose device is served first, and then
    /// [`acknowledge`](Self::acknowledge) lets it fire again.
    ///
    /// # Errors
    /// Those of the handle, which needs INSPECT.
    pub async fn fired_level(&self) -> Result<(), Error> {
        poll_fn(|context| {
            self.source
                .poll_until(context, || match self.interrupt.info() {
                    Ok(info) if info.unacknowledged == 0 => None,
                    result => Some(result.map(drop)),
                })
        })
        .await
    }

    /// Lets the line fire again; returns how often it had.
    ///
    /// # Errors
    /// As `interrupt_acknowledge`.
    pub fn acknowledge(&self) -> Result<u64, Error> {
        self.interrupt.acknowledge()
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        // The line is masked.
        let _ = self.interrupt.on_fire(None, 0);
    }
}

/// The end of a process, as a future.
pub struct Exit {
    process: Process,
    source: Source,
}

impl Exit {
    pub(super) fn new(inner: &Rc<Inner>, process: Process) -> Result<Self, Error> {
        let source = Source::new(inner)?;
        process.on_exit(Some(inner.event()), source.mask())?;
        Ok(Self { process, source })
    }
}

impl Future for Exit {
    type Output = Result<Info, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.source
            .poll_until(context, || match self.process.info() {
                Ok(info) if info.state == RUNNING => None,
                result => Some(result),
            })
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        let _ = self.process.on_exit(None, 0);
    }
}

/// Mailboxes whose end is waited for: a process has one binding of the executor's event for each, so those who wait for one share a bit.
pub struct Watched(RefCell<Vec<(u64, Weak<Watch>)>>);

struct Watch {
    mailbox: Mailbox,
    source: Source,
}

impl Watched {
    pub const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }
}

impl Watch {
    fn of(inner: &Rc<Inner>, mailbox: &Mailbox) -> Result<Rc<Self>, Error> {
        let object = mailbox.handle_info()?.object;
        let mut all = inner.watched.0.borrow_mut();
        all.retain(|(_, watch)| watch.strong_count() != 0);
        let known = all.iter().find(|(other, _)| *other == object);
        if let Some(watch) = known.and_then(|(_, watch)| watch.upgrade()) {
            return Ok(watch);
        }
        let source = Source::new(inner)?;
        let own = mailbox.duplicate(Rights::CALL)?;
        own.on_closed(Some(inner.event()), source.mask())?;
        let watch = Rc::new(Self {
            mailbox: own,
            source,
        });
        all.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
        all.push((object, Rc::downgrade(&watch)));
        Ok(watch)
    }

    /// Whether it is so: bound anew, the kernel says it at once.
    fn is_closed(&self) -> Result<bool, Error> {
        let event = self.source.inner().event();
        event.take(self.source.mask())?;
        self.mailbox.on_closed(Some(event), self.source.mask())?;
        Ok(event.take(self.source.mask())? != 0)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.mailbox.on_closed(None, 0);
    }
}

/// The end of a mailbox, as a future: nobody can receive any more.
pub struct Closed {
    watch: Rc<Watch>,
    is_closed: bool,
}

impl Closed {
    pub(super) fn new(inner: &Rc<Inner>, mailbox: &Mailbox) -> Result<Self, Error> {
        let watch = Watch::of(inner, mailbox)?;
        let is_closed = watch.is_closed()?;
        Ok(Self { watch, is_closed })
    }
}

impl Future for Closed {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            if self.is_closed {
                // Others may wait for the same.
                self.watch.source.wake_all();
                return Poll::Ready(Ok(()));
            }
            if self.watch.source.poll_set(context).is_pending() {
                return Poll::Pending;
            }
            match self.watch.is_closed() {
                Ok(is_closed) => self.is_closed = is_closed,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// A bit that others set.
pub struct Signal(Source);

impl Signal {
    pub(super) fn new(source: Source) -> Self {
        Self(source)
    }

    /// A handle of the event, with SIGNAL, and the bit: whoever has them can set it.
    ///
    /// # Errors
    /// As `handle_duplicate`.
    pub fn waiter(&self) -> Result<Waiter, Error> {
        Ok(Waiter {
            event: self.0.inner().event().signaller()?.into_owned(),
            moved: self.mask(),
            closed: self.mask(),
        })
    }

    /// The bit.
    pub fn mask(&self) -> u64 {
        self.0.mask()
    }

    /// Waits until it was set, and clears it.
    pub async fn wait(&self) {
        poll_fn(|context| self.0.poll_set(context)).await;
    }
}

/// Waits for the end of a thread of this process.
pub async fn join<T>(inner: &Rc<Inner>, handle: JoinHandle<T>) -> Result<T, Error> {
    let source = Source::new(inner)?;
    let ended = || handle.is_finished().then(|| handle.take());
    match handle.thread() {
        Some(thread) => {
            thread.on_exit(Some(inner.event()), source.mask())?;
            // Bound elsewhere now, its own event says nothing.
            let ended = || match thread.info() {
                Ok(info) if info.state != abi::thread::ENDED => None,
                Ok(_) => Some(handle.take()),
                Err(error) => Some(Err(error)),
            };
            poll_fn(|context| source.poll_until(context, ended)).await
        }
        // A thread of the host: another one waits for it.
        None => {
            let exit = handle.exit().duplicate(abi::Rights::WAIT)?;
            let event = inner.event().signaller()?;
            let mask = source.mask();
            drop(thread::spawn(move || {
                let _ = exit.wait_keep(1, abi::NEVER);
                let _ = event.signal(mask);
            })?);
            poll_fn(|context| source.poll_until(context, ended)).await
        }
    }
}
