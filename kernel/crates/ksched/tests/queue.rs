//! Run queues against a simple model: nothing lost, nothing twice, order kept, waits bounded.

use ksched::{Config, Decision, Node, Priority, Removed, RunQueue, Task, WaitQueue};
use proptest::prelude::*;
use std::collections::BTreeMap;

const CONFIG: Config = Config {
    quantum: [100, 100, 200, 200, 400, 400, 800, 800],
    boost_after: 1000,
};

/// A thread of the tests: a number and a node, which live as long as the tests do.
#[derive(Clone, Copy)]
struct Thread(&'static (u16, Node<Thread>));

impl Thread {
    fn new(number: u16) -> Self {
        Self(Box::leak(Box::new((number, Node::new()))))
    }

    fn number(self) -> u16 {
        self.0.0
    }
}

impl PartialEq for Thread {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl Eq for Thread {}

impl core::fmt::Debug for Thread {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.number())
    }
}

impl Task for Thread {
    fn node(&self) -> &Node<Self> {
        &self.0.1
    }
}

fn threads(count: usize) -> Vec<Thread> {
    (0..count as u16).map(Thread::new).collect()
}

#[derive(Clone, Debug)]
enum Op {
    Enqueue(usize, u8),
    Tick,
    Pick,
    Yield,
    Block,
    HandOff(usize, u8),
    SetPriority(usize, u8),
    Remove(usize),
    Steal(u16),
}

const THREADS: usize = 24;

fn op() -> impl Strategy<Value = (Op, u64)> {
    let op = prop_oneof![
        6 => (0..THREADS, 0u8..8).prop_map(|(item, level)| Op::Enqueue(item, level)),
        4 => Just(Op::Tick),
        4 => Just(Op::Pick),
        2 => Just(Op::Yield),
        2 => Just(Op::Block),
        2 => (0..THREADS, 0u8..8).prop_map(|(item, level)| Op::HandOff(item, level)),
        2 => (0..THREADS, 0u8..8).prop_map(|(item, level)| Op::SetPriority(item, level)),
        1 => (0..THREADS).prop_map(Op::Remove),
        1 => (1u16..4).prop_map(Op::Steal),
    ];
    (op, prop_oneof![Just(0u64), 0u64..50, 0u64..2000])
}

fn priority(level: u8) -> Priority {
    Priority::new(level).unwrap()
}

