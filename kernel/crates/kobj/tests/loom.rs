//! Lookups and revocations against everything that others do at the same time, in all interleavings.
//!
//! `ktestkit::models` says how these run.

use abi::{Error, Handle, ObjectType, Rights};
use kobj::{Named, Object, Reservation, Table, Undelivered};
use ksync::Arc;
use ksync::atomic::{AtomicU32, Ordering};
use ktestkit::models::{Arc as Shared, model, thread};

/// An object that counts itself, so that none is lost and none is dropped twice.
struct Counted {
    number: u32,
    alive: Shared<AtomicU32>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct Thing(Arc<Counted>);

impl Object for Thing {
    fn kind(&self) -> ObjectType {
        match self.0.number {
            1 => ObjectType::Event,
            _ => ObjectType::VmArea,
        }
    }
}

type T = Arc<Table<Thing>>;

struct World {
    /// Who revokes.
    own: T,
    /// Others.
    other: T,
    alive: Shared<AtomicU32>,
}

impl World {
    fn new() -> Self {
        Self {
            own: Table::try_new(3).expect("memory"),
            other: Table::try_new(3).expect("memory"),
            alive: Shared::new(AtomicU32::new(0)),
        }
    }

    fn insert(&self, table: &T, number: u32, rights: Rights) -> Handle {
        let alive = self.alive.clone();
        alive.fetch_add(1, Ordering::Relaxed);
        let thing = Thing(Arc::try_new(Counted { number, alive }).expect("memory"));
        let inserted = Table::insert(table, Named::new(thing, rights));
        inserted.map_err(|(_, error)| error).expect("room")
    }

    /// A handle in the own table, and a child of it in the other one.
    fn family(&self) -> (Handle, Handle) {
        let parent = self.insert(&self.own, 1, Rights::ALL);
        let child = Table::duplicate(&self.own, parent, Rights::ALL).expect("room");
        let child = give(&self.own, child, &self.other).expect("there");
        (parent, child)
    }

    /// All is given back; nothing may stay.
    fn end(self) {
        for table in [&self.own, &self.other] {
            table.seal();
            let mut from = 0;
            while !table.clear(&mut from, 2) {}
            assert_eq!(table.count(), 0);
        }
        assert_eq!(self.alive.load(Ordering::Relaxed), 0, "an object is lost");
        for table in [&self.own, &self.other] {
            assert_eq!(Arc::count(table), 1, "a lineage has kept a table");
        }
    }
}

fn give(from: &T, handle: Handle, to: &T) -> Result<Handle, Error> {
    let place = Reservation::new(to)?;
    let flight = Table::take(from, handle, Rights::TRANSFER)?;
    flight.deliver(place).map_err(|error| match error {
        Undelivered::Revoked => Error::BadHandle,
        Undelivered::Ended(_) => Error::Ended,
    })
}

/// Clears a table as it ends: its handles are closed whatever others do.
fn clear(table: &T) {
    table.seal();
    let mut from = 0;
    while !table.clear(&mut from, 1) {}
}

fn revoke(table: &T, handle: Handle) -> Result<(), Error> {
    let mut revocation = table.revoke(handle)?;
    while !revocation.advance(1)? {}
    Ok(())
}

fn is_there(table: &T, handle: Handle) -> bool {
    table.any(handle, Rights::NONE).is_ok()
}

#[test]
fn loom_a_lookup_sees_one_handle_or_none() {
    model(|| {
        let world = World::new();
        let handle = world.insert(&world.own, 1, Rights::SIGNAL);
        let reader = {
            let table = world.own.clone();
            thread::spawn(move || match table.any(handle, Rights::NONE) {
                Ok(named) => {
                    // All of the first one, and alive.
                    assert_eq!((named.object.0.number, named.rights), (1, Rights::SIGNAL));
                    assert_eq!(named.object.0.alive.load(Ordering::Relaxed).min(1), 1);
                }
                Err(error) => assert_eq!(error, Error::BadHandle),
            })
        };
        drop(world.own.close(handle).expect("there"));
        // In the same slot.
        let second = world.insert(&world.own, 2, Rights::MAP_READ);
        assert_eq!(second.index(), handle.index());
        let wrong = world.own.get(second, ObjectType::Event, Rights::NONE);
        assert_eq!(wrong.err(), Some(Error::WrongType));
        reader.join().unwrap();
        world.end();
    });
}

#[test]
fn loom_a_handle_that_is_moved_is_in_one_table_and_closed_once() {
    model(|| {
        let world = World::new();
        let handle = world.insert(&world.own, 1, Rights::ALL);
        let giver = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || give(&own, handle, &other))
        };
        let is_closed = world.own.close(handle).is_ok();
        let given = giver.join().unwrap();
        assert!(is_closed ^ given.is_ok());
        assert_eq!(world.other.count(), u32::from(given.is_ok()));
        assert_eq!(world.own.count(), 0);
        world.end();
    });
}

