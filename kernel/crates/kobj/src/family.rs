//! Families: a few handles of one table that were derived from one another, known by the table alone.
//!
//! The slots of a family make a ring, by [`Slot::next`], and each knows the slot of its parent, if that is there still. A handle
//! without relatives is in no ring: its slot has no next one. Rings and parents change with the table locked only.
//!
//! A family has so few members that one may look at all of them in one step. When it would get more, or when a member leaves
//! for another table, the family gets a [lineage](crate::lineage): each member becomes a node of it, and is in no ring from then
//! on. It never goes back.

use abi::{Error, Handle};
use ksync::Arc;

use crate::lineage::{Lineage, NodeRef, Place};
use crate::slots::{Entry, NIL, Slot};
use crate::table::{State, Table};
use crate::tree::{Helped, NodeId};

/// The most members of a family: as many as a new lineage has room for.
const MEMBERS: usize = crate::tree::FIRST;

/// The slots of a family, and of each its parent.
type Members = [Option<(u32, u32)>; MEMBERS];

/// What has been taken out of a table, to be dropped when no lock is held.
pub(crate) type Gone<T> = [Option<Entry<T>>; MEMBERS];

impl<T> Table<T> {
    /// The members of the family of a slot, itself first. Without relatives it is alone.
    fn family(&self, _: &State, slot: &Slot<T>, index: u32) -> Members {
        let mut members = [None; MEMBERS];
        let mut next = Some((index, slot));
        for member in &mut members {
            let Some((at, slot)) = next else {
                break;
            };
            *member = Some((at, slot.parent()));
            let after = slot.next();
            next = (after != index)
                .then(|| self.slots.get(after))
                .flatten()
                .map(|slot| (after, slot));
        }
        members
    }

    /// The slot before which a new member of the family of a slot comes in the ring; none if there is no room.
    #[inline(always)]
    pub(crate) fn room(&self, state: &State, slot: &Slot<T>, index: u32) -> Option<u32> {
        match slot.next() {
            NIL => Some(index),
            next => self.is_small(state, slot, index).then_some(next),
        }
    }

    #[inline(never)]
    fn is_small(&self, state: &State, slot: &Slot<T>, index: u32) -> bool {
        self.family(state, slot, index).contains(&None)
    }

    /// Makes a new handle a child of another one, in whose family there is [room](Self::room).
    #[inline(always)]
    pub(crate) fn join_family(
        &self,
        _: &mut State,
        (parent, parent_index): (&Slot<T>, u32),
        (child, child_index): (&Slot<T>, u32),
        room: u32,
    ) {
        child.set_next(room);
        child.set_parent(parent_index);
        parent.set_next(child_index);
    }

    /// A handle goes that has no relative, or only one. Returns whether it is so.
    #[inline(always)]
    pub(crate) fn leave_pair(&self, _: &mut State, slot: &Slot<T>, index: u32) -> bool {
        let next = slot.next();
        if next == NIL {
            return true;
        }
        match self.slots.get(next) {
            Some(other) if other.next() == index => {
                other.set_next(NIL);
                other.set_parent(NIL);
                true
            }
            _ => false,
        }
    }

    /// A handle is gone: its children become those of its parent.
    #[inline(always)]
    pub(crate) fn leave_family(&self, state: &mut State, slot: &Slot<T>, index: u32) {
        if !self.leave_pair(state, slot, index) {
            self.leave_many(state, slot, index);
        }
    }

    #[inline(never)]
    fn leave_many(&self, _: &mut State, slot: &Slot<T>, index: u32) {
        let mut at = slot.next();
        while let Some(member) = self.slots.get(at) {
            if member.parent() == index {
                member.set_parent(slot.parent());
            }
            if member.next() == index {
                member.set_next(slot.next());
                return;
            }
            at = member.next();
        }
    }

    /// Whether a handle is derived from one of its family, or one of it from the handle.
    pub(crate) fn has_relatives(&self, state: &State, slot: &Slot<T>, index: u32) -> bool {
        if slot.next() == NIL {
            return false;
        }
        let members = self.family(state, slot, index);
        let is_parent = |(_, parent): &(u32, u32)| *parent == index;
        slot.parent() != NIL || members.iter().flatten().any(is_parent)
    }

