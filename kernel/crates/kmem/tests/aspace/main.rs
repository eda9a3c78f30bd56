//! The mappings of an address space against a model of single pages.

use std::collections::BTreeMap;

use kaddr::{PAGE_SIZE, VirtAddr, VirtRange};
use kmem::aspace::{AddressMap, MAPPINGS_MAX, PageRun, Place, Rights, SpaceError};
use proptest::prelude::*;

const USER_END: u64 = 0x7fff_ffff_f000;
const FIRST: u64 = 1;

fn space(end_page: u64, random: u64) -> AddressMap<u32> {
    let end = end_page * PAGE_SIZE;
    AddressMap::new(
        VirtRange::new(VirtAddr::new(FIRST * PAGE_SIZE), VirtAddr::new(end)),
        random,
    )
}

/// What a page shows: area, page of the area, rights, limit.
type Shown = (u32, u64, Rights, Rights);
type Model = BTreeMap<u64, Shown>;

#[derive(Clone, Debug)]
enum Step {
    Map {
        place: Option<u64>,
        random: u64,
        align: u32,
        pages: u64,
        area: u32,
        offset: u64,
        rights: u8,
        limit: u8,
    },
    Unmap(u64, u64),
    Protect(u64, u64, u8),
}

fn step(end: u64) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::option::of(0..end + 2), any::<u64>(), 0u32..4, 0u64..12, 0u32..3, 0u64..50, 0u8..8, 0u8..8).prop_map(
            |(place, random, align, pages, area, offset, rights, limit)| Step::Map { place, random, align, pages, area, offset, rights, limit }
        ),
        3 => (0..end, 0u64..30).prop_map(|(page, pages)| Step::Unmap(page, pages)),
        3 => (0..end, 0u64..20, 0u8..8).prop_map(|(page, pages, rights)| Step::Protect(page, pages, rights)),
    ]
}

/// What the kernel does for an unmap: split at both ends, remove what lies between.
fn unmap(map: &mut AddressMap<u32>, run: PageRun) -> Result<u64, SpaceError> {
    map.split_at(run.start)?;
    map.split_at(run.end)?;
    let mut pages = 0;
    let count = map.overlapping(run).count();
    let mut removed = 0;
    while let Some(start) = map.first_in(run).map(|mapping| mapping.start) {
        pages += map.remove(start).expect("found just now").pages;
        removed += 1;
    }
    assert_eq!(removed, count, "mappings in the range");
    Ok(pages)
}

/// What the kernel does for a change of rights.
fn protect(map: &mut AddressMap<u32>, run: PageRun, rights: Rights) -> Result<(), SpaceError> {
    map.check_protect(run, rights)?;
    map.split_at(run.start)?;
    map.split_at(run.end)?;
    let mut next = run.start;
    while next < run.end {
        map.set_rights(next, rights)?;
        next = map.find(next).expect("checked").end();
    }
    Ok(())
}

fn agree(map: &AddressMap<u32>, model: &Model, end: u64) -> Result<(), TestCaseError> {
    for page in 0..end + 2 {
        let found = map
            .find(page)
            .map(|m| (m.area, m.area_page(page), m.rights, m.limit));
        prop_assert_eq!(found, model.get(&page).copied(), "page {}", page);
    }
    prop_assert_eq!(map.pages(), model.len() as u64);
    let mut last = 0;
    for mapping in map.iter() {
        prop_assert!(mapping.start >= last && mapping.pages > 0);
        prop_assert!(!mapping.rights.contains(Rights::WRITE | Rights::EXECUTE));
        prop_assert!(mapping.limit.contains(mapping.rights));
        last = mapping.end();
    }
    Ok(())
}