#[test]
fn loom_two_first_children_have_one_parent() {
    model(|| {
        let world = World::new();
        let parent = world.insert(&world.own, 1, Rights::ALL);
        let deriver = {
            let table = world.own.clone();
            thread::spawn(move || Table::duplicate(&table, parent, Rights::NONE))
        };
        let mine = Table::duplicate(&world.own, parent, Rights::NONE).expect("room");
        let theirs = deriver.join().unwrap().expect("room");
        assert_eq!(revoke(&world.own, parent), Ok(()));
        assert!(!is_there(&world.own, mine) && !is_there(&world.own, theirs));
        assert!(is_there(&world.own, parent));
        world.end();
    });
}

#[test]
fn loom_a_revocation_finds_what_is_derived_meanwhile() {
    model(|| {
        let world = World::new();
        let (parent, child) = world.family();
        let deriver = {
            let other = world.other.clone();
            thread::spawn(move || Table::duplicate(&other, child, Rights::ALL))
        };
        assert_eq!(revoke(&world.own, parent), Ok(()));
        assert!(!is_there(&world.other, child));
        let derived = deriver.join().unwrap();
        assert!(matches!(derived, Ok(_) | Err(Error::BadHandle)));
        assert_eq!((world.own.count(), world.other.count()), (1, 0));
        world.end();
    });
}

#[test]
fn loom_a_revocation_finds_what_is_moved_meanwhile() {
    model(|| {
        let world = World::new();
        let (parent, child) = world.family();
        let giver = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || give(&other, child, &own))
        };
        assert_eq!(revoke(&world.own, parent), Ok(()));
        let given = giver.join().unwrap();
        assert!(matches!(given, Ok(_) | Err(Error::BadHandle)));
        assert_eq!((world.own.count(), world.other.count()), (1, 0));
        world.end();
    });
}

#[test]
fn loom_a_revocation_finds_what_is_put_back_meanwhile() {
    model(|| {
        let world = World::new();
        let (parent, child) = world.family();
        let flight = Table::take(&world.other, child, Rights::TRANSFER);
        let flight = flight.expect("there");
        let sender = thread::spawn(move || flight.put_back());
        assert_eq!(revoke(&world.own, parent), Ok(()));
        // From the moment that it has ended.
        assert!(!is_there(&world.other, child));
        let back = sender.join().unwrap();
        assert!(matches!(back, Ok(_) | Err(Error::BadHandle)));
        assert!(!is_there(&world.other, child));
        assert_eq!((world.own.count(), world.other.count()), (1, 0));
        world.end();
    });
}

#[test]
fn loom_a_handle_is_closed_or_revoked_but_not_both() {
    model(|| {
        let world = World::new();
        let (parent, child) = world.family();
        let below = Table::duplicate(&world.other, child, Rights::NONE).expect("room");
        let closer = {
            let other = world.other.clone();
            thread::spawn(move || other.close(child).is_ok())
        };
        assert_eq!(revoke(&world.own, parent), Ok(()));
        assert!(!is_there(&world.other, below));
        closer.join().unwrap();
        assert_eq!((world.own.count(), world.other.count()), (1, 0));
        world.end();
    });
}

