//! The relatives of a handle: a derivation tree behind a lock, and where each of its handles is.

use abi::{Error, Handle};
use ksync::{AllocError, Arc, SpinLock};

use crate::table::Table;
use crate::tree::{Begun, Course, Growth, Helped, NodeId, Refused, Step, Tree};

/// Steps of a revocation that who derives meanwhile makes. A new node can cost two: to be moved up, and to be detached.
const HELP: u32 = 4;

/// Where a handle is.
pub(crate) enum Place<T> {
    /// In a table, with this value.
    Slot {
        table: Arc<Table<T>>,
        handle: Handle,
    },
    /// In none: somebody holds it as a [`crate::InFlight`].
    InFlight,
}

/// All relatives of one handle. The lock is taken alone, or by one who holds those of tables and a slot.
pub(crate) struct Lineage<T> {
    tree: SpinLock<Tree<Place<T>>>,
}

/// A handle's node. It is removed by [`NodeRef::remove`], before the reference is dropped.
pub(crate) struct NodeRef<T> {
    pub(crate) lineage: Arc<Lineage<T>>,
    pub(crate) id: NodeId,
}

impl<T> Clone for NodeRef<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            lineage: self.lineage.clone(),
            id: self.id,
        }
    }
}

impl<T> NodeRef<T> {
    /// The handle is gone; its children become those of its parent.
    #[inline]
    pub(crate) fn remove(&self) {
        let place = self.lineage.tree.lock().remove(self.id);
        // With it goes a reference to a table: not while the lock is held.
        drop(place);
    }

    /// The handle is elsewhere now. Returns whether it has not been revoked.
    #[must_use]
    #[inline]
    pub(crate) fn moved(&self, place: Place<T>) -> bool {
        let old = self.lineage.tree.lock().set_place(self.id, place);
        old.is_ok()
    }
}

impl<T> Lineage<T> {
    /// One without handles.
    pub(crate) fn try_new() -> Result<Arc<Self>, AllocError> {
        Arc::try_new(Self {
            tree: SpinLock::new(Tree::new()),
        })
    }

    /// Adds a handle that has no parent; none if there is no room, which a new lineage has.
    pub(crate) fn add_root(&self, place: Place<T>) -> Option<NodeId> {
        self.tree.lock().add_root(place).ok()
    }

    /// Adds a child of a handle.
    #[inline]
    pub(crate) fn add_child(
        &self,
        parent: NodeId,
        place: Place<T>,
        helped: Helped,
    ) -> Result<NodeId, Refused> {
        let added = self.tree.lock().add_child(parent, place, helped);
        added.map_err(|(place, refused)| {
            drop(place);
            refused
        })
    }

    /// Makes room for more nodes.
    ///
    /// # Errors
    /// `OutOfMemory` or `TooMany`.
    #[cold]
    pub(crate) fn grow(&self) -> Result<(), Error> {
        let (is_full, wants) = {
            let tree = self.tree.lock();
            (tree.is_full(), tree.wants())
        };
        if is_full {
            return Err(Error::TooMany);
        }
        let growth = Growth::try_new(wants).map_err(|_| Error::OutOfMemory)?;
        let rest = self.tree.lock().grow(growth);
        drop(rest);
        Ok(())
    }

    /// Makes some steps of the revocation that is under way.
    #[cold]
    pub(crate) fn help(&self) {
        for _ in 0..HELP {
            match self.step() {
                Progress::More => {}
                Progress::Wait | Progress::Done => return,
            }
        }
    }

    /// Begins to revoke the descendants of a handle.
    pub(crate) fn begin(&self, id: NodeId) -> Begun {
        self.tree.lock().begin(id)
    }

    /// How far the revocation is that was begun with a handle.
    pub(crate) fn course(&self, id: NodeId) -> Course {
        self.tree.lock().course(id)
    }

    /// Makes a step of the revocation that is under way. A handle is closed, and its object dropped, with no lock held.
    pub(crate) fn step(&self) -> Progress {
        let step = self.tree.lock().step();
        let place = match step {
            Step::Detached(place) => place,
            Step::More => return Progress::More,
            Step::Wait => return Progress::Wait,
            Step::Done => return Progress::Done,
        };
        let gone = match &place {
            Place::Slot { table, handle } => table.empty(*handle),
            // Whoever holds it finds its node gone.
            Place::InFlight => None,
        };
        self.tree.lock().finished();
        drop((gone, place));
        Progress::More
    }
}

/// What a step of a revocation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more to do.
    More,
    /// Others are about to close what is left.
    Wait,
    /// No revocation is under way any more.
    Done,
}
