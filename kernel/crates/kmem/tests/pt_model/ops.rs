//! Random edits and accesses, at the places where tables meet.

use kaddr::{HUGE, LARGE, PAGE_SIZE, PageSize};
use kmem::pt::{CacheMode, Flags, Protection};
use ktestkit::{Access, Mode};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};

/// Something done to the page table, or by a processor.
#[derive(Clone, Debug)]
pub enum Op {
    Map {
        at: u64,
        phys: u64,
        len: u64,
        protection: Protection,
        largest: PageSize,
    },
    Unmap {
        at: u64,
    },
    UnmapNth {
        nth: usize,
    },
    UnmapRange {
        at: u64,
        len: u64,
    },
    Protect {
        at: u64,
        len: u64,
        protection: Protection,
    },
    /// A few pages of a mapped page, which may be large, unmapped or protected anew.
    CutNth {
        nth: usize,
        page: u64,
        pages: u64,
        protection: Option<Protection>,
    },
    Touch {
        cpu: usize,
        at: u64,
        access: Access,
        mode: Mode,
    },
    TouchNth {
        cpu: usize,
        nth: usize,
        access: Access,
        mode: Mode,
    },
    Frames {
        left: usize,
    },
}

/// The top of the lower half, both ends of the upper half, and a place where tables meet.
fn place() -> impl Strategy<Value = u64> {
    let anchor = prop::sample::select(vec![
        0,
        HUGE - 2 * LARGE,
        512 * HUGE - LARGE,
        0x0000_7fff_c000_0000,
        0xffff_8000_0000_0000,
        0xffff_ffff_8000_0000,
        0xffff_ffff_ffc0_0000,
    ]);
    let offset = prop_oneof![
        3 => (0_u64..6).prop_map(|n| n * PAGE_SIZE),
        3 => (508_u64..516).prop_map(|n| n * PAGE_SIZE),
        2 => (0_u64..4).prop_map(|n| n * LARGE),
        1 => Just(HUGE - LARGE),
    ];
    (anchor, offset).prop_map(|(anchor, offset)| {
        let pages = ((u64::MAX - anchor) / PAGE_SIZE) + 1;
        anchor + offset / PAGE_SIZE % pages * PAGE_SIZE
    })
}

fn len() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (1_u64..6).prop_map(|n| n * PAGE_SIZE),
        2 => (500_u64..520).prop_map(|n| n * PAGE_SIZE),
        3 => (1_u64..5).prop_map(|n| n * LARGE),
        1 => Just(HUGE),
        1 => Just(HUGE + LARGE + PAGE_SIZE),
    ]
}

fn phys() -> impl Strategy<Value = u64> {
    let offset = prop_oneof![
        2 => Just(0),
        1 => (508_u64..516).prop_map(|n| n * PAGE_SIZE),
        1 => (0_u64..600).prop_map(|n| n * LARGE),
    ];
    (0_u64..6, offset).prop_map(|(base, offset)| base * HUGE + offset)
}

fn protection() -> impl Strategy<Value = Protection> {
    let cache = prop_oneof![
        4 => Just(CacheMode::WriteBack),
        1 => Just(CacheMode::WriteCombining),
        1 => Just(CacheMode::Uncached),
    ];
    (0_u8..16, cache).prop_map(|(bits, cache)| Protection {
        flags: Flags::from_bits_truncate(bits),
        cache,
    })
}

fn access() -> impl Strategy<Value = (Access, Mode)> {
    let access = prop::sample::select(vec![Access::Read, Access::Write, Access::Execute]);
    (access, prop::sample::select(vec![Mode::Kernel, Mode::User]))
}

pub fn op() -> impl Strategy<Value = Op> {
    let size = prop::sample::select(vec![PageSize::Small, PageSize::Large, PageSize::Huge]);
    let cpu = 0_usize..3;
    prop_oneof![
        6 => (place(), phys(), len(), protection(), size).prop_map(
            |(at, phys, len, protection, largest)| {
                // Keep the model small: a long range gets no long run of small pages.
                let (phys, largest) = match largest {
                    _ if len < HUGE => (phys, largest),
                    PageSize::Huge => (phys / HUGE * HUGE + at % HUGE, largest),
                    _ => (phys / LARGE * LARGE + at % LARGE, PageSize::Large),
                };
                Op::Map { at, phys, len, protection, largest }
            }
        ),
        1 => place().prop_map(|at| Op::Unmap { at }),
        3 => any::<usize>().prop_map(|nth| Op::UnmapNth { nth }),
        4 => (any::<usize>(), any::<u64>(), 1_u64..600, prop::option::of(protection()))
            .prop_map(|(nth, page, pages, protection)| Op::CutNth { nth, page, pages, protection }),
        3 => (place(), len()).prop_map(|(at, len)| Op::UnmapRange { at, len }),
        3 => (place(), len(), protection())
            .prop_map(|(at, len, protection)| Op::Protect { at, len, protection }),
        2 => (cpu.clone(), place(), access())
            .prop_map(|(cpu, at, (access, mode))| Op::Touch { cpu, at, access, mode }),
        8 => (cpu, any::<usize>(), access())
            .prop_map(|(cpu, nth, (access, mode))| Op::TouchNth { cpu, nth, access, mode }),
        1 => prop_oneof![Just(usize::MAX), 0_usize..5].prop_map(|left| Op::Frames { left }),
    ]
}
