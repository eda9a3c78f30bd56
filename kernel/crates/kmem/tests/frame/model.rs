//! What the allocator should answer, computed from plain sets, and random things to ask it.

use std::collections::BTreeSet;

use kaddr::{PAGE_SIZE, PhysRange};
use kmem::frame::FreeError;
use proptest::prelude::{Strategy, any, prop, prop_oneof};

use super::{GIB, MIB, frame, range};

/// Places where something begins or ends: the ends of words, zones of 16 MiB and blocks.
pub fn place() -> impl Strategy<Value = u64> {
    let anchor = prop::sample::select(vec![
        0,
        MIB,
        16 * MIB,
        32 * MIB,
        100 * MIB,
        GIB - 2 * MIB,
        GIB,
        GIB + 16 * MIB,
        2 * GIB,
        3 * GIB + 5 * MIB,
        4 * GIB,
        70 * GIB,
    ]);
    let offset = prop_oneof![(0_u64..600).prop_map(|n| n * PAGE_SIZE), 0_u64..3 * MIB];
    (anchor, offset).prop_map(|(anchor, offset)| anchor + offset)
}

pub fn region() -> impl Strategy<Value = PhysRange> {
    let len = prop_oneof![
        4 => (0_u64..100).prop_map(|n| n * PAGE_SIZE),
        2 => 0_u64..5 * PAGE_SIZE,
        2 => 0_u64..6 * MIB,
    ];
    let odd = (place(), len).prop_map(|(start, len)| range(start, start + len));
    let even = (place(), 1_u64..4)
        .prop_map(|(start, groups)| (start & !(2 * MIB - 1), groups * 2 * MIB))
        .prop_map(|(start, len)| range(start, start + len));
    prop_oneof![2 => odd, 1 => even]
}

/// Something asked of the allocator.
#[derive(Clone, Debug)]
pub enum Op {
    Allocate,
    Large,
    Contiguous {
        count: usize,
        align: usize,
        below: Option<u64>,
    },
    Free {
        nth: usize,
    },
    FreeAgain {
        nth: usize,
    },
    FreeAny {
        number: u64,
    },
    FreeRange(PhysRange),
    Reserve(PhysRange),
    Add(PhysRange),
}

pub fn op() -> impl Strategy<Value = Op> {
    let below = prop::option::of(prop_oneof![place(), any::<u64>()]);
    prop_oneof![
        6 => any::<()>().prop_map(|()| Op::Allocate),
        2 => any::<()>().prop_map(|()| Op::Large),
        3 => (0_usize..1200, 0_u32..11, below)
            .prop_map(|(count, align, below)| Op::Contiguous { count, align: 1 << align, below }),
        6 => any::<usize>().prop_map(|nth| Op::Free { nth }),
        1 => any::<usize>().prop_map(|nth| Op::FreeAgain { nth }),
        2 => place().prop_map(|at| Op::FreeAny { number: at / PAGE_SIZE }),
        2 => region().prop_map(Op::FreeRange),
        1 => region().prop_map(Op::Reserve),
        1 => region().prop_map(Op::Add),
    ]
}

/// Which frames are free, and which are managed.
#[derive(Default)]
pub struct Model {
    pub blocks: BTreeSet<u64>,
    pub managed: BTreeSet<u64>,
    pub free: BTreeSet<u64>,
}

impl Model {
    /// The highest start of a free run, by looking at each run of free frames.
    pub fn run(&self, count: u64, align: u64, limit: u64) -> Option<u64> {
        let mut best = None;
        let mut iter = self
            .free
            .iter()
            .copied()
            .filter(|&frame| frame < limit)
            .peekable();
        while let Some(first) = iter.next() {
            let mut end = first + 1;
            while iter.next_if_eq(&end).is_some() {
                end += 1;
            }
            if let Some(start) = end.checked_sub(count).map(|start| start / align * align)
                && start >= first
            {
                best = Some(start);
            }
        }
        best
    }

    /// What freeing these frames should answer.
    pub fn free(&mut self, frames: Vec<u64>) -> Result<(), FreeError> {
        for &number in &frames {
            if !self.managed.contains(&number) {
                return Err(FreeError::Foreign(frame(number)));
            }
            if self.free.contains(&number) {
                return Err(FreeError::DoubleFree(frame(number)));
            }
        }
        self.free.extend(frames);
        Ok(())
    }

    pub fn taken(&self, nth: usize) -> Option<u64> {
        let taken: Vec<u64> = self.managed.difference(&self.free).copied().collect();
        taken.get(nth.checked_rem(taken.len())?).copied()
    }
}