#[test]
fn loom_two_revocations_help_each_other() {
    model(|| {
        let world = World::new();
        let (parent, child) = world.family();
        let below = Table::duplicate(&world.other, child, Rights::NONE).expect("room");
        let revoker = {
            let other = world.other.clone();
            thread::spawn(move || {
                let revoked = revoke(&other, child);
                if revoked.is_ok() {
                    assert!(!is_there(&other, below));
                }
                revoked
            })
        };
        assert_eq!(revoke(&world.own, parent), Ok(()));
        assert!(!is_there(&world.other, child) && !is_there(&world.other, below));
        let revoked = revoker.join().unwrap();
        assert!(matches!(revoked, Ok(()) | Err(Error::BadHandle)));
        assert_eq!((world.own.count(), world.other.count()), (1, 0));
        world.end();
    });
}

#[test]
fn loom_a_cleared_table_stays_empty() {
    model(|| {
        let world = World::new();
        let (parent, _) = world.family();
        let giver = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || {
                let child = Table::duplicate(&own, parent, Rights::ALL).expect("room");
                if let Err(error) = give(&own, child, &other) {
                    assert_eq!(error, Error::Ended);
                }
            })
        };
        clear(&world.other);
        giver.join().unwrap();
        assert_eq!(world.other.count(), 0);
        world.end();
    });
}

#[test]
fn loom_a_handle_that_is_carried_is_in_one_table_and_closed_once() {
    model(|| {
        let world = World::new();
        let handle = world.insert(&world.own, 1, Rights::ALL);
        let carrier = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || Table::carry(&own, handle, Rights::TRANSFER, &other))
        };
        let is_closed = world.own.close(handle).is_ok();
        let carried = carrier.join().unwrap();
        assert!(is_closed ^ carried.is_ok());
        assert_eq!(world.other.count(), u32::from(carried.is_ok()));
        assert_eq!(world.own.count(), 0);
        world.end();
    });
}

/// Both lock both tables.
#[test]
fn loom_two_carry_in_opposite_directions() {
    model(|| {
        let world = World::new();
        let there = world.insert(&world.own, 1, Rights::ALL);
        let back = world.insert(&world.other, 2, Rights::ALL);
        let carrier = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || Table::carry(&own, there, Rights::TRANSFER, &other))
        };
        let back = Table::carry(&world.other, back, Rights::TRANSFER, &world.own).expect("there");
        let there = carrier.join().unwrap().expect("there");
        assert!(is_there(&world.own, back) && is_there(&world.other, there));
        assert_eq!((world.own.count(), world.other.count()), (1, 1));
        world.end();
    });
}

#[test]
fn loom_a_revocation_finds_what_is_carried_meanwhile() {
    model(|| {
        let world = World::new();
        let (parent, child) = world.family();
        let carrier = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || Table::carry(&other, child, Rights::TRANSFER, &own))
        };
        assert_eq!(revoke(&world.own, parent), Ok(()));
        let carried = carrier.join().unwrap();
        assert!(matches!(carried, Ok(_) | Err(Error::BadHandle)));
        assert_eq!((world.own.count(), world.other.count()), (1, 0));
        world.end();
    });
}

/// The table alone knows the child until it leaves.
#[test]
fn loom_a_revocation_finds_a_child_that_leaves_its_family() {
    model(|| {
        let world = World::new();
        let parent = world.insert(&world.own, 1, Rights::ALL);
        let child = Table::duplicate(&world.own, parent, Rights::ALL).expect("room");
        let carrier = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || Table::carry(&own, child, Rights::TRANSFER, &other))
        };
        assert_eq!(revoke(&world.own, parent), Ok(()));
        assert!(!is_there(&world.own, child));
        // It is with the receiver only if it was not a child any more: it never is.
        if let Ok(there) = carrier.join().unwrap() {
            assert!(!is_there(&world.other, there));
        }
        assert_eq!((world.own.count(), world.other.count()), (1, 0));
        world.end();
    });
}

