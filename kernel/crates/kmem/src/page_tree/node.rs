//! Nodes of the tree.

use alloc::boxed::Box;

use ksync::{AllocError, try_box};

use super::Counts;

/// Slots of a node, as a power of two.
const BITS: u32 = 6;
/// Slots of a node.
const SLOTS: usize = 1 << BITS;

/// A node on the heap.
pub(super) type Link<P> = Box<Node<P>>;

/// What lies behind a part of a node's run.
#[derive(Debug)]
pub(super) enum Slot<P> {
    Empty,
    /// In leaves.
    Value(P),
    /// In inner nodes.
    Child(Link<P>),
}

/// A node: its run begins at `base`, and each slot stands for `1 << shift` keys.
#[derive(Debug)]
pub(super) struct Node<P> {
    base: u64,
    shift: u32,
    used: u32,
    slots: [Slot<P>; SLOTS],
}

/// Whether a key lies in the run of a node.
fn covers(base: u64, shift: u32, key: u64) -> bool {
    // In two steps, as for the highest nodes it is all 64 bits. A shift is always less.
    (base ^ key).wrapping_shr(shift) >> BITS == 0
}

/// Whether two keys lie in the same leaf.
pub(super) fn in_one_leaf(one: u64, other: u64) -> bool {
    covers(one, 0, other)
}

/// Where the leaf of a key begins.
fn leaf_base(key: u64) -> u64 {
    key & !(SLOTS as u64 - 1)
}

/// The shift of the lowest node whose run has both keys.
fn level_above(one: u64, other: u64) -> u32 {
    let mut shift = 0;
    while !covers(one, shift, other) {
        shift += BITS;
    }
    shift
}

impl<P> Node<P> {
    /// An empty node.
    pub(super) fn boxed() -> Result<Link<P>, AllocError> {
        try_box(Self {
            base: 0,
            shift: 0,
            used: 0,
            slots: [const { Slot::Empty }; SLOTS],
        })
    }

    /// Makes an empty node the leaf of a key.
    pub(super) fn leaf(mut node: Link<P>, key: u64, value: P) -> Link<P> {
        node.base = leaf_base(key);
        node.shift = 0;
        node.used = 1;
        *node.slot_mut(key) = Slot::Value(value);
        node
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.shift == 0
    }

    pub(super) fn covers(&self, key: u64) -> bool {
        covers(self.base, self.shift, key)
    }

    fn index(&self, key: u64) -> usize {
        key.wrapping_shr(self.shift) as usize % SLOTS
    }

    pub(super) fn slot(&self, key: u64) -> &Slot<P> {
        &self.slots[self.index(key)]
    }

    pub(super) fn slot_mut(&mut self, key: u64) -> &mut Slot<P> {
        &mut self.slots[self.index(key)]
    }

    /// Sets the value of a key in this leaf; returns the old one.
    pub(super) fn set(&mut self, key: u64, value: P) -> Option<P> {
        // Each kind by itself: an empty slot has nothing to drop.
        match core::mem::replace(self.slot_mut(key), Slot::Value(value)) {
            Slot::Value(old) => return Some(old),
            Slot::Child(_child) => debug_assert!(false, "a leaf has values only"),
            Slot::Empty => {}
        }
        self.used += 1;
        None
    }

    /// How many slots of this leaf from a key on are empty, `count` at most.
    pub(super) fn gap(&self, start: u64, count: u64) -> u64 {
        let slots = self.slots.get(self.index(start)..).unwrap_or_default();
        let is_empty = |slot: &&Slot<P>| matches!(slot, Slot::Empty);
        slots
            .iter()
            .zip(0..count)
            .take_while(|(slot, _)| is_empty(slot))
            .count() as u64
    }

    /// Puts values into the empty slots of this leaf from a key on, up to the first that is not empty; returns how many.
    pub(super) fn fill(&mut self, start: u64, values: impl Iterator<Item = P>) -> u64 {
        let first = self.index(start);
        let slots = self.slots.get_mut(first..).unwrap_or_default();
        let mut added = 0;
        for (slot, value) in slots.iter_mut().zip(values) {
            if !matches!(slot, Slot::Empty) {
                break;
            }
            // An empty slot has nothing to drop, which an assignment would look for.
            core::mem::forget(core::mem::replace(slot, Slot::Value(value)));
            added += 1;
        }
        self.used += added;
        u64::from(added)
    }

    /// For chains of spare nodes.
    pub(super) fn put_first(&mut self, slot: Slot<P>) {
        self.slots[0] = slot;
    }

