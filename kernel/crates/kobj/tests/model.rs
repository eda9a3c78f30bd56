//! Random operations on several tables, against a plain model of what each handle names and was made from.
#![cfg(not(loom))]

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use abi::{Error, Handle, ObjectType, Rights};
use kobj::{InFlight, Named, Object, Reservation, Table, Undelivered};
use ksync::Arc;
use proptest::prelude::*;

/// An object whose references can be counted.
#[derive(Clone, Debug)]
struct Thing(Rc<u32>);

impl Object for Thing {
    fn kind(&self) -> ObjectType {
        match *self.0 % 2 {
            0 => ObjectType::Event,
            _ => ObjectType::VmArea,
        }
    }
}

/// How many handles each table may have.
const LIMIT: u32 = 40;
const TABLES: usize = 3;

/// Where a handle is: in a table, or on the way from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Table(usize, u64),
    Way(usize, u64),
}

#[derive(Clone)]
struct Known {
    object: u32,
    rights: Rights,
    data: u64,
    parent: Option<u32>,
    at: At,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Insert(usize),
    Duplicate(usize, u32),
    Derive(usize, u64),
    Close(usize),
    Take(usize),
    PutBack(usize),
    Deliver(usize, usize),
    Carry(usize, usize, bool),
    Lose(usize),
    Revoke(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let any = any::<usize>;
    // Most handles can be duplicated and given away.
    const BOTH: u32 = Rights::DUPLICATE.union(Rights::TRANSFER).0;
    prop_oneof![
        2 => any().prop_map(Op::Insert),
        8 => (any(), prop::num::u32::ANY)
            .prop_map(|(at, rights)| Op::Duplicate(at, rights | BOTH)),
        1 => (any(), prop::num::u32::ANY)
            .prop_map(|(at, rights)| Op::Duplicate(at, rights & !BOTH | Rights::TRANSFER.0)),
        1 => (any(), prop::num::u64::ANY).prop_map(|(at, data)| Op::Derive(at, data)),
        3 => any().prop_map(Op::Close),
        3 => any().prop_map(Op::Take),
        1 => any().prop_map(Op::PutBack),
        2 => (any(), any()).prop_map(|(at, to)| Op::Deliver(at, to)),
        3 => (any(), any(), prop::bool::ANY).prop_map(|(at, to, is_so)| Op::Carry(at, to, is_so)),
        1 => any().prop_map(Op::Lose),
        1 => any().prop_map(Op::Revoke),
    ]
}

struct World {
    tables: Vec<Arc<Table<Thing>>>,
    objects: Vec<Rc<u32>>,
    /// By a number that is never used again.
    known: BTreeMap<u32, Known>,
    next: u32,
    /// With the table that each is from.
    flights: Vec<(u32, usize, InFlight<Thing>)>,
    /// Handles that are closed.
    gone: BTreeSet<(usize, u64)>,
}

impl World {
    fn new() -> Self {
        Self {
            tables: (0..TABLES)
                .map(|_| Table::try_new(LIMIT).expect("memory"))
                .collect(),
            objects: Vec::new(),
            known: BTreeMap::new(),
            next: 0,
            flights: Vec::new(),
            gone: BTreeSet::new(),
        }
    }

    /// One of the handles that are in tables.
    fn pick(&self, at: usize) -> Option<(u32, usize, Handle)> {
        let here = |(number, known): (&u32, &Known)| match known.at {
            At::Table(table, handle) => Some((*number, table, Handle(handle))),
            At::Way(..) => None,
        };
        let count = self.known.iter().filter_map(here).count();
        self.known
            .iter()
            .filter_map(here)
            .nth(at.checked_rem(count)?)
    }

    fn used(&self, table: usize) -> u32 {
        // Also what was revoked on its way keeps its place until it is dropped.
        let flights = self.flights.iter().filter(|(_, home, _)| *home == table);
        let here = self.known.values();
        let here = here.filter(|known| matches!(known.at, At::Table(at, _) if at == table));
        (here.count() + flights.count()) as u32
    }

    fn forget(&mut self, number: u32) {
        let known = self.known.remove(&number).expect("known");
        for other in self.known.values_mut() {
            if other.parent == Some(number) {
                other.parent = known.parent;
            }
        }
        let (At::Table(table, handle) | At::Way(table, handle)) = known.at;
        self.gone.insert((table, handle));
    }

