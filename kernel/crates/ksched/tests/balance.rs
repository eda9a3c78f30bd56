//! Processor sets against a standard set; placement and stealing against their promises.

use ksched::{Cpu, CpuSet, Load, MAX_CPUS, place, steal_from};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn cpu(number: usize) -> Cpu {
    Cpu::new(number).unwrap()
}

fn loads() -> impl Strategy<Value = Vec<Load>> {
    proptest::collection::vec((any::<bool>(), 0u32..4), 0..70).prop_map(|list| {
        list.into_iter()
            .map(|(online, runnable)| Load { online, runnable })
            .collect()
    })
}

proptest! {
    #[test]
    fn a_set_is_a_set(
        a in proptest::collection::btree_set(0..MAX_CPUS, 0..40),
        b in proptest::collection::btree_set(0..MAX_CPUS, 0..40),
        probe in 0..MAX_CPUS,
    ) {
        let set = |numbers: &BTreeSet<usize>| numbers.iter().copied().map(cpu).collect::<CpuSet>();
        let list = |set: CpuSet| set.iter().map(Cpu::index).collect::<Vec<_>>();
        let (left, right) = (set(&a), set(&b));
        prop_assert_eq!(list(left), a.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(list(left.union(&right)), a.union(&b).copied().collect::<Vec<_>>());
        prop_assert_eq!(list(left.intersection(&right)), a.intersection(&b).copied().collect::<Vec<_>>());
        prop_assert_eq!(list(left.difference(&right)), a.difference(&b).copied().collect::<Vec<_>>());
        prop_assert_eq!(left.len(), a.len());
        prop_assert_eq!(left.is_empty(), a.is_empty());
        prop_assert_eq!(left.lowest().map(Cpu::index), a.first().copied());
        prop_assert_eq!(left.contains(cpu(probe)), a.contains(&probe));
        let mut changed = left;
        prop_assert_eq!(changed.remove(cpu(probe)), a.contains(&probe));
        prop_assert!(changed.insert(cpu(probe)) && changed.contains(cpu(probe)));
    }

    #[test]
    fn a_thread_goes_where_it_may_and_nobody_is_less_busy(
        loads in loads(),
        affinity in proptest::collection::btree_set(0..80usize, 0..40),
        last in proptest::option::of(0..80usize),
    ) {
        let set: CpuSet = affinity.iter().copied().map(cpu).collect();
        let usable: Vec<_> = affinity.iter().filter(|n| loads.get(**n).is_some_and(|l| l.online)).collect();
        match place(&set, last.map(cpu), &loads) {
            None => prop_assert!(usable.is_empty()),
            Some(chosen) => {
                prop_assert!(usable.contains(&&chosen.index()));
                let least = usable.iter().map(|n| loads[**n].runnable).min().unwrap();
                prop_assert_eq!(loads[chosen.index()].runnable, least);
                if let Some(last) = last && usable.contains(&&last) && loads[last].runnable == least {
                    prop_assert_eq!(chosen.index(), last);
                }
            }
        }
    }

    #[test]
    fn a_thief_goes_to_the_busiest(loads in loads(), thief in 0..80usize) {
        let busy = |n: &usize| *n != thief && loads[*n].online && loads[*n].runnable >= 2;
        let most = (0..loads.len()).filter(busy).map(|n| loads[n].runnable).max();
        let victim = steal_from(cpu(thief), &loads);
        prop_assert_eq!(victim.map(|victim| loads[victim.index()].runnable), most);
        prop_assert!(victim != Some(cpu(thief)));
    }
}

#[test]
fn bounds_of_processor_numbers() {
    assert_eq!(Cpu::new(MAX_CPUS), None);
    assert_eq!(CpuSet::ALL.len(), MAX_CPUS);
    assert_eq!(
        CpuSet::first(3).iter().map(Cpu::index).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(CpuSet::first(usize::MAX), CpuSet::ALL);
    assert_eq!(CpuSet::only(cpu(1023)).lowest(), Some(cpu(1023)));
}
