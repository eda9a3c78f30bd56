//! The frame allocator against a model, and what once went wrong elsewhere.

mod cache;
mod model;

use std::collections::BTreeSet;

use kaddr::{Frame, PAGE_SIZE, PhysAddr, PhysRange};
use kmem::frame::{Block, FrameAllocator, FrameError, FreeError, blocks_needed};
use model::{Model, Op, op, place, region};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn range(start: u64, end: u64) -> PhysRange {
    PhysRange::new(PhysAddr::new(start), PhysAddr::new(end))
}

fn frame(number: u64) -> Frame {
    Frame::from_number(number).expect("a frame number")
}

fn storage(usable: &[PhysRange]) -> Vec<Block> {
    vec![Block::EMPTY; blocks_needed(usable.iter().copied())]
}

/// The frames that lie wholly in a range, one by one.
fn frames_in(range: PhysRange) -> impl Iterator<Item = u64> {
    range.frames().map(Frame::number)
}

fn step(real: &mut FrameAllocator, model: &mut Model, op: Op) -> Result<(), TestCaseError> {
    match op {
        Op::Allocate => {
            prop_assert_eq!(real.allocate().map(Frame::number), model.free.pop_last());
        }
        Op::Large => {
            let expected = model.run(512, 512, u64::MAX);
            prop_assert_eq!(real.allocate_large().map(Frame::number), expected);
            if let Some(first) = expected {
                model
                    .free
                    .retain(|number| !(first..first + 512).contains(number));
            }
        }
        Op::Contiguous {
            count,
            align,
            below,
        } => {
            let limit = below.unwrap_or(u64::MAX) / PAGE_SIZE;
            let expected = if count == 0 {
                None
            } else {
                model
                    .run(count as u64, align as u64, limit)
                    .map(|first| range(first * PAGE_SIZE, (first + count as u64) * PAGE_SIZE))
            };
            let got = real.allocate_contiguous(count, align, below.map(PhysAddr::new));
            prop_assert_eq!(got, expected);
            for number in expected.into_iter().flat_map(frames_in) {
                prop_assert!(model.free.remove(&number));
            }
        }
        Op::Free { nth } => {
            if let Some(number) = model.taken(nth) {
                prop_assert_eq!(real.free(frame(number)), Ok(()));
                model.free.insert(number);
            }
        }
        Op::FreeAgain { nth } => {
            let number = model
                .free
                .iter()
                .nth(nth.checked_rem(model.free.len()).unwrap_or(0));
            if let Some(&number) = number {
                let number = frame(number);
                prop_assert_eq!(real.free(number), Err(FreeError::DoubleFree(number)));
            }
        }
        Op::FreeAny { number } => {
            prop_assert_eq!(real.free(frame(number)), model.free(vec![number]));
        }
        Op::FreeRange(what) => {
            let expected = if what.is_empty() || what.is_aligned(PAGE_SIZE) {
                model.free(frames_in(what).collect())
            } else {
                Err(FreeError::Misaligned(what))
            };
            prop_assert_eq!(real.free_range(what), expected);
        }
        Op::Reserve(what) => {
            let outer = what.align_outward(PAGE_SIZE).filter(|_| !what.is_empty());
            let taken = outer.into_iter().flat_map(frames_in);
            let taken = taken.filter(|number| model.free.remove(number)).count();
            prop_assert_eq!(real.reserve(what), taken);
        }
        Op::Add(what) => {
            let added = real.add(what);
            let (mut new, mut known, mut outside) = (0, 0, 0);
            for number in frames_in(what) {
                if !model.blocks.contains(&(number * PAGE_SIZE / GIB)) {
                    outside += 1;
                } else if model.managed.insert(number) {
                    model.free.insert(number);
                    new += 1;
                } else {
                    known += 1;
                }
            }
            prop_assert_eq!(
                (added.added, added.known, added.outside),
                (new, known, outside)
            );
        }
    }
    let places = model.managed.iter().take(3).chain(model.free.first());
    for number in places.flat_map(|&number| [number.saturating_sub(1), number, number + 1]) {
        prop_assert_eq!(real.manages(frame(number)), model.managed.contains(&number));
        prop_assert_eq!(real.is_free(frame(number)), model.free.contains(&number));
    }
    prop_assert_eq!(real.free_frames(), model.free.len());
    prop_assert_eq!(real.total_frames(), model.managed.len());
    Ok(())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: 192,
        failure_persistence: None,
        ..Default::default()
    })]

    /// Every answer is that of the model; nothing is given out twice, nothing is lost.
    #[test]
    fn answers_as_the_model_does(
        regions in prop::collection::vec(region(), 1..8),
        ops in prop::collection::vec(op(), 0..80),
    ) {
        let mut model = Model::default();
        for number in regions.iter().copied().flat_map(frames_in) {
            model.blocks.insert(number * PAGE_SIZE / GIB);
            model.managed.insert(number);
        }
        model.free = model.managed.clone();
        prop_assert_eq!(blocks_needed(regions.iter().copied()), model.blocks.len());
        let mut storage = storage(&regions);
        let real = FrameAllocator::new(&mut storage, regions.iter().copied());
        if model.managed.is_empty() {
            prop_assert_eq!(real.err(), Some(FrameError::NoMemory));
            return Ok(());
        }
        let mut real = real.expect("there is memory");
        for op in ops {
            step(&mut real, &mut model, op)?;
        }
        // What is left comes out highest first, and then there is nothing.
        while let Some(number) = model.free.pop_last() {
            prop_assert_eq!(real.allocate().map(Frame::number), Some(number));
        }
        prop_assert_eq!(real.allocate(), None);
        prop_assert_eq!(real.free_frames(), 0);
    }

    /// Whatever the order of the frees, all is as before.
    #[test]
    fn every_order_of_frees_restores_all(
        regions in prop::collection::vec(region(), 1..5),
        seed in prop::collection::vec(any::<u16>(), 64),
    ) {
        let mut storage = storage(&regions);
        let Ok(mut frames) = FrameAllocator::new(&mut storage, regions.iter().copied()) else {
            return Ok(());
        };
        let large_before = std::iter::from_fn(|| frames.allocate_large()).collect::<Vec<_>>();
        for &first in &large_before {
            let start = first.start().as_u64();
            prop_assert_eq!(frames.free_range(range(start, start + 2 * MIB)), Ok(()));
        }
        let total = frames.total_frames();
        prop_assert_eq!(frames.free_frames(), total);
        let mut held: Vec<Frame> = std::iter::from_fn(|| frames.allocate()).collect();
        prop_assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), total);
        for index in 0..held.len() {
            let other = seed[index % seed.len()] as usize * (index + 1) % held.len();
            held.swap(index, other);
        }
        for frame in held {
            prop_assert_eq!(frames.free(frame), Ok(()));
            prop_assert_eq!(frames.free(frame), Err(FreeError::DoubleFree(frame)));
        }
        prop_assert_eq!(frames.free_frames(), total);
        let large_after = std::iter::from_fn(|| frames.allocate_large()).collect::<Vec<_>>();
        prop_assert_eq!(large_after, large_before);
    }

    /// No list of ranges makes the allocator panic or count wrong.
    #[test]
    fn no_region_list_is_too_nasty(
        regions in prop::collection::vec(
            prop_oneof![
                8 => region(),
                1 => (place(), place()).prop_map(|(start, end)| range(start, end)),
                1 => (any::<u64>(), any::<u64>()).prop_map(|(start, end)| range(start, end)),
                1 => any::<u64>().prop_map(|start| range(start, u64::MAX)),
            ],
            0..24,
        ),
        given in 0_usize..80,
    ) {
        let needed = blocks_needed(regions.iter().copied());
        let mut storage = vec![Block::EMPTY; given];
        match FrameAllocator::new(&mut storage, regions.iter().copied()) {
            Err(FrameError::StorageTooSmall { needed: told, given: had }) => {
                prop_assert_eq!((told, had), (needed, given));
                prop_assert!(needed > given);
            }
            Err(FrameError::NoMemory) => prop_assert_eq!(needed, 0),
            Ok(mut frames) => {
                prop_assert!(needed <= given);
                // Count the union by sorting.
                let mut spans: Vec<(u64, u64)> = regions
                    .iter()
                    .map(|region| region.align_inward(PAGE_SIZE))
                    .map(|inner| (inner.start.as_u64() >> 12, inner.end.as_u64() >> 12))
                    .map(|(first, end)| (first, end.min(Frame::LIMIT)))
                    .filter(|(first, end)| first < end)
                    .collect();
                spans.sort_unstable();
                let (mut total, mut reached) = (0, 0);
                for (first, end) in spans {
                    total += end.max(reached) - first.max(reached).min(end.max(reached));
                    reached = reached.max(end);
                }
                prop_assert_eq!(frames.total_frames() as u64, total);
                prop_assert_eq!(frames.allocate().map(Frame::number), Some(reached - 1));
            }
        }
    }
}

