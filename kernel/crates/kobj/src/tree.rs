//! A derivation tree: nodes with stable numbers, each with a parent, children and a place.
//!
//! Every operation takes a bounded number of steps, however many children a node has and however deep the tree is:
//!
//! - A node that goes while it has several children stays as a *ghost*, which stands for nothing, so that they need not be told of
//!   their new parent. A ghost that is left with one child goes, and the child takes its place. So each ghost has two
//!   children at least, and there are fewer ghosts than live nodes.
//! - A revocation goes by [`Tree::step`]s. Each detaches one descendant, or moves one child of a ghost up to the node whose
//!   descendants go; a node is moved at most once.
//!
//! One revocation at a time is under way in a tree. Who wants to derive meanwhile is refused ([`Refused::Busy`]) until it has
//! made a few steps of it, more than the new node adds: so a revocation ends, however fast others derive.

mod revoke;

use alloc::vec::Vec;

pub use revoke::{Begun, Course, Step};

/// No node.
const NIL: u32 = u32::MAX;
/// Nodes that lie in the tree itself.
pub(crate) const FIRST: usize = 4;
/// Nodes of each further chunk.
const CHUNK: usize = 64;
/// The most chunks: node numbers stay below [`NIL`].
const CHUNKS_MAX: usize = (u32::MAX as usize - FIRST) / CHUNK;

/// Names a live node; names nothing any more when it is gone, also when its memory is in use again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId {
    index: u32,
    serial: u32,
}

/// Why a node was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The parent is gone.
    Stale,
    /// All nodes are in use; [grow](Tree::grow) first.
    Full,
    /// A revocation is under way; make some of its steps first.
    Busy,
}

#[derive(Debug)]
enum State<P> {
    Free,
    Ghost,
    Live(P),
}

#[derive(Debug)]
struct Node<P> {
    state: State<P>,
    /// Rises when the node stops being live.
    serial: u32,
    parent: u32,
    first: u32,
    previous: u32,
    /// The next sibling; of a free node, the next free one.
    next: u32,
}

impl<P> Node<P> {
    const FREE: Self = Self {
        state: State::Free,
        serial: 0,
        parent: NIL,
        first: NIL,
        previous: NIL,
        next: NIL,
    };

    /// Whether it is the live node of this name.
    #[inline]
    fn is(&self, id: NodeId) -> bool {
        self.serial == id.serial && matches!(self.state, State::Live(_))
    }
}

/// Memory for nodes, taken while the tree was not locked; and what is left of it.
#[derive(Debug)]
pub struct Growth<P> {
    chunk: Vec<Node<P>>,
    directory: Vec<Vec<Node<P>>>,
}

impl<P> Growth<P> {
    /// Takes memory for nodes, and for a directory of so many chunks: see [`Tree::wants`].
    ///
    /// # Errors
    /// When memory is short.
    pub fn try_new(directory_len: usize) -> Result<Self, ksync::AllocError> {
        let (mut chunk, mut directory) = (Vec::new(), Vec::new());
        chunk
            .try_reserve_exact(CHUNK)
            .map_err(|_| ksync::AllocError)?;
        chunk.resize_with(CHUNK, || Node::FREE);
        directory
            .try_reserve_exact(directory_len)
            .map_err(|_| ksync::AllocError)?;
        Ok(Self { chunk, directory })
    }
}

/// The tree, or several: each node without a parent is the root of one.
#[derive(Debug)]
pub struct Tree<P> {
    nodes: [Node<P>; FIRST],
    chunks: Vec<Vec<Node<P>>>,
    first_free: u32,
    /// Nodes that were ever in use.
    fresh: u32,
    /// Whose descendants go.
    active: Option<NodeId>,
    /// Nodes that were detached, and whose handles are not closed yet.
    pending: u32,
}

impl<P> Default for Tree<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Tree<P> {
    /// A tree without nodes, and with room for a few.
    pub const fn new() -> Self {
        Self {
            nodes: [const { Node::FREE }; FIRST],
            chunks: Vec::new(),
            first_free: NIL,
            fresh: 0,
            active: None,
            pending: 0,
        }
    }

