//! The handles of a process.

use abi::{Error, Handle, ObjectType, Rights};
use ksync::{AllocError, Arc, Key, KeyedVacancy, SpinLock, SpinLockGuard};

use crate::slots::{Entry, HANDLES_MAX, NIL, Slot, Slots};
use crate::{Named, Object};

/// A table of handles.
///
/// References to it are held by its process, and by the lineages of its handles as long as these are there. So who gives up a
/// table must [seal](Self::seal) and [clear](Self::clear) it, or it stays for ever.
pub struct Table<T> {
    pub(crate) slots: Slots<T>,
    state: SpinLock<State>,
    /// The next table that is to be cleared. Taken with the lock of the list held.
    pub(crate) next_leftover: SpinLock<Option<Arc<Self>>>,
    /// Loom wants the same order in each run.
    #[cfg(loom)]
    number: usize,
}

/// Which slots are free. Its lock is that of the table: who holds it is the only one to fill slots, to empty them, and to change what
/// handles of one table have to do with each other.
pub(crate) struct State {
    /// The first free slot of those that were in use.
    first: u32,
    /// Slots that were ever in use.
    fresh: u32,
    /// Slots that are in use, or reserved.
    used: u32,
    /// The most that may be; 0 when the table is sealed.
    limit: u32,
    /// No handle is added any more.
    pub(crate) is_sealed: bool,
}

pub(crate) type Locked<'a> = SpinLockGuard<'a, State>;

impl<T> Table<T> {
    /// An empty table for so many handles, at most [`HANDLES_MAX`](crate::HANDLES_MAX).
    ///
    /// # Errors
    /// When memory is short.
    pub fn try_new(limit: u32) -> Result<Arc<Self>, AllocError> {
        Arc::try_new(Self {
            slots: Slots::new(),
            state: SpinLock::new(State {
                first: NIL,
                fresh: 0,
                used: 0,
                limit: limit.min(HANDLES_MAX),
                is_sealed: false,
            }),
            next_leftover: SpinLock::new(None),
            #[cfg(loom)]
            number: {
                use core::sync::atomic::{AtomicUsize, Ordering};
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                NEXT.fetch_add(1, Ordering::Relaxed)
            },
        })
    }

    /// By which of two tables the order is found in which they are locked.
    #[inline(always)]
    pub(crate) fn rank(&self) -> usize {
        #[cfg(not(loom))]
        return core::ptr::from_ref(self).addr();
        #[cfg(loom)]
        return self.number;
    }

    /// Sets how many handles there may be. Those that are there stay.
    pub fn set_limit(&self, limit: u32) {
        let mut state = self.lock();
        if !state.is_sealed {
            state.limit = limit.min(HANDLES_MAX);
        }
    }

    /// How many handles there are, places that are reserved for handles on the way included.
    pub fn count(&self) -> u32 {
        self.lock().used
    }

