//! Which process was made by which: those that a process has made end with it.
//!
//! So nothing is left of a program that was ended, whatever it made: processes that were never started, that hold handles of
//! themselves, or that wait with an exception which nobody is there to answer any more.
//!
//! Children are named by address, without a reference (invariant 15).

use abi::Error;
use kmem::sorted::SortedMap;
use ksync::{AllocError, Arc};

use super::{Exit, Process};
use crate::arch::current::IrqLock;
use crate::locks;

/// The status of a process that ended because the one that made it did: as if it had got SIGHUP.
const LEFT_ALONE: Exit = Exit::Status(129);

/// A process, by its address.
struct Place(*const Process);

// SAFETY: processes are shared between processors.
unsafe impl Send for Place {}

struct State {
    /// By number.
    children: SortedMap<u64, Place>,
    /// The parent has no threads any more: nothing is added.
    is_closed: bool,
}

/// The processes that one process has made, and that are still there. They have a reference to this, too.
pub struct Children(IrqLock<State, locks::Children>);

impl Children {
    /// None yet.
    ///
    /// # Errors
    /// When memory is short.
    pub fn none() -> Result<Arc<Self>, AllocError> {
        Arc::try_new(Self(IrqLock::new(State {
            children: SortedMap::new(),
            is_closed: false,
        })))
    }

    /// Adds a child, which [leaves](Self::leave) when it is dropped.
    ///
    /// # Errors
    /// `OutOfMemory`; `Ended` when the parent has ended.
    pub(super) fn add(&self, child: &Arc<Process>) -> Result<(), Error> {
        let mut state = self.0.lock();
        if state.is_closed {
            return Err(Error::Ended);
        }
        let added = state.children.insert(child.id, Place(child.as_ptr()));
        added.map(drop).map_err(|_| Error::OutOfMemory)
    }

    /// The child is being dropped.
    pub(super) fn leave(&self, id: u64) {
        let empty = {
            let mut state = self.0.lock();
            let _ = state.children.remove(id);
            // No memory is kept for children that are not there. It is freed with the lock open.
            let is_empty = state.children.is_empty();
            is_empty.then(|| core::mem::take(&mut state.children))
        };
        drop(empty);
    }

    /// Ends all children, for good.
    pub(super) fn end(&self) {
        let mut from = 0;
        loop {
            let child = {
                let mut state = self.0.lock();
                state.is_closed = true;
                let Some((id, place)) = state.children.ceiling(from) else {
                    return;
                };
                from = id + 1;
                // SAFETY: it is listed, and takes the lock that is held here before it goes (invariant 15).
                unsafe { Arc::upgrade(place.0) }
            };
            // Without a lock: this may be the last reference.
            if let Some(child) = child {
                child.end(LEFT_ALONE);
            }
        }
    }
}
