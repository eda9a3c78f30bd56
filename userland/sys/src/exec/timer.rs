//! Times at which tasks go on.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use abi::{Error, NEVER};

use super::inner::Inner;
use crate::time;

/// A timer: its time, and a number of its own.
type Key = (u64, u64);

/// The timers of an executor.
pub struct Timers {
    all: RefCell<BTreeMap<Key, Waker>>,
    last: Cell<u64>,
}

impl Timers {
    pub fn new() -> Self {
        Self {
            all: RefCell::new(BTreeMap::new()),
            last: Cell::new(0),
        }
    }

    /// Wakes those whose time has come; the time of the next one.
    pub fn fire(&self) -> Option<u64> {
        let mut all = self.all.borrow_mut();
        let first = |all: &BTreeMap<Key, Waker>| all.first_key_value().map(|((at, _), _)| *at);
        let mut next = first(&all)?;
        let now = time::now();
        while next <= now {
            if let Some((_, waker)) = all.pop_first() {
                waker.wake();
            }
            next = first(&all)?;
        }
        Some(next)
    }
}

/// Is done at a time.
pub struct Sleep {
    inner: Rc<Inner>,
    at: u64,
    /// Its number, if it is among the timers.
    number: Option<u64>,
}

impl Sleep {
    pub(super) fn new(inner: &Rc<Inner>, at: u64) -> Self {
        Self {
            inner: Rc::clone(inner),
            at,
            number: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.at != NEVER && time::now() >= self.at {
            return Poll::Ready(());
        }
        if self.at == NEVER {
            return Poll::Pending;
        }
        let number = self.number.unwrap_or_else(|| {
            let last = &self.inner.timers.last;
            last.set(last.get() + 1);
            last.get()
        });
        self.number = Some(number);
        let key = (self.at, number);
        let mut all = self.inner.timers.all.borrow_mut();
        all.insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.inner
                .timers
                .all
                .borrow_mut()
                .remove(&(self.at, number));
        }
    }
}

/// A future with a time limit.
pub struct Timeout<F> {
    future: F,
    sleep: Sleep,
}

impl<F> Timeout<F> {
    pub(super) fn new(future: F, sleep: Sleep) -> Self {
        Self { future, sleep }
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the future is not moved, here or elsewhere: it is only reached through the pin; the other part needs no pin.
        let (future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.sleep)
        };
        if let Poll::Ready(output) = future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(sleep).poll(context).map(|()| Err(Error::TimedOut))
    }
}
