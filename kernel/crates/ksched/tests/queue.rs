//! Run queues against a simple model: nothing lost, nothing twice, order kept, waits bounded.

use ksched::{Config, Decision, Priority, Removed, RunQueue, SchedError};
use proptest::prelude::*;
use std::collections::BTreeMap;

const CONFIG: Config = Config {
    quantum_ns: [100, 100, 200, 200, 400, 400, 800, 800],
    boost_after_ns: 1000,
};

/// Few enough that the model fills the queue often.
const PLACES: usize = 8;

#[derive(Clone, Debug)]
enum Op {
    Enqueue(u16, u8),
    Tick,
    Pick,
    Yield,
    Block,
    Remove(u16),
    Steal(u16),
}

fn op() -> impl Strategy<Value = (Op, u64)> {
    let op = prop_oneof![
        4 => (0u16..40, 0u8..8).prop_map(|(item, level)| Op::Enqueue(item, level)),
        4 => Just(Op::Tick),
        4 => Just(Op::Pick),
        2 => Just(Op::Yield),
        2 => Just(Op::Block),
        1 => (0u16..40).prop_map(Op::Remove),
        1 => (1u16..4).prop_map(Op::Steal),
    ];
    (op, prop_oneof![Just(0u64), 0u64..50, 0u64..2000])
}

fn queue(places: usize) -> RunQueue<u16> {
    let mut queue = RunQueue::new(CONFIG);
    queue.reserve(places).unwrap();
    queue
}

fn priority(level: u8) -> Priority {
    Priority::new(level).unwrap()
}

proptest! {
    #[test]
    fn no_thread_is_lost_or_queued_twice(ops in proptest::collection::vec(op(), 1..200)) {
        let mut queue = queue(PLACES);
        // The model: which threads are here, with their base priority, and which one runs.
        let mut here = BTreeMap::new();
        let mut current = None;
        let mut now = 0;
        for (op, passed) in ops {
            now += passed;
            match op {
                Op::Enqueue(item, level) => {
                    if here.contains_key(&item) {
                        continue;
                    }
                    match queue.enqueue(item, priority(level), now) {
                        Ok(decision) => {
                            prop_assert!(here.len() < PLACES);
                            let outranks = current.is_none_or(|current| queue.level(current).unwrap() > priority(level));
                            prop_assert_eq!(decision == Decision::Switch, outranks);
                            here.insert(item, level);
                        }
                        Err(error) => prop_assert_eq!((error, here.len()), (SchedError::Full, PLACES)),
                    }
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
                    prop_assert_eq!(queue.block(), current);
                    if let Some(item) = current.take() {
                        here.remove(&item);
                    }
                }
                Op::Remove(item) => {
                    let expected = if current == Some(item) {
                        current = None;
                        Removed::Current
                    } else if here.contains_key(&item) {
                        Removed::Waiting
                    } else {
                        Removed::Absent
                    };
                    here.remove(&item);
                    prop_assert_eq!(queue.remove(item), expected);
                }
                Op::Steal(modulus) => {
                    let allowed = |item: u16| item.is_multiple_of(modulus);
                    let wanted = here.keys().filter(|item| current != Some(**item) && allowed(**item)).count();
                    match queue.steal(allowed) {
                        Some((item, base)) => {
                            prop_assert!(allowed(item) && current != Some(item));
                            prop_assert_eq!(here.remove(&item), Some(base.level()));
                        }
                        None => prop_assert_eq!(wanted, 0),
                    }
                }
            }
            prop_assert_eq!(queue.current(), current);
            prop_assert_eq!(queue.runnable(), here.len());
            for item in here.keys() {
                prop_assert!(queue.level(*item).is_some(), "thread {} is lost", item);
            }
        }
        // All come out, each once.
        let mut seen = Vec::new();
        while let Some(item) = queue.pick(now) {
            prop_assert_eq!(queue.block(), Some(item));
            seen.push(item);
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, here.keys().copied().collect::<Vec<_>>());
    }

    #[test]
    fn the_best_goes_first_and_equals_in_their_order(
        threads in proptest::collection::vec(0u8..8, 1..40),
    ) {
        let mut queue = queue(40);
        for (item, level) in threads.iter().enumerate() {
            let _ = queue.enqueue(item as u16, priority(*level), 0).unwrap();
        }
        let mut expected: Vec<_> = (0..threads.len() as u16).collect();
        expected.sort_by_key(|item| threads[usize::from(*item)]);
        for item in expected {
            prop_assert_eq!(queue.pick(0), Some(item));
            queue.block();
        }
        prop_assert_eq!(queue.pick(0), None);
    }

    #[test]
    fn every_thread_runs_within_a_bound(
        threads in proptest::collection::vec((0u8..8, 0u8..3), 2..12),
        step in 10u64..150,
    ) {
        // Behaviour: 0 computes, 1 yields at each step, 2 blocks and is woken at each step.
        let mut queue = queue(12);
        for (item, (level, _)) in threads.iter().enumerate() {
            let _ = queue.enqueue(item as u16, priority(*level), 0).unwrap();
        }
        let count = threads.len() as u64;
        // Seven boosts, each noticed at the next step, then the turns of all others at the top.
        let bound = 7 * (CONFIG.boost_after_ns + step) + (count + 1) * (CONFIG.quantum_ns[0] + 2 * step);
        let mut last_ran = vec![0; threads.len()];
        let mut now = 0;
        let mut current = queue.pick(now);
        while now < 6 * bound {
            if let Some(item) = current {
                last_ran[usize::from(item)] = now + step;
            }
            now += step;
            let decision = queue.tick(now);
            match current.map(|item| threads[usize::from(item)].1) {
                Some(1) => current = queue.yield_current(now),
                Some(2) => {
                    let item = queue.block().unwrap();
                    let _ = queue.enqueue(item, priority(threads[usize::from(item)].0), now).unwrap();
                    current = queue.pick(now);
                }
                _ if decision == Decision::Switch => current = queue.pick(now),
                _ => {}
            }
            for (item, ran) in last_ran.iter().enumerate() {
                prop_assert!(now - ran <= bound, "thread {item} waits for {} ns, more than {bound}", now - ran);
            }
        }
    }

    #[test]
    fn a_tick_before_the_next_one_changes_nothing(
        threads in proptest::collection::vec(0u8..8, 2..12),
    ) {
        let mut queue = queue(12);
        for (item, level) in threads.iter().enumerate() {
            let _ = queue.enqueue(item as u16, priority(*level), 0).unwrap();
        }
        let mut now = 0;
        queue.pick(now);
        for _ in 0..50 {
            let Some(next) = queue.next_tick() else { break };
            prop_assert!(next >= now);
            if next > now {
                prop_assert_eq!(queue.clone().tick(next - 1), Decision::Keep);
            }
            now = next;
            if queue.tick(now) == Decision::Switch {
                queue.pick(now);
            }
        }
    }
}

