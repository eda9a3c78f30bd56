//! The rules of areas, each with a test of its name.

use kaddr::{Frame, PageSize, PhysAddr, PhysRange};
use kmem::vma::{Access, Area, AreaError, Change, Location, OwnedFrame, ProvideError};

use crate::world::World;

fn touch(area: &mut Area<World>, page: u64, world: &World) -> Frame {
    let provided = area.provide(page, Access::Write, PageSize::Small, &mut world.clone());
    provided.expect("memory").frame
}

#[test]
fn dropping_an_area_returns_every_page() {
    let world = World::new(1000);
    let mut area = Area::<World>::open(1 << 40).expect("in range");
    for page in (0..300).map(|index| index * index * 1_000_003) {
        touch(&mut area, page, &world);
    }
    assert_eq!(world.used(), 300);
    drop(area);
    assert_eq!(world.used(), 0);
}

#[test]
fn a_page_is_zeroed_once() {
    let world = World::new(10);
    let mut area = Area::<World>::open(3).expect("in range");
    for _ in 0..5 {
        world.write(touch(&mut area, 1, &world), 77);
    }
    assert_eq!((world.0.borrow().zeroed, world.used()), (1, 1));
    // Only a page that was taken away in between is zeroed again.
    area.decommit(1, 1, &mut world.clone()).expect("open");
    assert_eq!(world.read(touch(&mut area, 1, &world)), 0);
    assert_eq!(world.0.borrow().zeroed, 2);
}

#[test]
fn guarded_areas_free_their_pages() {
    let world = World::new(100);
    let mut area = Area::<World>::guarded(3, 4).expect("in range");
    assert_eq!(area.pages(), 15);
    area.commit(0, 15, &mut world.clone()).expect("memory");
    assert_eq!((area.committed(), world.used()), (12, 12));
    for page in 0..15 {
        let result = area.provide(page, Access::Read, PageSize::Small, &mut world.clone());
        assert_eq!(
            result.err(),
            (page % 5 == 0).then_some(ProvideError::Guard),
            "page {page}"
        );
    }
    drop(area);
    assert_eq!(world.used(), 0);
}

#[test]
fn fixed_areas_never_free_device_memory() {
    let world = World::new(10);
    let range = PhysRange::new(PhysAddr::new(0xfe00_0000), PhysAddr::new(0xfe00_4000));
    let mut area = Area::<World>::fixed(range).expect("in range");
    let provided = area
        .provide(3, Access::Write, PageSize::Small, &mut world.clone())
        .expect("there");
    assert_eq!(provided.frame.start(), PhysAddr::new(0xfe00_3000));
    assert_eq!(area.locate(4), Location::Beyond);
    let supply = &mut world.clone();
    assert_eq!(area.decommit(0, 1, supply), Err(AreaError::NotSupported));
    assert_eq!(area.resize(1, supply), Err(AreaError::NotSupported));
    assert!(area.snapshot(supply).is_err());
    assert_eq!((area.committed(), world.used()), (0, 0));
}

#[test]
fn fixed_areas_free_the_frames_that_they_own() {
    let world = World::new(10);
    let frames: Vec<_> = (0..4).map(|_| world.small()).collect();
    let first = frames[0].frame();
    let mut area = Area::fixed_owned(frames.into_iter(), &mut world.clone()).expect("in a row");
    assert_eq!(
        touch(&mut area, 3, &world),
        first.checked_add(3).expect("small")
    );
    drop(area);
    assert_eq!(world.used(), 0);
    let mut frames: Vec<_> = (0..3).map(|_| world.small()).collect();
    frames.remove(1);
    let holes = Area::fixed_owned(frames.into_iter(), &mut world.clone());
    assert_eq!(holes.err(), Some(AreaError::OutOfRange));
    assert_eq!(world.used(), 0);
}