proptest! {
    #[test]
    fn agrees_with_a_map_of_single_pages(
        end in 20u64..120,
        random in any::<u64>(),
        steps in (20u64..120).prop_flat_map(|end| prop::collection::vec(step(end), 0..60)),
    ) {
        let mut map = space(end, random);
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Map { place, random, align, pages, area, offset, rights, limit } => {
                    let (rights, limit) = (Rights::from_bits_truncate(rights), Rights::from_bits_truncate(limit));
                    let align = 1 << align;
                    let wanted = place.map_or(Place::Chosen { random, align }, Place::Fixed);
                    let result = map.map(wanted, pages, area, offset, rights, limit);
                    let is_free = |start: u64, end: u64| model.range(start..end).next().is_none();
                    let is_bad = rights.contains(Rights::WRITE | Rights::EXECUTE) || !limit.contains(rights) || pages == 0;
                    match (result, place) {
                        (Ok(start), place) => {
                            prop_assert!(!is_bad);
                            prop_assert!(start >= FIRST && start + pages <= end);
                            match place {
                                Some(place) => prop_assert!(start == place && is_free(start, start + pages)),
                                // One free page on both sides, too.
                                None => prop_assert!(start.is_multiple_of(align) && is_free(start - 1, start + pages + 1)),
                            }
                            for page in 0..pages {
                                model.insert(start + page, (area, offset + page, rights, limit));
                            }
                        }
                        (Err(SpaceError::Occupied), Some(place)) => {
                            prop_assert!(!is_free(place, place + pages));
                        }
                        (Err(SpaceError::NotUserSpace), Some(place)) => {
                            prop_assert!(place < FIRST || place + pages > end);
                        }
                        (Err(SpaceError::NoRoom), None) => {
                            let fits = (FIRST..end).any(|start| {
                                start.is_multiple_of(align) && start + pages <= end
                                    && is_free(start - 1, start + pages + 1)
                            });
                            prop_assert!(!fits, "there is a gap for {} pages", pages);
                        }
                        (Err(error), _) => prop_assert!(is_bad, "{}", error),
                    }
                }
                Step::Unmap(page, pages) => {
                    match map.run(page * PAGE_SIZE, pages * PAGE_SIZE) {
                        Ok(run) => {
                            let before = model.len();
                            model.retain(|page, _| *page < run.start || *page >= run.end);
                            prop_assert_eq!(unmap(&mut map, run).expect("memory"), (before - model.len()) as u64);
                        }
                        Err(_) => prop_assert!(pages == 0 || page < FIRST || page + pages > end),
                    }
                }
                Step::Protect(page, pages, rights) => {
                    let rights = Rights::from_bits_truncate(rights);
                    if let Ok(run) = map.run(page * PAGE_SIZE, pages * PAGE_SIZE) {
                        let result = protect(&mut map, run, rights);
                        let allowed = (run.start..run.end).all(|page| {
                            model.get(&page).is_some_and(|shown| shown.3.contains(rights))
                        }) && !rights.contains(Rights::WRITE | Rights::EXECUTE);
                        prop_assert_eq!(result.is_ok(), allowed);
                        if allowed {
                            for (_, shown) in model.range_mut(run.start..run.end) {
                                shown.2 = rights;
                            }
                        }
                    }
                }
            }
            agree(&map, &model, end)?;
        }
    }

    /// Numbers of all sizes: an error or a range in user space, never anything else.
    #[test]
    fn hostile_numbers_are_errors(
        address in prop_oneof![any::<u64>(), (0u64..64).prop_map(|bit| 1 << bit), Just(USER_END), Just(USER_END - PAGE_SIZE)],
        len in prop_oneof![any::<u64>(), (0u64..64).prop_map(|bit| 1 << bit), Just(u64::MAX), Just(0)],
        offset in any::<u64>(),
    ) {
        let mut map = space(USER_END / PAGE_SIZE, 3);
        match map.run(address, len) {
            Ok(run) => {
                prop_assert!(run.start * PAGE_SIZE == address && run.pages() * PAGE_SIZE == len);
                prop_assert!(address >= PAGE_SIZE && run.end * PAGE_SIZE <= USER_END && run.pages() > 0);
            }
            Err(_) => prop_assert!(
                len == 0 || !(address | len).is_multiple_of(PAGE_SIZE) || address < PAGE_SIZE
                    || address.checked_add(len).is_none_or(|end| end > USER_END)
            ),
        }
        let rights = Rights::READ;
        for place in [Place::Fixed(address), Place::Chosen { random: offset, align: len }] {
            if let Ok(start) = map.map(place, len, 0, offset, rights, rights) {
                prop_assert!(start >= 1 && start + len <= USER_END / PAGE_SIZE && offset.checked_add(len).is_some());
            }
        }
    }

    /// Different numbers give different places, all over the space.
    /// It would need page tables of its own again and again.
    #[test]
    fn a_mapping_that_comes_and_goes_stays_near(seed in any::<u64>(), randoms in prop::collection::vec(any::<u64>(), 2..200)) {
        let mut map = space(USER_END / PAGE_SIZE, seed);
        let mut choose = |random: u64| {
            let start = map
                .map(Place::Chosen { random, align: 1 }, 3, 0, 0, Rights::READ, Rights::READ)
                .expect("room");
            map.remove(start).expect("it is there");
            start
        };
        let starts: Vec<u64> = randoms.into_iter().map(&mut choose).collect();
        let (low, high) = (starts.iter().min(), starts.iter().max());
        prop_assert!(high.unwrap() - low.unwrap() < 16);
    }

    #[test]
    fn chosen_places_differ_between_spaces(seeds in prop::collection::hash_set(any::<u64>(), 32)) {
        let places: std::collections::HashSet<u64> = seeds
            .iter()
            .map(|seed| {
                let mut map = space(USER_END / PAGE_SIZE, *seed);
                map.map(Place::Chosen { random: *seed, align: 1 }, 1, 0, 0, Rights::READ, Rights::READ).expect("room")
            })
            .collect();
        prop_assert!(places.len() >= 31);
        let (low, high) = (places.iter().min().expect("some"), places.iter().max().expect("some"));
        prop_assert!(high - low > 1 << 30, "all lie in {} pages", high - low);
    }
}