#[test]
fn a_full_quantum_costs_a_level_and_a_yield_gives_it_back() {
    let mut queue = queue(4);
    let _ = queue.enqueue(1, priority(4), 0).unwrap();
    let _ = queue.enqueue(2, priority(4), 0).unwrap();
    assert_eq!(queue.pick(0), Some(1));
    assert_eq!(queue.tick(399), Decision::Keep);
    assert_eq!(queue.tick(400), Decision::Switch);
    assert_eq!(queue.pick(400), Some(2));
    assert_eq!(queue.level(1), Some(priority(5)));
    assert_eq!(queue.block(), Some(2));
    assert_eq!(queue.pick(500), Some(1));
    assert_eq!(queue.yield_current(500), Some(1));
    assert_eq!(queue.level(1), Some(priority(4)));
}

#[test]
fn a_preempted_thread_goes_on_before_its_equals() {
    let mut queue = queue(4);
    let _ = queue.enqueue(1, priority(4), 0).unwrap();
    let _ = queue.enqueue(2, priority(4), 0).unwrap();
    assert_eq!(queue.pick(0), Some(1));
    assert_eq!(queue.enqueue(3, priority(0), 100), Ok(Decision::Switch));
    assert_eq!(queue.pick(100), Some(3));
    queue.block();
    assert_eq!(queue.pick(150), Some(1));
    assert_eq!(
        queue.next_tick(),
        Some(150 + 300),
        "with what was left of its quantum"
    );
}

#[test]
fn without_places_nothing_is_taken() {
    let mut queue = RunQueue::<u16>::new(Config::DEFAULT);
    assert_eq!(queue.enqueue(1, Priority::NORMAL, 0), Err(SchedError::Full));
    assert_eq!(queue.reserve(usize::MAX), Err(SchedError::OutOfMemory));
    assert_eq!(
        (queue.pick(0), queue.next_tick(), queue.runnable()),
        (None, None, 0)
    );
}