    /// Takes all out of the table that was derived from a handle of a family.
    pub(crate) fn take_descendants(
        &self,
        state: &mut State,
        slot: &Slot<T>,
        index: u32,
    ) -> Gone<T> {
        let members = self.family(state, slot, index);
        let parent_of = |child: u32| {
            let mut members = members.iter().flatten();
            members
                .find(|(at, _)| *at == child)
                .map(|(_, parent)| *parent)
        };
        let is_below = |&(member, _): &(u32, u32)| {
            let mut at = member;
            (0..MEMBERS).any(|_| {
                at = parent_of(at).unwrap_or(NIL);
                at == index
            })
        };
        let mut gone = [const { None }; MEMBERS];
        let doomed = members.iter().flatten().filter(|member| is_below(member));
        for ((member, _), gone) in doomed.zip(&mut gone) {
            let handle = self.slots.get(*member).map(Slot::handle);
            *gone = handle.and_then(|handle| self.remove(state, handle));
        }
        gone
    }

    /// Gives the family of a handle a lineage, unless there is none or it has one by now.
    ///
    /// # Errors
    /// `BadHandle` or `OutOfMemory`.
    #[cold]
    #[inline(never)]
    pub(crate) fn settle(this: &Arc<Self>, handle: Handle) -> Result<(), Error> {
        let (slot, key) = this.find(handle)?;
        let lineage = Lineage::try_new().map_err(|_| Error::OutOfMemory)?;
        let settled = {
            let state = this.lock();
            let is_without = slot.content.reach(key).map(|entry| entry.node.is_none());
            match is_without {
                Some(true) => Self::settle_in(this, &state, (slot, handle.index()), &lineage),
                // Another thread was first.
                Some(false) => Ok(()),
                None => Err(Error::BadHandle),
            }
        };
        // Memory is not freed while a lock is held.
        drop(lineage);
        settled
    }

    fn settle_in(
        this: &Arc<Self>,
        state: &State,
        (slot, index): (&Slot<T>, u32),
        lineage: &Arc<Lineage<T>>,
    ) -> Result<(), Error> {
        let members = this.family(state, slot, index);
        let mut ids: [Option<NodeId>; MEMBERS] = [None; MEMBERS];
        // Parents first: each round finds at least those whose parent was found by the one before.
        for _ in 0..MEMBERS {
            for (place, member) in members.iter().enumerate() {
                let (Some((at, parent)), Some(None)) = (member, ids.get(place)) else {
                    continue;
                };
                let Some(member) = this.slots.get(*at) else {
                    continue;
                };
                let here = || Place::Slot {
                    table: this.clone(),
                    handle: member.handle(),
                };
                let id = if *parent == NIL {
                    lineage.add_root(here())
                } else {
                    let above = members.iter().zip(&ids);
                    let above =
                        above.filter(|(member, _)| member.is_some_and(|(at, _)| at == *parent));
                    let above = above.filter_map(|(_, id)| *id).next();
                    above.and_then(|above| lineage.add_child(above, here(), Helped::No).ok())
                };
                if let Some(place) = ids.get_mut(place) {
                    *place = id;
                }
            }
        }
        let all = members.iter().zip(&ids);
        if all
            .clone()
            .any(|(member, id)| member.is_some() && id.is_none())
        {
            return Err(Error::OutOfMemory);
        }
        for (member, id) in all {
            let (Some((at, _)), Some(id)) = (member, id) else {
                continue;
            };
            let Some(member) = this.slots.get(*at) else {
                continue;
            };
            let node = NodeRef {
                lineage: lineage.clone(),
                id: *id,
            };
            if let Some(mut entry) = member.content.reach(member.content.key()) {
                entry.node = Some(node);
            }
            member.set_next(NIL);
            member.set_parent(NIL);
        }
        Ok(())
    }
}