proptest! {
    #[test]
    fn no_thread_is_lost_or_queued_twice(ops in proptest::collection::vec(op(), 1..200)) {
        let mut queue = RunQueue::new(CONFIG);
        let all = threads(THREADS);
        // The model: which threads are here, with their base priority, and which one runs.
        let mut here = BTreeMap::new();
        let mut current: Option<Thread> = None;
        let mut now = 0;
        let mut ran = 0;
        for (op, passed) in ops {
            now += passed;
            if current.is_some() {
                ran += passed;
            }
            match op {
                Op::Enqueue(item, level) => {
                    if here.contains_key(&item) {
                        continue;
                    }
                    let entered = queue.enter(all[item], priority(level), now);
                    here.insert(item, level);
                    if current.is_none_or(|current| queue.level(current) > priority(level)) {
                        prop_assert_eq!(entered.decision, Decision::Switch);
                    }
                    prop_assert_eq!(entered.runnable, here.len());
                    let is_first = here.len() == 2 && current.is_some();
                    let is_news = is_first && entered.decision == Decision::Keep;
                    prop_assert_eq!(entered.tick, queue.next_tick().filter(|_| is_news));
                }
                Op::Tick => {
                    if queue.tick(now) == Decision::Switch {
                        let next = queue.pick(now);
                        prop_assert!(next != current, "a switch to the same thread");
                        current = next;
                    }
                }
                Op::Pick => current = queue.pick(now),
                Op::Yield => current = queue.yield_current(now),
                Op::Block => {
                    if let Some(item) = current {
                        here.remove(&usize::from(item.number()));
                    }
                    current = queue.block(now);
                }
                Op::HandOff(item, level) => {
                    if here.contains_key(&item) {
                        continue;
                    }
                    let level = priority(level);
                    let former = current.map(|former| {
                        let own = priority(here[&usize::from(former.number())]);
                        (former, Some(queue.level(former)).filter(|&now| now < own))
                    });
                    let _ = queue.hand_off(all[item], level, now);
                    let mut wanted = vec![level];
                    if let Some((former, boosted)) = former {
                        here.remove(&usize::from(former.number()));
                        // The boost may end just now, with the quantum.
                        wanted.extend(boosted.map(|boosted| level.min(boosted)));
                    }
                    here.insert(item, level.level());
                    current = Some(all[item]);
                    let got = queue.level(all[item]);
                    prop_assert!(wanted.contains(&got), "{got:?}, not of {wanted:?}");
                }
                Op::SetPriority(item, level) => {
                    let _ = queue.set_priority(all[item], priority(level), now);
                    if let Some(base) = here.get_mut(&item) {
                        *base = level;
                        prop_assert_eq!(queue.level(all[item]), priority(level));
                    }
                }
                Op::Remove(item) => {
                    let expected = if current == Some(all[item]) {
                        current = None;
                        Removed::Current
                    } else if here.contains_key(&item) {
                        Removed::Waiting
                    } else {
                        Removed::Absent
                    };
                    here.remove(&item);
                    prop_assert_eq!(queue.remove(all[item], now), expected);
                }
                Op::Steal(modulus) => {
                    let allowed = |item: Thread| item.number().is_multiple_of(modulus);
                    let is_wanted = |item: &&usize| current != Some(all[**item]) && allowed(all[**item]);
                    let wanted = here.keys().filter(is_wanted).count();
                    prop_assert!(queue.steal(0, allowed).is_none());
                    match queue.steal(usize::MAX, allowed) {
                        Some((item, base)) => {
                            prop_assert!(allowed(item) && current != Some(item));
                            prop_assert_eq!(here.remove(&usize::from(item.number())), Some(base.level()));
                        }
                        None => prop_assert_eq!(wanted, 0),
                    }
                }
            }
            prop_assert_eq!(queue.current(), current);
            prop_assert_eq!(queue.runnable(), here.len());
        }
        // All come out, each once.
        let mut seen = Vec::new();
        let mut next = queue.pick(now);
        while let Some(item) = next {
            seen.push(usize::from(item.number()));
            next = queue.block(now);
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, here.keys().copied().collect::<Vec<_>>());
        let total: u64 = all.iter().map(|thread| thread.node().ran()).sum();
        prop_assert!(total <= ran, "more time was counted than has passed");
    }

    #[test]
    fn those_who_wait_are_served_by_priority_and_then_in_order(
        ops in proptest::collection::vec((0..THREADS, 0u8..8, 0u8..5), 1..200),
    ) {
        let mut queue = WaitQueue::new();
        let all = threads(THREADS);
        // The model: the order of service, as pairs of level and thread.
        let mut model: Vec<(u8, usize)> = Vec::new();
        for (item, level, what) in ops {
            let place = model.iter().position(|entry| entry.1 == item);
            let insert = |model: &mut Vec<_>| {
                let at = model.partition_point(|entry: &(u8, usize)| entry.0 <= level);
                model.insert(at, (level, item));
            };
            match what {
                0 if place.is_none() => {
                    queue.push(all[item], priority(level));
                    insert(&mut model);
                }
                1 => prop_assert_eq!(queue.remove(all[item]), place.map(|at| model.remove(at)).is_some()),
                2 => {
                    queue.set_priority(all[item], priority(level));
                    if let Some(at) = place {
                        model.remove(at);
                        insert(&mut model);
                    }
                }
                // Only those with an even, or an odd, number count.
                3 => {
                    let is_wanted = |number: usize| number % 2 == item % 2;
                    let at = model.iter().position(|entry| is_wanted(entry.1));
                    let expected = at.map(|at| all[model.remove(at).1]);
                    let found = queue.pop_where(|task| all.iter().position(|one| *one == task).is_some_and(is_wanted));
                    prop_assert_eq!(found, expected);
                }
                _ => {
                    let expected = (!model.is_empty()).then(|| all[model.remove(0).1]);
                    prop_assert_eq!(queue.pop(), expected);
                }
            }
            let is_there = model.iter().any(|entry| entry.1 == item);
            prop_assert_eq!(queue.has(all[item]), is_there);
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert_eq!(queue.best(), model.first().map(|entry| priority(entry.0)));
        }
    }

    #[test]
    fn the_best_goes_first_and_equals_in_their_order(
        levels in proptest::collection::vec(0u8..8, 1..40),
    ) {
        let mut queue = RunQueue::new(CONFIG);
        let all = threads(levels.len());
        for (item, level) in all.iter().zip(&levels) {
            let _ = queue.enqueue(*item, priority(*level), 0);
        }
        let mut expected = all;
        expected.sort_by_key(|item| levels[usize::from(item.number())]);
        let mut next = queue.pick(0);
        for item in expected {
            prop_assert_eq!(next, Some(item));
            next = queue.block(0);
        }
        prop_assert_eq!(next, None);
    }

    #[test]
    fn every_thread_runs_within_a_bound(
        behaviours in proptest::collection::vec((0u8..8, 0u8..3), 2..12),
        step in 10u64..150,
        // Whether the queue is looked after at each step, or only when it asks for that.
        is_tickless in any::<bool>(),
    ) {
        // Behaviour: 0 computes, 1 yields at each step, 2 blocks and is woken at each step.
        let mut queue = RunQueue::new(CONFIG);
        let all = threads(behaviours.len());
        for (item, (level, _)) in all.iter().zip(&behaviours) {
            let _ = queue.enqueue(*item, priority(*level), 0);
        }
        let count = all.len() as u64;
        let longest = CONFIG.quantum[7];
        // Seven boosts, each noticed at the next tick, then the turns of all others at the top.
        let late = if is_tickless { longest + step } else { step };
        let bound = 7 * (CONFIG.boost_after + late) + (count + 1) * (CONFIG.quantum[0] + 2 * step);
        let mut last_ran = vec![0; all.len()];
        let mut now = 0;
        let mut current = queue.pick(now);
        let mut tick_at = queue.next_tick();
        while now < 6 * bound {
            if let Some(item) = current {
                last_ran[usize::from(item.number())] = now + step;
            }
            now += step;
            let is_due = !is_tickless || tick_at.is_some_and(|at| at <= now);
            let decision = if is_due { queue.tick(now) } else { Decision::Keep };
            match current.map(|item| (item, behaviours[usize::from(item.number())])) {
                Some((_, (_, 1))) => current = queue.yield_current(now),
                Some((item, (level, 2))) => {
                    queue.block(now);
                    let _ = queue.enqueue(item, priority(level), now);
                    current = queue.pick(now);
                }
                _ if decision == Decision::Switch => current = queue.pick(now),
                _ => {}
            }
            // As the kernel does: a timer that is set is only ever set earlier.
            tick_at = match (queue.next_tick(), tick_at) {
                (Some(next), Some(armed)) if armed > now => Some(armed.min(next)),
                (next, _) => next,
            };
            for (item, ran) in last_ran.iter().enumerate() {
                prop_assert!(now - ran <= bound, "thread {item} waits for {} ns, more than {bound}", now - ran);
            }
        }
    }
}