    /// Locks the table.
    #[inline(always)]
    pub(crate) fn lock(&self) -> Locked<'_> {
        self.state.lock()
    }

    /// The slot that a handle names, or named, or none has ever named, and its key there.
    #[inline(always)]
    pub(crate) fn find(&self, handle: Handle) -> Result<(&Slot<T>, Key), Error> {
        self.slots.find(handle).ok_or(Error::BadHandle)
    }

    /// Takes a slot off the free ones, which the caller fills or [gives back](Self::give); none if there is
    /// none, or no more may be used: see [`make_room`](Self::make_room).
    #[inline(always)]
    pub(crate) fn free_slot(&self, state: &mut State) -> Option<&Slot<T>> {
        if state.used >= state.limit {
            return None;
        }
        let Some(slot) = self.slots.get(state.first) else {
            return self.fresh_slot(state);
        };
        state.first = slot.next();
        state.used += 1;
        Some(slot)
    }

    /// One that was never in use, if there is memory for it.
    #[cold]
    #[inline(never)]
    fn fresh_slot(&self, state: &mut State) -> Option<&Slot<T>> {
        let slot = self.slots.get(state.fresh)?;
        state.fresh += 1;
        state.used += 1;
        Some(slot)
    }

    /// Says why there was no free slot, or takes memory for more: then it is to be tried again.
    ///
    /// # Errors
    /// `Ended`, `TooMany` or `OutOfMemory`.
    #[cold]
    #[inline(never)]
    pub(crate) fn make_room(&self) -> Result<(), Error> {
        let fresh = {
            let state = self.lock();
            if state.is_sealed {
                return Err(Error::Ended);
            }
            if state.used >= state.limit {
                return Err(Error::TooMany);
            }
            state.fresh
        };
        self.slots.grow(fresh)
    }

    /// Puts a handle without relatives of this table into a slot that is free or reserved.
    #[inline(always)]
    pub(crate) fn fill(&self, _: &mut State, slot: &Slot<T>, entry: Entry<T>) -> Handle {
        slot.set_next(NIL);
        slot.set_parent(NIL);
        Handle(claim(slot).put(entry).word())
    }

    /// Gives a slot back that holds nothing, and ends its generation. One whose generations are used up is never used again.
    #[inline]
    pub(crate) fn give(&self, state: &mut State, slot: &Slot<T>) {
        let old = slot.content.key();
        let next = old.next();
        if slot.content.renew(old, next.unwrap_or(old)) {
            self.push(state, slot, slot.handle().index(), next.is_some());
        }
    }

    /// Adds a slot to the free ones that holds nothing, and whose generation has ended.
    #[inline(always)]
    pub(crate) fn push(&self, state: &mut State, slot: &Slot<T>, index: u32, is_usable: bool) {
        state.used = state.used.wrapping_sub(1);
        if is_usable {
            slot.set_next(state.first);
            state.first = index;
        }
    }

    /// Empties a slot if it holds this handle, and gives it back.
    #[inline(always)]
    pub(crate) fn remove(&self, state: &mut State, handle: Handle) -> Option<Entry<T>> {
        let (slot, key) = self.slots.find(handle)?;
        let next = key.next();
        let entry = slot.content.reach(key)?.take(next.unwrap_or(key));
        self.leave_family(state, slot, handle.index());
        self.push(state, slot, handle.index(), next.is_some());
        Some(entry)
    }

    /// As [`remove`](Self::remove), for who has not locked the table.
    #[inline(always)]
    pub(crate) fn empty(&self, handle: Handle) -> Option<Entry<T>> {
        let mut state = self.lock();
        self.remove(&mut state, handle)
    }

    /// Adds a handle that is derived from none.
    ///
    /// # Errors
    /// `TooMany`, `OutOfMemory`, or `Ended` when the table is sealed; with what was to be added.
    pub fn insert(this: &Arc<Self>, named: Named<T>) -> Result<Handle, (Named<T>, Error)> {
        loop {
            {
                let mut state = this.lock();
                if let Some(slot) = this.free_slot(&mut state) {
                    return Ok(this.fill(&mut state, slot, Entry { named, node: None }));
                }
            }
            if let Err(error) = this.make_room() {
                return Err((named, error));
            }
        }
    }

    /// Closes a handle. What was derived from it is then derived from what it was derived from. Returns the object, to be dropped
    /// when no lock is held.
    ///
    /// # Errors
    /// `BadHandle`.
    pub fn close(&self, handle: Handle) -> Result<T, Error> {
        let entry = self.empty(handle);
        entry.map(Entry::close).ok_or(Error::BadHandle)
    }

    /// As [`close`](Self::close); the object goes to `end`, with no lock held.
    ///
    /// # Errors
    /// `BadHandle`.
    #[inline(always)]
    pub fn close_by(&self, handle: Handle, end: impl FnOnce(T)) -> Result<(), Error> {
        if self.close_here(handle, end) {
            Ok(())
        } else {
            self.close_slowly(handle)
        }
    }

    /// Closes a handle that has no relative, or only one, which its table knows. Returns whether it was one.
    #[inline(always)]
    fn close_here(&self, handle: Handle, end: impl FnOnce(T)) -> bool {
        let Some((slot, key)) = self.slots.find(handle) else {
            return false;
        };
        let Some(next) = key.next() else {
            return false;
        };
        let mut state = self.lock();
        let Some(entry) = slot.content.reach(key) else {
            return false;
        };
        // A member of a lineage has no family that it could leave.
        if !self.leave_pair(&mut state, slot, handle.index()) || entry.node.is_some() {
            return false;
        }
        let object = entry.take(next).alone().object;
        self.push(&mut state, slot, handle.index(), true);
        drop(state);
        end(object);
        true
    }

    #[cold]
    #[inline(never)]
    fn close_slowly(&self, handle: Handle) -> Result<(), Error> {
        drop(self.close(handle)?);
        Ok(())
    }

    /// From now on no handle is added; who tries gets `Ended`.
    pub fn seal(&self) {
        let mut state = self.lock();
        state.is_sealed = true;
        state.limit = 0;
    }

    /// Closes handles of a sealed table: those of at most `most` slots from `from` on, which is moved ahead. Returns whether these
    /// were the last. Nobody can add one behind that: who locks the table later finds it sealed.
    pub fn clear(&self, from: &mut u32, most: u32) -> bool {
        let fresh = self.lock().fresh;
        let end = fresh.min(from.saturating_add(most));
        while *from < end {
            let slot = self.slots.get(*from);
            *from += 1;
            let entry = slot.and_then(|slot| {
                let mut state = self.lock();
                self.remove(&mut state, slot.handle())
            });
            drop(entry.map(Entry::close));
        }
        *from >= fresh
    }
}

