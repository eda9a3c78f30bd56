//! Handles on the way from one table to another.

use abi::{Error, Handle, Rights};
use ksync::Arc;

use crate::lineage::Place;
use crate::slots::Entry;
use crate::table::Table;
use crate::{Named, Object};

/// A place in a table for one handle, which counts as one. It is given back when dropped unused.
pub struct Reservation<T> {
    table: Arc<Table<T>>,
    index: u32,
    is_used: bool,
}

impl<T> Reservation<T> {
    /// Takes a place.
    ///
    /// # Errors
    /// `TooMany` or `OutOfMemory`; `Ended` when the table is sealed.
    pub fn new(table: &Arc<Table<T>>) -> Result<Self, Error> {
        if table.is_sealed() {
            return Err(Error::Ended);
        }
        let index = table.slots.take()?;
        Ok(Self::of(table, index))
    }

    fn of(table: &Arc<Table<T>>, index: u32) -> Self {
        Self {
            table: table.clone(),
            index,
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

    /// Puts a handle there, with the slot locked until its node knows.
    ///
    /// # Errors
    /// `Ended` when the table is sealed, `BadHandle` when the handle has been revoked; with the handle.
    fn put(&mut self, entry: Entry<T>) -> Result<Handle, (Entry<T>, Error)> {
        let mut content = match self.table.lock(self.index) {
            Ok(content) => content,
            Err(error) => return Err((entry, error)),
        };
        if self.table.is_sealed() {
            return Err((entry, Error::Ended));
        }
        let generation = content.generation;
        let place = || Place::Slot {
            table: self.table.clone(),
            index: self.index,
            generation,
        };
        if entry.node.as_ref().is_some_and(|node| !node.moved(place())) {
            return Err((entry, Error::BadHandle));
        }
        content.entry = Some(entry);
        self.is_used = true;
        Ok(Handle::new(self.index, generation))
    }
}

impl<T> Drop for Reservation<T> {
    fn drop(&mut self) {
        if !self.is_used {
            self.table.vacate(self.index);
        }
    }
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
    /// `BadHandle`, also when it is revoked at this moment; `AccessDenied`.
    pub fn take(this: &Arc<Self>, handle: Handle, needed: Rights) -> Result<InFlight<T>, Error> {
        let entry = {
            let mut content = this.lock(handle.index())?;
            content.with(handle.generation(), needed)?;
            content.entry.take().ok_or(Error::BadHandle)?
        };
        let home = Reservation::of(this, handle.index());
        // From here on it is closed when dropped.
        let flight = InFlight {
            entry: Some(entry),
            home,
        };
        let node = flight.entry.as_ref().and_then(|entry| entry.node.as_ref());
        if node.is_some_and(|node| !node.moved(Place::InFlight)) {
            return Err(Error::BadHandle);
        }
        Ok(flight)
    }
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
