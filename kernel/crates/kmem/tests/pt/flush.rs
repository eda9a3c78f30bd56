//! What happens when a flush is carried out, and what when it is not.

use kaddr::{PAGE_SIZE, PageSize};
use kmem::pt::{Levels, Protection};
use ktestkit::{Fault, GlobalPages};

use super::common::{Window, World};
use super::{CPU, KERNEL, OTHER, USER, phys, virt};

#[test]
fn a_flush_that_is_forgotten_leaves_stale_translations() {
    let mut world = World::new(Levels::Four, 2);
    world
        .map(
            USER,
            phys(0, PAGE_SIZE),
            Protection::USER_DATA,
            PageSize::Small,
        )
        .expect("mapped");
    assert_eq!(world.read(CPU, USER), Ok(0));
    assert_eq!(world.read(OTHER, USER), Ok(0));
    let (_, _, flush) = world.unmap(USER).expect("it was mapped");
    // Nobody has flushed: both still use what is no longer there, and the fake machine tells.
    assert_eq!(world.read(OTHER, USER), Ok(0));
    assert_eq!(world.machine.stale().len(), 2);
    // One that flushes only itself does not help the other.
    for address in flush.addresses() {
        world.machine.invalidate(CPU, address);
    }
    assert_eq!(world.machine.stale().len(), 1);
    world.carry_out(flush);
    assert_eq!(world.machine.stale(), vec![]);
    assert_eq!(world.read(CPU, USER), Err(Fault::NotPresent));
    assert_eq!(world.read(OTHER, USER), Err(Fault::NotPresent));
}

#[test]
#[should_panic(expected = "is still known as a table")]
fn tables_that_are_taken_back_before_the_flush_are_found_out() {
    let mut world = World::new(Levels::Four, 2);
    world
        .map(
            USER,
            phys(0, PAGE_SIZE),
            Protection::USER_DATA,
            PageSize::Small,
        )
        .expect("mapped");
    assert_eq!(world.read(OTHER, USER), Ok(0));
    let (_, _, flush) = world.unmap(USER).expect("it was mapped");
    world.finish(flush);
}

#[test]
fn a_retired_table_maps_nothing_for_who_still_walks_it() {
    let mut world = World::new(Levels::Four, 1);
    for at in [USER, USER + 0x1000] {
        world
            .map(
                at,
                phys(at, PAGE_SIZE),
                Protection::USER_DATA,
                PageSize::Small,
            )
            .expect("mapped");
    }
    assert_eq!(world.read(CPU, USER), Ok(USER));
    let range = virt(USER, 2 * PAGE_SIZE);
    let memory = &mut Window(&mut world.machine.memory);
    let flush = world
        .table
        .edit(memory, &mut world.pool)
        .unmap_range(range, |_| {});
    let flush = flush.expect("nothing to split");
    for index in 1..512 {
        assert_eq!(
            world.read(CPU, USER + index * PAGE_SIZE),
            Err(Fault::NotPresent)
        );
    }
    world.carry_out(flush);
}

#[test]
fn a_global_page_wants_more_than_new_tables() {
    let mut world = World::new(Levels::Four, 1);
    let bytes = 100 * PAGE_SIZE;
    world
        .map(
            KERNEL,
            phys(0, bytes),
            Protection::KERNEL_DATA,
            PageSize::Small,
        )
        .expect("mapped");
    assert_eq!(world.read(CPU, KERNEL), Ok(0));
    let flush = world
        .protect(virt(KERNEL, bytes), Protection::KERNEL_READ)
        .expect("no split");
    assert!(flush.has_global());
    assert_eq!(flush.address_count(), 100);
    assert_eq!(flush.range(), virt(KERNEL, bytes));
    world.machine.flush(CPU, GlobalPages::Keep);
    assert_eq!(world.machine.stale().len(), 1);
    world.machine.flush(CPU, GlobalPages::Drop);
    assert_eq!(world.machine.stale(), vec![]);
    world.finish(flush);
}
