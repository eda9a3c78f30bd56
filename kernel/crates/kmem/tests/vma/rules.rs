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

/// Provides a page and what follows it; returns how many followed.
fn touch_ahead(area: &mut Area<World>, page: u64, pages: u64, world: &World) -> usize {
    let supply = &mut world.clone();
    let provided = area
        .provide(page, Access::Write, PageSize::Small, supply)
        .expect("memory");
    let more = area.provide_ahead(page + 1, pages, &provided, supply);
    for frame in more.as_slice() {
        assert_eq!(world.read(*frame), 0);
    }
    more.as_slice().len()
}

#[test]
fn pages_ahead_end_where_the_area_does() {
    let world = World::new(100);
    let mut area = Area::<World>::open(10).expect("in range");
    touch(&mut area, 0, &world);
    assert_eq!(touch_ahead(&mut area, 1, 15, &world), 8);
    assert_eq!((area.committed(), world.used()), (10, 10));
    // A section, up to the next guard page: page 6 is one.
    let mut area = Area::<World>::guarded(2, 5).expect("in range");
    touch(&mut area, 1, &world);
    assert_eq!(touch_ahead(&mut area, 2, 15, &world), 3);
    assert_eq!(touch_ahead(&mut area, 5, 15, &world), 0);
    // A ring up to the end of its buffer; behind it, what is there is seen again.
    let mut area = Area::<World>::ring(5).expect("in range");
    touch(&mut area, 0, &world);
    assert_eq!(touch_ahead(&mut area, 1, 15, &world), 3);
    assert_eq!(touch_ahead(&mut area, 4, 15, &world), 5);
    assert_eq!(touch_ahead(&mut area, 6, 15, &world), 3);
    assert_eq!(area.committed(), 5);
}

/// What cannot be had is left out, and is not charged.
#[test]
fn pages_ahead_are_left_out_where_they_cannot_be_had() {
    for (limit, patience, more) in [(u64::MAX, 4, 2), (5, u64::MAX, 3), (2, 2, 0), (7, 100, 5)] {
        let world = World::new(100);
        let mut area = Area::<World>::open(40).expect("in range");
        world.0.borrow_mut().limit = limit;
        world.0.borrow_mut().patience = patience;
        touch(&mut area, 0, &world);
        assert_eq!(touch_ahead(&mut area, 1, 15, &world), more);
        let all = 2 + more as u64;
        let charged = world.0.borrow().charged;
        assert_eq!((area.committed(), world.used(), charged), (all, all, all));
    }
}

/// A page that is shared is not copied before somebody writes to it, nor shown with one that may be written to.
#[test]
fn pages_ahead_are_not_copied() {
    let world = World::new(100);
    let supply = &mut world.clone();
    let mut area = Area::<World>::open(8).expect("in range");
    for page in 0..4 {
        touch(&mut area, page, &world);
    }
    let copy = area.snapshot(supply).expect("memory");
    let own = area
        .provide(0, Access::Write, PageSize::Small, supply)
        .expect("memory");
    assert!(own.is_writable && world.used() == 5);
    assert!(
        area.provide_ahead(1, 15, &own, supply)
            .as_slice()
            .is_empty()
    );
    let shared = area
        .provide(1, Access::Read, PageSize::Small, supply)
        .expect("there");
    assert!(!shared.is_writable);
    let more = area.provide_ahead(2, 15, &shared, supply);
    assert_eq!((more.as_slice().len(), world.used()), (2, 5));
    drop(copy);
    // Nobody else has them any more.
    let more = area.provide_ahead(1, 15, &own, supply);
    assert_eq!(more.as_slice().len(), 3);
}

