//! Single rules of tables: growth to the quota, stale values, sealed tables, the widest and deepest trees.
#![cfg(not(loom))]

use abi::{Error, Handle, ObjectType, Rights};
use kobj::{HANDLES_MAX, Leftovers, Named, Object, Reservation, TOGETHER_MAX, Table, Undelivered};
use ksync::Arc;

#[derive(Clone)]
struct Thing(Arc<u32>);

impl Object for Thing {
    fn kind(&self) -> ObjectType {
        ObjectType::Event
    }
}

fn thing() -> Thing {
    Thing(Arc::try_new(7).expect("memory"))
}

fn table(limit: u32) -> Arc<Table<Thing>> {
    Table::try_new(limit).expect("memory")
}

fn insert(table: &Arc<Table<Thing>>, thing: &Thing) -> Result<Handle, Error> {
    let named = Named::new(thing.clone(), Rights::ALL);
    Table::insert(table, named).map_err(|(_, error)| error)
}

fn clear(table: &Table<Thing>) {
    table.seal();
    let mut from = 0;
    while !table.clear(&mut from, 1000) {}
}

#[test]
fn a_table_grows_to_its_quota_and_no_further() {
    let (table, thing) = (table(u32::MAX), thing());
    let handles: Vec<_> = (0..HANDLES_MAX)
        .map(|_| insert(&table, &thing).expect("room"))
        .collect();
    assert_eq!(insert(&table, &thing), Err(Error::TooMany));
    let all = handles.iter().all(|handle| {
        let found = table.get(*handle, ObjectType::Event, Rights::ALL);
        found.is_ok_and(|found| Arc::ptr_eq(&found.0, &thing.0))
    });
    assert!(all);
    for handle in &handles {
        assert!(table.close(*handle).is_ok());
        assert!(table.close(*handle).is_err(), "closed twice");
    }
    assert_eq!((table.count(), Arc::count(&thing.0)), (0, 1));
    for _ in 0..HANDLES_MAX {
        let handle = insert(&table, &thing).expect("room");
        assert_ne!(handle.generation(), 1, "a value came again");
    }
    clear(&table);
    assert_eq!((table.count(), Arc::count(&thing.0)), (0, 1));
}

#[test]
fn a_lower_limit_takes_nothing_away() {
    let (table, thing) = (table(10), thing());
    let handles: Vec<_> = (0..10)
        .map(|_| insert(&table, &thing).expect("room"))
        .collect();
    table.set_limit(5);
    assert_eq!(table.count(), 10);
    for handle in &handles[..5] {
        assert_eq!(insert(&table, &thing), Err(Error::TooMany));
        drop(table.close(*handle));
    }
    assert_eq!(insert(&table, &thing), Err(Error::TooMany));
    drop(table.close(handles[9]));
    assert!(insert(&table, &thing).is_ok());
}

#[test]
fn values_that_were_never_handles_name_nothing() {
    let (table, thing) = (table(100), thing());
    let handle = insert(&table, &thing).expect("room");
    for value in [
        0,
        1,
        handle.0 + 1,
        handle.0 ^ 1 << 32,
        1 << 63,
        u64::MAX,
        u64::from(u32::MAX),
    ] {
        let found = table.get(Handle(value), ObjectType::Event, Rights::NONE);
        assert_eq!(found.err(), Some(Error::BadHandle), "{value:#x}");
        assert!(table.close(Handle(value)).is_err());
    }
    // The next slot is reserved, and its generation known: it names nothing all the same.
    let place = Reservation::new(&table).expect("room");
    assert!(table.close(Handle::new(1, 1)).is_err());
    assert_eq!(table.count(), 2);
    drop(place);
    assert_eq!(table.count(), 1);
}

#[test]
fn a_sealed_table_takes_nothing_and_gives_back() {
    let (from, to, thing) = (table(10), table(10), thing());
    let handle = insert(&from, &thing).expect("room");
    let place = Reservation::new(&to).expect("room");
    let flight = Table::take(&from, handle, Rights::TRANSFER).expect("there");
    to.seal();
    assert_eq!(insert(&to, &thing), Err(Error::Ended));
    assert!(Reservation::new(&to).is_err());
    let Err(Undelivered::Ended(flight)) = flight.deliver(place) else {
        panic!("delivered to a sealed table");
    };
    assert_eq!((to.count(), from.count()), (0, 1));
    assert_eq!(flight.put_back(), Ok(handle));
    assert_eq!(Arc::count(&thing.0), 2);
    // The sender's table can be gone too.
    let flight = Table::take(&from, handle, Rights::TRANSFER).expect("there");
    clear(&from);
    assert_eq!(flight.put_back(), Err(Error::Ended));
    assert_eq!((from.count(), Arc::count(&thing.0)), (0, 1));
}

