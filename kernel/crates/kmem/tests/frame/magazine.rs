//! Magazines of several processors before one allocator: no frame is handed out twice, none is lost.

use std::collections::BTreeSet;

use kaddr::{PAGE_SIZE, PhysAddr, PhysRange};
use kmem::frame::{Block, FrameAllocator, HALF, Magazine, blocks_needed};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Allocate(usize),
    Free(usize, usize),
    Drain(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0usize..4).prop_map(Step::Allocate),
        9 => (0usize..4, any::<usize>()).prop_map(|(cpu, which)| Step::Free(cpu, which)),
        1 => (0usize..4).prop_map(Step::Drain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn frames_are_conserved_and_never_doubled(
        frames in 1u64..600,
        keep in 0usize..50,
        steps in prop::collection::vec((step(), 1usize..80), 0..60),
    ) {
        let range = PhysRange::new(PhysAddr::new(0x10_0000), PhysAddr::new(0x10_0000 + frames * PAGE_SIZE));
        let usable = [range];
        let mut storage = vec![Block::EMPTY; blocks_needed(usable.iter().copied())];
        let mut shared = FrameAllocator::new(&mut storage, usable.iter().copied()).expect("memory");
        let total = shared.free_frames();
        let mut magazines: [Magazine; 4] = std::array::from_fn(|_| Magazine::new());
        let mut held = Vec::new();
        for (step, times) in steps {
            for _ in 0..times {
                match step {
                    Step::Allocate(cpu) => {
                        let magazine = &mut magazines[cpu];
                        if magazine.is_empty() {
                            magazine.refill(&mut shared, keep);
                            prop_assert!(magazine.len() <= HALF);
                        }
                        match magazine.pop() {
                            Some(frame) => held.push(frame),
                            None => prop_assert!(shared.free_frames() <= keep),
                        }
                    }
                    Step::Free(cpu, which) if !held.is_empty() => {
                        let frame = held.swap_remove(which % held.len());
                        let magazine = &mut magazines[cpu];
                        if magazine.is_full() {
                            magazine.spill(&mut shared, HALF).expect("freed once");
                        }
                        prop_assert!(!magazine.contains(frame));
                        prop_assert!(magazine.push(frame).is_ok());
                        prop_assert!(magazine.contains(frame));
                    }
                    Step::Free(..) => {}
                    Step::Drain(cpu) => magazines[cpu].spill(&mut shared, 0).expect("freed once"),
                }
            }
            let parked: usize = magazines.iter().map(Magazine::len).sum();
            prop_assert_eq!(shared.free_frames() + parked + held.len(), total);
            let different: BTreeSet<_> = held.iter().map(|frame| frame.number()).collect();
            prop_assert_eq!(different.len(), held.len());
        }
    }
}

#[test]
fn a_frame_that_is_given_back_twice_is_found_when_it_reaches_the_allocator() {
    let usable = [PhysRange::new(
        PhysAddr::new(0),
        PhysAddr::new(16 * PAGE_SIZE),
    )];
    let mut storage = vec![Block::EMPTY; 1];
    let mut shared = FrameAllocator::new(&mut storage, usable.iter().copied()).expect("memory");
    let mut magazine = Magazine::new();
    let frame = shared.allocate().expect("free");
    magazine.push(frame).expect("room");
    magazine.push(frame).expect("room");
    assert!(magazine.spill(&mut shared, 0).is_err());
    assert_eq!((magazine.len(), shared.free_frames()), (0, 16));
}
