//! What edits of page tables promise, one by one.

#[path = "../common/mod.rs"]
mod common;
mod flush;

use common::{Window, World};
use kaddr::{
    Frame, HUGE, LARGE, PAGE_SIZE, Page, PageSize, PhysAddr, PhysRange, VirtAddr, VirtRange,
};
use kmem::frame::{Block, FrameAllocator, blocks_needed};
use kmem::pt::{CacheMode, Flags, Flush, Levels, MapError, PageTable, Protection};
use ktestkit::{Access, CpuId, Fault, Mode};
use proptest::prelude::{Just, any, prop, prop_assert_eq, prop_oneof, proptest};

const USER: u64 = 0x20_0000;
const KERNEL: u64 = 0xffff_8000_0000_0000;
const CPU: CpuId = CpuId(0);
const OTHER: CpuId = CpuId(1);

fn phys(start: u64, len: u64) -> PhysRange {
    PhysRange::from_len(PhysAddr::new(start), len).expect("a range")
}

fn virt(start: u64, len: u64) -> VirtRange {
    VirtRange::from_len(VirtAddr::new(start), len).expect("a range")
}

fn page(start: u64) -> Page {
    Page::starting_at(VirtAddr::new(start)).expect("aligned")
}

impl World {
    fn map(
        &mut self,
        at: u64,
        to: PhysRange,
        protection: Protection,
        largest: PageSize,
    ) -> Result<(), MapError> {
        let memory = &mut Window(&mut self.machine.memory);
        let mut edit = self.table.edit(memory, &mut self.pool);
        edit.map_range(VirtAddr::new(at), to, protection, largest)
    }

    fn unmap(&mut self, at: u64) -> Result<(Frame, PageSize, Flush), MapError> {
        self.table
            .edit(&mut Window(&mut self.machine.memory), &mut self.pool)
            .unmap(page(at))
    }

    fn protect(&mut self, range: VirtRange, protection: Protection) -> Result<Flush, MapError> {
        let memory = &mut Window(&mut self.machine.memory);
        self.table
            .edit(memory, &mut self.pool)
            .protect_range(range, protection)
    }

    fn read(&mut self, cpu: CpuId, at: u64) -> Result<u64, Fault> {
        let got = self
            .machine
            .translate(cpu, VirtAddr::new(at), Access::Read, Mode::Kernel);
        got.map(u64::from)
    }
}

#[test]
fn the_largest_pages_that_fit_are_used() {
    let mut world = World::new(Levels::Four, 1);
    let start = KERNEL + HUGE - LARGE - PAGE_SIZE;
    let offset = HUGE - LARGE - PAGE_SIZE;
    let len = PAGE_SIZE + LARGE + HUGE + LARGE + PAGE_SIZE;
    world
        .map(
            start,
            phys(offset, len),
            Protection::KERNEL_DATA,
            PageSize::Huge,
        )
        .expect("mapped");
    let memory = Window(&mut world.machine.memory);
    let size = |at: u64| {
        let found = world
            .table
            .translate(&memory, VirtAddr::new(start + at))
            .expect("mapped");
        assert_eq!(found.phys.as_u64(), offset + at);
        found.size
    };
    assert_eq!(size(0), PageSize::Small);
    assert_eq!(size(PAGE_SIZE), PageSize::Large);
    assert_eq!(size(PAGE_SIZE + LARGE), PageSize::Huge);
    assert_eq!(size(PAGE_SIZE + LARGE + HUGE), PageSize::Large);
    assert_eq!(size(len - 1), PageSize::Small);
}

#[test]
fn what_is_mapped_later_in_ensured_ranges_shows_in_all_spaces() {
    for levels in [Levels::Four, Levels::Five] {
        let mut world = World::new(levels, 2);
        let direct = virt(KERNEL, 512 * HUGE);
        let memory = &mut Window(&mut world.machine.memory);
        let mut edit = world.table.edit(memory, &mut world.pool);
        edit.ensure_top_level(direct).expect("frames");
        edit.ensure_top_level(direct).expect("it is there already");
        assert_eq!(
            edit.ensure_top_level(virt(0, HUGE)),
            Err(MapError::WrongHalf)
        );
        assert_eq!(world.pool.out.len(), 2);
        let memory = &mut Window(&mut world.machine.memory);
        let space = PageTable::new_sharing(&world.table, memory, &mut world.pool).expect("frames");
        world.machine.load_root(OTHER, space.root());
        world
            .map(
                KERNEL,
                phys(0, LARGE),
                Protection::KERNEL_DATA,
                PageSize::Large,
            )
            .expect("mapped");
        assert_eq!(world.read(OTHER, KERNEL + 5), Ok(5));
        let (_, size, flush) = world.unmap(KERNEL).expect("mapped");
        assert_eq!(size, PageSize::Large);
        world.carry_out(flush);
        assert_eq!(world.read(OTHER, KERNEL), Err(Fault::NotPresent));
        // The shared table stays; the root of the other space goes.
        space.destroy(&mut Window(&mut world.machine.memory), &mut world.pool);
        assert_eq!(world.pool.out.len(), 2);
    }
}