    /// For chains of spare nodes.
    pub(super) fn take_first(&mut self) -> Option<Link<P>> {
        match core::mem::replace(&mut self.slots[0], Slot::Empty) {
            Slot::Child(next) => Some(next),
            Slot::Empty | Slot::Value(_) => None,
        }
    }

    /// Inserts below a link, with the nodes that were counted before.
    pub(super) fn insert(
        link: &mut Link<P>,
        key: u64,
        value: P,
        fresh: &mut [Option<Link<P>>; 2],
    ) -> Option<P> {
        if !link.covers(key) {
            let (Some(leaf), Some(mut above)) = (fresh[0].take(), fresh[1].take()) else {
                debug_assert!(false, "two nodes were counted");
                return None;
            };
            above.shift = level_above(link.base, key);
            // The run's first key: without the bits of the shift and the slot.
            let run_bits = above.shift + BITS;
            above.base = key & u64::MAX.checked_shl(run_bits).unwrap_or(0);
            above.used = 2;
            let below = core::mem::replace(link, above);
            let old_key = below.base;
            *link.slot_mut(old_key) = Slot::Child(below);
            *link.slot_mut(key) = Slot::Child(Self::leaf(leaf, key, value));
            return None;
        }
        if link.is_leaf() {
            return link.set(key, value);
        }
        if let Slot::Child(child) = link.slot_mut(key) {
            return Self::insert(child, key, value, fresh);
        }
        if let Some(leaf) = fresh[0].take() {
            *link.slot_mut(key) = Slot::Child(Self::leaf(leaf, key, value));
            link.used += 1;
        }
        None
    }

    /// Removes a range of keys below a node; returns what remains of the node.
    pub(super) fn remove_range(
        mut node: Link<P>,
        start: u64,
        end: u64,
        take: &mut impl FnMut(u64, P),
        mut gone: Counts,
    ) -> (Option<Link<P>>, Counts) {
        let Some((first, last)) = node.slots_in(start, end) else {
            return (Some(node), gone);
        };
        let base = node.base;
        let mut emptied = 0;
        let slots = node.slots.get_mut(first..=last).unwrap_or_default();
        for (index, slot) in (first..).zip(slots) {
            match core::mem::replace(slot, Slot::Empty) {
                Slot::Empty => continue,
                Slot::Value(value) => {
                    take(base + index as u64, value);
                    gone.values += 1;
                }
                Slot::Child(child) => {
                    let rest;
                    (rest, gone) = Self::remove_range(child, start, end, take, gone);
                    if let Some(rest) = rest {
                        *slot = Slot::Child(rest);
                        continue;
                    }
                }
            }
            emptied += 1;
        }
        node.used -= emptied;
        match node.used {
            0 => {
                gone.nodes += 1;
                (None, gone)
            }
            1 if !node.is_leaf() => {
                let only = node.slots.iter_mut().find_map(|slot| {
                    match core::mem::replace(slot, Slot::Empty) {
                        Slot::Child(child) => Some(child),
                        Slot::Empty | Slot::Value(_) => None,
                    }
                });
                gone.nodes += 1;
                (only, gone)
            }
            _ => (Some(node), gone),
        }
    }

    /// The slots that have keys from `start` up to before `end`.
    fn slots_in(&self, start: u64, end: u64) -> Option<(usize, usize)> {
        let last_key = end.checked_sub(1)?;
        let run_last = self.base
            | u64::MAX
                .checked_shl(self.shift + BITS)
                .map_or(u64::MAX, |high| !high);
        if start > last_key || start > run_last || last_key < self.base {
            return None;
        }
        Some((
            self.index(start.max(self.base)),
            self.index(last_key.min(run_last)),
        ))
    }

    /// The first value in a range of keys.
    pub(super) fn first_in(&self, start: u64, end: u64) -> Option<(u64, &P)> {
        let (first, last) = self.slots_in(start, end)?;
        for (index, slot) in self.slots.iter().enumerate().take(last + 1).skip(first) {
            match slot {
                Slot::Empty => {}
                Slot::Value(value) => return Some((self.base + index as u64, value)),
                Slot::Child(child) => {
                    if let Some(found) = child.first_in(start, end) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    /// Visits all values in a range of keys.
    pub(super) fn visit_mut<E>(
        &mut self,
        start: u64,
        end: u64,
        visit: &mut impl FnMut(u64, &mut P) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((first, last)) = self.slots_in(start, end) else {
            return Ok(());
        };
        let base = self.base;
        let slots = self.slots.iter_mut().enumerate();
        for (index, slot) in slots.take(last + 1).skip(first) {
            match slot {
                Slot::Empty => {}
                Slot::Value(value) => visit(base + index as u64, value)?,
                Slot::Child(child) => child.visit_mut(start, end, visit)?,
            }
        }
        Ok(())
    }
}
