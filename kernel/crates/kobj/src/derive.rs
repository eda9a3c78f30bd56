//! Handles made from others, and how these are taken back.

use abi::{Error, Handle, Rights};
use ksync::Arc;
use ksync::atomic::relax;

use crate::lineage::{Lineage, NodeRef, Place, Progress};
use crate::slots::{Entry, Slot};
use crate::table::{State, Table, claim};
use crate::tree::{Begun, Course, Helped, Refused};
use crate::{Named, Object};

/// Why a child was not added at once.
enum Failed<T> {
    /// The parent is not there.
    Gone,
    /// There was no free slot.
    NoSlot,
    /// The parent's family has no room.
    NoFamily,
    /// The lineage wants its memory to grow, or steps to be made of its revocation, or the parent is gone.
    Lineage(Arc<Lineage<T>>, Refused),
}

impl<T: Object> Table<T> {
    /// Adds a child of a handle that needs DUPLICATE: the same object and word, with those of its rights that are in `rights`.
    ///
    /// # Errors
    /// `BadHandle`, `AccessDenied`, `TooMany`, `OutOfMemory`; `Ended` when the table is sealed.
    #[inline(always)]
    pub fn duplicate(this: &Arc<Self>, handle: Handle, rights: Rights) -> Result<Handle, Error> {
        match this.duplicate_here(handle, rights) {
            Some(child) => Ok(child),
            None => Self::duplicate_slowly(this, handle, rights),
        }
    }

    /// Duplicates a handle in whose family there is room, if there is a free slot.
    #[inline(always)]
    fn duplicate_here(&self, handle: Handle, rights: Rights) -> Option<Handle> {
        let (parent, key) = self.slots.find(handle)?;
        let mut state = self.lock();
        let room = self.room(&state, parent, handle.index())?;
        let entry = parent.content.reach(key)?;
        let named = &entry.named;
        if entry.node.is_some() || !named.rights.contains(Rights::DUPLICATE) {
            return None;
        }
        let slot = self.free_slot(&mut state)?;
        let vacancy = claim(slot);
        let child = Handle(vacancy.key().word());
        let (parent, place) = ((parent, handle.index()), (slot, child.index()));
        self.join_family(&mut state, parent, place, room);
        let rights = rights.intersection(named.rights);
        let named = Named {
            object: named.object.with_rights(rights),
            rights,
            data: named.data,
        };
        vacancy.put(Entry { named, node: None });
        Some(child)
    }

    #[cold]
    #[inline(never)]
    fn duplicate_slowly(this: &Arc<Self>, handle: Handle, rights: Rights) -> Result<Handle, Error> {
        Self::derive(this, handle, Rights::DUPLICATE, |named| {
            Ok(Named { rights, ..named })
        })
    }

    /// Adds a child of a handle that has the rights `needed`: what `make` makes of it. Rights that the handle has not the child does
    /// not get.
    ///
    /// # Errors
    /// Those of `make`, and as [`duplicate`](Self::duplicate).
    #[inline]
    pub fn derive(
        this: &Arc<Self>,
        handle: Handle,
        needed: Rights,
        make: impl FnOnce(Named<T>) -> Result<Named<T>, Error>,
    ) -> Result<Handle, Error> {
        let named = this.any(handle, needed)?;
        let most = named.rights;
        let mut child = make(named)?;
        child.rights = child.rights.intersection(most);
        child.object = child.object.with_rights(child.rights);
        Self::adopt(this, handle, child)
    }
}

impl<T> Table<T> {
    /// Adds a child of a handle.
    fn adopt(this: &Arc<Self>, parent: Handle, named: Named<T>) -> Result<Handle, Error> {
        let mut child = Some(named);
        let mut helped = Helped::No;
        loop {
            match Self::adopt_now(this, parent, &mut child, helped) {
                Ok(handle) => return Ok(handle),
                Err(Failed::Gone | Failed::Lineage(_, Refused::Stale)) => {
                    return Err(Error::BadHandle);
                }
                Err(Failed::NoSlot) => this.make_room()?,
                Err(Failed::NoFamily) => Self::settle(this, parent)?,
                Err(Failed::Lineage(lineage, Refused::Full)) => lineage.grow()?,
                Err(Failed::Lineage(lineage, Refused::Busy)) => {
                    lineage.help();
                    helped = Helped::Yes;
                }
            }
        }
    }

