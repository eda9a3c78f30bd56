//! The pages of an area: a path-compressed radix tree from page numbers to what is there.
//!
//! A node has 64 slots and covers an aligned run of 64, 64^2, 64^3, ... keys. A node for a run exists only where keys in it
//! diverge, so that a single page far away costs one node, not one per level. Values are owned: dropping the tree drops
//! them all, and with them the frames that they stand for.
//!
//! Invariants: no node is empty; an inner node has at least two children, the root excepted only when it is a leaf; all
//! keys below a node lie in its run; `len` is the number of values and `nodes` that of nodes.

mod node;

use ksync::AllocError;
use node::{Link, Node, Slot};

/// An insertion needs at most this many nodes: a leaf, and one where its path leaves that of its neighbours.
const NODES_FOR_ONE: usize = 2;

/// A map from page numbers to values of type `P`.
#[derive(Debug)]
pub struct PageTree<P> {
    root: Option<Link<P>>,
    /// Nodes for insertions that must not fail, chained through their first slots.
    spare: Option<Link<P>>,
    spare_count: usize,
    len: u64,
    nodes: u64,
}

impl<P> Default for PageTree<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> PageTree<P> {
    /// An empty tree; takes no memory.
    pub const fn new() -> Self {
        Self {
            root: None,
            spare: None,
            spare_count: 0,
            len: 0,
            nodes: 0,
        }
    }

    /// How many values there are.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many nodes the tree has, those in reserve not counted.
    pub const fn nodes(&self) -> u64 {
        self.nodes
    }

    /// The value of a key.
    pub fn find(&self, key: u64) -> Option<&P> {
        let mut node = self.root.as_ref()?;
        loop {
            if !node.covers(key) {
                return None;
            }
            match node.slot(key) {
                Slot::Empty => return None,
                Slot::Value(value) => return Some(value),
                Slot::Child(child) => node = child,
            }
        }
    }

    /// The value of a key, for change.
    pub fn find_mut(&mut self, key: u64) -> Option<&mut P> {
        let mut node = self.root.as_mut()?;
        loop {
            if !node.covers(key) {
                return None;
            }
            match node.slot_mut(key) {
                Slot::Empty => return None,
                Slot::Value(value) => return Some(value),
                Slot::Child(child) => node = child,
            }
        }
    }

    /// Takes memory so that the next `count` insertions cannot fail.
    ///
    /// # Errors
    /// When memory is short.
    pub fn reserve(&mut self, count: usize) -> Result<(), AllocError> {
        self.reserve_nodes(count.saturating_mul(NODES_FOR_ONE))
    }

    /// Takes memory so that the insertion of a whole run of 512 keys, which begins at a multiple of 512, cannot fail.
    ///
    /// # Errors
    /// When memory is short.
    pub fn reserve_large(&mut self) -> Result<(), AllocError> {
        // Eight leaves, the node above them, and one where its path leaves that of its neighbours.
        self.reserve_nodes(8 + 2)
    }

    fn reserve_nodes(&mut self, count: usize) -> Result<(), AllocError> {
        while self.spare_count < count {
            let mut node = Node::boxed()?;
            if let Some(next) = self.spare.take() {
                node.put_first(Slot::Child(next));
            }
            self.spare = Some(node);
            self.spare_count += 1;
        }
        Ok(())
    }

    /// Gives the memory of a reservation that was not used back.
    pub fn drop_reserve(&mut self) {
        while let Some(mut node) = self.spare.take() {
            self.spare = node.take_first();
        }
        self.spare_count = 0;
    }

    fn new_node(&mut self) -> Result<Link<P>, AllocError> {
        let Some(mut node) = self.spare.take() else {
            return Node::boxed();
        };
        self.spare = node.take_first();
        self.spare_count -= 1;
        Ok(node)
    }

    /// Sets the value of a key; returns the old one.
    ///
    /// # Errors
    /// When memory is short; the value comes back, and nothing has changed.
    pub fn insert(&mut self, key: u64, value: P) -> Result<Option<P>, (P, AllocError)> {
        let old = match self.leaf_mut(key) {
            Some(leaf) => leaf.set(key, value),
            None => self.insert_with_nodes(key, value)?,
        };
        if old.is_none() {
            self.len += 1;
        }
        Ok(old)
    }

    /// The leaf that a key lies in.
    fn leaf_mut(&mut self, key: u64) -> Option<&mut Node<P>> {
        let mut node = self.root.as_mut()?;
        loop {
            if !node.covers(key) {
                return None;
            }
            if node.is_leaf() {
                return Some(node);
            }
            match node.slot_mut(key) {
                Slot::Child(child) => node = child,
                Slot::Empty | Slot::Value(_) => return None,
            }
        }
    }

    fn insert_with_nodes(&mut self, key: u64, value: P) -> Result<Option<P>, (P, AllocError)> {
        // Decide first how many nodes are missing, and take them; then nothing can fail.
        let missing = self.missing_nodes(key);
        let mut fresh: [Option<Link<P>>; NODES_FOR_ONE] = [None, None];
        for place in fresh.iter_mut().take(missing) {
            match self.new_node() {
                Ok(node) => *place = Some(node),
                Err(error) => return Err((value, error)),
            }
        }
        self.nodes += missing as u64;
        Ok(match &mut self.root {
            Some(root) => Node::insert(root, key, value, &mut fresh),
            None => {
                self.root = fresh[0].take().map(|leaf| Node::leaf(leaf, key, value));
                None
            }
        })
    }

    fn missing_nodes(&self, key: u64) -> usize {
        let Some(mut node) = self.root.as_ref() else {
            return 1;
        };
        loop {
            if !node.covers(key) {
                return 2;
            }
            match node.slot(key) {
                Slot::Child(child) => node = child,
                Slot::Value(_) => return 0,
                Slot::Empty => return usize::from(!node.is_leaf()),
            }
        }
    }

    /// Removes the value of a key.
    pub fn remove(&mut self, key: u64) -> Option<P> {
        let mut found = None;
        self.remove_range(key, key.saturating_add(1), |_, value| found = Some(value));
        found
    }

    /// Removes all values with keys from `start` up to before `end`, and hands them over in order.
    pub fn remove_range(&mut self, start: u64, end: u64, mut take: impl FnMut(u64, P)) {
        if let Some(root) = self.root.take() {
            let before = Counts {
                values: 0,
                nodes: 0,
            };
            let (root, gone) = Node::remove_range(root, start, end, &mut take, before);
            self.root = root;
            self.len -= gone.values;
            self.nodes -= gone.nodes;
        }
    }

    /// The first key from `start` up to before `end` that has a value, with the value.
    pub fn first_in(&self, start: u64, end: u64) -> Option<(u64, &P)> {
        self.root.as_ref()?.first_in(start, end)
    }

    /// Calls `visit` for all values with keys from `start` up to before `end`, in order, until it fails.
    ///
    /// # Errors
    /// That of `visit`.
    pub fn visit_mut<E>(
        &mut self,
        start: u64,
        end: u64,
        mut visit: impl FnMut(u64, &mut P) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut self.root {
            Some(root) => root.visit_mut(start, end, &mut visit),
            None => Ok(()),
        }
    }
}

impl<P> Drop for PageTree<P> {
    fn drop(&mut self) {
        // The chain of spare nodes may be long, and would be dropped by recursion; the tree itself is a few levels high.
        self.drop_reserve();
    }
}

/// What a removal took away.
#[derive(Clone, Copy)]
struct Counts {
    values: u64,
    nodes: u64,
}