#[test]
fn a_full_quantum_costs_a_level_and_a_yield_gives_it_back() {
    let mut queue = RunQueue::new(CONFIG);
    let all = threads(3);
    let _ = queue.enqueue(all[1], priority(4), 0);
    let _ = queue.enqueue(all[2], priority(4), 0);
    assert_eq!(queue.pick(0), Some(all[1]));
    assert_eq!(queue.next_tick(), Some(400));
    assert_eq!(queue.tick(399), Decision::Keep);
    assert_eq!(queue.tick(400), Decision::Switch);
    assert_eq!(queue.pick(400), Some(all[2]));
    assert_eq!(queue.level(all[1]), priority(5));
    assert_eq!(queue.block(500), Some(all[1]));
    assert_eq!(queue.yield_current(500), Some(all[1]));
    assert_eq!(queue.level(all[1]), priority(4));
    assert_eq!(all[1].node().ran(), 400);
    assert_eq!(all[2].node().ran(), 100);
    // Also of one that runs, with nobody waiting who would make the timer tick.
    assert_eq!(queue.ran(all[1], 550), 450);
    assert_eq!(queue.ran(all[2], 550), 100);
}

#[test]
fn a_preempted_thread_goes_on_before_its_equals() {
    let mut queue = RunQueue::new(CONFIG);
    let all = threads(4);
    let _ = queue.enqueue(all[1], priority(4), 0);
    let _ = queue.enqueue(all[2], priority(4), 0);
    assert_eq!(queue.pick(0), Some(all[1]));
    assert_eq!(queue.enqueue(all[3], priority(0), 100), Decision::Switch);
    assert_eq!(queue.pick(100), Some(all[3]));
    assert_eq!(queue.block(150), Some(all[1]));
    assert_eq!(
        queue.next_tick(),
        Some(150 + 300),
        "with what was left of its quantum"
    );
}

#[test]
fn who_gets_the_processor_from_another_gets_the_rest_of_its_quantum() {
    let mut queue = RunQueue::new(CONFIG);
    let all = threads(4);
    let _ = queue.enqueue(all[0], priority(2), 0);
    let _ = queue.enqueue(all[1], priority(3), 0);
    assert_eq!(queue.pick(0), Some(all[0]));
    assert_eq!(queue.hand_off(all[2], priority(2), 50), Decision::Keep);
    assert_eq!(queue.level(all[2]), priority(2));
    assert_eq!(queue.next_tick(), Some(200));
    // Back again: the first one runs at its own priority, and nothing has been given to it.
    assert_eq!(queue.hand_off(all[0], priority(2), 60), Decision::Keep);
    assert_eq!(queue.next_tick(), Some(200));
    assert_eq!((queue.current(), queue.runnable()), (Some(all[0]), 2));
    // A thread with less to say than one that waits is told so.
    assert_eq!(queue.block(70), Some(all[1]));
    let _ = queue.enqueue(all[3], priority(5), 70);
    assert_eq!(
        queue.set_priority(all[1], priority(7), 70),
        Decision::Switch
    );
    assert_eq!(queue.hand_off(all[2], priority(7), 70), Decision::Switch);
}

