//! Sets of ports and their bitmap against a standard set.

use std::collections::BTreeSet;

use kirq::{PORTS, Permissions, PortRange, PortSet};
use proptest::prelude::*;

/// Ranges of all lengths, many of them close together.
fn range() -> impl Strategy<Value = PortRange> {
    let close = (0u64..200, 1u64..20);
    let any = (0u64..PORTS, 1u64..3000);
    prop_oneof![3 => close, 1 => any].prop_filter_map("beyond the last port", |(start, len)| {
        PortRange::new(start, len)
    })
}

fn ports(range: &PortRange) -> impl Iterator<Item = u16> + use<> {
    range.first()..=range.last()
}

proptest! {
    // Each looks at all ports, again and again.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_range_is_what_was_asked_for(start in 0u64..PORTS + 10, len in 0u64..PORTS + 10, far in any::<u64>()) {
        let range = PortRange::new(start, len);
        prop_assert_eq!(range.is_some(), len != 0 && start + len <= PORTS);
        if let Some(range) = range {
            prop_assert_eq!(u64::from(range.first()), start);
            prop_assert_eq!(ports(&range).count() as u64, len);
            prop_assert_eq!(PortRange::from_to(range.first(), range.last()), Some(range));
        }
        prop_assert_eq!(PortRange::new(start.max(1), u64::MAX), None);
        prop_assert!(PortRange::new(far, 1).is_some() == (far < PORTS));
    }

    #[test]
    fn ranges_are_sets(a in range(), b in range()) {
        let (left, right): (BTreeSet<_>, BTreeSet<_>) = (ports(&a).collect(), ports(&b).collect());
        prop_assert_eq!(a.overlaps(&b), !left.is_disjoint(&right));
        prop_assert_eq!(a.contains(&b), left.is_superset(&right));
    }

    #[test]
    fn a_set_has_what_was_added_in_as_few_ranges_as_possible(
        added in proptest::collection::vec(range(), 0..20),
        probe in range(),
    ) {
        let (mut set, mut model) = (PortSet::<6>::new(), BTreeSet::new());
        for range in added {
            let mut larger = model.clone();
            larger.extend(ports(&range));
            let starts = |set: &BTreeSet<u16>| {
                set.iter().filter(|port| port.checked_sub(1).is_none_or(|before| !set.contains(&before))).count()
            };
            let result = set.add(range);
            // What is full stays as it is.
            prop_assert_eq!(result.is_ok(), starts(&larger) <= 6);
            if result.is_ok() {
                model = larger;
            }
            prop_assert_eq!(set.ranges().len(), starts(&model));
            prop_assert_eq!(set.is_empty(), model.is_empty());
            let found: BTreeSet<_> = set.ranges().iter().flat_map(ports).collect();
            prop_assert!(found == model);
        }
        prop_assert_eq!(set.overlaps(&probe), ports(&probe).any(|port| model.contains(&port)));
        prop_assert_eq!(set.contains(&probe), ports(&probe).all(|port| model.contains(&port)));
    }

    #[test]
    fn the_bitmap_allows_the_set_that_was_loaded_last(sets in proptest::collection::vec(
        proptest::collection::vec(range(), 0..4), 1..5,
    )) {
        let mut map = Box::new(Permissions::none());
        prop_assert!((0..=u16::MAX).all(|port| !map.allows(port)));
        for ranges in sets {
            let mut set = PortSet::<4>::new();
            for range in &ranges {
                prop_assert!(set.add(*range).is_ok());
            }
            map.load(&set);
            let model: BTreeSet<u16> = ranges.iter().flat_map(ports).collect();
            let allowed: BTreeSet<u16> = (0..=u16::MAX).filter(|port| map.allows(*port)).collect();
            prop_assert!(allowed == model);
        }
    }
}

/// The processor reads two bytes for the last port: what follows the bitmap must not let it through.
#[test]
fn a_byte_of_ones_follows_the_bitmap() {
    let mut map = Box::new(Permissions::none());
    let mut set = PortSet::<1>::new();
    assert_eq!(set.add(PortRange::from_to(0, u16::MAX).unwrap()), Ok(()));
    map.load(&set);
    assert!((0..=u16::MAX).all(|port| map.allows(port)));
    let shown = format!("{map:?}");
    assert!(shown.contains("end: 255"), "{shown}");
    assert_eq!(Permissions::LEN, 8193);
}