#[test]
fn errors_of_derivation_change_nothing() {
    let (table, thing) = (table(3), thing());
    let handle = insert(&table, &thing).expect("room");
    let none = Table::duplicate(&table, handle, Rights::NONE).expect("room");
    let denied = Table::duplicate(&table, none, Rights::ALL);
    assert_eq!(denied, Err(Error::AccessDenied));
    assert_eq!(table.revoke(none).err(), Some(Error::AccessDenied));
    let wrong = Table::derive(&table, handle, Rights::NONE, |_| {
        Err(Error::InvalidArgument)
    });
    assert_eq!(wrong, Err(Error::InvalidArgument));
    let wide = Table::derive(&table, none, Rights::NONE, |named| {
        Ok(Named {
            rights: Rights::ALL,
            data: 9,
            ..named
        })
    });
    let wide = table.any(wide.expect("room"), Rights::NONE).expect("there");
    assert_eq!((wide.rights, wide.data), (Rights::NONE, 9));
    drop(wide);
    assert_eq!(
        Table::duplicate(&table, handle, Rights::ALL),
        Err(Error::TooMany)
    );
    assert_eq!((table.count(), Arc::count(&thing.0)), (3, 4));
    clear(&table);
    assert_eq!((Arc::count(&table), Arc::count(&thing.0)), (1, 1));
}

#[test]
fn what_cannot_be_carried_stays() {
    let (from, to, thing) = (table(10), table(1), thing());
    let handle = insert(&from, &thing).expect("room");
    let child = Table::duplicate(&from, handle, Rights::TRANSFER).expect("room");
    let carry = |handle, to| Table::carry(&from, handle, Rights::TRANSFER, to);
    assert_eq!(carry(Handle(child.0 + 1), &to), Err(Error::BadHandle));
    let other = insert(&to, &thing).expect("room");
    assert_eq!(carry(child, &to), Err(Error::TooMany));
    drop(to.close(other));
    let none = Table::duplicate(&from, handle, Rights::NONE).expect("room");
    assert_eq!(carry(none, &to), Err(Error::AccessDenied));
    assert_eq!(
        Table::carry(&from, none, Rights::DUPLICATE, &from),
        Err(Error::AccessDenied)
    );
    assert_eq!((from.count(), to.count()), (3, 0));
    // Within a table it gets another value, and what was derived from it stays that.
    let moved = Table::carry(&from, handle, Rights::TRANSFER, &from).expect("there");
    assert!(from.any(handle, Rights::NONE).is_err());
    let there = carry(child, &to).expect("there");
    assert!(from.any(child, Rights::NONE).is_err());
    let mut revocation = from.revoke(moved).expect("there");
    assert_eq!(revocation.advance(10), Ok(true));
    assert!(to.any(there, Rights::NONE).is_err() && from.any(none, Rights::NONE).is_err());
    to.seal();
    assert_eq!(carry(moved, &to), Err(Error::Ended));
    assert!(from.any(moved, Rights::ALL).is_ok());
    clear(&from);
    clear(&to);
    assert_eq!(
        (Arc::count(&from), Arc::count(&to), Arc::count(&thing.0)),
        (1, 1, 1)
    );
}