/// The earlier system found only the first of two mappings of one area.
#[test]
fn one_area_is_seen_at_several_places() {
    let mut map = space(100, 0);
    for start in [10, 20, 30] {
        map.map(Place::Fixed(start), 5, 7, 0, Rights::READ, Rights::READ)
            .expect("free");
    }
    for page in [10, 24, 32] {
        assert_eq!(
            map.find(page)
                .map(|mapping| (mapping.area, mapping.area_page(page))),
            Some((7, page % 10))
        );
    }
}

/// The earlier system took any base, also in the kernel's half.
#[test]
fn kernel_addresses_are_refused() {
    let mut map = space(USER_END / PAGE_SIZE, 0);
    for address in [
        0xffff_8000_0000_0000,
        0xffff_ffff_8000_0000,
        USER_END,
        1 << 47,
        0,
        1 << 63,
    ] {
        assert_eq!(
            map.run(address, PAGE_SIZE),
            Err(SpaceError::NotUserSpace),
            "{address:#x}"
        );
        let place = Place::Fixed(address / PAGE_SIZE);
        assert_eq!(
            map.map(place, 1, 0, 0, Rights::READ, Rights::READ),
            Err(SpaceError::NotUserSpace)
        );
    }
}

#[test]
fn there_is_a_limit_to_the_number_of_mappings() {
    let mut map = space(USER_END / PAGE_SIZE, 9);
    for index in 0..MAPPINGS_MAX as u64 - 1 {
        map.map(
            Place::Fixed(1000 + 2 * index),
            1,
            0,
            0,
            Rights::READ,
            Rights::READ,
        )
        .expect("room");
    }
    map.map(Place::Fixed(100), 9, 0, 0, Rights::READ, Rights::READ)
        .expect("room");
    assert_eq!(
        map.map(Place::Fixed(200), 1, 0, 0, Rights::READ, Rights::READ),
        Err(SpaceError::TooMany)
    );
    assert_eq!(map.split_at(104), Err(SpaceError::TooMany));
    assert_eq!(map.split_at(100), Ok(None), "nothing to split");
}
