//! The run queue of one processor: eight priorities, quanta, demotion and boost.
//!
//! A thread has a base priority and a level, which begins there. Using up a whole quantum moves it
//! one level down (or back to its base, when it was above); waiting longer than
//! [`Config::boost_after`] moves it one level up, past its base if need be, so that no thread
//! starves; yielding or blocking takes it back to its base. Within a level it is first come, first
//! served; a thread that was preempted goes on first, with what is left of its quantum. A thread that hands the processor to
//! another one ([`RunQueue::hand_off`]) hands it the rest of its quantum, and its boost.
//!
//! Times are ticks of one clock, whichever the caller likes best: the one that it can read at the least cost.
//!
//! Invariant: a thread is at most once in a queue, either current or waiting.

mod moving;

use crate::lists::{End, Lists};
use crate::node::{At, Task};
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

/// What comes of a thread that has become runnable ([`RunQueue::enter`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Entered {
    /// `Switch` when it is to run now, because it outranks the current one or the processor is idle.
    pub decision: Decision,
    /// How many threads run or wait now.
    pub runnable: usize,
    /// When [`RunQueue::tick`] is needed, if that was not known: when it is the first that waits behind the current one.
    pub tick: Option<u64>,
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
    counted: u64,
    /// When the current thread's quantum ends.
    ends: u64,
    /// For how long there was a current thread.
    busy: u64,
}