/// Makes ready to fill a slot that is free or reserved.
#[inline(always)]
pub(crate) fn claim<T>(slot: &Slot<T>) -> KeyedVacancy<'_, Entry<T>> {
    match slot.content.claim() {
        Some(vacancy) => vacancy,
        None => occupied(),
    }
}

/// A free or reserved slot was not empty. Each is one thread's until it fills it or gives it back; so this is never reached.
#[cold]
#[inline(never)]
fn occupied() -> ! {
    unreachable!("a free slot holds a handle")
}

impl<T: Object> Table<T> {
    /// What `select` makes of a handle, which must have this type and these rights. It is called with the slot locked: it may clone the
    /// object or a part of it, but not drop any, and takes no lock.
    ///
    /// # Errors
    /// `BadHandle`, `WrongType` or `AccessDenied`, in this order; `BadHandle` also when `select` makes nothing of it.
    #[inline(always)]
    pub fn select<R>(
        &self,
        handle: Handle,
        kind: ObjectType,
        needed: Rights,
        select: impl FnOnce(&Named<T>) -> Option<R>,
    ) -> Result<R, Error> {
        let Some((slot, key)) = self.slots.find(handle) else {
            return Err(Error::BadHandle);
        };
        if let Some(entry) = slot.content.reach(key) {
            let named = &entry.named;
            if named.object.kind() == kind
                && named.rights.contains(needed)
                && let Some(selected) = select(named)
            {
                return Ok(selected);
            }
        }
        Err(self.why_not(handle, kind, needed))
    }

    /// Why a handle was not found. Apart, so that nobody steps over it. It may have come back from its way to another table meanwhile.
    #[cold]
    #[inline(never)]
    fn why_not(&self, handle: Handle, kind: ObjectType, needed: Rights) -> Error {
        let Some((slot, key)) = self.slots.find(handle) else {
            return Error::BadHandle;
        };
        match slot.content.reach(key) {
            Some(entry) if entry.named.object.kind() != kind => Error::WrongType,
            Some(entry) if !entry.named.rights.contains(needed) => Error::AccessDenied,
            _ => Error::BadHandle,
        }
    }

    /// The object of a handle, which must have this type and these rights.
    ///
    /// # Errors
    /// `BadHandle`, `WrongType` or `AccessDenied`, in this order.
    #[inline]
    pub fn get(&self, handle: Handle, kind: ObjectType, needed: Rights) -> Result<T, Error> {
        self.select(handle, kind, needed, |named| Some(named.object.clone()))
    }

    /// What a handle of any type names.
    ///
    /// # Errors
    /// `BadHandle`; `AccessDenied` when it lacks `needed`.
    #[inline]
    pub fn any(&self, handle: Handle, needed: Rights) -> Result<Named<T>, Error> {
        let (slot, key) = self.find(handle)?;
        let entry = slot.content.reach(key).ok_or(Error::BadHandle)?;
        entry.check(needed)?;
        Ok(entry.named.clone())
    }

    /// The first handle whose slot is `from` or more, of at most `most` slots, which `from` is moved behind; and whether there are slots
    /// left. Others come and go meanwhile.
    pub fn next(&self, from: &mut u32, most: u32) -> (Option<(Handle, Named<T>)>, bool) {
        let fresh = self.lock().fresh;
        let end = fresh.min(from.saturating_add(most));
        while *from < end {
            let slot = self.slots.get(*from);
            *from += 1;
            let found = slot.and_then(|slot| {
                let handle = slot.handle();
                let entry = slot.content.reach(Key::new(handle.0)?)?;
                Some((handle, entry.named.clone()))
            });
            if found.is_some() {
                return (found, *from < fresh);
            }
        }
        (None, *from < fresh)
    }

    /// Whether a handle is there and has these rights.
    ///
    /// # Errors
    /// As [`any`](Self::any).
    #[inline]
    pub fn check(&self, handle: Handle, needed: Rights) -> Result<(), Error> {
        let (slot, key) = self.find(handle)?;
        let entry = slot.content.reach(key).ok_or(Error::BadHandle)?;
        entry.check(needed)
    }
}