/// A fixed sequence that looks random.
fn scrambled() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0x9e37_79b9_7f4a_7c15_u64), |&state| {
        let state = state ^ state << 13;
        let state = state ^ state >> 7;
        Some(state ^ state << 17)
    })
}

/// A bitmap with a wrong shift once marked a frame of the first 16 MiB when one above was freed.
#[test]
fn freeing_a_frame_above_16_mib_marks_that_frame_only() {
    let usable = [range(GIB, 2 * GIB)];
    let mut storage = storage(&usable);
    let mut frames = FrameAllocator::new(&mut storage, usable.into_iter()).expect("memory");
    assert_eq!(frames.reserve(usable[0]), 1 << 18);
    assert_eq!(frames.allocate(), None);
    for number in scrambled()
        .take(3000)
        .map(|random| (GIB >> 12) + random % (1 << 18))
    {
        frames.free(frame(number)).expect("it is taken");
        assert_eq!(frames.free_frames(), 1);
        assert_eq!(frames.allocate(), Some(frame(number)));
        assert_eq!(frames.allocate(), None);
    }
}

/// A memory map with more entries than any fixed table would hold.
#[test]
fn two_thousand_entries_are_taken() {
    let usable: Vec<PhysRange> = scrambled()
        .take(2000)
        .map(|random| random % (4 * GIB / PAGE_SIZE) * PAGE_SIZE)
        .map(|start| range(start, start + 3 * PAGE_SIZE))
        .collect();
    let expected: BTreeSet<u64> = usable.iter().copied().flat_map(frames_in).collect();
    let mut storage = storage(&usable);
    let mut frames = FrameAllocator::new(&mut storage, usable.iter().copied()).expect("memory");
    assert_eq!(frames.total_frames(), expected.len());
    let got: BTreeSet<u64> = std::iter::from_fn(|| frames.allocate())
        .map(Frame::number)
        .collect();
    assert_eq!(got, expected);
}

