//! The slots of a table: chunks that never move, found without a lock, and a list of the free ones.

use alloc::vec::Vec;

use abi::{Error, Rights};
use ksync::atomic::{AtomicU32, Ordering};
use ksync::{Once, SpinLock};

use crate::Named;
use crate::lineage::NodeRef;

/// The most handles of a table, whatever its limit.
pub const HANDLES_MAX: u32 = 1 << 16;

/// No slot.
const NIL: u32 = u32::MAX;
/// Slots that lie in the table itself.
#[cfg(not(loom))]
const FIRST: u32 = 16;
#[cfg(loom)]
const FIRST: u32 = 3;
/// Slots of a chunk.
const CHUNK: u32 = 64;
/// Chunks of a group.
const GROUP: u32 = 32;
/// Groups of the directory.
const GROUPS: usize = (HANDLES_MAX / (CHUNK * GROUP)) as usize;

/// A handle.
pub(crate) struct Entry<T> {
    pub(crate) named: Named<T>,
    pub(crate) node: Option<NodeRef<T>>,
}

impl<T> Entry<T> {
    /// The handle is gone from its table: it leaves its relatives. Returns the object, to be dropped when no lock is held.
    #[inline]
    pub(crate) fn close(self) -> T {
        if let Some(node) = self.node {
            node.remove();
        }
        self.named.object
    }
}

/// What the lock of a slot guards.
pub(crate) struct Content<T> {
    /// Rises whenever the slot is given back; never 0, so that no handle has the value 0.
    pub(crate) generation: u32,
    /// None while the slot is free, reserved, or its handle in flight.
    pub(crate) entry: Option<Entry<T>>,
}

impl<T> Content<T> {
    /// The handle of a generation.
    #[inline]
    pub(crate) fn of(&self, generation: u32) -> Result<&Entry<T>, Error> {
        match &self.entry {
            Some(entry) if self.generation == generation => Ok(entry),
            _ => Err(Error::BadHandle),
        }
    }

    /// As [`of`](Self::of), with all of these rights.
    #[inline]
    pub(crate) fn with(&self, generation: u32, needed: Rights) -> Result<&Entry<T>, Error> {
        let entry = self.of(generation)?;
        if entry.named.rights.contains(needed) {
            Ok(entry)
        } else {
            Err(Error::AccessDenied)
        }
    }

    /// Ends the generation, before the slot is given back.
    #[inline]
    pub(crate) fn end(&mut self) -> Reuse {
        match self.generation.checked_add(1) {
            Some(next) => {
                self.generation = next;
                Reuse::Yes
            }
            None => Reuse::Never,
        }
    }
}

/// Whether a slot that is given back may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    Yes,
    /// Its generations are used up.
    Never,
}

/// A slot.
pub(crate) struct Slot<T> {
    pub(crate) content: SpinLock<Content<T>>,
    /// While it is free: the next free one. Guarded by the lock of the list.
    next_free: AtomicU32,
}

impl<T> Slot<T> {
    fn new() -> Self {
        Self {
            content: SpinLock::new(Content {
                generation: 1,
                entry: None,
            }),
            next_free: AtomicU32::new(NIL),
        }
    }
}

type Chunk<T> = Vec<Slot<T>>;
type Group<T> = Vec<Once<Chunk<T>>>;

/// The free slots, and the count of the others.
struct Free {
    first: u32,
    /// Slots that were ever in use.
    fresh: u32,
    /// Slots that are in use, or reserved.
    used: u32,
    /// The most that may be.
    limit: u32,
}

/// All slots of a table.
pub(crate) struct Slots<T> {
    first: [Slot<T>; FIRST as usize],
    groups: [Once<Group<T>>; GROUPS],
    free: SpinLock<Free>,
}

impl<T> Slots<T> {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            first: core::array::from_fn(|_| Slot::new()),
            groups: [const { Once::new() }; GROUPS],
            free: SpinLock::new(Free {
                first: NIL,
                fresh: 0,
                used: 0,
                limit: limit.min(HANDLES_MAX),
            }),
        }
    }

    /// A slot by its number, if there is memory for it.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&Slot<T>> {
        if index < FIRST {
            return self.first.get(index as usize);
        }
        let index = index - FIRST;
        let group = self.groups.get((index / (CHUNK * GROUP)) as usize)?.get()?;
        let chunk = group.get((index / CHUNK % GROUP) as usize)?.get()?;
        chunk.get((index % CHUNK) as usize)
    }

    /// Slots that were ever in use: those below this number.
    pub(crate) fn fresh(&self) -> u32 {
        self.free.lock().fresh
    }

    /// Slots that are in use or reserved.
    pub(crate) fn used(&self) -> u32 {
        self.free.lock().used
    }

    pub(crate) fn set_limit(&self, limit: u32) {
        self.free.lock().limit = limit.min(HANDLES_MAX);
    }

    /// Takes a slot off the free ones.
    ///
    /// # Errors
    /// `TooMany` or `OutOfMemory`.
    #[inline]
    pub(crate) fn take(&self) -> Result<u32, Error> {
        loop {
            let fresh = {
                let mut free = self.free.lock();
                if free.used >= free.limit {
                    return Err(Error::TooMany);
                }
                if free.first != NIL
                    && let Some(slot) = self.get(free.first)
                {
                    let index = free.first;
                    free.first = slot.next_free.load(Ordering::Relaxed);
                    free.used += 1;
                    return Ok(index);
                }
                if self.get(free.fresh).is_some() {
                    let index = free.fresh;
                    free.fresh += 1;
                    free.used += 1;
                    return Ok(index);
                }
                free.fresh
            };
            self.grow(fresh)?;
        }
    }

    /// Gives a slot back, which holds nothing and whose generation is ended.
    #[inline]
    pub(crate) fn give(&self, index: u32, reuse: Reuse) {
        let mut free = self.free.lock();
        free.used -= 1;
        if reuse == Reuse::Yes
            && let Some(slot) = self.get(index)
        {
            slot.next_free.store(free.first, Ordering::Relaxed);
            free.first = index;
        }
    }

    /// Makes memory for the slot of this number. Two may do so at once: one of them made it for nothing.
    #[cold]
    fn grow(&self, index: u32) -> Result<(), Error> {
        let index = index.saturating_sub(FIRST);
        let group = self.groups.get((index / (CHUNK * GROUP)) as usize);
        // All slots that there can be were used up: by generations.
        let group = group.ok_or(Error::TooMany)?;
        let group = match group.get() {
            Some(group) => group,
            None => {
                let new = filled(GROUP, Once::new)?;
                group.call_once(|| new)
            }
        };
        if let Some(chunk) = group.get((index / CHUNK % GROUP) as usize)
            && chunk.get().is_none()
        {
            let new = filled(CHUNK, Slot::new)?;
            chunk.call_once(|| new);
        }
        Ok(())
    }
}

/// So many values on the heap.
fn filled<V>(count: u32, value: impl FnMut() -> V) -> Result<Vec<V>, Error> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(count as usize)
        .map_err(|_| Error::OutOfMemory)?;
    values.resize_with(count as usize, value);
    Ok(values)
}
