//! What whoever has begun a task has of it.

use alloc::rc::Rc;
use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::inner::{Inner, Started};

struct State<T> {
    value: Option<T>,
    is_done: bool,
    waker: Option<Waker>,
}

/// A task. It goes on when this is dropped. As a future it is done when the task is: with what that returned, or with nothing if it was
/// cancelled.
pub struct Task<T> {
    inner: Rc<Inner>,
    started: Option<Started>,
    state: Rc<RefCell<State<T>>>,
}

/// Notes the end of a task, whether it was done or dropped.
struct Guard<T>(Rc<RefCell<State<T>>>);

impl<T> Drop for Guard<T> {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        state.is_done = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// The future that a task runs, and what is left to whoever began it.
pub fn pair<T: 'static>(
    inner: &Rc<Inner>,
    future: impl Future<Output = T> + 'static,
) -> (impl Future<Output = ()> + 'static, Task<T>) {
    let state = Rc::new(RefCell::new(State {
        value: None,
        is_done: false,
        waker: None,
    }));
    let guard = Guard(Rc::clone(&state));
    let task = Task {
        inner: Rc::clone(inner),
        started: None,
        state,
    };
    let future = async move {
        let guard = guard;
        let value = future.await;
        guard.0.borrow_mut().value = Some(value);
    };
    (future, task)
}

impl<T> Task<T> {
    pub(super) fn started(self, started: Started) -> Self {
        Self {
            started: Some(started),
            ..self
        }
    }

    /// Whether it is done, or was cancelled.
    pub fn is_finished(&self) -> bool {
        self.state.borrow().is_done
    }

    /// Drops what it does; one that cancels itself is dropped when it waits next.
    pub fn cancel(&self) {
        if let Some(started) = &self.started {
            self.inner.cancel(started);
        }
    }
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state.borrow_mut();
        if state.is_done {
            return Poll::Ready(state.value.take());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
