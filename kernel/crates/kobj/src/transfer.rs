//! Handles on the way from one table to another.

use abi::{Error, Handle, Rights};
use ksync::{Arc, Key};

use crate::lineage::Place;
use crate::slots::{Entry, NIL, Slot};
use crate::table::{Locked, State, Table};
use crate::{Named, Object};

/// A place in a table for one handle, which counts as one. It is given back when dropped unused.
pub struct Reservation<T> {
    table: Arc<Table<T>>,
    /// What a handle there is called.
    handle: Handle,
    is_used: bool,
}

impl<T> Reservation<T> {
    /// Takes a place.
    ///
    /// # Errors
    /// `TooMany` or `OutOfMemory`; `Ended` when the table is sealed.
    pub fn new(table: &Arc<Table<T>>) -> Result<Self, Error> {
        loop {
            let slot = table.free_slot(&mut table.lock()).map(Slot::handle);
            match slot {
                Some(handle) => return Ok(Self::of(table, handle)),
                None => table.make_room()?,
            }
        }
    }

    fn of(table: &Arc<Table<T>>, handle: Handle) -> Self {
        Self {
            table: table.clone(),
            handle,
            is_used: false,
        }
    }

    /// Puts a handle there that is derived from none.
    ///
    /// # Errors
    /// `Ended` when the table is sealed, with what was to be added.
    pub fn insert(mut self, named: Named<T>) -> Result<Handle, (Named<T>, Error)> {
        let entry = Entry { named, node: None };
        self.put(entry)
            .map_err(|(entry, error)| (entry.named, error))
    }

    /// Puts a handle there, with the table locked until its node knows.
    ///
    /// # Errors
    /// `Ended` when the table is sealed, `BadHandle` when the handle has been revoked; with the handle.
    fn put(&mut self, entry: Entry<T>) -> Result<Handle, (Entry<T>, Error)> {
        let table = &self.table;
        let Ok((slot, _)) = table.find(self.handle) else {
            return Err((entry, Error::BadHandle));
        };
        let mut state = table.lock();
        if state.is_sealed {
            return Err((entry, Error::Ended));
        }
        if !arrives(&entry, table, self.handle) {
            return Err((entry, Error::BadHandle));
        }
        self.is_used = true;
        Ok(table.fill(&mut state, slot, entry))
    }
}

impl<T> Drop for Reservation<T> {
    fn drop(&mut self) {
        if !self.is_used
            && let Ok((slot, _)) = self.table.find(self.handle)
        {
            self.table.give(&mut self.table.lock(), slot);
        }
    }
}

/// Tells the node of a handle, if it has one, where it is from now on. Returns whether it has not been revoked.
#[inline(always)]
fn arrives<T>(entry: &Entry<T>, table: &Arc<Table<T>>, handle: Handle) -> bool {
    entry.node.as_ref().is_none_or(|node| {
        let table = table.clone();
        node.moved(Place::Slot { table, handle })
    })
}

/// A handle that was taken out of its table and is in no other yet. Whoever drops it closes it.
///
/// Its slot stays reserved, so that it can be [put back](Self::put_back) and have the same value; it counts against the quota of
/// where it came from.
pub struct InFlight<T> {
    entry: Option<Entry<T>>,
    home: Reservation<T>,
}

/// A handle that did not arrive.
pub enum Undelivered<T> {
    /// It was revoked on its way, and is closed.
    Revoked,
    /// The receiver's table is sealed: the handle can be put back.
    Ended(InFlight<T>),
}