impl<T: Task> RunQueue<T> {
    /// An empty queue.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            waiting: Lists::new(),
            current: None,
            turn_over: false,
            counted: 0,
            ends: 0,
            busy: 0,
        }
    }

    /// Other times to decide by: those of the clock that the queue will be told the time by, before it is told any.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// The thread that runs; `None` when the processor is idle.
    pub fn current(&self) -> Option<T> {
        self.current
    }

    /// Whether threads wait to run.
    #[inline]
    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many threads run or wait.
    #[inline]
    pub fn runnable(&self) -> usize {
        let running = usize::from(self.current.is_some());
        self.waiting.len().wrapping_add(running)
    }

    /// The priority at which a thread of this queue runs or waits just now.
    pub fn level(&self, item: T) -> Priority {
        item.node().level.get()
    }

    /// For how long a thread of this queue, or of none, has run in all, up to now.
    pub fn ran(&mut self, item: T, now: u64) -> u64 {
        self.count(now);
        item.node().ran()
    }

    /// For how long threads have run here in all, up to now.
    pub fn busy(&mut self, now: u64) -> u64 {
        self.count(now);
        self.busy
    }

    /// A thread has become runnable. It must be in no queue, which builds with debug
    /// assertions check. `Switch` when it is to run now, because it outranks the current one or the
    /// processor is idle.
    pub fn enqueue(&mut self, item: T, priority: Priority, now: u64) -> Decision {
        self.enter(item, priority, now).decision
    }

    /// As [`RunQueue::enqueue`], with all that comes of it.
    #[inline(always)]
    pub fn enter(&mut self, item: T, priority: Priority, now: u64) -> Entered {
        let node = item.node();
        debug_assert_eq!(node.place.get(), At::NOWHERE, "a thread was queued twice");
        node.base.set(priority);
        node.level.set(priority);
        node.left.set(0);
        node.since.set(now);
        if !self.waiting.is_empty() {
            let (decision, runnable) = self.enter_behind(item);
            return Entered {
                decision,
                runnable,
                tick: None,
            };
        }
        self.waiting.push_first(item);
        let Some(current) = self.current else {
            return Entered {
                decision: Decision::Switch,
                runnable: 1,
                tick: None,
            };
        };
        let is_better = self.outranks(priority, current);
        Entered {
            decision: if is_better {
                Decision::Switch
            } else {
                Decision::Keep
            },
            runnable: 2,
            tick: (!is_better).then_some(self.ends),
        }
    }

    /// The end of [`RunQueue::enter`] when others wait already: the decision, and how many run or wait. (Both fit into registers.)
    #[inline(never)]
    fn enter_behind(&mut self, item: T) -> (Decision, usize) {
        self.waiting.push(item, End::Back);
        (self.decision(), self.runnable())
    }

    /// Time has passed: counts the current thread's running and the others' waiting. To be called
    /// at [`RunQueue::next_tick`], or as often as is convenient.
    pub fn tick(&mut self, now: u64) -> Decision {
        let now = self.count(now);
        self.boost(now);
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
        self.current.map(|_| self.ends)
    }

    /// The thread to run from now on, in constant time. The current one, if there is one, goes back
    /// to waiting unless it is still the best. `None`: idle.
    #[inline(always)]
    pub fn pick(&mut self, now: u64) -> Option<T> {
        self.count(now);
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
            let left = self.ends.saturating_sub(self.counted);
            current.node().left.set(left);
            // The other one first: it comes before this one anyway, and lets it stand alone if there is no third.
            let next = self.next();
            self.waiting.push(current, end);
            return next;
        }
        self.next()
    }

    /// The current thread gives way to others of its base priority; then as [`RunQueue::pick`].
    #[inline(always)]
    pub fn yield_current(&mut self, now: u64) -> Option<T> {
        let now = self.count(now);
        let Some(current) = self.current else {
            return self.next();
        };
        let node = current.node();
        let level = node.base.get();
        node.level.set(level);
        node.left.set(0);
        node.since.set(now);
        if self.waiting.best().is_none_or(|best| best > level) {
            // It would only come and go.
            self.run(current);
            return Some(current);
        }
        let next = self.next();
        self.waiting.push(current, End::Back);
        next
    }

    /// The current thread stops being runnable, and the next one runs, as with [`RunQueue::pick`]. The thread
    /// comes back by [`RunQueue::enqueue`].
    #[inline(always)]
    pub fn block(&mut self, now: u64) -> Option<T> {
        if let (_, Some(current)) = self.count_current(now) {
            current.node().place.set(At::NOWHERE);
        }
        self.next()
    }

    /// The current thread stops being runnable, and `item`, which is in no queue, runs in its stead: at once, for what is left
    /// of the quantum, and not below the level that the current one was boosted to, if it was.
    /// `Switch` when a waiting thread outranks it all the same. With no current thread it is as if an idle processor took it.
    #[inline(always)]
    pub fn hand_off(&mut self, item: T, priority: Priority, now: u64) -> Decision {
        let (now, current) = self.count_current(now);
        let node = item.node();
        debug_assert_eq!(node.place.get(), At::NOWHERE, "a thread was queued twice");
        node.base.set(priority);
        self.current = Some(item);
        match current {
            Some(former) => {
                let former = former.node();
                former.place.set(At::NOWHERE);
                let level = former.level.get();
                let is_boosted = level < former.base.get();
                node.level.set(if is_boosted {
                    priority.min(level)
                } else {
                    priority
                });
            }
            None => {
                node.level.set(priority);
                self.ends = now.saturating_add(self.quantum(priority));
            }
        }
        node.since.set(now);
        node.place.set(At::current_of(&self.waiting));
        self.decision()
    }

    /// Gives a thread another priority, at which it runs or waits from now on; nothing if it is not here. `Switch` when another
    /// thread than the current one is to run.
    pub fn set_priority(&mut self, item: T, priority: Priority, now: u64) -> Decision {
        let now = self.count(now);
        let node = item.node();
        let place = node.place.get();
        if place == At::current_of(&self.waiting) {
            node.base.set(priority);
            node.level.set(priority);
        } else if place == At::waiting_in(&self.waiting) {
            self.waiting.unlink(item);
            node.base.set(priority);
            node.level.set(priority);
            node.left.set(0);
            node.since.set(now);
            self.waiting.push(item, End::Back);
        }
        self.decision()
    }

    /// Takes a thread out wherever it is here, in constant time. One that is elsewhere, or just on its way into another queue, is not here.
    pub fn remove(&mut self, item: T, now: u64) -> Removed {
        let place = item.node().place.get();
        if place == At::waiting_in(&self.waiting) {
            self.waiting.unlink(item);
            Removed::Waiting
        } else if place == At::current_of(&self.waiting) {
            self.count(now);
            item.node().place.set(At::NOWHERE);
            self.current = None;
            Removed::Current
        } else {
            Removed::Absent
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
    #[inline(always)]
    fn next(&mut self) -> Option<T> {
        let Some(next) = self.waiting.pop() else {
            self.turn_over = false;
            self.current = None;
            return None;
        };
        self.run(next);
        Some(next)
    }

    /// A thread that was taken out, or is current already, has the processor from now on.
    #[inline(always)]
    fn run(&mut self, item: T) {
        self.turn_over = false;
        let node = item.node();
        let left = match node.left.get() {
            0 => self.quantum(node.level.get()),
            left => left,
        };
        self.ends = self.counted.saturating_add(left);
        node.place.set(At::current_of(&self.waiting));
        self.current = Some(item);
    }

    /// Whether a waiting thread is to run instead of the current one, or of idling.
    #[inline(always)]
    fn decision(&self) -> Decision {
        let Some(best) = self.waiting.best() else {
            return Decision::Keep;
        };
        match self.current {
            None => Decision::Switch,
            Some(current) => {
                if self.outranks(best, current) {
                    Decision::Switch
                } else {
                    Decision::Keep
                }
            }
        }
    }

    /// Whether a waiting thread of a level is to run instead of the current one.
    #[inline(always)]
    fn outranks(&self, waiting: Priority, current: T) -> bool {
        let level = current.node().level.get();
        waiting < level || (waiting == level && self.turn_over)
    }

    /// Counts the current thread's running and ends its turn when its quantum is used up. Gives the
    /// time: a clock that goes back counts as standing still.
    #[inline(always)]
    fn count(&mut self, now: u64) -> u64 {
        self.count_current(now).0
    }

    /// As [`Self::count`], and gives the current thread, too.
    #[inline(always)]
    fn count_current(&mut self, now: u64) -> (u64, Option<T>) {
        let now = now.max(self.counted);
        let ran = now - self.counted;
        self.counted = now;
        let current = self.current;
        if let Some(current) = current {
            let node = current.node();
            node.add_ran(ran);
            self.busy = self.busy.wrapping_add(ran);
            // A thread that is preempted has waited before it ran, too: the time that it ran does not count as waiting.
            node.since.set(node.since.get().wrapping_add(ran));
            if now >= self.ends {
                self.end_quantum(current);
            }
        }
        (now, current)
    }

    #[cold]
    fn end_quantum(&mut self, current: T) {
        let node = current.node();
        let (base, level) = (node.base.get(), node.level.get());
        let level = if level < base { base } else { level.lowered() };
        node.level.set(level);
        self.ends = self.counted.saturating_add(self.quantum(level));
        node.since.set(self.counted);
        self.turn_over = true;
    }

    /// Moves up those that have waited too long, each by one level.
    fn boost(&mut self, now: u64) {
        // From the top, so that none moves twice at once.
        for level in Priority::all().skip(1) {
            while let Some(item) = self.waiting.head(level)
                && now.saturating_sub(item.node().since.get()) >= self.config.boost_after
            {
                self.waiting.unlink(item);
                let node = item.node();
                node.level.set(level.raised());
                node.left.set(0);
                node.since.set(now);
                self.waiting.push(item, End::Back);
            }
        }
    }

    #[inline]
    fn quantum(&self, level: Priority) -> u64 {
        self.config.quantum[level.index() % crate::LEVELS]
    }
}
