//! Chunks and object caches agree with simple models.

use std::alloc::Layout;
use std::collections::BTreeSet;

use kmem::heap::chunks::{Chunks, Run};
use kmem::heap::objects::{Cache, Class};
use proptest::prelude::*;

/// The first free run, found the simple way.
fn first_fit(used: &BTreeSet<usize>, capacity: usize, len: usize) -> Option<usize> {
    (0..(capacity + 1).saturating_sub(len))
        .find(|start| (*start..start + len).all(|chunk| !used.contains(&chunk)))
}

proptest! {
    #[test]
    fn chunks_are_taken_first_fit_and_come_back(steps in prop::collection::vec((any::<bool>(), 0usize..70, any::<prop::sample::Index>()), 0..200)) {
        let mut chunks = Chunks::<4>::new();
        let mut used = BTreeSet::new();
        let mut runs: Vec<Run> = Vec::new();
        for (take, len, which) in steps {
            if take || runs.is_empty() {
                let wanted = if len == 0 { None } else { first_fit(&used, chunks.capacity(), len) };
                let run = chunks.take(len);
                prop_assert_eq!(run.map(|run| (run.start, run.len)), wanted.map(|start| (start, len)));
                if let Some(run) = run {
                    used.extend(run.start..run.start + run.len);
                    runs.push(run);
                }
            } else {
                let run = runs.swap_remove(which.index(runs.len()));
                prop_assert!(chunks.give_back(run));
                prop_assert!(!chunks.give_back(run), "a second time");
                for chunk in run.start..run.start + run.len {
                    used.remove(&chunk);
                }
            }
            prop_assert_eq!(chunks.count(), used.len());
        }
    }

    #[test]
    fn a_class_fits_and_wastes_at_most_a_third(size in 0usize..5000, align in 0u32..9) {
        let layout = Layout::from_size_align(size, 1 << align).expect("a layout");
        let best = Class::all().find(|class| class.size() >= size);
        match Class::of(layout) {
            Some(class) => {
                prop_assert_eq!(Some(class), best);
                prop_assert!(class.align() >= layout.align() && class.size().is_multiple_of(class.align()));
                prop_assert!(size < 32 || 3 * size > 2 * class.size());
            }
            None => prop_assert!(best.is_none_or(|class| class.align() < layout.align())),
        }
    }

    #[test]
    fn a_cache_loses_and_doubles_nothing(steps in prop::collection::vec((0u8..8, 0usize..14), 0..600)) {
        let classes: Vec<Class> = Class::all().collect();
        let mut cache = Cache::<u32>::new();
        let mut kept: Vec<Vec<u32>> = vec![Vec::new(); classes.len()];
        let mut next = 0;
        for (step, index) in steps {
            let class = classes[index];
            match step {
                0..4 => {
                    next += 1;
                    let surplus = cache.put(class, next);
                    let shed = if kept[index].len() >= class.limit() { class.limit() / 2 } else { 0 };
                    let wanted: Vec<u32> = kept[index].drain(..shed).collect();
                    let found: Vec<u32> = surplus.into_iter().flatten().flatten().collect();
                    prop_assert_eq!(found, wanted);
                    kept[index].push(next);
                }
                4..7 => prop_assert_eq!(cache.take(class), kept[index].pop()),
                _ => {
                    let found: Vec<u32> = cache.drain(class).into_iter().flatten().collect();
                    prop_assert_eq!(found, std::mem::take(&mut kept[index]));
                }
            }
        }
    }
}

#[test]
fn runs_that_are_not_in_use_are_refused() {
    let mut chunks = Chunks::<1>::new();
    let run = chunks.take(3).expect("all are free");
    for wrong in [
        Run { start: 0, len: 4 },
        Run { start: 62, len: 3 },
        Run {
            start: usize::MAX,
            len: 2,
        },
    ] {
        assert!(!chunks.give_back(wrong), "{wrong:?}");
    }
    assert_eq!(chunks.count(), 3);
    assert!(chunks.give_back(run));
    assert_eq!(chunks.take(65), None);
    assert_eq!(chunks.take(usize::MAX), None);
    assert_eq!(chunks.take(64), Some(Run { start: 0, len: 64 }));
    assert_eq!(chunks.take(1), None);
}

#[test]
fn bytes_are_counted_across_processors() {
    let mut caches = [Cache::<u32>::new(), Cache::new()];
    caches[0].count(100);
    caches[1].count(-60);
    assert_eq!(caches[0].used() + caches[1].used(), 40);
}