#[test]
fn loom_two_members_leave_a_family() {
    model(|| {
        let world = World::new();
        let parent = world.insert(&world.own, 1, Rights::ALL);
        let child = Table::duplicate(&world.own, parent, Rights::ALL).expect("room");
        let carrier = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || Table::carry(&own, child, Rights::TRANSFER, &other))
        };
        let parent = Table::carry(&world.own, parent, Rights::TRANSFER, &world.other);
        let child = carrier.join().unwrap().expect("there");
        assert_eq!(revoke(&world.other, parent.expect("there")), Ok(()));
        assert!(!is_there(&world.other, child));
        assert_eq!((world.own.count(), world.other.count()), (0, 1));
        world.end();
    });
}

#[test]
fn loom_a_parent_goes_while_its_family_changes() {
    model(|| {
        let world = World::new();
        let parent = world.insert(&world.own, 1, Rights::ALL);
        let child = Table::duplicate(&world.own, parent, Rights::ALL).expect("room");
        let deriver = {
            let own = world.own.clone();
            thread::spawn(move || Table::duplicate(&own, child, Rights::NONE))
        };
        assert!(world.own.close(parent).is_ok());
        let below = deriver.join().unwrap().expect("room");
        assert_eq!(revoke(&world.own, child), Ok(()));
        assert!(is_there(&world.own, child) && !is_there(&world.own, below));
        assert_eq!(world.own.count(), 1);
        world.end();
    });
}

#[test]
fn loom_a_family_is_revoked_while_it_grows() {
    model(|| {
        let world = World::new();
        let parent = world.insert(&world.own, 1, Rights::ALL);
        let child = Table::duplicate(&world.own, parent, Rights::ALL).expect("room");
        let deriver = {
            let own = world.own.clone();
            thread::spawn(move || Table::duplicate(&own, child, Rights::ALL))
        };
        assert_eq!(revoke(&world.own, parent), Ok(()));
        let derived = deriver.join().unwrap();
        // Before the child went, or not at all.
        assert!(matches!(derived, Ok(_) | Err(Error::BadHandle)));
        assert_eq!(world.own.count(), 1);
        world.end();
    });
}

#[test]
fn loom_a_table_that_ends_takes_nothing_that_is_carried() {
    model(|| {
        let world = World::new();
        let handle = world.insert(&world.own, 1, Rights::ALL);
        let carrier = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || Table::carry(&own, handle, Rights::TRANSFER, &other))
        };
        clear(&world.other);
        match carrier.join().unwrap() {
            Ok(there) => assert!(!is_there(&world.other, there) && world.own.count() == 0),
            Err(error) => assert!(error == Error::Ended && is_there(&world.own, handle)),
        }
        assert_eq!(world.other.count(), 0);
        world.end();
    });
}

/// Whatever happens at the receiver, who has sent handles has none of them any more, and who could not send has all.
#[test]
fn loom_what_is_carried_together_is_gone_or_stays() {
    model(|| {
        let world = World::new();
        let mut handles = [1, 2].map(|number| world.insert(&world.own, number, Rights::ALL));
        let sender = {
            let (own, other) = (world.own.clone(), world.other.clone());
            thread::spawn(move || {
                Table::carry_together(&own, &mut handles, Rights::TRANSFER, &other)
            })
        };
        clear(&world.other);
        match sender.join().unwrap() {
            Ok(()) => assert_eq!(world.own.count(), 0),
            Err(error) => {
                assert_eq!(error, Error::Ended);
                assert!(handles.iter().all(|handle| is_there(&world.own, *handle)));
            }
        }
        assert_eq!(world.other.count(), 0);
        world.end();
    });
}
