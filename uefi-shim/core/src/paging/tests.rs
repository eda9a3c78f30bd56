use std::collections::BTreeMap;

use super::{
    Access, PageSize, PageTables, Table, WantedMode, choose_levels, direct_map_base,
    direct_map_room, higher_half,
};
use crate::config::PagingLevels;
use crate::direct_map::Caching;
use crate::error::Error;
use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

const BASE: u64 = 0x7000_0000;

fn levels() -> impl Strategy<Value = PagingLevels> {
    prop_oneof![Just(PagingLevels::Four), Just(PagingLevels::Five)]
}

fn sizes() -> impl Strategy<Value = PageSize> {
    prop_oneof![
        Just(PageSize::Small),
        Just(PageSize::Large),
        Just(PageSize::Huge)
    ]
}

/// What the processor would find: address and access.
fn walk(pool: &[Table], levels: PagingLevels, virt: u64) -> Option<(u64, Access)> {
    let mut table = 0;
    let mut level: u32 = match levels {
        PagingLevels::Four => 3,
        PagingLevels::Five => 4,
    };
    loop {
        let shift = 12 + 9 * level;
        let entry = pool[table][usize::try_from(virt >> shift & 511).unwrap()];
        if entry & 1 == 0 {
            return None;
        }
        if level == 0 || entry & 0x80 != 0 {
            let inside = (1 << shift) - 1;
            let pat = if level == 0 {
                entry >> 7 & 1
            } else {
                entry >> 12 & 1
            };
            let index = pat << 2 | entry >> 3 & 3;
            assert!(index == 0 || index == 5);
            let frame = entry & 0x000f_ffff_ffff_f000 & !inside;
            let caching = if index == 5 {
                Caching::WriteCombining
            } else {
                Caching::WriteBack
            };
            return Some((
                frame | (virt & inside),
                Access {
                    write: entry & 2 != 0,
                    execute: entry >> 63 == 0,
                    caching,
                },
            ));
        }
        table = usize::try_from(((entry & 0x000f_ffff_ffff_f000) - BASE) >> 12).unwrap();
        level -= 1;
    }
}

proptest! {
    #[test]
    fn tables_translate_what_was_mapped_and_nothing_else(
        levels in levels(),
        largest in sizes(),
        ranges in prop::collection::vec((0_u64..600, 1_u64..1200, 0_u64..4096, any::<(bool, bool, bool)>()), 1..6),
    ) {
        let mut pool = vec![[u64::MAX; 512]; 64];
        let mut expected = BTreeMap::new();
        let mut holes = Vec::new();
        {
            let mut tables = PageTables::new(&mut pool, BASE, levels, largest).unwrap();
            let mut virt = higher_half(levels) + (1 << 30) - (512 << 12);
            for (gap, pages, phys, (write, execute, combine)) in ranges {
                for page in 0..gap {
                    holes.push(virt + (page << 12));
                }
                virt += gap << 12;
                // Sometimes congruent, so that large pages fit.
                let phys = if phys % 2 == 0 { virt & 0x3fff_ffff } else { phys << 12 };
                let caching = if combine { Caching::WriteCombining } else { Caching::WriteBack };
                let access = Access { write, execute, caching };
                tables.map(virt, phys, pages << 12, access).unwrap();
                for page in 0..pages {
                    expected.insert(virt + (page << 12), (phys + (page << 12), access));
                }
                virt += pages << 12;
            }
        }
        for (virt, mapping) in expected {
            prop_assert_eq!(walk(&pool, levels, virt + 0xabc), Some((mapping.0 + 0xabc, mapping.1)));
        }
        for hole in holes {
            prop_assert_eq!(walk(&pool, levels, hole), None);
        }
    }

    #[test]
    fn a_short_pool_is_an_error_and_not_a_panic(size in 0_usize..5, length in 1_u64..1 << 30) {
        let mut pool = vec![[0; 512]; size];
        match PageTables::new(&mut pool, BASE, PagingLevels::Four, PageSize::Small) {
            Ok(mut tables) => {
                let result = tables.map(0xffff_ffff_8000_0000, 0, length & !0xfff, Access::all(Caching::WriteBack));
                prop_assert_eq!(result.is_err(), matches!(result, Err(Error::PageTablesExhausted { .. })));
                prop_assert!(tables.used() <= size);
            }
            Err(error) => prop_assert_eq!(error, Error::PageTablesExhausted { tables: 0 }),
        }
    }

    #[test]
    fn large_memory_takes_few_tables(gib in 1_u64..512) {
        let mut pool = vec![[0; 512]; 4];
        let mut tables = PageTables::new(&mut pool, BASE, PagingLevels::Four, PageSize::Huge).unwrap();
        tables.map(higher_half(PagingLevels::Four), 0, gib << 30, Access::all(Caching::WriteBack)).unwrap();
        prop_assert_eq!(tables.used(), 2);
    }

    #[test]
    fn the_direct_map_never_meets_the_kernel(levels in levels(), random: u64) {
        let base = direct_map_base(levels, Some(random));
        prop_assert_eq!(base % (1 << 30), 0);
        prop_assert!(base >= higher_half(levels));
        prop_assert!(base.checked_add(direct_map_room(levels)).is_some_and(|end| end < 0xffff_ffff_8000_0000));
    }

    #[test]
    fn a_chosen_mode_suits_everybody(
        mode in 0_u64..3, max in 0_u64..3, min in 0_u64..3,
        most in levels(), user_max in prop::option::of(levels()), user_min in prop::option::of(levels()),
        top in prop_oneof![Just(1_u64 << 32), Just(1_u64 << 50), Just(1_u64 << 60)],
    ) {
        let number = |levels| match levels { PagingLevels::Four => 0, PagingLevels::Five => 1 };
        let suits = |levels: PagingLevels| {
            levels <= most && user_max.is_none_or(|max| levels <= max) && user_min.is_none_or(|min| levels >= min)
                && number(levels) <= max.min(1) && number(levels) >= min.min(1) && top <= direct_map_room(levels)
        };
        let candidates: Vec<PagingLevels> =
            [PagingLevels::Four, PagingLevels::Five].into_iter().filter(|levels| suits(*levels)).collect();
        match choose_levels(WantedMode { mode, max, min }, most, user_max, user_min, top) {
            Ok(chosen) => {
                prop_assert!(suits(chosen));
                let wish = if mode == 0 { PagingLevels::Four } else { PagingLevels::Five };
                prop_assert!(chosen == wish || !suits(wish));
            }
            // Numbers above 1 mean "more than 5 levels", so max 1 and min 2 contradict each other.
            Err(_) => prop_assert!(candidates.is_empty() || max < min),
        }
    }
}
