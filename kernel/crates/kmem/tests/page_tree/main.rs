//! The page tree agrees with the standard library's map, and gives everything back.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use kmem::page_tree::PageTree;
use proptest::prelude::*;

/// A value that counts itself.
#[derive(Debug)]
struct Counted(u32, Rc<Cell<i64>>);

impl Counted {
    fn new(number: u32, alive: &Rc<Cell<i64>>) -> Self {
        alive.set(alive.get() + 1);
        Self(number, alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.set(self.1.get() - 1);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u32),
    Remove(u64),
    RemoveRange(u64, u64),
    Run(u64, u64),
    Fill(u64, u64),
    Find(u64),
}

/// Keys near each other, far from each other, and at the ends.
fn key() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..200,
        3 => (0u64..4, 0u64..3).prop_map(|(high, low)| high << 18 | low << 6),
        2 => (0u32..52).prop_map(|bit| 1 << bit),
        1 => 0u64..1 << 52,
        1 => prop::sample::select(vec![u64::MAX, u64::MAX - 63, 1 << 63]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (key(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        3 => key().prop_map(Step::Remove),
        2 => (key(), key()).prop_map(|(one, other)| Step::RemoveRange(one.min(other), one.max(other))),
        1 => (key(), 1u64..600).prop_map(|(start, len)| Step::Run(start.min(1 << 60), len)),
        2 => (key(), 0u64..70).prop_map(|(start, count)| Step::Fill(start.min(1 << 60), count)),
        3 => key().prop_map(Step::Find),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn agrees_with_the_standard_map(steps in prop::collection::vec(step(), 0..120)) {
        let alive = Rc::new(Cell::new(0));
        let mut tree = PageTree::new();
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(key, value) => {
                    let old = tree.insert(key, Counted::new(value, &alive)).expect("memory");
                    prop_assert_eq!(old.map(|old| old.0), model.insert(key, value));
                }
                Step::Remove(key) => {
                    // A removal by range never reaches the last key there is.
                    if key != u64::MAX {
                        prop_assert_eq!(tree.remove(key).map(|old| old.0), model.remove(&key));
                    }
                }
                Step::RemoveRange(start, end) => {
                    let mut gone = Vec::new();
                    tree.remove_range(start, end, |key, value| gone.push((key, value.0)));
                    let wanted: Vec<_> = model.range(start..end).map(|(key, value)| (*key, *value)).collect();
                    prop_assert_eq!(gone, wanted);
                    model.retain(|key, _| *key < start || *key >= end);
                }
                Step::Run(start, len) => {
                    tree.reserve(len as usize).expect("memory");
                    for key in start..start + len {
                        let _ = tree.insert(key, Counted::new(7, &alive)).expect("reserved");
                        model.insert(key, 7);
                    }
                    tree.drop_reserve();
                }
                Step::Fill(start, count) => {
                    let (nodes, gap) = (tree.nodes(), tree.gap(start, count));
                    let fresh = |key: &u64| !model.contains_key(key) && *key >> 6 == start >> 6;
                    let room = (start..start.saturating_add(count)).take_while(fresh).count() as u64;
                    // All that is free up to the end of the leaf; none where the leaf is not there, as for an only value.
                    let has_leaf = tree.len() > 1 && model.keys().any(|key| *key >> 6 == start >> 6);
                    prop_assert!(gap == room || (gap == 0 && !has_leaf));
                    tree.fill(start, (0..gap).map(|index| Counted::new(index as u32, &alive)));
                    model.extend((0..gap).map(|index| (start + index, index as u32)));
                    prop_assert_eq!(tree.nodes(), nodes);
                }
                Step::Find(key) => {
                    prop_assert_eq!(tree.find(key).map(|value| value.0), model.get(&key).copied());
                    prop_assert_eq!(tree.find_mut(key).map(|value| value.0), model.get(&key).copied());
                    let first = model.range(key..).next().filter(|(found, _)| **found < u64::MAX);
                    let found = tree.first_in(key, u64::MAX).map(|(key, value)| (key, value.0));
                    prop_assert_eq!(found, first.map(|(key, value)| (*key, *value)));
                }
            }
            prop_assert_eq!(tree.len(), model.len() as u64);
            prop_assert_eq!(alive.get(), model.len() as i64);
            // Every inner node has two children or more.
            let leaves = model.keys().map(|key| key >> 6).collect::<std::collections::BTreeSet<_>>().len() as u64;
            prop_assert!(tree.nodes() >= leaves || tree.len() == 1);
            prop_assert!(tree.nodes() <= (2 * leaves).saturating_sub(1));
        }
        let mut seen = Vec::new();
        let visited: Result<(), ()> = tree.visit_mut(0, u64::MAX, |key, value| {
            seen.push((key, value.0));
            Ok(())
        });
        prop_assert!(visited.is_ok());
        let wanted = model.range(..u64::MAX).map(|(key, value)| (*key, *value));
        prop_assert!(seen.into_iter().eq(wanted));
        drop(tree);
        prop_assert_eq!(alive.get(), 0);
    }
}

/// The earlier system's tree found 64 of 300 pages, and freed none of them later.
#[test]
fn three_hundred_pages_are_found_and_dropped() {
    let alive = Rc::new(Cell::new(0));
    let mut tree = PageTree::new();
    for key in 0..300 {
        assert!(tree.insert(key, Counted::new(key as u32, &alive)).is_ok());
    }
    assert!((0..300).all(|key| tree.find(key).is_some_and(|value| value.0 == key as u32)));
    assert!(tree.find(300).is_none());
    drop(tree);
    assert_eq!(alive.get(), 0);
}

#[test]
fn a_large_run_needs_no_more_than_what_is_reserved_for_it() {
    for start in [0u64, 512, 512 * 7, 1 << 30, (1 << 40) + 512] {
        let mut tree = PageTree::new();
        for key in [3, 1 << 20, 1 << 33] {
            assert!(tree.insert(key + 100_000, 0).is_ok());
        }
        tree.reserve_large().expect("memory");
        let before = tree.nodes();
        for key in start..start + 512 {
            assert!(tree.insert(key, 1).is_ok());
        }
        assert!(tree.nodes() - before <= 10);
    }
}

#[test]
fn a_gap_is_filled_up_to_what_is_there() {
    let mut tree = PageTree::new();
    for key in [0, 5, 64] {
        assert!(tree.insert(key, key).is_ok());
    }
    assert_eq!(
        (tree.gap(1, 60), tree.gap(6, 100), tree.gap(5, 1)),
        (4, 58, 0)
    );
    tree.fill(3, 100..);
    assert_eq!(tree.len(), 5);
    assert_eq!(
        [3, 4, 5].map(|key| tree.find(key).copied()),
        [Some(100), Some(101), Some(5)]
    );
    tree.fill(60, 200..);
    assert_eq!(
        [63, 64].map(|key| tree.find(key).copied()),
        [Some(203), Some(64)]
    );
    // There is no place yet.
    assert_eq!(tree.gap(128, 1), 0);
    tree.fill(128, 0..);
    assert!(tree.find(128).is_none());
}