    /// Does so in one step, if all that is needed is there; otherwise the child stays.
    fn adopt_now(
        this: &Arc<Self>,
        handle: Handle,
        child: &mut Option<Named<T>>,
        helped: Helped,
    ) -> Result<Handle, Failed<T>> {
        let (parent, key) = this.slots.find(handle).ok_or(Failed::Gone)?;
        let mut state = this.lock();
        let Some(slot) = this.free_slot(&mut state) else {
            return Err(Failed::NoSlot);
        };
        let node = parent.content.reach(key).map(|entry| {
            let node = entry.node.as_ref();
            node.map(|node| Self::add_node(this, node, slot, helped))
                .transpose()
        });
        let failed = match node {
            Some(Ok(None)) => match this.room(&state, parent, handle.index()) {
                Some(room) => {
                    let child = this.fill_with(&mut state, slot, child, None);
                    let parent = (parent, handle.index());
                    this.join_family(&mut state, parent, (slot, child.index()), room);
                    return Ok(child);
                }
                None => Failed::NoFamily,
            },
            Some(Ok(node)) => return Ok(this.fill_with(&mut state, slot, child, node)),
            Some(Err(failed)) => failed,
            None => Failed::Gone,
        };
        this.give(&mut state, slot);
        Err(failed)
    }

    /// Puts the child, which is still there, into its slot.
    fn fill_with(
        &self,
        state: &mut State,
        slot: &Slot<T>,
        child: &mut Option<Named<T>>,
        node: Option<NodeRef<T>>,
    ) -> Handle {
        match child.take() {
            Some(named) => self.fill(state, slot, Entry { named, node }),
            None => slot.handle(),
        }
    }

    /// Adds a node below another for a handle that will be in a slot.
    fn add_node(
        this: &Arc<Self>,
        parent: &NodeRef<T>,
        slot: &Slot<T>,
        helped: Helped,
    ) -> Result<NodeRef<T>, Failed<T>> {
        let place = Place::Slot {
            table: this.clone(),
            handle: slot.handle(),
        };
        let lineage = parent.lineage.clone();
        match lineage.add_child(parent.id, place, helped) {
            Ok(id) => Ok(NodeRef { lineage, id }),
            Err(refused) => Err(Failed::Lineage(lineage, refused)),
        }
    }

    /// Begins to close all that was derived from a handle, which needs DUPLICATE: in every table, and on the way between two.
    /// The handle itself stays.
    ///
    /// # Errors
    /// `BadHandle` or `AccessDenied`.
    pub fn revoke(&self, handle: Handle) -> Result<Revocation<T>, Error> {
        let (slot, key) = self.find(handle)?;
        let (node, gone) = {
            let mut state = self.lock();
            let node = {
                let entry = slot.content.reach(key).ok_or(Error::BadHandle)?;
                entry.check(Rights::DUPLICATE)?;
                entry.node.clone()
            };
            let family = node.is_none();
            let gone = family.then(|| self.take_descendants(&mut state, slot, handle.index()));
            (node, gone)
        };
        // With no lock held.
        drop(gone);
        Ok(Revocation {
            node,
            has_begun: false,
        })
    }
}

/// A revocation under way. It is [advanced](Self::advance) until it has ended.
///
/// If it is given up before, others that revoke or derive in the same lineage go on with it; it does not come to an end by itself.
#[must_use = "nothing is revoked until it is advanced"]
pub struct Revocation<T> {
    node: Option<NodeRef<T>>,
    has_begun: bool,
}

impl<T> Revocation<T> {
    /// Makes at most `most` steps, each of which closes a handle, or is shorter. Returns whether it has ended: then all is closed that
    /// was derived from the handle before.
    ///
    /// # Errors
    /// `BadHandle` when the handle itself was closed or revoked meanwhile. What was derived from it is then left to whoever revokes
    /// an ancestor.
    pub fn advance(&mut self, most: u32) -> Result<bool, Error> {
        let Some(node) = &self.node else {
            return Ok(true);
        };
        for _ in 0..most {
            if self.has_begun {
                match node.lineage.course(node.id) {
                    Course::Going => {}
                    Course::Done => return Ok(true),
                    Course::Stale => return Err(Error::BadHandle),
                }
            } else {
                match node.lineage.begin(node.id) {
                    Begun::Yes => self.has_begun = true,
                    // That one comes first.
                    Begun::Other => {}
                    Begun::Stale => return Err(Error::BadHandle),
                }
            }
            if node.lineage.step() == Progress::Wait {
                relax();
            }
        }
        Ok(false)
    }
}