#[test]
fn the_frame_allocator_serves_as_the_source() {
    let mut world = World::new(Levels::Four, 1);
    let ram = [phys(0x7000_0000, 64 * PAGE_SIZE)];
    let mut storage = vec![Block::EMPTY; blocks_needed(ram.into_iter())];
    let mut frames = FrameAllocator::new(&mut storage, ram.into_iter()).expect("memory");
    let memory = &mut Window(&mut world.machine.memory);
    let mut space = PageTable::new(Levels::Four, memory, &mut frames).expect("frames");
    let to = Frame::from_number(7).expect("a frame");
    let mut edit = space.edit(memory, &mut frames);
    edit.map(page(USER), to, PageSize::Small, Protection::USER_DATA)
        .expect("mapped");
    let (_, _, flush) = edit.unmap(page(USER)).expect("mapped");
    assert_eq!(frames.free_frames(), 64 - 4);
    flush.finish(memory, &mut frames);
    assert_eq!(frames.free_frames(), 64 - 1);
    space.destroy(memory, &mut frames);
    assert_eq!(frames.free_frames(), 64);
}

#[test]
fn destroying_a_space_frees_its_own_tables_only() {
    let mut world = World::new(Levels::Four, 1);
    world
        .map(
            KERNEL,
            phys(0, PAGE_SIZE),
            Protection::KERNEL_DATA,
            PageSize::Small,
        )
        .expect("mapped");
    let kernel_tables = world.pool.out.len();
    let memory = &mut Window(&mut world.machine.memory);
    let mut space = PageTable::new_sharing(&world.table, memory, &mut world.pool).expect("frames");
    for at in [USER, HUGE, 512 * HUGE] {
        let mut edit = space.edit(memory, &mut world.pool);
        let to = Frame::containing(PhysAddr::new(at)).expect("a frame");
        edit.map(page(at), to, PageSize::Small, Protection::USER_DATA)
            .expect("mapped");
    }
    assert!(world.pool.out.len() > kernel_tables + 6);
    space.destroy(memory, &mut world.pool);
    assert_eq!(world.pool.out.len(), kernel_tables);
    assert_eq!(world.read(CPU, KERNEL), Ok(0));
}

#[test]
fn the_last_page_of_the_address_space_can_be_used() {
    let mut world = World::new(Levels::Four, 1);
    let last = 0xffff_ffff_ffff_f000;
    world
        .map(
            last,
            phys(0x5000, PAGE_SIZE),
            Protection::KERNEL_READ,
            PageSize::Huge,
        )
        .expect("mapped");
    assert_eq!(world.read(CPU, u64::MAX), Ok(0x5fff));
    let (frame, _, flush) = world.unmap(last).expect("mapped");
    assert_eq!(frame.number(), 5);
    assert_eq!(
        flush.addresses().collect::<Vec<_>>(),
        vec![VirtAddr::new(last)]
    );
    world.carry_out(flush);
}

#[test]
fn a_written_page_stays_dirty_when_it_is_protected_or_split() {
    let mut world = World::new(Levels::Four, 1);
    world
        .map(HUGE, phys(0, HUGE), Protection::USER_DATA, PageSize::Huge)
        .expect("mapped");
    let written = world
        .machine
        .translate(CPU, VirtAddr::new(HUGE), Access::Write, Mode::User);
    assert_eq!(written, Ok(PhysAddr::ZERO));
    for range in [
        virt(HUGE, HUGE),
        virt(HUGE + LARGE, PAGE_SIZE),
        virt(HUGE, PAGE_SIZE),
    ] {
        let protection = if range.len() == HUGE {
            Protection::USER_READ
        } else {
            Protection::USER_CODE
        };
        let flush = world.protect(range, protection).expect("frames");
        world.carry_out(flush);
        for at in [
            HUGE,
            HUGE + LARGE,
            HUGE + LARGE + PAGE_SIZE,
            HUGE + 2 * LARGE,
        ] {
            let leaf = world
                .machine
                .walk(world.table.root(), VirtAddr::new(at))
                .expect("mapped");
            assert!(leaf.accessed && leaf.dirty, "{at:#x}");
            assert!(!leaf.rights.write);
        }
    }
}