/// More blocks than one summary word has bits, each with little memory.
#[test]
fn memory_in_hundreds_of_blocks_comes_out_highest_first() {
    let usable: Vec<PhysRange> = (0..200)
        .map(|index| index * 3 * GIB + index * 20 * PAGE_SIZE)
        .map(|start| range(start, start + 2 * PAGE_SIZE))
        .collect();
    let mut storage = storage(&usable);
    assert_eq!(storage.len(), 200);
    let mut frames = FrameAllocator::new(&mut storage, usable.iter().copied()).expect("memory");
    let got: Vec<u64> = std::iter::from_fn(|| frames.allocate())
        .map(Frame::number)
        .collect();
    let expected: Vec<u64> = usable
        .iter()
        .copied()
        .flat_map(frames_in)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    assert_eq!(got, expected);
    for &number in got.iter().step_by(7) {
        frames.free(frame(number)).expect("it is taken");
        assert_eq!(frames.allocate(), Some(frame(number)));
    }
}

/// Large pages come from whole 2 MiB only, and go on doing so when one frame is back.
#[test]
fn a_group_with_a_taken_frame_is_no_large_page() {
    let usable = [range(MIB, 8 * MIB)];
    let mut storage = storage(&usable);
    let mut frames = FrameAllocator::new(&mut storage, usable.into_iter()).expect("memory");
    let held = frames.allocate().expect("a frame");
    assert_eq!(held, frame(8 * MIB / PAGE_SIZE - 1));
    assert_eq!(frames.allocate_large(), Some(frame(4 * MIB / PAGE_SIZE)));
    frames.free(held).expect("it is taken");
    assert_eq!(frames.allocate_large(), Some(frame(6 * MIB / PAGE_SIZE)));
    assert_eq!(frames.allocate_large(), Some(frame(2 * MIB / PAGE_SIZE)));
    assert_eq!(frames.allocate_large(), None);
    assert_eq!(frames.free_frames(), 256);
}

