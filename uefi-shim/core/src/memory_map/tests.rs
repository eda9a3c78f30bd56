use super::{Kind, Region, Workspace, efi_regions};
use crate::error::Error;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

/// Pages of the little memory that the model has.
const PAGES: u64 = 64;

fn regions(unaligned: bool) -> impl Strategy<Value = Vec<Region>> {
    let shift = if unaligned { 9 } else { 12 };
    let region =
        (0..PAGES << (12 - shift), 0..12_u64, 0..8_u64).prop_map(move |(base, length, kind)| {
            Region {
                base: base << shift,
                length: length << shift,
                kind: Kind(kind),
            }
        });
    prop::collection::vec(region, 0..24)
}

/// The model: what each page is, by asking every region.
fn expected(page: u64, firmware: &[Region], claims: &[Region]) -> Option<Kind> {
    let (start, end) = (page << 12, (page + 1) << 12);
    let covers = |region: &&Region| {
        if region.kind == Kind::USABLE {
            region.base <= start && region.end() >= end
        } else {
            region.length > 0 && region.base < end && region.end() > start
        }
    };
    let strongest = |list: &[Region]| {
        list.iter()
            .filter(covers)
            .map(|region| region.kind)
            .max_by_key(|kind| kind.precedence())
    };
    let kind = strongest(claims).or_else(|| strongest(firmware))?;
    (page != 0 || kind != Kind::USABLE).then_some(kind)
}

proptest! {
    #[test]
    fn the_map_is_sane_and_says_of_each_page_what_the_model_says(
        firmware in regions(true),
        claims in regions(false),
    ) {
        let mut workspace = Workspace::new(64);
        let map = workspace.build(firmware.iter().copied(), &claims).unwrap();
        for region in map {
            prop_assert!(region.length > 0 && region.base % 4096 == 0 && region.length % 4096 == 0);
        }
        for pair in map.windows(2) {
            prop_assert!(pair[0].end() <= pair[1].base);
            prop_assert!(pair[0].end() < pair[1].base || pair[0].kind != pair[1].kind);
        }
        for page in 0..PAGES * 2 {
            let found = map.iter().find(|region| (region.base..region.end()).contains(&(page << 12)));
            prop_assert_eq!(found.map(|region| region.kind), expected(page, &firmware, &claims), "page {}", page);
        }
    }

    #[test]
    fn order_does_not_matter((one, two) in regions(false).prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle()))) {
        let (mut a, mut b) = (Workspace::new(64), Workspace::new(64));
        prop_assert_eq!(a.build(one.into_iter(), &[]).unwrap(), b.build(two.into_iter(), &[]).unwrap());
    }

    #[test]
    fn building_never_grows_what_was_set_aside(list in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..40)) {
        let mut workspace = Workspace::new(40);
        let before = (workspace.sources.capacity(), workspace.bounds.capacity(), workspace.map.capacity());
        let firmware = list.iter().map(|(base, length, kind)| Region { base: *base, length: *length, kind: Kind(kind % 9) });
        let count = workspace.build(firmware, &[]).unwrap().len();
        prop_assert!(count <= workspace.max_entries());
        let after = (workspace.sources.capacity(), workspace.bounds.capacity(), workspace.map.capacity());
        prop_assert_eq!(before, after);
    }

    #[test]
    fn any_bytes_are_a_map(bytes in prop::collection::vec(any::<u8>(), 0..500), step in 0_usize..100) {
        for region in efi_regions(&bytes, step) {
            prop_assert!(region.length > 0);
        }
    }
}

#[test]
fn too_many_descriptors_are_an_error() {
    let mut workspace = Workspace::new(2);
    let list = [0, 1, 2].map(|page| Region {
        base: page << 20,
        length: 4096,
        kind: Kind::USABLE,
    });
    assert_eq!(
        workspace.build(list.into_iter(), &[]).err(),
        Some(Error::MemoryMapTooLong { capacity: 2 })
    );
}

#[test]
fn descriptors_may_be_longer_than_we_know() {
    let mut bytes = vec![0; 56 * 2];
    for (index, (kind, base, pages)) in [(7_u32, 0x10_0000_u64, 16_u64), (10, 0x20_0000, 1)]
        .into_iter()
        .enumerate()
    {
        let at = index * 56;
        bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        bytes[at + 8..at + 16].copy_from_slice(&base.to_le_bytes());
        bytes[at + 24..at + 32].copy_from_slice(&pages.to_le_bytes());
    }
    let found: Vec<Region> = efi_regions(&bytes, 56).collect();
    assert_eq!(
        found,
        [
            Region {
                base: 0x10_0000,
                length: 0x1_0000,
                kind: Kind::USABLE
            },
            Region {
                base: 0x20_0000,
                length: 0x1000,
                kind: Kind::ACPI_NVS
            },
        ]
    );
}
