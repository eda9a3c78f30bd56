//! The handles of a process.

use abi::{Error, Handle, ObjectType, Rights};
use ksync::atomic::{AtomicBool, Ordering};
use ksync::{AllocError, Arc, SpinLock};

use crate::slots::{Content, Entry, Slots};
use crate::{Named, Object, Reservation};

/// A table of handles.
///
/// References to it are held by its process, and by the lineages of its handles as long as these are there. So who gives up a
/// table must [seal](Self::seal) and [clear](Self::clear) it, or it stays for ever.
pub struct Table<T> {
    pub(crate) slots: Slots<T>,
    /// No handle is added any more. Set once; who adds one asks with the slot locked.
    sealed: AtomicBool,
    /// The next table that is to be cleared. Taken with the lock of the list held.
    pub(crate) next_leftover: SpinLock<Option<Arc<Self>>>,
}

/// The content of a slot, locked.
type Locked<'a, T> = ksync::SpinLockGuard<'a, Content<T>>;

impl<T> Table<T> {
    /// An empty table for so many handles, at most [`HANDLES_MAX`](crate::HANDLES_MAX).
    ///
    /// # Errors
    /// When memory is short.
    pub fn try_new(limit: u32) -> Result<Arc<Self>, AllocError> {
        Arc::try_new(Self {
            slots: Slots::new(limit),
            sealed: AtomicBool::new(false),
            next_leftover: SpinLock::new(None),
        })
    }

    /// Sets how many handles there may be. Those that are there stay.
    pub fn set_limit(&self, limit: u32) {
        self.slots.set_limit(limit);
    }

    /// How many handles there are, places that are reserved for handles on the way included.
    pub fn count(&self) -> u32 {
        self.slots.used()
    }

    #[inline]
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Relaxed)
    }

    /// Locks the slot that a handle names, or named, or none has ever named.
    #[inline]
    pub(crate) fn lock(&self, index: u32) -> Result<Locked<'_, T>, Error> {
        let slot = self.slots.get(index).ok_or(Error::BadHandle)?;
        Ok(slot.content.lock())
    }

    /// Empties a slot if it holds the handle of this generation, and gives it back.
    #[inline]
    pub(crate) fn empty(&self, index: u32, generation: u32) -> Option<Entry<T>> {
        let (entry, reuse) = {
            let mut content = self.lock(index).ok()?;
            content.of(generation).ok()?;
            (content.entry.take()?, content.end())
        };
        self.slots.give(index, reuse);
        Some(entry)
    }

    /// Ends the generation of a slot that holds nothing, and gives it back.
    pub(crate) fn vacate(&self, index: u32) {
        if let Ok(mut content) = self.lock(index) {
            let reuse = content.end();
            drop(content);
            self.slots.give(index, reuse);
        }
    }

    /// Adds a handle that is derived from none.
    ///
    /// # Errors
    /// `TooMany`, `OutOfMemory`, or `Ended` when the table is sealed; with what was to be added.
    pub fn insert(this: &Arc<Self>, named: Named<T>) -> Result<Handle, (Named<T>, Error)> {
        match Reservation::new(this) {
            Ok(place) => place.insert(named),
            Err(error) => Err((named, error)),
        }
    }

    /// Closes a handle. What was derived from it is then derived from what it was derived from. Returns the object, to be dropped
    /// when no lock is held.
    ///
    /// # Errors
    /// `BadHandle`.
    #[inline]
    pub fn close(&self, handle: Handle) -> Result<T, Error> {
        let entry = self.empty(handle.index(), handle.generation());
        entry.map(Entry::close).ok_or(Error::BadHandle)
    }

    /// From now on no handle is added; who tries gets `Ended`. Some may be until this returns.
    pub fn seal(&self) {
        self.sealed.store(true, Ordering::Relaxed);
    }

    /// Closes handles of a sealed table: those of at most `most` slots from `from` on, which is moved ahead. Returns whether these
    /// were the last. Nobody can add one behind that: who has locked a slot later finds the table sealed.
    pub fn clear(&self, from: &mut u32, most: u32) -> bool {
        let fresh = self.slots.fresh();
        let end = fresh.min(from.saturating_add(most));
        while *from < end {
            let index = *from;
            *from += 1;
            let generation = self.lock(index).map(|content| content.generation);
            let entry = generation.ok().and_then(|now| self.empty(index, now));
            drop(entry.map(Entry::close));
        }
        *from >= fresh
    }
}

impl<T: Object> Table<T> {
    /// Looks a handle up, and what is asked of it.
    ///
    /// # Errors
    /// `BadHandle`, `WrongType` or `AccessDenied`, in this order.
    #[inline]
    fn find<R>(
        &self,
        handle: Handle,
        kind: ObjectType,
        needed: Rights,
        read: impl FnOnce(&Named<T>) -> R,
    ) -> Result<R, Error> {
        let content = self.lock(handle.index())?;
        let named = &content.of(handle.generation())?.named;
        if named.object.kind() != kind {
            return Err(Error::WrongType);
        }
        if !named.rights.contains(needed) {
            return Err(Error::AccessDenied);
        }
        Ok(read(named))
    }

    /// The object of a handle, which must have this type and these rights.
    ///
    /// # Errors
    /// `BadHandle`, `WrongType` or `AccessDenied`, in this order.
    #[inline]
    pub fn get(&self, handle: Handle, kind: ObjectType, needed: Rights) -> Result<T, Error> {
        self.find(handle, kind, needed, |named| named.object.clone())
    }

    /// As [`get`](Self::get), with all rights of the handle and its word.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn named(
        &self,
        handle: Handle,
        kind: ObjectType,
        needed: Rights,
    ) -> Result<Named<T>, Error> {
        self.find(handle, kind, needed, Named::clone)
    }

    /// What a handle of any type names.
    ///
    /// # Errors
    /// `BadHandle`; `AccessDenied` when it lacks `needed`.
    #[inline]
    pub fn any(&self, handle: Handle, needed: Rights) -> Result<Named<T>, Error> {
        let content = self.lock(handle.index())?;
        Ok(content.with(handle.generation(), needed)?.named.clone())
    }
}