#[test]
fn handles_go_together_or_stay() {
    let (from, to, thing) = (table(20), table(2), thing());
    let first = insert(&from, &thing).expect("room");
    let second = Table::duplicate(&from, first, Rights::ALL).expect("room");
    let none = Table::duplicate(&from, first, Rights::NONE).expect("room");
    let carry =
        |handles: &mut [Handle]| Table::carry_together(&from, handles, Rights::TRANSFER, &to);
    assert_eq!(carry(&mut []), Ok(()));
    assert_eq!(carry(&mut [first, none]), Err(Error::AccessDenied));
    assert_eq!(carry(&mut [first, first]), Err(Error::BadHandle));
    assert_eq!(carry(&mut [first, second, none]), Err(Error::TooMany));
    assert_eq!(carry(&mut [first; TOGETHER_MAX + 1]), Err(Error::TooMany));
    assert_eq!((from.count(), to.count()), (3, 0));
    assert!(from.any(first, Rights::ALL).is_ok() && from.any(second, Rights::ALL).is_ok());
    let mut both = [first, second];
    assert_eq!(carry(&mut both), Ok(()));
    assert_eq!((from.count(), to.count()), (1, 2));
    let mut revocation = to.revoke(both[0]).expect("there");
    assert_eq!(revocation.advance(10), Ok(true));
    assert_eq!((from.count(), to.count()), (0, 1));
    clear(&from);
    clear(&to);
    assert_eq!(
        (Arc::count(&from), Arc::count(&to), Arc::count(&thing.0)),
        (1, 1, 1)
    );
}

/// A handle that has lost its relatives needs no memory to leave, and those that are left keep theirs.
#[test]
fn families_shrink_in_any_order() {
    const MEMBERS: usize = 5;
    let thing = thing();
    // Which member is the parent of each further one, and the order in which they go.
    for shape in 0..24 {
        for order in 0..MEMBERS {
            let table = table(100);
            let mut handles = vec![insert(&table, &thing).expect("room")];
            let mut parents = vec![None];
            for member in 1..MEMBERS {
                let parent = shape % member;
                let child = Table::duplicate(&table, handles[parent], Rights::ALL);
                handles.push(child.expect("room"));
                parents.push(Some(parent));
            }
            let mut left: Vec<usize> = (0..MEMBERS).collect();
            for step in 0..MEMBERS - 1 {
                let gone = left.remove((order + step * 2) % left.len());
                drop(table.close(handles[gone]));
                let above = parents[gone];
                for parent in &mut parents {
                    if *parent == Some(gone) {
                        *parent = above;
                    }
                }
            }
            assert_eq!(table.count(), 1);
            let mut revocation = table.revoke(handles[left[0]]).expect("there");
            assert_eq!(revocation.advance(10), Ok(true));
            assert_eq!(table.count(), 1);
            clear(&table);
            assert_eq!((Arc::count(&table), Arc::count(&thing.0)), (1, 1));
        }
    }
}

/// As many children as there can be, of one parent that closes; and a chain as long.
#[test]
fn wide_and_deep_trees_are_revoked() {
    const MANY: u32 = 60_000;
    let (parent, child, thing) = (table(u32::MAX), table(u32::MAX), thing());
    let root = insert(&parent, &thing).expect("room");
    for is_chain in [false, true] {
        let middle = Table::duplicate(&parent, root, Rights::ALL).expect("room");
        let mut last = middle;
        for _ in 0..MANY {
            let next = Table::duplicate(&parent, if is_chain { last } else { middle }, Rights::ALL);
            let flight = Table::take(&parent, next.expect("room"), Rights::TRANSFER);
            let place = Reservation::new(&child).expect("room");
            let there = flight.expect("there").deliver(place).ok().expect("sealed");
            if is_chain {
                // To go on from here it has to come back.
                let flight = Table::take(&child, there, Rights::TRANSFER).expect("there");
                let place = Reservation::new(&parent).expect("room");
                last = flight.deliver(place).ok().expect("sealed");
            }
        }
        assert!(parent.close(middle).is_ok());
        assert_eq!(parent.count() + child.count(), MANY + 1);
        let mut revocation = parent.revoke(root).expect("there");
        let mut steps = 0;
        while !revocation.advance(1).expect("there") {
            steps += 1;
        }
        assert!(steps <= 2 * MANY + 1);
        assert_eq!((parent.count(), child.count()), (1, 0));
        assert_eq!(Arc::count(&thing.0), 2);
    }
    clear(&parent);
    clear(&child);
    assert_eq!((Arc::count(&parent), Arc::count(&child)), (1, 1));
}