    #[inline]
    fn node(&self, index: u32) -> Option<&Node<P>> {
        let index = index as usize;
        if index < FIRST {
            return self.nodes.get(index);
        }
        let index = index - FIRST;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    #[inline]
    fn node_mut(&mut self, index: u32) -> Option<&mut Node<P>> {
        let index = index as usize;
        if index < FIRST {
            return self.nodes.get_mut(index);
        }
        let index = index - FIRST;
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }

    /// The node, if it is live.
    #[inline]
    fn live(&mut self, id: NodeId) -> Option<&mut P> {
        match self.node_mut(id.index)? {
            Node {
                state: State::Live(place),
                serial,
                ..
            } if *serial == id.serial => Some(place),
            _ => None,
        }
    }

    /// How long a directory [`Growth`] needs; 0 if the present one will do.
    pub fn wants(&self) -> usize {
        if self.chunks.len() < self.chunks.capacity() {
            0
        } else {
            (self.chunks.len() * 2).max(4)
        }
    }

    /// Makes room for more nodes, unless there is some. Returns what is not needed, to be dropped when no lock is held.
    pub fn grow(&mut self, mut growth: Growth<P>) -> Growth<P> {
        if self.first_free != NIL
            || (self.fresh as usize) < self.room()
            || self.chunks.len() >= CHUNKS_MAX
        {
            return growth;
        }
        if self.chunks.len() == self.chunks.capacity() {
            if growth.directory.capacity() <= self.chunks.len() {
                // Others made more than there was when the memory was taken: once more.
                return growth;
            }
            growth.directory.append(&mut self.chunks);
            core::mem::swap(&mut self.chunks, &mut growth.directory);
        }
        self.chunks.push(core::mem::take(&mut growth.chunk));
        growth
    }

    /// Whether [growing](Self::grow) is of no use any more.
    pub fn is_full(&self) -> bool {
        self.chunks.len() >= CHUNKS_MAX
    }

    fn room(&self) -> usize {
        FIRST + self.chunks.len() * CHUNK
    }

    /// The next free node, if there is one.
    #[inline]
    fn next_free(&self) -> Option<u32> {
        if self.first_free != NIL {
            Some(self.first_free)
        } else {
            ((self.fresh as usize) < self.room()).then_some(self.fresh)
        }
    }

    /// Makes the next free node live, below a parent, if any, and before its children so far.
    #[inline]
    fn fill(&mut self, index: u32, place: P, parent: u32, next: u32) -> NodeId {
        let mut serial = 0;
        let mut next_free = NIL;
        if let Some(node) = self.node_mut(index) {
            next_free = node.next;
            serial = node.serial;
            node.state = State::Live(place);
            (node.parent, node.first, node.previous, node.next) = (parent, NIL, NIL, next);
        }
        if self.first_free == NIL {
            self.fresh += 1;
        } else {
            self.first_free = next_free;
        }
        if next != NIL
            && let Some(next) = self.node_mut(next)
        {
            next.previous = index;
        }
        NodeId { index, serial }
    }

    /// Gives a node back that has no relatives. One whose serial numbers are used up is never used again.
    fn free(&mut self, index: u32) {
        let first_free = self.first_free;
        if let Some(node) = self.node_mut(index) {
            node.state = State::Free;
            node.first = NIL;
            if node.serial != u32::MAX {
                node.next = first_free;
                self.first_free = index;
            }
        }
    }

    /// Adds a root.
    ///
    /// # Errors
    /// The place, if there is no room.
    pub fn add_root(&mut self, place: P) -> Result<NodeId, P> {
        match self.next_free() {
            Some(index) => Ok(self.fill(index, place, NIL, NIL)),
            None => Err(place),
        }
    }

    /// Adds a child. While a revocation is under way only those may who have `helped`.
    ///
    /// # Errors
    /// The place, and why not.
    #[inline]
    pub fn add_child(
        &mut self,
        parent: NodeId,
        place: P,
        helped: Helped,
    ) -> Result<NodeId, (P, Refused)> {
        let is_busy = self.active.is_some() && helped == Helped::No;
        let free = self.next_free();
        let above = match self.node_mut(parent.index) {
            Some(node) if node.is(parent) => node,
            _ => return Err((place, Refused::Stale)),
        };
        if is_busy {
            return Err((place, Refused::Busy));
        }
        let Some(index) = free else {
            return Err((place, Refused::Full));
        };
        let next = core::mem::replace(&mut above.first, index);
        Ok(self.fill(index, place, parent.index, next))
    }

    /// Changes a node's place; returns the old one.
    ///
    /// # Errors
    /// The new place, if the node is gone.
    pub fn set_place(&mut self, id: NodeId, place: P) -> Result<P, P> {
        match self.live(id) {
            Some(old) => Ok(core::mem::replace(old, place)),
            None => Err(place),
        }
    }

    /// Removes a node: its children become those of its parent. Returns its place, if it was not gone.
    #[inline]
    pub fn remove(&mut self, id: NodeId) -> Option<P> {
        self.live(id)?;
        self.detach(id.index)
    }

    /// Puts a node without siblings before a parent's children.
    fn link(&mut self, parent: u32, index: u32) {
        let Some(above) = self.node_mut(parent) else {
            return;
        };
        let next = core::mem::replace(&mut above.first, index);
        if let Some(node) = self.node_mut(index) {
            (node.parent, node.previous, node.next) = (parent, NIL, next);
        }
        if let Some(next) = self.node_mut(next) {
            next.previous = index;
        }
    }

    /// Puts `new` (a node or nothing) where `old` is among its parent's children.
    fn replace(&mut self, old: u32, parent: u32, previous: u32, new: u32) {
        match self.node_mut(previous) {
            Some(node) => node.next = new,
            None => match self.node_mut(parent) {
                Some(node) if node.first == old => node.first = new,
                _ => {}
            },
        }
    }

    /// Takes a node from its parent's children.
    fn unlink(&mut self, index: u32) {
        let Some(node) = self.node_mut(index) else {
            return;
        };
        let (parent, previous, next) = (node.parent, node.previous, node.next);
        (node.parent, node.previous, node.next) = (NIL, NIL, NIL);
        self.replace(index, parent, previous, next);
        if let Some(next) = self.node_mut(next) {
            next.previous = previous;
        }
    }

    /// The only child of a node takes its place, and the node is free.
    fn splice(&mut self, index: u32) {
        let Some(node) = self.node(index) else {
            return;
        };
        let (parent, previous, next, child) = (node.parent, node.previous, node.next, node.first);
        self.replace(index, parent, previous, child);
        if let Some(child) = self.node_mut(child) {
            (child.parent, child.previous, child.next) = (parent, previous, next);
        }
        if let Some(next) = self.node_mut(next) {
            next.previous = child;
        }
        self.free(index);
    }

    /// Removes a ghost that has one child left.
    fn splice_ghost(&mut self, index: u32) {
        let is_due = self.node(index).is_some_and(|node| {
            matches!(node.state, State::Ghost) && self.next_of(node.first) == Some(NIL)
        });
        if is_due {
            self.splice(index);
        }
    }

    fn next_of(&self, index: u32) -> Option<u32> {
        self.node(index).map(|node| node.next)
    }

    /// Ends a live node; returns its place.
    #[inline]
    fn detach(&mut self, index: u32) -> Option<P> {
        let first_free = self.first_free;
        let node = self.node_mut(index)?;
        let is_leaf = node.first == NIL;
        let is_spent = node.serial >= u32::MAX - 1;
        node.serial = node.serial.saturating_add(1);
        let state = core::mem::replace(&mut node.state, State::Ghost);
        if is_leaf {
            let (parent, previous, next) = (node.parent, node.previous, node.next);
            node.state = State::Free;
            if !is_spent {
                node.next = first_free;
                self.first_free = index;
            }
            self.close_gap(parent, previous, next);
        } else {
            self.detach_parent(index);
        }
        match state {
            State::Live(place) => Some(place),
            State::Ghost | State::Free => None,
        }
    }

    /// Joins the siblings of a node that is gone, and removes the parent if it is a ghost with one child left.
    #[inline]
    fn close_gap(&mut self, parent: u32, previous: u32, next: u32) {
        if next != NIL
            && let Some(next) = self.node_mut(next)
        {
            next.previous = previous;
        }
        if previous != NIL
            && let Some(previous) = self.node_mut(previous)
        {
            previous.next = next;
        }
        if parent != NIL
            && let Some(above) = self.node_mut(parent)
        {
            if previous == NIL {
                above.first = next;
            }
            if matches!(above.state, State::Ghost) {
                self.splice_ghost(parent);
            }
        }
    }

    /// What becomes of a node that was live and has children.
    fn detach_parent(&mut self, index: u32) {
        let first = self.node(index).map_or(NIL, |node| node.first);
        if self.next_of(first) == Some(NIL) {
            self.splice(index);
        }
    }
}

/// Whether who adds a node has made steps of the revocation that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helped {
    /// It has.
    Yes,
    /// It has not, or does not know of one.
    No,
}

#[cfg(test)]
mod tests;