/// In the earlier system the first page of the second half had a frame of its own.
#[test]
fn ring_aliases_from_the_first_byte_of_the_second_half() {
    let world = World::new(10);
    for pages in [1, 2, 5] {
        let mut area = Area::<World>::ring(pages).expect("in range");
        assert_eq!(area.pages(), 2 * pages);
        for page in 0..pages {
            assert_eq!(
                touch(&mut area, page, &world),
                touch(&mut area, page + pages, &world)
            );
            assert_eq!(area.kind().alias(page), Some(page + pages));
            assert_eq!(area.kind().alias(page + pages), Some(page));
        }
        assert_eq!(area.committed(), pages);
        assert_eq!(area.locate(2 * pages), Location::Beyond);
        assert_eq!(
            area.resize(9, &mut world.clone()),
            Err(AreaError::NotSupported)
        );
    }
    assert_eq!(world.used(), 0);
}

#[test]
fn shrinking_frees_pages() {
    let world = World::new(2000);
    let mut area = Area::<World>::open(1024).expect("in range");
    let supply = &mut world.clone();
    let large = area
        .provide(600, Access::Write, PageSize::Large, supply)
        .expect("memory");
    assert_eq!((large.size, world.used()), (PageSize::Large, 512));
    touch(&mut area, 5, &world);
    // Through the middle of the large page.
    area.resize(700, supply).expect("open");
    assert_eq!(
        (area.committed(), area.committed_large(), world.used()),
        (189, 0, 189)
    );
    assert_eq!(
        area.provide(700, Access::Read, PageSize::Small, supply)
            .err(),
        Some(ProvideError::Beyond)
    );
    area.resize(5, supply).expect("open");
    assert_eq!(world.used(), 0);
    assert_eq!(area.resize(0, supply), Err(AreaError::OutOfRange));
    assert_eq!(area.resize(u64::MAX, supply), Err(AreaError::OutOfRange));
}

#[test]
fn snapshots_share_until_one_side_writes() {
    let world = World::new(100);
    let supply = &mut world.clone();
    let mut first = Area::<World>::open(4).expect("in range");
    world.write(touch(&mut first, 0, &world), 11);
    world.write(touch(&mut first, 1, &world), 12);
    let mut second = first.snapshot(supply).expect("memory");
    assert_eq!((world.used(), first.shared(), second.shared()), (2, 2, 2));
    let seen = second
        .provide(0, Access::Read, PageSize::Small, supply)
        .expect("there");
    assert!(!seen.is_writable && world.read(seen.frame) == 11);
    let own = second
        .provide(0, Access::Write, PageSize::Small, supply)
        .expect("memory");
    assert!(own.is_writable && own.frame != seen.frame && world.read(own.frame) == 11);
    assert!(matches!(own.change, Change::Copied(_)));
    // The last one to have a page takes it back, and nothing is copied.
    drop(own);
    let back = first
        .provide(0, Access::Write, PageSize::Small, supply)
        .expect("there");
    assert!(back.frame == seen.frame && back.is_writable && matches!(back.change, Change::None));
    drop(second);
    let back = first
        .provide(1, Access::Read, PageSize::Small, supply)
        .expect("there");
    assert!(back.is_writable);
    drop(first);
    assert_eq!(world.used(), 0);
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    for pages in [0, u64::MAX, 1 << 60, kmem::vma::PAGES_MAX + 1] {
        assert!(Area::<World>::open(pages).is_err());
        assert!(Area::<World>::ring(pages).is_err());
        assert!(Area::<World>::guarded(pages, 1).is_err());
        assert!(Area::<World>::guarded(1, pages).is_err());
    }
    assert!(Area::<World>::guarded(1 << 39, 1 << 39).is_err());
    let world = World::new(4);
    let mut area = Area::<World>::open(4).expect("in range");
    for (start, pages) in [
        (0, 0),
        (0, 5),
        (4, 1),
        (u64::MAX, 1),
        (1, u64::MAX),
        (u64::MAX, u64::MAX),
    ] {
        assert_eq!(
            area.commit(start, pages, &mut world.clone()),
            Err(AreaError::OutOfRange)
        );
        assert_eq!(
            area.decommit(start, pages, &mut world.clone()),
            Err(AreaError::OutOfRange)
        );
    }
}
