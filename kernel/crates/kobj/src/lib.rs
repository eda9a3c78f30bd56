//! Handles: which object a process's number names, with which rights, and what was derived from what.
//!
//! A [`Table`] holds the handles of a process. Its slots lie in chunks that never move, and each has a lock of its own, so that a
//! lookup touches one slot and no more: threads that use different handles share nothing. A slot counts generations, and a
//! handle names slot and generation, so that a closed handle names nothing, even when its slot is in use again. The slot's lock is a
//! [`ksync::Keyed`], whose key is the handle: one atomic step compares and locks.
//!
//! A handle that was made from another is its child. A few relatives in one table are a *family*, which the table alone knows. Where there
//! are more of them, or they are in several tables, a [`lineage`] knows them all, in whichever tables they are or on the way between
//! two. [`Table::revoke`] closes all descendants of a handle. A handle without relatives needs no memory for them.
//!
//! # Locks
//!
//! There are three, all spin locks that are held for a bounded number of steps: that of a table, that of a slot, and that of a lineage. The
//! order is *table, then slot, then lineage*; two tables are locked in the order of their addresses, no two slots are ever locked together
//! but for one that is empty, nor two lineages. While one is held nothing is allocated, no object is dropped and nobody is waited for. So they
//! may be taken with interrupts on or off, by threads that the kernel does not preempt meanwhile; interrupt handlers do not use handles.
//!
//! # Why a lookup is right
//!
//! Object, rights and data of a slot are read and written under the slot's lock, and the key changes with them, so that a lookup finds all of
//! one handle or nothing, and takes its own counted reference before the lock is free again: who closes the handle then drops another.
//!
//! # Why a family is right
//!
//! Slots are filled and emptied, and rings and parents changed, with the table locked. So each step finds a whole family, or its lineage, and
//! leaves one behind; the one who revokes takes all descendants out in one step.
//!
//! # Why a revocation misses nothing
//!
//! A node of a lineage says where its handle is. Whoever brings a handle into a slot writes the place into the node and the handle into
//! the slot while holding the table's lock; whoever takes one out empties the slot first, or holds the locks of both tables until all is
//! done. So when a revocation has detached a node it finds in the slot that the node names either the handle, which it closes, or another's
//! work: the handle was closed, or is being taken. Who takes a handle, or puts it down, must tell the lineage, finds the node gone, and
//! closes the handle itself. A child is added under the lineage's lock, and only to a node that is there.

#![cfg_attr(not(any(test, loom)), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod derive;
mod family;
mod leftovers;
pub mod lineage;
mod number;
mod several;
mod slots;
mod table;
mod transfer;
pub mod tree;

use abi::{ObjectType, Rights};

pub use derive::Revocation;
pub use leftovers::Leftovers;
pub use number::Numbers;
pub use several::TOGETHER_MAX;
pub use slots::HANDLES_MAX;
pub use table::Table;
pub use transfer::{InFlight, Reservation, Undelivered};

/// What handles name: a counted reference, of one of several types. Cloning it must not allocate nor take a lock.
pub trait Object: Clone {
    /// The type of what it refers to.
    fn kind(&self) -> ObjectType;

    /// A clone for a handle that is made from another one and has these rights: it keeps alive what they are good for. As cloning it.
    #[inline(always)]
    fn with_rights(&self, _rights: Rights) -> Self {
        self.clone()
    }
}

/// A handle as a lookup sees it, and what a new one is made of.
#[derive(Clone, Debug)]
pub struct Named<T> {
    /// The object.
    pub object: T,
    /// What the handle allows.
    pub rights: Rights,
    /// A word of the handle's own, which its children get too unless they are given another: the badge of a mailbox.
    pub data: u64,
}

impl<T> Named<T> {
    /// An object with rights, and 0 as its word.
    pub const fn new(object: T, rights: Rights) -> Self {
        Self {
            object,
            rights,
            data: 0,
        }
    }
}