/// Each table holds the last reference to the next: they go one after the other, not one within the other.
#[test]
fn a_long_chain_of_tables_is_cleared_on_a_short_stack() {
    const TABLES: u32 = 20_000;
    static LEFT: Leftovers<Chain> = Leftovers::new();

    struct Holder(Arc<Table<Chain>>);
    impl Drop for Holder {
        fn drop(&mut self) {
            LEFT.clear(&self.0);
        }
    }
    #[derive(Clone)]
    struct Chain(
        #[expect(dead_code, reason = "kept for its drop")] Arc<Holder>,
        #[expect(dead_code, reason = "counts the links")] Arc<u32>,
    );
    impl Object for Chain {
        fn kind(&self) -> ObjectType {
            ObjectType::Process
        }
    }

    let thread = std::thread::Builder::new().stack_size(64 << 10);
    let check = thread.spawn(|| {
        let count = Arc::try_new(0).expect("memory");
        let holder = || Arc::try_new(Holder(Table::try_new(5).expect("memory"))).expect("memory");
        let mut first = holder();
        for _ in 0..TABLES {
            let next = holder();
            let named = Named::new(Chain(first, count.clone()), Rights::NONE);
            assert!(Table::insert(&next.0, named).is_ok());
            first = next;
        }
        assert_eq!(Arc::count(&count), TABLES as usize + 1);
        drop(first);
        assert_eq!(Arc::count(&count), 1);
    });
    check.expect("a thread").join().expect("cleared");
}

#[test]
fn all_handles_are_found_in_steps_and_no_others() {
    let (table, thing) = (table(u32::MAX), thing());
    let mut handles: Vec<_> = (0..500)
        .map(|_| insert(&table, &thing).expect("room"))
        .collect();
    let mut index = 0;
    handles.retain(|handle| {
        index += 1;
        index % 3 != 0 || table.close(*handle).is_err()
    });
    for most in [1, 7, 1000] {
        let (mut from, mut found) = (0, Vec::new());
        loop {
            let before = from;
            let (next, is_more) = table.next(&mut from, most);
            assert!(from <= before + most, "more than {most} at a time");
            match next {
                Some((handle, named)) => {
                    assert!(Arc::ptr_eq(&named.object.0, &thing.0));
                    assert_eq!(handle.index() + 1, from);
                    found.push(handle);
                }
                None if is_more => {}
                None => break,
            }
        }
        assert_eq!(found, handles, "{most} at a time");
    }
    assert!(table.next(&mut u32::MAX.clone(), 10).0.is_none());
    clear(&table);
    assert!(table.next(&mut 0, u32::MAX).0.is_none());
    assert_eq!(Arc::count(&thing.0), 1);
}

#[test]
fn a_child_keeps_alive_what_its_rights_are_good_for() {
    /// Who may receive keeps one thing alive, who may not another.
    #[derive(Clone)]
    struct Sides {
        receiver: Option<Arc<u32>>,
    }
    impl Object for Sides {
        fn kind(&self) -> ObjectType {
            ObjectType::Mailbox
        }

        fn with_rights(&self, rights: Rights) -> Self {
            let receiver = self.receiver.clone();
            Self {
                receiver: receiver.filter(|_| rights.contains(Rights::RECEIVE)),
            }
        }
    }
    let receiver = Arc::try_new(7).expect("memory");
    let table = Table::try_new(10).expect("memory");
    let first = Named::new(
        Sides {
            receiver: Some(receiver.clone()),
        },
        Rights::ALL,
    );
    let Ok(first) = Table::insert(&table, first) else {
        panic!("no room");
    };
    let caller = Rights::CALL.union(Rights::DUPLICATE);
    let duplicate = |handle, rights| Table::duplicate(&table, handle, rights).expect("duplicate");
    let server = duplicate(first, Rights::ALL);
    assert_eq!(Arc::count(&receiver), 3);
    duplicate(first, caller);
    // The second one of a family takes the longer way, when there is a lineage.
    let derived = Table::derive(&table, first, Rights::NONE, |named| {
        Ok(Named {
            rights: caller,
            ..named
        })
    });
    let derived = derived.expect("derive");
    // What a caller's handle makes cannot receive again, whatever is asked for.
    duplicate(derived, Rights::ALL);
    assert_eq!(Arc::count(&receiver), 3);
    drop(table.close(server));
    drop(table.close(first));
    assert_eq!(Arc::count(&receiver), 1);
}
