//! The run queue of one processor: eight priorities, quanta, demotion and boost.
//!
//! A thread has a base priority and a level, which begins there. Using up a whole quantum moves it
//! one level down (or back to its base, when it was above); waiting longer than
//! [`Config::boost_after_ns`] moves it one level up, past its base if need be, so that no thread
//! starves; yielding or blocking takes it back to its base. Within a level it is first come, first
//! served; a thread that was preempted goes on first, with what is left of its quantum. A thread that hands the processor to
//! another one ([`RunQueue::hand_off`]) hands it the rest of its quantum, too.
//!
//! Invariant: a thread is at most once in a queue, either current or waiting.

mod moving;

use crate::lists::{End, Lists};
use crate::node::{Place, Task};
use crate::priority::{Config, Priority};

/// What the processor is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Go on.
    Keep,
    /// Call [`RunQueue::pick`] soon and run what it gives.
    Switch,
}

/// What [`RunQueue::remove`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Removed {
    /// It was waiting.
    Waiting,
    /// It was running: pick another one.
    Current,
    /// It was not here.
    Absent,
}

/// The threads that one processor runs and could run. `T` names a thread.
#[derive(Debug)]
pub struct RunQueue<T> {
    config: Config,
    waiting: Lists<T>,
    current: Option<T>,
    /// Whether the current thread has used up a quantum, so that others of its level are to have their turn.
    turn_over: bool,
    /// Until when the current thread's running was counted.
    counted_ns: u64,
    /// For how long there was a current thread.
    busy_ns: u64,
}

