//! Revocation: how the descendants of a node go, one at a time.

use super::{NIL, NodeId, State, Tree};

/// Whether a revocation is under way now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Begun {
    /// That of this node.
    Yes,
    /// Another one, of which steps have to be made first.
    Other,
    /// The node is gone.
    Stale,
}

/// How far a revocation is that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Course {
    /// There are steps to make.
    Going,
    /// All is done.
    Done,
    /// The node is gone, and its descendants are another's.
    Stale,
}

/// What a step of a revocation came to.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Step<P> {
    /// A descendant that was at this place is detached. [`Tree::finished`] is to be called when it is closed.
    Detached(P),
    /// There is more to do.
    More,
    /// Nothing is left but descendants that others have detached and not closed yet.
    Wait,
    /// No revocation is under way, or no longer.
    Done,
}

impl<P> Tree<P> {
    /// Begins to revoke the descendants of a node, if no other revocation is under way.
    pub fn begin(&mut self, id: NodeId) -> Begun {
        if self.live(id).is_none() {
            return Begun::Stale;
        }
        match self.active {
            Some(active) if active != id => Begun::Other,
            _ => {
                self.active = Some(id);
                Begun::Yes
            }
        }
    }

    /// How far the revocation is that was begun with this node.
    pub fn course(&mut self, id: NodeId) -> Course {
        if self.live(id).is_none() {
            Course::Stale
        } else if self.active == Some(id) {
            Course::Going
        } else {
            Course::Done
        }
    }

    /// Makes a step of the revocation that is under way.
    pub fn step(&mut self) -> Step<P> {
        let Some(top) = self.active else {
            return Step::Done;
        };
        let first = match self.live(top) {
            Some(_) => self.node(top.index).map_or(NIL, |node| node.first),
            // It was closed, or revoked itself: its children are another's.
            None => NIL,
        };
        let Some(node) = self.node(first) else {
            if self.pending != 0 {
                return Step::Wait;
            }
            self.active = None;
            return Step::Done;
        };
        if matches!(node.state, State::Live(_)) {
            return match self.detach(first) {
                Some(place) => {
                    self.pending += 1;
                    Step::Detached(place)
                }
                None => Step::More,
            };
        }
        // A ghost, which has two children or more: one of them moves up.
        let child = node.first;
        self.unlink(child);
        self.link(top.index, child);
        self.splice_ghost(first);
        Step::More
    }

    /// The handle of a node that [`step`](Self::step) detached is closed.
    pub fn finished(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }
}