#[test]
fn a_hole_in_a_huge_page_takes_two_tables_and_leaves_the_rest() {
    let mut world = World::new(Levels::Four, 2);
    world
        .map(
            HUGE,
            phys(HUGE, HUGE),
            Protection::USER_DATA,
            PageSize::Huge,
        )
        .expect("mapped");
    let tables = world.pool.out.len();
    let hole = virt(HUGE + 5 * PAGE_SIZE, PAGE_SIZE);
    assert_eq!(world.read(OTHER, HUGE), Ok(HUGE));
    for (left, expected) in [(0, false), (1, false), (2, true)] {
        world.pool.left = left;
        let memory = &mut Window(&mut world.machine.memory);
        let got = world
            .table
            .edit(memory, &mut world.pool)
            .unmap_range(hole, |_| {});
        assert_eq!(got.is_ok(), expected);
        if let Ok(flush) = got {
            assert_eq!(flush.address_count(), 1);
            world.carry_out(flush);
        } else {
            assert_eq!(world.pool.out.len(), tables);
        }
    }
    assert_eq!(world.pool.out.len(), tables + 2);
    assert_eq!(
        world.read(OTHER, HUGE + 5 * PAGE_SIZE),
        Err(Fault::NotPresent)
    );
    for at in [
        HUGE + 4 * PAGE_SIZE,
        HUGE + 6 * PAGE_SIZE,
        HUGE + LARGE,
        2 * HUGE - 1,
    ] {
        assert_eq!(world.read(OTHER, at), Ok(at));
    }
}

#[test]
fn impossible_mappings_are_refused() {
    let mut world = World::new(Levels::Four, 1);
    let write_execute = Protection::new(Flags::WRITE | Flags::EXECUTE);
    let small = PageSize::Small;
    let one = phys(0, PAGE_SIZE);
    let data = Protection::USER_DATA;
    let read = Protection::new(Flags::empty());
    assert_eq!(
        world.map(USER, one, write_execute, small),
        Err(MapError::WriteExecute)
    );
    assert_eq!(
        world.map(KERNEL, one, data, small),
        Err(MapError::WrongHalf)
    );
    assert_eq!(
        world.map(USER, one, Protection::KERNEL_READ, small),
        Err(MapError::WrongHalf)
    );
    assert_eq!(
        world.map(USER + 1, one, data, small),
        Err(MapError::Misaligned)
    );
    assert_eq!(
        world.map(USER, phys(1, PAGE_SIZE), data, small),
        Err(MapError::Misaligned)
    );
    assert_eq!(
        world.map(USER, phys(0, 5), data, small),
        Err(MapError::Misaligned)
    );
    assert_eq!(
        world.map(1 << 47, one, data, small),
        Err(MapError::NotCanonical)
    );
    assert_eq!(
        world.map((1 << 47) - PAGE_SIZE, phys(0, 2 * PAGE_SIZE), data, small),
        Err(MapError::NotCanonical)
    );
    assert_eq!(
        world.map(u64::MAX - 4095, phys(0, 2 * PAGE_SIZE), read, small),
        Err(MapError::NotCanonical)
    );
    assert_eq!(
        world.map(USER, phys(1 << 52, PAGE_SIZE), data, small),
        Err(MapError::PhysicalOutOfRange)
    );
    let memory = &mut Window(&mut world.machine.memory);
    let mut edit = world.table.edit(memory, &mut world.pool);
    let frame = Frame::from_number(1).expect("a frame");
    assert_eq!(
        edit.map(page(USER), frame, PageSize::Large, data),
        Err(MapError::Misaligned)
    );
    assert_eq!(
        edit.map(page(0x1000), frame, PageSize::Large, data),
        Err(MapError::Misaligned)
    );
    assert_eq!(world.map(USER, phys(0, 0), data, small), Ok(()));
    let nothing = virt(USER, PAGE_SIZE);
    let flush = world.protect(nothing, data).expect("holes are passed over");
    assert!(flush.is_empty());
    world.carry_out(flush);
    assert_eq!(
        world.protect(nothing, write_execute).err(),
        Some(MapError::WriteExecute)
    );
    assert_eq!(
        world.unmap(USER).err(),
        Some(MapError::NotMapped {
            at: VirtAddr::new(USER)
        })
    );
    assert_eq!(world.pool.out.len(), 1);
}

#[test]
fn merged_flushes_cover_both() {
    let mut world = World::new(Levels::Four, 2);
    let far = 3 * HUGE;
    world
        .map(
            USER,
            phys(0, PAGE_SIZE),
            Protection::USER_DATA,
            PageSize::Small,
        )
        .expect("mapped");
    world
        .map(
            USER + LARGE,
            phys(0, LARGE),
            Protection::USER_DATA,
            PageSize::Large,
        )
        .expect("mapped");
    world
        .map(
            far,
            phys(0, PAGE_SIZE),
            Protection::USER_DATA,
            PageSize::Small,
        )
        .expect("mapped");
    for at in [USER, USER + LARGE + 7, far] {
        world.read(OTHER, at).expect("mapped");
    }
    let mut all = Flush::default();
    for at in [far, USER + LARGE, USER] {
        let (_, _, flush) = world.unmap(at).expect("mapped");
        all.merge(flush, &mut Window(&mut world.machine.memory));
    }
    assert_eq!(all.range(), virt(USER, far + PAGE_SIZE - USER));
    assert_eq!(all.address_count(), (far - USER) / PAGE_SIZE + 1);
    world.carry_out(all);
    assert_eq!(world.machine.stale(), vec![]);
    assert_eq!(world.pool.out.len(), 1);
}

