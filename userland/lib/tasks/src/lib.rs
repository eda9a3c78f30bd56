//! What servers need beside the executor of `sys`: tasks that tell each other of changes, and channels of which one end is the client's.
//!
//! An executor runs its tasks on one thread, so all of this is for one thread, and needs no locks.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};

mod ends;

pub use ends::{Handles, from_client, list, listener, to_client};

/// Counts changes of something that tasks look at. Who waits for it looks again after each.
///
/// ```
/// # use std::cell::Cell;
/// # async fn f(queue: &Cell<u32>, changed: &tasks::Changed) {
/// // Somewhere: queue.set(1); changed.tell();
/// changed.until(|| (queue.get() != 0).then_some(())).await;
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Changed {
    count: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Changed {
    /// Nothing has changed yet.
    pub const fn new() -> Self {
        Self {
            count: Cell::new(0),
            waiting: RefCell::new(Vec::new()),
        }
    }

    /// It has changed: wakes all that wait.
    pub fn tell(&self) {
        self.count.set(self.count.get().wrapping_add(1));
        // Who is woken may wait again at once.
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Waits until `look` finds something; it looks at once, and after each change.
    pub async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        poll_fn(|context| {
            if let Some(found) = look() {
                return Poll::Ready(found);
            }
            let mut waiting = self.waiting.borrow_mut();
            // A task that waits for several things is polled more often than it is told.
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::rc::Rc;
    use alloc::sync::Arc;
    use core::future::Future;
    use core::pin::Pin;
    use core::sync::atomic::{AtomicBool, Ordering};
    use core::task::Context;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use std::task::Wake;
    use sys::exec::{Either, race};

    async fn yield_now() {
        let mut has_waited = false;
        poll_fn(|context| {
            if core::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// A task that is polled when it was woken, and only then.
    struct Task {
        future: Pin<Box<dyn Future<Output = ()>>>,
        flag: Arc<Flag>,
        is_done: bool,
    }

    impl Task {
        fn new(future: impl Future<Output = ()> + 'static) -> Self {
            Self {
                future: Box::pin(future),
                flag: Arc::new(Flag(AtomicBool::new(true))),
                is_done: false,
            }
        }

        fn run(&mut self) -> bool {
            let is_woken = self.flag.0.swap(false, Ordering::Relaxed);
            if is_woken && !self.is_done {
                let waker = Waker::from(self.flag.clone());
                self.is_done = self
                    .future
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_ready();
            }
            is_woken
        }
    }

    fn run_all(tasks: &mut [Task]) {
        while tasks.iter_mut().fold(false, |any, task| any | task.run()) {}
    }

    proptest! {
        /// Numbers that some make and others take: each arrives, whatever the order in which they run.
        #[test]
        fn no_change_is_missed(makers in 1usize..4, takers in 1usize..4, each in 1u32..20, yields in prop::collection::vec(any::<bool>(), 1..20)) {
            let changed = Rc::new(Changed::new());
            let (made, taken) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let mut tasks = Vec::new();
            for _ in 0..takers {
                let (changed, made, taken) = (changed.clone(), made.clone(), taken.clone());
                tasks.push(Task::new(async move {
                    loop {
                        changed.until(|| (made.get() > taken.get()).then_some(())).await;
                        taken.set(taken.get() + 1);
                    }
                }));
            }
            for _ in 0..makers {
                let (changed, made, yields) = (changed.clone(), made.clone(), yields.clone());
                tasks.push(Task::new(async move {
                    for index in 0..each {
                        made.set(made.get() + 1);
                        changed.tell();
                        if yields[index as usize % yields.len()] {
                            yield_now().await;
                        }
                    }
                }));
            }
            run_all(&mut tasks);
            prop_assert_eq!(taken.get(), makers as u32 * each);
            prop_assert_eq!(tasks.iter().filter(|task| task.is_done).count(), makers);
        }
    }

    #[test]
    fn the_first_of_two_counts() {
        let changed = Rc::new(Changed::new());
        let (left, right) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let found = Rc::new(RefCell::new(Vec::new()));
        let look = |at: &Rc<Cell<bool>>| {
            let (changed, at) = (changed.clone(), at.clone());
            async move { changed.until(|| at.take().then_some(())).await }
        };
        let mut tasks = [Task::new({
            let found = found.clone();
            let races = [
                race(look(&left), look(&right)),
                race(look(&left), look(&right)),
            ];
            async move {
                for race in races {
                    let which = race.await;
                    found.borrow_mut().push(which);
                }
            }
        })];
        run_all(&mut tasks);
        right.set(true);
        changed.tell();
        run_all(&mut tasks);
        assert_eq!(*found.borrow(), [Either::Second(())]);
        // A race that has waited once is in the list once.
        assert_eq!(changed.waiting.borrow().len(), 1);
        left.set(true);
        right.set(true);
        changed.tell();
        run_all(&mut tasks);
        assert_eq!(*found.borrow(), [Either::Second(()), Either::First(())]);
        assert!(right.get());
    }
}