impl<T: Object> Table<T> {
    /// Takes a handle, which must have the rights `needed`, out of the table, to bring it to another.
    ///
    /// # Errors
    /// `BadHandle`, also when it is revoked at this moment; `AccessDenied`; `OutOfMemory` when it has relatives, and there is none to know
    /// them by from now on.
    pub fn take(this: &Arc<Self>, handle: Handle, needed: Rights) -> Result<InFlight<T>, Error> {
        let (slot, key) = this.find(handle)?;
        let entry = loop {
            let taken = {
                let mut state = this.lock();
                // If it is put back it has the value that it had.
                this.take_alone(&mut state, (slot, key), needed, key)
            };
            match taken {
                Ok(entry) => break entry,
                Err(Halted::Not(error)) => return Err(error),
                Err(_) => Self::settle(this, handle)?,
            }
        };
        // From here on it is closed when dropped.
        let flight = InFlight {
            entry: Some(entry),
            home: Reservation::of(this, handle),
        };
        let node = flight.entry.as_ref().and_then(|entry| entry.node.as_ref());
        if node.is_some_and(|node| !node.moved(Place::InFlight)) {
            return Err(Error::BadHandle);
        }
        Ok(flight)
    }

    /// Empties the slot of a handle, whose next value is then another, unless it has relatives that the table alone knows.
    #[inline(always)]
    fn take_alone(
        &self,
        state: &mut State,
        (slot, key): (&Slot<T>, Key),
        needed: Rights,
        next: Key,
    ) -> Result<Entry<T>, Halted<T>> {
        // The slots around it make a family, but it may be derived from none of these, and none from it.
        let has_relatives =
            slot.next() != NIL && self.has_relatives(state, slot, slot.handle().index());
        let Some(entry) = slot.content.reach(key) else {
            return Err(Halted::Not(Error::BadHandle));
        };
        entry.check(needed).map_err(Halted::Not)?;
        if has_relatives {
            return Err(Halted::NoLineage);
        }
        let entry = entry.take(next);
        self.leave_family(state, slot, slot.handle().index());
        Ok(entry)
    }

    /// Brings a handle, which must have the rights `needed`, to another table, in one step; returns the handle there.
    ///
    /// # Errors
    /// `BadHandle` or `AccessDenied`; as [`Reservation::new`] when it cannot be there, or as [`take`](Self::take). Nothing has changed
    /// then.
    pub fn carry(
        from: &Arc<Self>,
        handle: Handle,
        needed: Rights,
        to: &Arc<Self>,
    ) -> Result<Handle, Error> {
        match Self::carry_here(from, handle, needed, to) {
            Some(there) => Ok(there),
            None => Self::carry_slowly(from, handle, needed, to),
        }
    }

    /// Brings a handle that has no relatives to another table, if there is a free slot.
    #[inline(always)]
    fn carry_here(from: &Self, handle: Handle, needed: Rights, to: &Self) -> Option<Handle> {
        let (slot, key) = from.slots.find(handle)?;
        let next = key.next()?;
        let (mut first, mut second) = in_order(from, to)?;
        let (here, there) = of_each(from, to, &mut first, &mut second);
        let entry = slot.content.reach(key)?;
        if slot.next() != NIL || entry.node.is_some() || !entry.named.rights.contains(needed) {
            return None;
        }
        let place = to.free_slot(there)?;
        let named = entry.take(next).alone();
        from.push(here, slot, handle.index(), true);
        Some(to.fill(there, place, Entry { named, node: None }))
    }

    #[cold]
    #[inline(never)]
    fn carry_slowly(
        from: &Arc<Self>,
        handle: Handle,
        needed: Rights,
        to: &Arc<Self>,
    ) -> Result<Handle, Error> {
        if Arc::ptr_eq(from, to) {
            return Self::carry_within(from, handle, needed);
        }
        let found = from.find(handle)?;
        loop {
            match Self::carry_now(from, found, needed, to) {
                Ok(there) => return Ok(there),
                Err(Halted::Not(error)) => return Err(error),
                Err(Halted::NoSlot) => to.make_room()?,
                Err(Halted::NoLineage) => Self::settle(from, handle)?,
                Err(Halted::Revoked(entry)) => {
                    // With no lock held.
                    drop(entry);
                    return Err(Error::BadHandle);
                }
            }
        }
    }