#[test]
fn a_cleared_area_hands_over_what_is_its_own() {
    let world = World::new(2000);
    let supply = &mut world.clone();
    let mut area = Area::<World>::open(2000).expect("in range");
    touch(&mut area, 3, &world);
    let copy = area.snapshot(supply).expect("memory");
    touch(&mut area, 100, &world);
    let large = area.provide(600, Access::Write, PageSize::Large, supply);
    assert_eq!(large.expect("memory").size, PageSize::Large);
    let mut own = Vec::new();
    area.clear(supply, |page| own.push(page));
    assert_eq!((own.len(), area.committed(), world.used()), (1, 0, 2));
    drop((own, area));
    assert_eq!((world.used(), world.0.borrow().charged), (1, 1));
    drop(copy);
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

fn touch_large(area: &mut Area<World>, page: u64, world: &World) -> Frame {
    let supply = &mut world.clone();
    let provided = area
        .provide(page, Access::Write, PageSize::Large, supply)
        .expect("memory");
    assert_eq!(provided.size, PageSize::Large);
    provided.frame.checked_add(page % 512).expect("small")
}

#[test]
fn large_pages_give_back_what_holds_only_zeros() {
    let world = World::new(4096);
    let supply = &mut world.clone();
    let mut area = Area::<World>::open(1536).expect("in range");
    for page in [3, 512 + 64, 512 + 500] {
        world.write(touch_large(&mut area, page, &world), page);
    }
    // Nobody has written to the third one.
    touch_large(&mut area, 1024, &world);
    let mut given = Vec::new();
    while let Some(first) = area.idle_large() {
        assert!(!area.is_in_use(first, supply));
        given.push(area.shed(first, supply).expect("memory"));
    }
    assert_eq!(given, [511, 510, 512]);
    assert_eq!((area.committed(), area.committed_large()), (3, 0));
    assert_eq!((world.used(), world.0.borrow().charged), (3, 3));
    for page in 0..1536 {
        let wanted = if [3, 576, 1012].contains(&page) {
            page
        } else {
            0
        };
        assert_eq!(world.read(touch(&mut area, page, &world)), wanted);
    }
}

#[test]
fn large_pages_in_use_stay_whole_and_are_looked_into_once() {
    let world = World::new(4096);
    let supply = &mut world.clone();
    let mut area = Area::<World>::open(1024).expect("in range");
    for page in 0..1024 {
        world.write(touch_large(&mut area, page, &world), 1);
    }
    assert_eq!(area.idle_large(), Some(0));
    assert!(area.is_in_use(0, supply));
    assert_eq!(area.idle_large(), Some(512));
    // Between the look and the time when nobody can write, the last zeros may go.
    assert_eq!(area.shed(512, supply), Ok(0));
    assert_eq!((area.idle_large(), area.committed_large()), (None, 1024));
    // A new one is looked into.
    area.decommit(0, 512, supply).expect("open");
    touch_large(&mut area, 0, &world);
    assert_eq!(area.idle_large(), Some(0));
    assert_eq!(area.shed(0, supply), Ok(512));
    assert_eq!((area.idle_large(), area.committed_large()), (None, 512));
}

#[test]
fn pages_that_were_committed_stay() {
    let world = World::new(4096);
    let supply = &mut world.clone();
    let mut area = Area::<World>::open(1024).expect("in range");
    touch_large(&mut area, 0, &world);
    touch_large(&mut area, 512, &world);
    assert_eq!(area.missing(500, 30), 0);
    area.commit(600, 1, supply).expect("there");
    assert_eq!(area.idle_large(), Some(0));
    assert_eq!(area.shed(0, supply), Ok(512));
    assert_eq!((area.idle_large(), area.committed_large()), (None, 512));
    assert_eq!(area.missing(500, 30), 12);
}

/// Else an instruction that needs two pages could get each of them at the expense of the other, for ever.
#[test]
fn large_pages_leave_room_for_small_ones() {
    let world = World::new(4096);
    let supply = &mut world.clone();
    world.0.borrow_mut().limit = 512 + 256;
    let mut area = Area::<World>::open(1024).expect("in range");
    touch(&mut area, 512, &world);
    let provided = area.provide(0, Access::Read, PageSize::Large, supply);
    assert_eq!(provided.expect("memory").size, PageSize::Small);
    // With one page less in use there is room.
    area.decommit(0, 1024, supply).expect("open");
    touch_large(&mut area, 0, &world);
    assert_eq!(world.0.borrow().charged, 512);
}
