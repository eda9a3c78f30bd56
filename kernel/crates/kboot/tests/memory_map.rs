//! Memory maps against a model that colours each page by itself.

use kboot::memory_map::{Completeness, Region, RegionKind, sanitise};
use proptest::prelude::*;

const KINDS: [RegionKind; 9] = [
    RegionKind::Usable,
    RegionKind::BootloaderReclaimable,
    RegionKind::ExecutableAndModules,
    RegionKind::AcpiReclaimable,
    RegionKind::Framebuffer,
    RegionKind::Mmio,
    RegionKind::AcpiNvs,
    RegionKind::Reserved,
    RegionKind::Bad,
];

fn run(entries: &[Region], places: usize) -> (Vec<Region>, Completeness, usize) {
    let mut out = vec![Region::EMPTY; places];
    let done = sanitise(entries.iter().cloned(), &mut out);
    out.truncate(done.count);
    (out, done.completeness, done.nonsense)
}

fn check_order(map: &[Region]) {
    for region in map {
        assert!(region.range.start < region.range.end);
        assert_eq!((region.range.start % 4096, region.range.end % 4096), (0, 0));
    }
    for pair in map.windows(2) {
        assert!(pair[0].range.end <= pair[1].range.start, "{pair:x?}");
        let touch = pair[0].range.end == pair[1].range.start;
        assert!(
            !(touch && pair[0].kind == pair[1].kind),
            "not merged: {pair:x?}"
        );
    }
}

/// The kind of one page: the most dangerous of those that touch it; usable only when it covers all.
fn model(entries: &[Region], page: u64) -> Option<RegionKind> {
    let (start, end) = (page * 4096, (page + 1) * 4096);
    let touches = |entry: &&Region| match entry.kind {
        RegionKind::Usable => entry.range.start <= start && end <= entry.range.end,
        _ => entry.range.start < end && start < entry.range.end && !entry.range.is_empty(),
    };
    entries.iter().filter(touches).map(|entry| entry.kind).max()
}

fn region(limit: u64) -> impl Strategy<Value = Region> {
    (0..limit, 0..limit / 4, 0usize..9, any::<bool>()).prop_map(|(start, size, kind, exact)| {
        let mask = if exact { !4095 } else { !0 };
        Region {
            range: (start & mask)..(start + size) & mask,
            kind: KINDS[kind],
        }
    })
}

proptest! {
    #[test]
    fn every_page_has_the_kind_that_the_model_says(
        entries in proptest::collection::vec(region(0x4_0000), 0..24),
    ) {
        let (map, completeness, nonsense) = run(&entries, entries.len() * 2 + 1);
        prop_assert_eq!(completeness, Completeness::Complete);
        prop_assert_eq!(nonsense, entries.iter().filter(|entry| entry.range.is_empty()).count());
        check_order(&map);
        for page in 0..0x60 {
            let found = map.iter().find(|region| region.range.contains(&(page * 4096)));
            prop_assert_eq!(found.map(|region| region.kind), model(&entries, page), "page {:#x}", page);
        }
    }

    #[test]
    fn nonsense_never_panics_and_a_small_buffer_never_makes_memory_more_usable(
        entries in proptest::collection::vec(
            (any::<u64>(), any::<u64>(), 0usize..9)
                .prop_map(|(start, end, kind)| Region { range: start..end, kind: KINDS[kind] }),
            0..40,
        ),
        places in 0usize..20,
    ) {
        let (full, _, _) = run(&entries, 81);
        check_order(&full);
        let (map, completeness, _) = run(&entries, places);
        check_order(&map);
        prop_assert_eq!(completeness == Completeness::Complete, full.len() == map.len() && full == map);
        for region in map {
            for address in [region.range.start, region.range.end - 4096] {
                let known = full.iter().find(|known| known.range.contains(&address)).unwrap();
                prop_assert_eq!(known.kind, region.kind);
            }
        }
    }
}

#[test]
fn thousands_of_entries() {
    let entries: Vec<_> = (0..3000u64)
        .map(|n| Region {
            range: n * 0x2000..n * 0x2000 + 0x1000,
            kind: if n % 3 == 0 {
                RegionKind::Reserved
            } else {
                RegionKind::Usable
            },
        })
        .chain([Region {
            range: 0..u64::MAX,
            kind: RegionKind::BootloaderReclaimable,
        }])
        .collect();
    let (map, completeness, _) = run(&entries, 6003);
    assert_eq!(completeness, Completeness::Complete);
    check_order(&map);
    // Reclaimable memory covers the usable regions, which leaves it cut by the reserved ones only.
    assert_eq!(map.len(), 2000);
    assert!(map.iter().all(|region| region.kind != RegionKind::Usable));
    let (map, completeness, _) = run(&entries, 500);
    assert_eq!((map.len(), completeness), (500, Completeness::Truncated));
    assert!(map.iter().all(|region| region.kind == RegionKind::Reserved));
}

#[test]
fn usable_memory_shrinks_and_everything_else_grows() {
    let entries = [
        Region {
            range: 0x1001..0x3fff,
            kind: RegionKind::Usable,
        },
        Region {
            range: 0x5001..0x5002,
            kind: RegionKind::Reserved,
        },
        Region {
            range: 0x6001..0x6fff,
            kind: RegionKind::Usable,
        },
    ];
    let (map, _, _) = run(&entries, 7);
    assert_eq!(
        map,
        [
            Region {
                range: 0x2000..0x3000,
                kind: RegionKind::Usable
            },
            Region {
                range: 0x5000..0x6000,
                kind: RegionKind::Reserved
            },
        ]
    );
}

/// Limine 8 puts modules from a disc, when it has checked their hash, into memory that it says is its own.
#[test]
fn a_module_in_the_loaders_memory_is_kept() {
    let region = |range, kind| Region { range, kind };
    let entries = [
        region(0x10_0000..0x20_0000, RegionKind::BootloaderReclaimable),
        region(0x14_3000..0x15_0800, RegionKind::ExecutableAndModules),
    ];
    let (map, ..) = run(&entries, 8);
    assert_eq!(
        map,
        [
            region(0x10_0000..0x14_3000, RegionKind::BootloaderReclaimable),
            region(0x14_3000..0x15_1000, RegionKind::ExecutableAndModules),
            region(0x15_1000..0x20_0000, RegionKind::BootloaderReclaimable),
        ]
    );
}
