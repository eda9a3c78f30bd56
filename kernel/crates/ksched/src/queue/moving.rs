//! Threads that go from one run queue to another while they are runnable. They keep their level.

use super::{Entered, RunQueue};
use crate::balance::Given;
use crate::lists::End;
use crate::node::{At, Node, Task};
use crate::priority::Priority;

impl<T: Task> RunQueue<T> {
    /// Gives away the thread that has been here for longest, among the most urgent of those that `may_leave`, and with it what `taker`
    /// says of it: where it goes. [`Given::NotYet`] when that is the current one, which another one relieves soon. Looks at `most`
    /// waiting threads at the most.
    #[cold]
    #[inline(never)]
    pub fn give<R>(
        &mut self,
        most: usize,
        may_leave: impl Fn(T) -> bool,
        taker: impl FnOnce(T) -> Option<R>,
    ) -> Given<(T, R)> {
        let heads = Priority::all().filter_map(|level| self.waiting.head(level));
        let waiting = heads
            .flat_map(|head| core::iter::successors(Some(head), |&item| self.waiting.after(item)));
        let oldest = waiting
            .take(most)
            .filter(|&item| may_leave(item))
            .min_by_key(|item| turn(item.node()));
        let of_current = self.current.filter(|&current| may_leave(current));
        let of_current = of_current.map(|current| turn(current.node()));
        let Some(item) = oldest else {
            return of_current.map_or(Given::None, |_| Given::NotYet);
        };
        let own = turn(item.node());
        if of_current.is_some_and(|current| current.0 == own.0 && current.1 < own.1) {
            return Given::NotYet;
        }
        let Some(place) = taker(item) else {
            return Given::None;
        };
        self.waiting.unlink(item);
        Given::Thread((item, place))
    }

    /// Takes over a runnable thread that another queue has given away or lost. It keeps its level, unless it has got another
    /// priority meanwhile, and goes behind the others there. As [`RunQueue::enter`] otherwise.
    #[cold]
    #[inline(never)]
    pub fn take_over(&mut self, item: T, priority: Priority, now: u64) -> Entered {
        let node = item.node();
        debug_assert_eq!(node.place.get(), At::NOWHERE, "a thread was queued twice");
        if node.base.get() != priority {
            node.base.set(priority);
            node.level.set(priority);
            node.left.set(0);
        }
        node.since.set(now);
        node.moved.set(now);
        self.waiting.push(item, End::Back);
        let runnable = self.runnable();
        Entered {
            decision: self.decision(),
            runnable,
            tick: self.next_tick().filter(|_| runnable == 2),
        }
    }
}

/// Threads are given away in the order of this: the most urgent first, of those the one that has been here for longest.
fn turn<T: Task>(node: &Node<T>) -> (Priority, u64) {
    (node.level.get(), node.moved.get())
}