    /// Gives a handle another value.
    fn carry_within(this: &Arc<Self>, handle: Handle, needed: Rights) -> Result<Handle, Error> {
        let place = Reservation::new(this)?;
        match Self::take(this, handle, needed)?.deliver(place) {
            Ok(there) => Ok(there),
            Err(Undelivered::Revoked) => Err(Error::BadHandle),
            Err(Undelivered::Ended(flight)) => {
                flight.put_back()?;
                Err(Error::Ended)
            }
        }
    }

    /// Brings a handle from one table to another one, which is not the same.
    fn carry_now(
        from: &Arc<Self>,
        (slot, key): (&Slot<T>, Key),
        needed: Rights,
        to: &Arc<Self>,
    ) -> Result<Handle, Halted<T>> {
        let Some((mut first, mut second)) = in_order(from, to) else {
            return Err(Halted::Not(Error::BadHandle));
        };
        let (here, there) = of_each(from, to, &mut first, &mut second);
        let place = to.free_slot(there).ok_or(Halted::NoSlot)?;
        let next = key.next();
        let kept = next.unwrap_or(key);
        let halted = match from.take_alone(here, (slot, key), needed, kept) {
            Ok(entry) => {
                let index = slot.handle().index();
                from.push(here, slot, index, next.is_some());
                if arrives(&entry, to, place.handle()) {
                    return Ok(to.fill(there, place, entry));
                }
                Halted::Revoked(entry)
            }
            Err(halted) => halted,
        };
        to.give(there, place);
        Err(halted)
    }
}

/// Locks two tables, that with the lower address first; none if they are one.
#[inline(always)]
fn in_order<'a, T>(one: &'a Table<T>, other: &'a Table<T>) -> Option<(Locked<'a>, Locked<'a>)> {
    if core::ptr::eq(one, other) {
        return None;
    }
    let is_first = one.rank() < other.rank();
    let (first, second) = if is_first { (one, other) } else { (other, one) };
    let first = first.lock();
    Some((first, second.lock()))
}

/// Whose is which.
#[inline(always)]
fn of_each<'a, T>(
    one: &Table<T>,
    other: &Table<T>,
    first: &'a mut State,
    second: &'a mut State,
) -> (&'a mut State, &'a mut State) {
    if one.rank() < other.rank() {
        (first, second)
    } else {
        (second, first)
    }
}

/// Why a handle was not brought to another table at once.
enum Halted<T> {
    /// It is not there, or has not the rights.
    Not(Error),
    /// There was no free slot.
    NoSlot,
    /// Its table alone knows its relatives.
    NoLineage,
    /// It was revoked at this moment, and is gone.
    Revoked(Entry<T>),
}

impl<T> InFlight<T> {
    /// What it names.
    pub fn named(&self) -> Option<&Named<T>> {
        self.entry.as_ref().map(|entry| &entry.named)
    }

    /// Brings it to its receiver; returns the handle there.
    ///
    /// # Errors
    /// When it was revoked on its way, or the receiver takes nothing any more.
    pub fn deliver(mut self, mut place: Reservation<T>) -> Result<Handle, Undelivered<T>> {
        let Some(entry) = self.entry.take() else {
            return Err(Undelivered::Revoked);
        };
        place.put(entry).map_err(|(entry, error)| match error {
            Error::Ended => {
                self.entry = Some(entry);
                Undelivered::Ended(self)
            }
            _ => Undelivered::Revoked,
        })
    }

    /// Puts it back where it came from: it has the value that it had.
    ///
    /// # Errors
    /// `BadHandle` when it was revoked meanwhile, `Ended` when its table is sealed; it is closed then.
    pub fn put_back(mut self) -> Result<Handle, Error> {
        let entry = self.entry.take().ok_or(Error::BadHandle)?;
        self.home.put(entry).map_err(|(entry, error)| {
            // It is closed with the rest.
            self.entry = Some(entry);
            error
        })
    }
}

impl<T> Drop for InFlight<T> {
    fn drop(&mut self) {
        drop(self.entry.take().map(Entry::close));
    }
}