    fn learn(&mut self, known: Known) {
        if let At::Table(table, handle) = known.at {
            assert_ne!(handle, 0);
            assert!(!self.gone.contains(&(table, handle)), "a value came again");
        }
        self.known.insert(self.next, known);
        self.next += 1;
    }

    fn is_below(&self, mut number: u32, top: u32) -> bool {
        while let Some(parent) = self.known.get(&number).and_then(|known| known.parent) {
            if parent == top {
                return true;
            }
            number = parent;
        }
        false
    }

    fn derive(&mut self, at: usize, wanted: Rights, data: Option<u64>) {
        let Some((parent, table, handle)) = self.pick(at) else {
            return;
        };
        let above = self.known[&parent].clone();
        let is_full = self.used(table) >= LIMIT;
        let result = match data {
            None => Table::duplicate(&self.tables[table], handle, wanted),
            Some(data) => Table::derive(&self.tables[table], handle, Rights::DUPLICATE, |named| {
                assert_eq!((named.rights, named.data), (above.rights, above.data));
                Ok(Named {
                    rights: wanted,
                    data,
                    ..named
                })
            }),
        };
        if !above.rights.contains(Rights::DUPLICATE) {
            assert_eq!(result, Err(Error::AccessDenied));
        } else if is_full {
            assert_eq!(result, Err(Error::TooMany));
        } else {
            let rights = wanted.intersection(above.rights);
            let at = At::Table(table, result.expect("room").0);
            let data = data.unwrap_or(above.data);
            self.learn(Known {
                rights,
                data,
                parent: Some(parent),
                at,
                ..above
            });
        }
    }

    fn act(&mut self, op: Op) {
        match op {
            Op::Insert(table) => {
                let table = table % TABLES;
                let (number, is_full) = (self.objects.len() as u32, self.used(table) >= LIMIT);
                let thing = Thing(Rc::new(number));
                self.objects.push(thing.0.clone());
                match Table::insert(&self.tables[table], Named::new(thing, Rights::ALL)) {
                    Ok(handle) => {
                        assert!(!is_full);
                        let at = At::Table(table, handle.0);
                        self.learn(Known {
                            object: number,
                            rights: Rights::ALL,
                            data: 0,
                            parent: None,
                            at,
                        });
                    }
                    Err((_, error)) => assert!(is_full && error == Error::TooMany),
                }
            }
            Op::Duplicate(at, rights) => self.derive(at, Rights(rights), None),
            Op::Derive(at, data) => self.derive(at, Rights::ALL, Some(data)),
            Op::Close(at) => {
                if let Some((number, table, handle)) = self.pick(at) {
                    let expected = self.known[&number].object;
                    if at % 2 == 0 {
                        let object = self.tables[table].close(handle).expect("there");
                        assert_eq!(*object.0, expected);
                    } else {
                        let check = |object: Thing| assert_eq!(*object.0, expected);
                        assert_eq!(self.tables[table].close_by(handle, check), Ok(()));
                    }
                    self.forget(number);
                }
            }
            Op::Take(at) => {
                if let Some((number, table, handle)) = self.pick(at) {
                    let flight = Table::take(&self.tables[table], handle, Rights::TRANSFER);
                    let known = self.known.get_mut(&number).expect("known");
                    assert!(known.rights.contains(Rights::TRANSFER));
                    known.at = At::Way(table, handle.0);
                    self.flights.push((number, table, flight.expect("there")));
                }
            }
            Op::PutBack(at) => {
                if let Some((number, flight)) = self.land(at) {
                    match self.known.get_mut(&number) {
                        Some(known) => {
                            let At::Way(table, handle) = known.at else {
                                panic!("not on its way")
                            };
                            assert_eq!(flight.put_back(), Ok(Handle(handle)));
                            known.at = At::Table(table, handle);
                        }
                        None => assert_eq!(flight.put_back(), Err(Error::BadHandle)),
                    }
                }
            }
            Op::Deliver(at, to) => {
                let to = to % TABLES;
                let Ok(place) = Reservation::new(&self.tables[to]) else {
                    return;
                };
                let Some((number, flight)) = self.land(at) else {
                    return;
                };
                match (
                    flight.deliver(place),
                    self.known.get(&number).map(|known| known.at),
                ) {
                    (Ok(handle), Some(At::Way(table, old))) => {
                        self.gone.insert((table, old));
                        assert!(!self.gone.contains(&(to, handle.0)));
                        self.known.get_mut(&number).expect("known").at = At::Table(to, handle.0);
                    }
                    (Err(Undelivered::Revoked), None) => {}
                    _ => panic!("wrong outcome of a delivery"),
                }
            }
            Op::Carry(at, to, needs_duplicate) => {
                let to = to % TABLES;
                let Some((number, table, handle)) = self.pick(at) else {
                    return;
                };
                let needed = match needs_duplicate {
                    true => Rights::DUPLICATE,
                    false => Rights::TRANSFER,
                };
                let is_full = self.used(to) >= LIMIT;
                let (from, receiver) = (&self.tables[table], &self.tables[to]);
                let carried = Table::carry(from, handle, needed, receiver);
                if is_full {
                    assert_eq!(carried, Err(Error::TooMany));
                } else if !self.known[&number].rights.contains(needed) {
                    assert_eq!(carried, Err(Error::AccessDenied));
                } else {
                    let there = carried.expect("there");
                    self.gone.insert((table, handle.0));
                    assert!(!self.gone.contains(&(to, there.0)), "a value came again");
                    self.known.get_mut(&number).expect("known").at = At::Table(to, there.0);
                }
            }
            Op::Lose(at) => {
                if let Some((number, flight)) = self.land(at) {
                    drop(flight);
                    if self.known.contains_key(&number) {
                        self.forget(number);
                    }
                }
            }
            Op::Revoke(at) => {
                if let Some((top, table, handle)) = self.pick(at) {
                    let revocation = self.tables[table].revoke(handle);
                    if !self.known[&top].rights.contains(Rights::DUPLICATE) {
                        assert_eq!(revocation.err(), Some(Error::AccessDenied));
                        return;
                    }
                    let mut revocation = revocation.expect("there");
                    let numbers: Vec<_> = self.known.keys().copied().collect();
                    let doomed: Vec<_> = numbers
                        .into_iter()
                        .filter(|&it| self.is_below(it, top))
                        .collect();
                    let ended = revocation.advance(2 * doomed.len() as u32 + 2);
                    assert_eq!(ended, Ok(true));
                    for number in doomed {
                        self.forget(number);
                    }
                }
            }
        }
    }