#[test]
fn the_storage_may_hold_anything_before() {
    let first = [range(0, GIB)];
    let mut storage = storage(&first);
    FrameAllocator::new(&mut storage, first.into_iter()).expect("memory");
    let second = [range(5 * GIB, 5 * GIB + PAGE_SIZE)];
    let mut frames = FrameAllocator::new(&mut storage, second.into_iter()).expect("memory");
    assert_eq!(frames.total_frames(), 1);
    assert_eq!(frames.allocate(), Some(frame((5 * GIB) >> 12)));
    assert_eq!(frames.allocate(), None);
}

#[test]
fn memory_is_added_later_where_blocks_cover_it() {
    let cover = [range(0, GIB), range(6 * GIB, 7 * GIB)];
    let usable = [range(MIB, 2 * MIB)];
    let mut storage = storage(&cover);
    let mut frames =
        FrameAllocator::new_covering(&mut storage, cover.into_iter(), usable.into_iter())
            .expect("memory");
    assert_eq!(frames.total_frames(), 256);
    let held = frames.allocate().expect("a frame");
    let added = frames.add(range(MIB, 3 * MIB));
    assert_eq!((added.added, added.known, added.outside), (256, 256, 0));
    frames.free(held).expect("it is still taken");
    assert_eq!(frames.add(range(6 * GIB, 6 * GIB + 5 * PAGE_SIZE)).added, 5);
    assert_eq!(
        frames.add(range(3 * GIB, 3 * GIB + 5 * PAGE_SIZE)).outside,
        5
    );
    assert_eq!(frames.add(range(10, 12)), kmem::frame::Added::default());
}

#[test]
fn a_run_may_cross_from_block_to_block() {
    let usable = [range(GIB / 2, 3 * GIB)];
    let mut storage = storage(&usable);
    let mut frames = FrameAllocator::new(&mut storage, usable.into_iter()).expect("memory");
    let run = frames.allocate_contiguous(1 << 19, 1, None);
    assert_eq!(run, Some(range(GIB, 3 * GIB)));
    frames
        .free_range(range(GIB, 3 * GIB))
        .expect("it was taken");
    assert_eq!(
        frames.allocate_contiguous(1 << 18, 1 << 18, Some(PhysAddr::new(3 * GIB - 1))),
        Some(range(GIB, 2 * GIB))
    );
    assert_eq!(frames.allocate_contiguous(usize::MAX, 1, None), None);
    assert_eq!(frames.allocate_contiguous(1, 3, None), None);
    assert_eq!(frames.allocate_contiguous(1, 0, None), None);
}

#[test]
fn errors_say_what_to_do() {
    let text = FrameError::StorageTooSmall {
        needed: 3,
        given: 1,
    }
    .to_string();
    assert!(
        text.contains("3 blocks") && text.contains("blocks_needed"),
        "{text}"
    );
    let text = FreeError::DoubleFree(frame(5)).to_string();
    assert!(text.contains("0x5000") && text.contains("twice"), "{text}");
}

/// A kernel that leaves its boot loader's direct map sees the same storage at another address.
#[test]
fn the_storage_may_move() {
    let usable = [range(0, 40 * MIB)];
    let mut old = storage(&usable);
    let mut new = storage(&usable);
    let mut model = BTreeSet::new();
    let mut frames = FrameAllocator::new(&mut old, usable.iter().copied()).expect("memory");
    for _ in 0..5000 {
        model.insert(frames.allocate().expect("a frame").number());
    }
    let copy = frames.blocks().to_vec();
    new[..copy.len()].clone_from_slice(&copy);
    frames.relocate(&mut new).expect("as large as before");
    assert_eq!(frames.free_frames(), 40 * 256 - 5000);
    while let Some(next) = frames.allocate() {
        assert!(model.insert(next.number()), "a frame was handed out twice");
    }
    assert_eq!(model.len(), 40 * 256);
    let refused = frames.relocate(&mut []);
    assert!(matches!(
        refused,
        Err(FrameError::StorageTooSmall {
            needed: 1,
            given: 0
        })
    ));
}
