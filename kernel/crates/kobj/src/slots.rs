//! The slots of a table: chunks that never move, found without a lock.

use alloc::vec::Vec;

use abi::{Error, Handle, Rights};
use ksync::atomic::{AtomicU32, Ordering};
use ksync::{Key, Keyed, Once};

use crate::Named;
use crate::lineage::NodeRef;

/// The most handles of a table, whatever its limit.
pub const HANDLES_MAX: u32 = 1 << 16;

/// No slot.
pub(crate) const NIL: u32 = u32::MAX;
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
    /// The handle is gone from its table: it leaves its lineage. Returns the object, to be dropped when no lock is held.
    #[inline]
    pub(crate) fn close(self) -> T {
        if let Some(node) = self.node {
            node.remove();
        }
        self.named.object
    }

    /// What is left of a handle that has no node.
    #[inline(always)]
    pub(crate) fn alone(self) -> Named<T> {
        debug_assert!(self.node.is_none(), "a node is lost");
        // Nothing is to be dropped: this spares the compiler a copy of it all in memory.
        core::mem::forget(self.node);
        self.named
    }

    /// Whether it has all of these rights.
    #[inline(always)]
    pub(crate) fn check(&self, needed: Rights) -> Result<(), Error> {
        if self.named.rights.contains(needed) {
            Ok(())
        } else {
            Err(Error::AccessDenied)
        }
    }
}

/// A slot: a line of the cache.
#[repr(align(64))]
pub(crate) struct Slot<T> {
    /// The key is the value of the handle that is there, or of the next one.
    pub(crate) content: Keyed<Entry<T>>,
    /// While it is free: the next free one. While it is in use: see [`crate::family`]. Guarded by the lock of the table.
    next: AtomicU32,
    /// While it is in use: see [`crate::family`]. Guarded by the lock of the table.
    parent: AtomicU32,
}

impl<T> Slot<T> {
    fn new(index: u32) -> Self {
        Self {
            // Generations are never 0, so that no handle has the value 0.
            content: Keyed::new(Key::masked(Handle::new(index, 1).0)),
            next: AtomicU32::new(NIL),
            parent: AtomicU32::new(NIL),
        }
    }

    /// The handle that is there, or the next one.
    #[inline(always)]
    pub(crate) fn handle(&self) -> Handle {
        Handle(self.content.key().word())
    }

    #[inline(always)]
    pub(crate) fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set_next(&self, next: u32) {
        self.next.store(next, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn parent(&self) -> u32 {
        self.parent.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set_parent(&self, parent: u32) {
        self.parent.store(parent, Ordering::Relaxed);
    }
}

type Chunk<T> = Vec<Slot<T>>;
type Group<T> = Vec<Once<Chunk<T>>>;

/// All slots of a table.
pub(crate) struct Slots<T> {
    first: [Slot<T>; FIRST as usize],
    groups: [Once<Group<T>>; GROUPS],
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self {
            first: core::array::from_fn(|index| Slot::new(index as u32)),
            groups: [const { Once::new() }; GROUPS],
        }
    }

    /// A slot by its number, if there is memory for it.
    #[inline(always)]
    pub(crate) fn get(&self, index: u32) -> Option<&Slot<T>> {
        if index < FIRST {
            self.first.get(index as usize)
        } else {
            self.far(index)
        }
    }

    /// The slot that a handle names, or named, or none has ever named, and its key there.
    #[inline(always)]
    pub(crate) fn find(&self, handle: Handle) -> Option<(&Slot<T>, Key)> {
        if handle.index() < FIRST {
            // The compiler sees here that each such handle is a key.
            let slot = self.first.get(handle.index() as usize)?;
            Some((slot, Key::new(handle.0)?))
        } else {
            Some((self.far(handle.index())?, Key::new(handle.0)?))
        }
    }

    /// One that does not lie in the table itself. Apart, as it is long, and many calls look up handles.
    #[cold]
    #[inline(never)]
    fn far(&self, index: u32) -> Option<&Slot<T>> {
        let index = index.checked_sub(FIRST)?;
        let group = self.groups.get((index / (CHUNK * GROUP)) as usize)?.get()?;
        let chunk = group.get((index / CHUNK % GROUP) as usize)?.get()?;
        chunk.get((index % CHUNK) as usize)
    }

    /// Makes memory for the slot of this number. Two may do so at once: one of them made it for nothing.
    ///
    /// # Errors
    /// `OutOfMemory`; `TooMany` when there can be no such slot.
    #[cold]
    pub(crate) fn grow(&self, index: u32) -> Result<(), Error> {
        let index = index.saturating_sub(FIRST);
        let group = self.groups.get((index / (CHUNK * GROUP)) as usize);
        // All slots that there can be were used up: by generations.
        let group = group.ok_or(Error::TooMany)?;
        let group = match group.get() {
            Some(group) => group,
            None => {
                let new = filled(GROUP, |_| Once::new())?;
                group.call_once(|| new)
            }
        };
        if let Some(chunk) = group.get((index / CHUNK % GROUP) as usize)
            && chunk.get().is_none()
        {
            let first = index - index % CHUNK + FIRST;
            let new = filled(CHUNK, |place| Slot::new(first + place))?;
            chunk.call_once(|| new);
        }
        Ok(())
    }
}

/// So many values on the heap.
fn filled<V>(count: u32, value: impl Fn(u32) -> V) -> Result<Vec<V>, Error> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(count as usize)
        .map_err(|_| Error::OutOfMemory)?;
    values.extend((0..count).map(value));
    Ok(values)
}