/// An urgent server answers a client that is less urgent than a third thread: that one runs.
#[test]
fn who_gets_the_processor_from_a_more_urgent_thread_is_no_more_urgent_for_that() {
    let mut queue = RunQueue::new(CONFIG);
    let all = threads(3);
    let _ = queue.enqueue(all[0], priority(1), 0);
    let _ = queue.enqueue(all[1], priority(4), 0);
    assert_eq!(queue.pick(0), Some(all[0]));
    assert_eq!(queue.hand_off(all[2], priority(6), 10), Decision::Switch);
    assert_eq!(queue.pick(10), Some(all[1]));
}

/// A boost is for the whole of a call: the server has it, and the client when it is answered.
#[test]
fn who_gets_the_processor_from_a_boosted_thread_is_boosted() {
    let mut queue = RunQueue::new(CONFIG);
    let all = threads(4);
    let _ = queue.enqueue(all[0], priority(4), 0);
    let _ = queue.enqueue(all[1], priority(5), 0);
    let _ = queue.enqueue(all[3], priority(5), 0);
    assert_eq!(queue.pick(0), Some(all[0]));
    // Both wait for so long that they rise to level 3.
    for now in 1..=2 {
        let _ = queue.tick(now * CONFIG.boost_after);
    }
    let Some(client) = queue.pick(2 * CONFIG.boost_after) else {
        panic!("nothing runs");
    };
    assert_eq!((client, queue.level(client)), (all[1], priority(3)));
    let now = 2 * CONFIG.boost_after + 1;
    let _ = queue.hand_off(all[2], priority(5), now);
    assert_eq!(queue.level(all[2]), priority(3));
    let _ = queue.hand_off(client, priority(5), now);
    assert_eq!(queue.level(client), priority(3));
}

#[test]
fn a_tick_that_is_needed_lies_ahead() {
    let mut queue = RunQueue::new(CONFIG);
    let all = threads(3);
    // Nothing runs: a pick is due, not a tick. A timer for a time that has come fires for ever, and no pick comes.
    assert_eq!(queue.enqueue(all[1], priority(4), 100), Decision::Switch);
    assert_eq!(queue.tick(200), Decision::Switch);
    assert_eq!(queue.next_tick(), None);
    assert_eq!(queue.pick(200), Some(all[1]));
    assert_eq!(queue.next_tick(), None);
    let _ = queue.enqueue(all[2], priority(4), 300);
    assert_eq!(queue.tick(300), Decision::Keep);
    assert_eq!(queue.next_tick(), Some(200 + 400));
}

#[test]
fn an_empty_queue_gives_nothing() {
    let mut queue = RunQueue::<Thread>::new(Config::DEFAULT);
    assert_eq!(
        (queue.pick(0), queue.next_tick(), queue.runnable()),
        (None, None, 0)
    );
    assert_eq!(queue.remove(Thread::new(1), 0), Removed::Absent);
}

/// Who asks a queue about a thread may have found it in none a moment ago, while another queue takes it up.
#[test]
fn a_queue_leaves_threads_of_another_one_alone() {
    let (mut own, mut other) = (RunQueue::new(CONFIG), RunQueue::new(CONFIG));
    let all = threads(4);
    for (queue, first) in [(&mut own, 0), (&mut other, 2)] {
        let _ = queue.enqueue(all[first], priority(4), 0);
        assert_eq!(queue.pick(0), Some(all[first]));
        let _ = queue.enqueue(all[first + 1], priority(4), 0);
    }
    for &thread in &all[2..] {
        assert_eq!(own.remove(thread, 10), Removed::Absent);
        assert_eq!(own.set_priority(thread, priority(0), 10), Decision::Keep);
    }
    assert_eq!((own.current(), own.runnable()), (Some(all[0]), 2));
    assert_eq!((other.current(), other.runnable()), (Some(all[2]), 2));
    assert_eq!(other.level(all[3]), priority(4));
    assert_eq!(other.remove(all[3], 10), Removed::Waiting);
    assert_eq!(other.remove(all[2], 10), Removed::Current);
}
