//! The sorted map agrees with the standard library's.

use std::collections::BTreeMap;

use kmem::few::FewMap;
use kmem::sorted::SortedMap;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u32),
    Remove(u16),
    Look(u16, u16),
    Run(u16, u16),
    Clear(u16, u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u16..2000, any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        4 => (0u16..2000).prop_map(Step::Remove),
        2 => (0u16..2000, 0u16..2000).prop_map(|(from, to)| Step::Look(from, to)),
        // Rising and falling runs fill chunks up; cleared ones leave few entries, so that chunks join.
        1 => (0u16..2000, 1u16..300).prop_map(|(from, len)| Step::Run(from, len)),
        1 => (0u16..2000, 1u16..600).prop_map(|(from, len)| Step::Clear(from, len)),
    ]
}

proptest! {
    #[test]
    fn a_map_of_few_agrees_with_the_standard_map(steps in prop::collection::vec((0u8..4, 0u8..6, any::<u32>()), 0..60)) {
        let mut map = FewMap::new();
        let mut model = BTreeMap::new();
        for (what, key, value) in steps {
            match what {
                0 | 1 => prop_assert_eq!(map.insert(key, value).expect("memory"), model.insert(key, value)),
                2 => prop_assert_eq!(map.remove(key), model.remove(&key)),
                _ => prop_assert_eq!(map.get_mut(key), model.get_mut(&key)),
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert_eq!(map.is_empty(), model.is_empty());
            prop_assert!(map.iter().eq(model.iter().map(|(key, value)| (*key, value))));
        }
    }

    #[test]
    fn agrees_with_the_standard_map(steps in prop::collection::vec(step(), 0..400)) {
        let mut map = SortedMap::new();
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(key, value) => {
                    prop_assert_eq!(map.insert(key, value).expect("memory"), model.insert(key, value));
                }
                Step::Remove(key) => prop_assert_eq!(map.remove(key), model.remove(&key)),
                Step::Look(from, to) => {
                    prop_assert_eq!(map.get(from), model.get(&from));
                    let floor = model.range(..=from).next_back().map(|(key, value)| (*key, value));
                    prop_assert_eq!(map.floor(from), floor);
                    let ceiling = model.range(from..).next().map(|(key, value)| (*key, value));
                    prop_assert_eq!(map.ceiling(from), ceiling);
                    let above = model.range(from + 1..).next().map(|(key, value)| (*key, value));
                    prop_assert_eq!(map.above(from), above);
                    let (from, to) = (from.min(to), from.max(to));
                    prop_assert!(map.range(from..to).eq(model.range(from..to).map(|(key, value)| (*key, value))));
                    prop_assert!(map.range(..=to).eq(model.range(..=to).map(|(key, value)| (*key, value))));
                }
                Step::Run(from, len) => {
                    map.reserve(usize::from(len)).expect("memory");
                    for key in (from..from + len).rev() {
                        let _ = map.insert(key, 1).expect("memory");
                        model.insert(key, 1);
                    }
                    map.drop_reserve();
                }
                Step::Clear(from, len) => for key in from..from + len {
                    prop_assert_eq!(map.remove(key), model.remove(&key));
                },
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert_eq!(map.is_empty(), model.is_empty());
            prop_assert_eq!(map.last(), model.last_key_value().map(|(key, value)| (*key, value)));
        }
        prop_assert!(map.iter().eq(model.iter().map(|(key, value)| (*key, value))));
    }
}
