//! Handles made from others, and how these are taken back.

use abi::{Error, Handle, Rights};
use ksync::Arc;
use ksync::atomic::relax;

use crate::lineage::{Lineage, NodeRef, Place, Progress};
use crate::slots::Entry;
use crate::table::Table;
use crate::tree::{Begun, Course, Helped, Refused};
use crate::{Named, Object};

impl<T: Object> Table<T> {
    /// Adds a child of a handle that needs DUPLICATE: the same object and word, with those of its rights that are in `rights`.
    ///
    /// # Errors
    /// `BadHandle`, `AccessDenied`, `TooMany`, `OutOfMemory`; `Ended` when the table is sealed.
    #[inline]
    pub fn duplicate(this: &Arc<Self>, handle: Handle, rights: Rights) -> Result<Handle, Error> {
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
        let (named, parent) = loop {
            let (named, node) = {
                let content = this.lock(handle.index())?;
                let entry = content.with(handle.generation(), needed)?;
                (entry.named.clone(), entry.node.clone())
            };
            match node {
                Some(node) => break (named, node),
                None => Self::plant(this, handle)?,
            }
        };
        let most = named.rights;
        let mut new = make(named)?;
        new.rights = new.rights.intersection(most);
        let index = this.slots.take()?;
        let mut child = Child {
            named: Some(new),
            parent,
            helped: Helped::No,
        };
        loop {
            let error = match child.put(this, index) {
                Ok(handle) => return Ok(handle),
                Err(Failed::Ended) => Error::Ended,
                Err(Failed::Refused(Refused::Stale)) => Error::BadHandle,
                Err(Failed::Refused(Refused::Full)) => match child.parent.lineage.grow() {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Err(Failed::Refused(Refused::Busy)) => {
                    child.parent.lineage.help();
                    child.helped = Helped::Yes;
                    continue;
                }
            };
            this.vacate(index);
            return Err(error);
        }
    }

    /// Gives a handle a lineage, in which it is the root, unless it has one.
    #[cold]
    fn plant(this: &Arc<Self>, handle: Handle) -> Result<(), Error> {
        let lineage = Lineage::try_new().map_err(|_| Error::OutOfMemory)?;
        let (index, generation) = (handle.index(), handle.generation());
        let mut content = this.lock(index)?;
        content.of(generation)?;
        if let Some(entry) = &mut content.entry
            && entry.node.is_none()
        {
            let id = lineage.add_root(Place::Slot {
                table: this.clone(),
                index,
                generation,
            });
            entry.node = Some(NodeRef {
                lineage,
                id: id.ok_or(Error::OutOfMemory)?,
            });
        } else {
            // Another thread was first. Memory is not freed while a lock is held.
            drop(content);
            drop(lineage);
        }
        Ok(())
    }

    /// Begins to close all that was derived from a handle, which needs DUPLICATE: in every table, and on the way between two.
    /// The handle itself stays.
    ///
    /// # Errors
    /// `BadHandle` or `AccessDenied`.
    pub fn revoke(&self, handle: Handle) -> Result<Revocation<T>, Error> {
        let content = self.lock(handle.index())?;
        let entry = content.with(handle.generation(), Rights::DUPLICATE)?;
        Ok(Revocation {
            node: entry.node.clone(),
            has_begun: false,
        })
    }
}

/// A handle that is to be added to a table.
struct Child<T> {
    named: Option<Named<T>>,
    parent: NodeRef<T>,
    helped: Helped,
}

/// Why it was not.
enum Failed {
    /// The table is sealed.
    Ended,
    /// The lineage did not take it.
    Refused(Refused),
}

impl<T> Child<T> {
    /// Puts it into a reserved slot, which stays locked until its parent knows.
    #[inline]
    fn put(&mut self, table: &Arc<Table<T>>, index: u32) -> Result<Handle, Failed> {
        let Ok(mut content) = table.lock(index) else {
            return Err(Failed::Ended);
        };
        if table.is_sealed() {
            return Err(Failed::Ended);
        }
        let generation = content.generation;
        let place = Place::Slot {
            table: table.clone(),
            index,
            generation,
        };
        let lineage = &self.parent.lineage;
        let added = lineage.add_child(self.parent.id, place, self.helped);
        let id = added.map_err(Failed::Refused)?;
        if let Some(named) = self.named.take() {
            let node = Some(NodeRef {
                lineage: lineage.clone(),
                id,
            });
            content.entry = Some(Entry { named, node });
        }
        Ok(Handle::new(index, generation))
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
