//! Processor sets against a standard set; placement and stealing against their promises.

use ksched::{Cpu, CpuSet, Excess, Load, MAX_CPUS, give_to, place, steal_from};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn cpu(number: usize) -> Cpu {
    Cpu::new(number).unwrap()
}

/// Loads of some of the first 70 processors, each once.
fn loads() -> impl Strategy<Value = Vec<Load>> {
    proptest::collection::btree_map(0..70usize, 0usize..4, 0..70).prop_map(|map| {
        map.into_iter()
            .map(|(number, load)| (cpu(number), load))
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
    fn a_thread_goes_where_nobody_is_less_busy(loads in loads(), last in proptest::option::of(0..80usize)) {
        let least = loads.iter().map(|load| load.1).min();
        let chosen = place(last.map(cpu), loads.iter().copied());
        let load = |cpu: Cpu| loads.iter().find(|load| load.0 == cpu).map(|load| load.1);
        prop_assert_eq!(chosen.map(load), least.map(Some));
        if let Some(last) = last.map(cpu) && load(last).is_some() && load(last) == least {
            prop_assert_eq!(chosen, Some(last));
        }
    }

    #[test]
    fn a_thief_goes_to_the_busiest(loads in loads(), thief in 0..80usize) {
        let busy = |load: &&Load| load.0 != cpu(thief) && load.1 >= 2;
        let most = loads.iter().filter(busy).map(|load| load.1).max();
        let victim = steal_from(cpu(thief), loads.iter().copied());
        let load = |cpu: Cpu| loads.iter().find(|load| load.0 == cpu).map(|load| load.1);
        prop_assert_eq!(victim.and_then(load), most);
        prop_assert!(victim != Some(cpu(thief)));
    }

    #[test]
    fn pushing_evens_out_and_ends(mut counts in proptest::collection::vec(0usize..20, 1..20)) {
        // Each processor gives as long as it should: the loads end up at most one apart, and nobody gives any more.
        let total: usize = counts.iter().sum();
        for step in 0.. {
            prop_assert!(step <= 20 * 20, "threads go round in circles");
            let giving = (0..counts.len()).find_map(|giver| {
                let loads = counts.iter().enumerate().map(|(number, count)| ((cpu(number), *count), 0));
                Some((giver, give_to(cpu(giver), counts[giver], Excess::Two, loads)?))
            });
            let Some((giver, taker)) = giving else { break };
            counts[giver] -= 1;
            counts[taker.index()] += 1;
        }
        let (least, most) = (counts.iter().min(), counts.iter().max());
        prop_assert!(most.unwrap() - least.unwrap() <= 1);
        prop_assert_eq!(counts.iter().sum::<usize>(), total);
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
