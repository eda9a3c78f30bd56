//! The pages of an area: a path-compressed radix tree from page numbers to what is there.
//!
//! A node has 64 slots and covers an aligned run of 64, 64^2, 64^3, ... keys. A node for a run exists only where keys in it
//! diverge, so that a single page far away costs one node, not one per level; a single value costs none. Values are owned:
//! dropping the tree drops them all, and with them the frames that they stand for.
//!
//! Invariants: no node is empty; an inner node has at least two children, the root excepted only when it is a leaf; all
//! keys below a node lie in its run; `len` is the number of values and `nodes` that of nodes.

mod node;

use ksync::AllocError;
use node::{Link, Node, Slot};

/// An insertion needs at most this many nodes: a leaf, and one where its path leaves that of its neighbours.
const NODES_FOR_ONE: usize = 2;
/// The second value of a tree needs a leaf for the first one besides.
const NODES_FOR_FIRST: usize = 1;

/// What a tree holds.
#[derive(Debug)]
enum Root<P> {
    Empty,
    /// A single value, which needs no node.
    One(u64, P),
    /// It stays so until it is empty.
    Node(Link<P>),
}

/// A map from page numbers to values of type `P`.
#[derive(Debug)]
pub struct PageTree<P> {
    root: Root<P>,
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
            root: Root::Empty,
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
        let mut node = match &self.root {
            Root::Empty => return None,
            Root::One(only, value) => return (*only == key).then_some(value),
            Root::Node(node) => node,
        };
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
        let mut node = match &mut self.root {
            Root::Empty => return None,
            Root::One(only, value) => return (*only == key).then_some(value),
            Root::Node(node) => node,
        };
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
        let nodes = count.saturating_mul(NODES_FOR_ONE);
        self.reserve_nodes(nodes.saturating_add(NODES_FOR_FIRST))
    }

    /// Takes memory so that the insertion of a whole run of 512 keys, which begins at a multiple of 512, cannot fail.
    ///
    /// # Errors
    /// When memory is short.
    pub fn reserve_large(&mut self) -> Result<(), AllocError> {
        self.reserve_part(8)
    }

    /// Takes memory so that the insertion of keys of such a run cannot fail, which lie in so many of its eight aligned runs of 64
    /// keys.
    ///
    /// # Errors
    /// When memory is short.
    pub fn reserve_part(&mut self, leaves: usize) -> Result<(), AllocError> {
        // The leaves, the node above them, and one where its path leaves that of its neighbours.
        self.reserve_nodes(leaves + 2 + NODES_FOR_FIRST)
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
        let old = match &mut self.root {
            Root::Empty => {
                self.root = Root::One(key, value);
                None
            }
            Root::One(only, old) if *only == key => Some(core::mem::replace(old, value)),
            Root::One(..) => self.insert_second(key, value)?,
            Root::Node(_) => match self.leaf_mut(key) {
                Some(leaf) => leaf.set(key, value),
                None => self.insert_with_nodes(key, value)?,
            },
        };
        if old.is_none() {
            self.len += 1;
        }
        Ok(old)
    }

    /// The leaf that a key lies in.
    #[inline]
    fn leaf_mut(&mut self, key: u64) -> Option<&mut Node<P>> {
        let Root::Node(root) = &mut self.root else {
            return None;
        };
        let mut node = root;
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

    /// Inserts beside the only value, which gets a leaf first.
    #[cold]
    fn insert_second(&mut self, key: u64, value: P) -> Result<Option<P>, (P, AllocError)> {
        let beside = match &self.root {
            Root::One(only, _) if node::in_one_leaf(*only, key) => 0,
            _ => NODES_FOR_ONE,
        };
        // All nodes at first, so that it is done wholly or not at all.
        if let Err(error) = self.reserve_nodes(NODES_FOR_FIRST + beside) {
            return Err((value, error));
        }
        if let Ok(leaf) = self.new_node() {
            self.root = match core::mem::replace(&mut self.root, Root::Empty) {
                Root::One(only, first) => {
                    self.nodes += 1;
                    Root::Node(Node::leaf(leaf, only, first))
                }
                other => other,
            };
        }
        match self.leaf_mut(key) {
            Some(leaf) => Ok(leaf.set(key, value)),
            None => self.insert_with_nodes(key, value),
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
            Root::Node(root) => Node::insert(root, key, value, &mut fresh),
            Root::Empty | Root::One(..) => None,
        })
    }

    fn missing_nodes(&self, key: u64) -> usize {
        let Root::Node(root) = &self.root else {
            return 0;
        };
        let mut node = root;
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

    /// How many keys from `start` on, up to `count`, have no value but a place for one, so that [`Self::fill`] needs no memory.
    pub fn gap(&mut self, start: u64, count: u64) -> u64 {
        self.leaf_mut(start)
            .map_or(0, |leaf| leaf.gap(start, count))
    }

    /// Puts values at the keys of a [gap](Self::gap), from `start` on; values that are too many are dropped.
    pub fn fill(&mut self, start: u64, values: impl Iterator<Item = P>) {
        if let Some(leaf) = self.leaf_mut(start) {
            self.len += leaf.fill(start, values);
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
        self.root = match core::mem::replace(&mut self.root, Root::Empty) {
            Root::One(key, value) if start <= key && key < end => {
                self.len = 0;
                take(key, value);
                Root::Empty
            }
            Root::Node(root) => {
                let before = Counts {
                    values: 0,
                    nodes: 0,
                };
                let (root, gone) = Node::remove_range(root, start, end, &mut take, before);
                self.len -= gone.values;
                self.nodes -= gone.nodes;
                root.map_or(Root::Empty, Root::Node)
            }
            other => other,
        };
    }

    /// The first key from `start` up to before `end` that has a value, with the value.
    pub fn first_in(&self, start: u64, end: u64) -> Option<(u64, &P)> {
        match &self.root {
            Root::Empty => None,
            Root::One(key, value) => (start <= *key && *key < end).then_some((*key, value)),
            Root::Node(root) => root.first_in(start, end),
        }
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
            Root::One(key, value) if start <= *key && *key < end => visit(*key, value),
            Root::Empty | Root::One(..) => Ok(()),
            Root::Node(root) => root.visit_mut(start, end, &mut visit),
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
