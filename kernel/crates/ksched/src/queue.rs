//! The run queue of one processor: eight priorities, quanta, demotion and boost.
//!
//! A thread has a base priority and a level, which begins there. Using up a whole quantum moves it
//! one level down (or back to its base, when it was above); waiting longer than
//! [`Config::boost_after_ns`] moves it one level up, past its base if need be, so that no thread
//! starves; yielding or blocking takes it back to its base. Within a level it is first come, first
//! served; a thread that was preempted goes on first, with what is left of its quantum.
//!
//! Invariants: a thread is at most once in a queue, either current or waiting; there is always a
//! place for the current one to go back to waiting.

use crate::SchedError;
use crate::lists::{End, Lists, Task};
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

/// The thread that runs.
#[derive(Clone, Copy, Debug)]
struct Current<T> {
    task: Task<T>,
    /// Whether it has used up a quantum, so that others of its level are to have their turn.
    turn_over: bool,
}

/// The threads that one processor runs and could run. `T` names a thread.
#[derive(Clone, Debug)]
pub struct RunQueue<T> {
    config: Config,
    waiting: Lists<T>,
    current: Option<Current<T>>,
    /// Until when the current thread's running was counted.
    counted_ns: u64,
}

impl<T: Copy + Eq> RunQueue<T> {
    /// An empty queue without places; see [`RunQueue::reserve`].
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            waiting: Lists::new(),
            current: None,
            counted_ns: 0,
        }
    }

    /// Makes room for `total` threads, the current one included. With room for all threads that may
    /// ever be here, nothing else in this type fails or allocates.
    pub fn reserve(&mut self, total: usize) -> Result<(), SchedError> {
        self.waiting.reserve(total)
    }

    /// How many threads there is room for.
    pub fn capacity(&self) -> usize {
        self.waiting.capacity()
    }

    /// The thread that runs; `None` when the processor is idle.
    pub fn current(&self) -> Option<T> {
        self.current.map(|current| current.task.item)
    }

    /// How many threads run or wait.
    pub fn runnable(&self) -> usize {
        self.waiting
            .len()
            .saturating_add(usize::from(self.current.is_some()))
    }

    /// The priority at which a thread runs or waits just now; `None` when it is not here. Looks at
    /// all threads.
    pub fn level(&self, item: T) -> Option<Priority> {
        let current = self.current.as_ref().map(|current| &current.task);
        let mut all = self.waiting.iter().chain(current);
        all.find(|task| task.item == item).map(|task| task.level)
    }

    /// A thread has become runnable. It must not be here already, which builds with debug
    /// assertions check. `Switch` when it is to run now, because it outranks the current one or the
    /// processor is idle.
    pub fn enqueue(
        &mut self,
        item: T,
        priority: Priority,
        now_ns: u64,
    ) -> Result<Decision, SchedError> {
        debug_assert!(self.level(item).is_none(), "a thread was queued twice");
        // Keeps a place for the current thread.
        if self.runnable() >= self.capacity() {
            return Err(SchedError::Full);
        }
        let task = Task {
            item,
            base: priority,
            level: priority,
            left_ns: 0,
            since_ns: now_ns,
        };
        self.waiting.push(task, End::Back)?;
        Ok(match self.current {
            Some(current) if current.task.level <= priority => Decision::Keep,
            _ => Decision::Switch,
        })
    }

    /// Time has passed: counts the current thread's running and the others' waiting. To be called
    /// at [`RunQueue::next_tick`], or as often as is convenient.
    pub fn tick(&mut self, now_ns: u64) -> Decision {
        let now_ns = self.count(now_ns);
        self.boost(now_ns);
        if self.is_outranked() {
            return Decision::Switch;
        }
        if let Some(current) = &mut self.current {
            current.turn_over = false;
        }
        Decision::Keep
    }

    /// When [`RunQueue::tick`] is next needed; `None` when nothing waits, however long.
    pub fn next_tick(&self) -> Option<u64> {
        self.waiting.best()?;
        let boost = Priority::all()
            .skip(1)
            .filter_map(|level| self.waiting.head(level))
            .map(|task| task.since_ns.saturating_add(self.config.boost_after_ns))
            .min();
        let quantum = self
            .current
            .map(|current| self.counted_ns.saturating_add(current.task.left_ns));
        boost.into_iter().chain(quantum).min()
    }

    /// The thread to run from now on, in constant time. The current one, if there is one, goes back
    /// to waiting unless it is still the best. `None`: idle.
    pub fn pick(&mut self, now_ns: u64) -> Option<T> {
        let now_ns = self.count(now_ns);
        if let Some(Current { task, turn_over }) = self.current {
            if !self.is_outranked() {
                self.current = Some(Current {
                    task,
                    turn_over: false,
                });
                return Some(task.item);
            }
            let end = if turn_over { End::Back } else { End::Front };
            self.put_back(
                Task {
                    since_ns: now_ns,
                    ..task
                },
                end,
            );
        }
        let mut task = self.waiting.pop(self.waiting.best()?)?;
        if task.left_ns == 0 {
            task.left_ns = self.quantum(task.level);
        }
        self.current = Some(Current {
            task,
            turn_over: false,
        });
        Some(task.item)
    }

    /// The current thread gives way to others of its base priority; then as [`RunQueue::pick`].
    pub fn yield_current(&mut self, now_ns: u64) -> Option<T> {
        let now_ns = self.count(now_ns);
        if let Some(Current { task, .. }) = self.current {
            let task = Task {
                level: task.base,
                left_ns: 0,
                since_ns: now_ns,
                ..task
            };
            self.put_back(task, End::Back);
        }
        self.pick(now_ns)
    }

    /// The current thread stops being runnable. Then [`RunQueue::pick`] the next one; the thread
    /// comes back by [`RunQueue::enqueue`].
    pub fn block(&mut self) -> Option<T> {
        self.current.take().map(|current| current.task.item)
    }

    /// Takes a thread out wherever it is. Looks at all threads in the worst case.
    pub fn remove(&mut self, item: T) -> Removed {
        if self.current() == Some(item) {
            self.current = None;
            return Removed::Current;
        }
        match self.waiting.take(|other| other == item) {
            Some(_) => Removed::Waiting,
            None => Removed::Absent,
        }
    }

    /// Gives away a waiting thread that `allowed` accepts (it may run on the thief), with its base
    /// priority: the first of the highest level that has one. Looks at all in the worst case.
    pub fn steal(&mut self, allowed: impl FnMut(T) -> bool) -> Option<(T, Priority)> {
        self.waiting
            .take(allowed)
            .map(|task| (task.item, task.base))
    }

    /// Whether a waiting thread is to run instead of the current one, or of idling.
    fn is_outranked(&self) -> bool {
        match (self.waiting.best(), self.current) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(best), Some(Current { task, turn_over })) => {
                best < task.level || (best == task.level && turn_over)
            }
        }
    }

    /// The current thread goes back to waiting.
    fn put_back(&mut self, task: Task<T>, end: End) {
        self.current = None;
        // Cannot fail: `enqueue` keeps a place for the current thread.
        let kept = self.waiting.push(task, end);
        debug_assert_eq!(kept, Ok(()), "the current thread's place was given away");
    }

    /// Counts the current thread's running and ends its turn when its quantum is used up. Gives the
    /// time: a clock that goes back counts as standing still.
    fn count(&mut self, now_ns: u64) -> u64 {
        let now_ns = now_ns.max(self.counted_ns);
        let ran = now_ns.saturating_sub(self.counted_ns);
        self.counted_ns = now_ns;
        if let Some(mut current) = self.current {
            let task = &mut current.task;
            task.left_ns = task.left_ns.saturating_sub(ran);
            if task.left_ns == 0 {
                task.level = if task.level < task.base {
                    task.base
                } else {
                    task.level.lowered()
                };
                task.left_ns = self.quantum(task.level);
                current.turn_over = true;
            }
            self.current = Some(current);
        }
        now_ns
    }

    /// Moves up those that have waited too long, each by one level.
    fn boost(&mut self, now_ns: u64) {
        // From the top, so that none moves twice at once.
        for level in Priority::all().skip(1) {
            while let Some(task) = self.waiting.head(level)
                && now_ns.saturating_sub(task.since_ns) >= self.config.boost_after_ns
                && let Some(task) = self.waiting.pop(level)
            {
                let task = Task {
                    level: level.raised(),
                    left_ns: 0,
                    since_ns: now_ns,
                    ..task
                };
                // Cannot fail: it takes the place that it just left.
                let kept = self.waiting.push(task, End::Back);
                debug_assert_eq!(kept, Ok(()), "a place vanished");
            }
        }
    }

    fn quantum(&self, level: Priority) -> u64 {
        self.config
            .quantum_ns
            .get(level.index())
            .copied()
            .unwrap_or(0)
    }
}