impl<T: Task> RunQueue<T> {
    /// An empty queue.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            waiting: Lists::new(),
            current: None,
            turn_over: false,
            counted_ns: 0,
            busy_ns: 0,
        }
    }

    /// The thread that runs; `None` when the processor is idle.
    pub fn current(&self) -> Option<T> {
        self.current
    }

    /// How many threads run or wait.
    #[inline]
    pub fn runnable(&self) -> usize {
        self.waiting
            .len()
            .saturating_add(usize::from(self.current.is_some()))
    }

    /// The priority at which a thread of this queue runs or waits just now.
    pub fn level(&self, item: T) -> Priority {
        item.node().level.get()
    }

    /// For how long a thread of this queue, or of none, has run in all, in nanoseconds, up to now.
    pub fn ran_ns(&mut self, item: T, now_ns: u64) -> u64 {
        self.count(now_ns);
        item.node().ran_ns()
    }

    /// For how long threads have run here in all, in nanoseconds, up to now.
    pub fn busy_ns(&mut self, now_ns: u64) -> u64 {
        self.count(now_ns);
        self.busy_ns
    }

    /// A thread has become runnable. It must be in no queue, which builds with debug
    /// assertions check. `Switch` when it is to run now, because it outranks the current one or the
    /// processor is idle.
    #[inline]
    pub fn enqueue(&mut self, item: T, priority: Priority, now_ns: u64) -> Decision {
        let node = item.node();
        debug_assert_eq!(node.place.get(), Place::Absent, "a thread was queued twice");
        node.base.set(priority);
        node.level.set(priority);
        node.left_ns.set(0);
        node.since_ns.set(now_ns);
        self.waiting.push(item, End::Back);
        self.decision()
    }

    /// Time has passed: counts the current thread's running and the others' waiting. To be called
    /// at [`RunQueue::next_tick`], or as often as is convenient.
    pub fn tick(&mut self, now_ns: u64) -> Decision {
        let now_ns = self.count(now_ns);
        self.boost(now_ns);
        let decision = self.decision();
        if decision == Decision::Keep {
            self.turn_over = false;
        }
        decision
    }

    /// When [`RunQueue::tick`] is next needed, at the latest; `None` when nothing waits, or nothing runs that others wait for:
    /// then a [`RunQueue::pick`] is due. It is the end of the current thread's quantum: boosts are looked after then.
    #[inline]
    pub fn next_tick(&self) -> Option<u64> {
        self.waiting.best()?;
        let left = self.current?.node().left_ns.get();
        Some(self.counted_ns.saturating_add(left))
    }

    /// The thread to run from now on, in constant time. The current one, if there is one, goes back
    /// to waiting unless it is still the best. `None`: idle.
    #[inline]
    pub fn pick(&mut self, now_ns: u64) -> Option<T> {
        self.count(now_ns);
        if let Some(current) = self.current {
            if self.decision() == Decision::Keep {
                self.turn_over = false;
                return Some(current);
            }
            let end = if self.turn_over {
                End::Back
            } else {
                End::Front
            };
            self.waiting.push(current, end);
        }
        self.next()
    }

    /// The current thread gives way to others of its base priority; then as [`RunQueue::pick`].
    #[inline]
    pub fn yield_current(&mut self, now_ns: u64) -> Option<T> {
        let now_ns = self.count(now_ns);
        if let Some(current) = self.current {
            let node = current.node();
            node.level.set(node.base.get());
            node.left_ns.set(0);
            node.since_ns.set(now_ns);
            self.waiting.push(current, End::Back);
        }
        self.next()
    }

    /// The current thread stops being runnable, and the next one runs, as with [`RunQueue::pick`]. The thread
    /// comes back by [`RunQueue::enqueue`].
    #[inline]
    pub fn block(&mut self, now_ns: u64) -> Option<T> {
        self.count(now_ns);
        if let Some(current) = self.current {
            current.node().place.set(Place::Absent);
        }
        self.next()
    }

    /// The current thread stops being runnable, and `item`, which is in no queue, runs in its stead: at once, for what is left
    /// of the quantum, and not below the level of the thread that it runs for, as that one waits for it.
    /// `Switch` when a waiting thread outranks it all the same. With no current thread it is as if an idle processor took it.
    #[inline]
    pub fn hand_off(&mut self, item: T, priority: Priority, now_ns: u64) -> Decision {
        let now_ns = self.count(now_ns);
        let node = item.node();
        debug_assert_eq!(node.place.get(), Place::Absent, "a thread was queued twice");
        node.base.set(priority);
        match self.current.replace(item) {
            Some(former) => {
                let former = former.node();
                former.place.set(Place::Absent);
                node.level.set(priority.min(former.level.get()));
                node.left_ns.set(former.left_ns.get());
            }
            None => {
                node.level.set(priority);
                node.left_ns.set(self.quantum(priority));
            }
        }
        node.since_ns.set(now_ns);
        node.place.set(Place::Current);
        self.decision()
    }

    /// Gives a thread another priority, at which it runs or waits from now on; nothing if it is not here. `Switch` when another
    /// thread than the current one is to run.
    pub fn set_priority(&mut self, item: T, priority: Priority, now_ns: u64) -> Decision {
        let now_ns = self.count(now_ns);
        let node = item.node();
        match node.place.get() {
            Place::Absent => {}
            Place::Current => {
                node.base.set(priority);
                node.level.set(priority);
            }
            Place::Waiting => {
                self.waiting.unlink(item);
                node.base.set(priority);
                node.level.set(priority);
                node.left_ns.set(0);
                node.since_ns.set(now_ns);
                self.waiting.push(item, End::Back);
            }
        }
        self.decision()
    }

    /// Takes a thread out wherever it is, in constant time. It must be in this queue or in none.
    pub fn remove(&mut self, item: T, now_ns: u64) -> Removed {
        match item.node().place.get() {
            Place::Absent => Removed::Absent,
            Place::Waiting => {
                self.waiting.unlink(item);
                Removed::Waiting
            }
            Place::Current => {
                self.count(now_ns);
                item.node().place.set(Place::Absent);
                self.current = None;
                Removed::Current
            }
        }
    }

    /// Gives away a waiting thread that `allowed` accepts (it may run on the thief), with its base
    /// priority: the first of the highest level that has one. Looks at `most` threads at the most.
    pub fn steal(
        &mut self,
        most: usize,
        mut allowed: impl FnMut(T) -> bool,
    ) -> Option<(T, Priority)> {
        let mut left = most;
        for level in Priority::all() {
            let mut next = self.waiting.head(level);
            while let Some(item) = next {
                left = left.checked_sub(1)?;
                if allowed(item) {
                    self.waiting.unlink(item);
                    return Some((item, item.node().base.get()));
                }
                next = self.waiting.after(item);
            }
        }
        None
    }

    /// Takes the best of those that wait; there is no current thread any more.
    #[inline]
    fn next(&mut self) -> Option<T> {
        self.turn_over = false;
        let next = self
            .waiting
            .best()
            .and_then(|level| self.waiting.pop(level));
        if let Some(item) = next {
            let node = item.node();
            if node.left_ns.get() == 0 {
                node.left_ns.set(self.quantum(node.level.get()));
            }
            node.place.set(Place::Current);
        }
        self.current = next;
        next
    }

    /// Whether a waiting thread is to run instead of the current one, or of idling.
    #[inline]
    fn decision(&self) -> Decision {
        let Some(best) = self.waiting.best() else {
            return Decision::Keep;
        };
        match self.current {
            None => Decision::Switch,
            Some(current) => {
                let level = current.node().level.get();
                if best < level || (best == level && self.turn_over) {
                    Decision::Switch
                } else {
                    Decision::Keep
                }
            }
        }
    }

    /// Counts the current thread's running and ends its turn when its quantum is used up. Gives the
    /// time: a clock that goes back counts as standing still.
    #[inline]
    fn count(&mut self, now_ns: u64) -> u64 {
        let now_ns = now_ns.max(self.counted_ns);
        let ran = now_ns - self.counted_ns;
        self.counted_ns = now_ns;
        if let Some(current) = self.current {
            let node = current.node();
            node.add_ran_ns(ran);
            self.busy_ns = self.busy_ns.wrapping_add(ran);
            // A thread that is preempted has waited before it ran, too: the time that it ran does not count as waiting.
            node.since_ns.set(node.since_ns.get() + ran);
            let left = node.left_ns.get();
            if ran < left {
                node.left_ns.set(left - ran);
            } else {
                self.end_quantum(current);
            }
        }
        now_ns
    }

    #[cold]
    fn end_quantum(&mut self, current: T) {
        let node = current.node();
        let (base, level) = (node.base.get(), node.level.get());
        let level = if level < base { base } else { level.lowered() };
        node.level.set(level);
        node.left_ns.set(self.quantum(level));
        node.since_ns.set(self.counted_ns);
        self.turn_over = true;
    }

    /// Moves up those that have waited too long, each by one level.
    fn boost(&mut self, now_ns: u64) {
        // From the top, so that none moves twice at once.
        for level in Priority::all().skip(1) {
            while let Some(item) = self.waiting.head(level)
                && now_ns.saturating_sub(item.node().since_ns.get()) >= self.config.boost_after_ns
            {
                self.waiting.unlink(item);
                let node = item.node();
                node.level.set(level.raised());
                node.left_ns.set(0);
                node.since_ns.set(now_ns);
                self.waiting.push(item, End::Back);
            }
        }
    }

    #[inline]
    fn quantum(&self, level: Priority) -> u64 {
        self.config.quantum_ns[level.index() % crate::LEVELS]
    }
}