    fn land(&mut self, at: usize) -> Option<(u32, InFlight<Thing>)> {
        let at = at.checked_rem(self.flights.len())?;
        let (number, _, flight) = self.flights.swap_remove(at);
        Some((number, flight))
    }

    fn check(&self) {
        let mut references = vec![0; self.objects.len()];
        for known in self.known.values() {
            references[known.object as usize] += 1;
            let At::Table(table, handle) = known.at else {
                continue;
            };
            let (table, handle) = (&self.tables[table], Handle(handle));
            let named = table.any(handle, Rights::NONE).expect("there");
            assert_eq!(*named.object.0, known.object);
            assert_eq!((named.rights, named.data), (known.rights, known.data));
            let (own, other) = match known.object % 2 {
                0 => (ObjectType::Event, ObjectType::VmArea),
                _ => (ObjectType::VmArea, ObjectType::Event),
            };
            assert!(table.get(handle, own, known.rights).is_ok());
            assert_eq!(
                table.get(handle, other, Rights(u32::MAX)).err(),
                Some(Error::WrongType)
            );
            assert_eq!(
                table.get(handle, own, Rights(u32::MAX)).err(),
                Some(Error::AccessDenied)
            );
        }
        for (number, _, flight) in &self.flights {
            // What was revoked on its way is dropped when it is put down.
            if !self.known.contains_key(number) {
                let object = *flight.named().expect("there").object.0;
                references[object as usize] += 1;
            }
        }
        for (object, references) in self.objects.iter().zip(references) {
            assert_eq!(Rc::strong_count(object), references + 1, "object {object}");
        }
        for (table, handle) in &self.gone {
            let seen = self.tables[*table].any(Handle(*handle), Rights::NONE);
            assert_eq!(seen.err(), Some(Error::BadHandle));
        }
    }
}

proptest! {
    #[test]
    fn handles_name_what_they_should(ops in prop::collection::vec(op(), 1..250)) {
        let mut world = World::new();
        for op in ops {
            world.act(op);
            world.check();
        }
        // The tables go: nothing stays, whichever goes first.
        world.flights.clear();
        for table in &world.tables {
            table.seal();
            let mut from = 0;
            while !table.clear(&mut from, 7) {}
            prop_assert_eq!(table.count(), 0);
        }
        for object in &world.objects {
            prop_assert_eq!(Rc::strong_count(object), 1);
        }
        for table in &world.tables {
            prop_assert_eq!(Arc::count(table), 1, "a lineage has kept a table");
        }
    }
}
