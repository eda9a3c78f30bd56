//! The deadline queue against a sorted map.

use ksched::SchedError;
use ksched::timer::TimerQueue;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Op {
    Insert(u64),
    Remove(prop::sample::Index),
    Advance(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => prop_oneof![0u64..50, 0u64..5000, any::<u64>()].prop_map(Op::Insert),
        2 => any::<prop::sample::Index>().prop_map(Op::Remove),
        2 => (0u64..200).prop_map(Op::Advance),
    ]
}

proptest! {
    #[test]
    fn timers_expire_in_order_and_once(ops in proptest::collection::vec(op(), 1..200)) {
        let mut queue = TimerQueue::new();
        queue.reserve(64).unwrap();
        // By deadline and order of adding, as they must come out.
        let mut model = BTreeMap::new();
        let mut all_ids = Vec::new();
        let mut now = 0;
        for (number, op) in ops.into_iter().enumerate() {
            match op {
                Op::Insert(after) => {
                    let deadline = after.saturating_add(now);
                    match queue.insert(deadline, number) {
                        Ok(id) => {
                            prop_assert!(!all_ids.contains(&id), "an id was used twice");
                            all_ids.push(id);
                            model.insert((deadline, number), id);
                        }
                        Err(error) => prop_assert_eq!((error, model.len()), (SchedError::Full, 64)),
                    }
                }
                Op::Remove(which) if !all_ids.is_empty() => {
                    let id = *which.get(&all_ids);
                    let key = model.iter().find(|(_, known)| **known == id).map(|(key, _)| *key);
                    prop_assert_eq!(queue.remove(id), key.map(|key| key.1));
                    if let Some(key) = key {
                        model.remove(&key);
                    }
                }
                Op::Remove(_) => {}
                Op::Advance(passed) => {
                    now += passed;
                    while let Some(expired) = queue.pop_expired(now) {
                        let ((deadline, payload), id) = model.pop_first().unwrap();
                        prop_assert_eq!((expired.deadline_ns, expired.payload, expired.id), (deadline, payload, id));
                        prop_assert!(expired.deadline_ns <= now);
                    }
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.next_deadline(), model.keys().next().map(|key| key.0));
        }
    }
}

#[test]
fn a_queue_without_places_says_so() {
    let mut queue = TimerQueue::new();
    assert_eq!(queue.insert(1, ()), Err(SchedError::Full));
    assert!(queue.is_empty());
    assert_eq!(queue.pop_expired(u64::MAX), None);
}

/// Room that is there is not taken again, however much of it is free at the moment.
#[test]
fn room_grows_only_for_more_timers_than_ever() {
    let mut queue = TimerQueue::<u16>::new();
    queue.reserve(100).unwrap();
    let room = queue.room_bytes();
    assert!(room >= 100 * size_of::<u16>());
    for places in [1, 60, 100] {
        queue.reserve(places).unwrap();
        assert_eq!(queue.room_bytes(), room, "after asking for {places}");
    }
    queue.reserve(1000).unwrap();
    assert!(queue.room_bytes() > room);
}