proptest! {
    #![proptest_config(common::config(128))]

    /// A protection comes back as it was given, at every size.
    #[test]
    fn a_protection_reads_back(
        bits in any::<u8>(),
        cache in prop_oneof![
            Just(CacheMode::WriteBack), Just(CacheMode::WriteCombining), Just(CacheMode::Uncached)
        ],
        size in prop::sample::select(vec![PageSize::Small, PageSize::Large, PageSize::Huge]),
        upper in any::<bool>(),
    ) {
        let wrong = if upper { Flags::USER } else { Flags::GLOBAL };
        let mut flags = Flags::from_bits_truncate(bits) - wrong;
        if flags.contains(Flags::WRITE) {
            flags -= Flags::EXECUTE;
        }
        let protection = Protection { flags, cache };
        let at = if upper { KERNEL } else { HUGE };
        let mut world = World::new(Levels::Five, 1);
        let at = if upper { at | 0xff00_0000_0000_0000 } else { at };
        prop_assert_eq!(world.map(at, phys(HUGE, size.bytes()), protection, size), Ok(()));
        let memory = Window(&mut world.machine.memory);
        let found = world.table.translate(&memory, VirtAddr::new(at)).expect("mapped");
        prop_assert_eq!((found.protection, found.size), (protection, size));
    }
}

#[test]
fn errors_say_what_to_do() {
    let text = MapError::AlreadyMapped {
        at: VirtAddr::new(0x5000),
    }
    .to_string();
    assert!(
        text.contains("0x5000") && text.contains("unmap it first"),
        "{text}"
    );
}

/// What is shown ahead of faults needs no table, changes nothing that is there, and is counted.
#[test]
fn a_fill_takes_free_entries_of_one_table_only() {
    let mut world = World::new(Levels::Four, 1);
    let rw = Protection::new(Flags::USER | Flags::WRITE);
    let frames: Vec<Frame> = (0..16)
        .filter_map(|index| Frame::from_number(0x5000 + index))
        .collect();
    let fill = |world: &mut World, at: u64, protection: Protection| {
        let memory = &mut Window(&mut world.machine.memory);
        let mut edit = world.table.edit(memory, &mut world.pool);
        edit.fill(page(at), &frames, protection)
    };
    let shown = |world: &mut World, at: u64| {
        let memory = &Window(&mut world.machine.memory);
        let found = world.table.translate(memory, VirtAddr::new(at));
        found.map(|found| (found.phys.as_u64() >> 12, found.protection))
    };
    // Without a table nothing happens.
    assert_eq!(fill(&mut world, USER, rw), Ok(()));
    assert_eq!((shown(&mut world, USER), world.pool.out.len()), (None, 1));
    let end = USER + LARGE;
    let read = Protection::new(Flags::USER);
    let first = end - 10 * PAGE_SIZE;
    for (at, to) in [(first - PAGE_SIZE, 0x1000), (first + 3 * PAGE_SIZE, 0x2000)] {
        let to = phys(to << 12, PAGE_SIZE);
        world.map(at, to, read, PageSize::Small).expect("frames");
    }
    let tables = world.pool.out.len();
    world.pool.left = 0;
    assert_eq!(fill(&mut world, first, rw), Ok(()));
    for index in 0..10 {
        let wanted = if index == 3 {
            (0x2000, read)
        } else {
            (0x5000 + index, rw)
        };
        let at = first + index * PAGE_SIZE;
        assert_eq!(shown(&mut world, at), Some(wanted), "page {index}");
    }
    assert_eq!(shown(&mut world, end), None);
    assert_eq!(world.pool.out.len(), tables);
    // When all of them have gone, so has the table: the count was right.
    for index in 0..11 {
        let (_, _, flush) = world.unmap(end - (index + 1) * PAGE_SIZE).expect("mapped");
        assert_eq!(flush.frees_tables(), index == 10, "page {index}");
        let memory = &mut Window(&mut world.machine.memory);
        flush.finish(memory, &mut world.pool);
    }
    assert_eq!(world.pool.out.len(), 1);
    let both = Protection::new(Flags::USER | Flags::WRITE | Flags::EXECUTE);
    assert_eq!(fill(&mut world, USER, both), Err(MapError::WriteExecute));
    assert!(fill(&mut world, KERNEL, rw).is_err());
}
