//! Random operations against a plain tree: who is whose child, what a revocation takes, how many ghosts there are.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Begun, Course, FIRST, Growth, Helped, NIL, NodeId, Refused, State, Step, Tree};

/// Of each live node its parent, if any, by place.
#[derive(Default)]
struct Model(BTreeMap<u32, (NodeId, Option<u32>)>);

impl Model {
    fn nth(&self, at: usize) -> Option<(u32, NodeId)> {
        let at = at.checked_rem(self.0.len())?;
        self.0.iter().nth(at).map(|(place, (id, _))| (*place, *id))
    }

    fn remove(&mut self, place: u32) {
        let parent = self.0.remove(&place).expect("there").1;
        for (_, above) in self.0.values_mut() {
            if *above == Some(place) {
                *above = parent;
            }
        }
    }

    fn descendants(&self, top: u32) -> Vec<u32> {
        let is_below = |mut place: u32| {
            while let Some(parent) = self.0.get(&place).and_then(|(_, parent)| *parent) {
                if parent == top {
                    return true;
                }
                place = parent;
            }
            false
        };
        self.0.keys().copied().filter(|at| is_below(*at)).collect()
    }
}

/// The live node above a node, and the checks of all links on the way.
fn parent_of(tree: &Tree<u32>, index: u32) -> Option<u32> {
    let mut at = tree.node(index)?.parent;
    while let Some(node) = tree.node(at) {
        match &node.state {
            State::Live(place) => return Some(*place),
            State::Ghost => at = node.parent,
            State::Free => panic!("a free node has children"),
        }
    }
    None
}

fn check(tree: &Tree<u32>, model: &Model) {
    let (mut live, mut ghosts) = (0, 0);
    for index in 0..tree.fresh {
        let node = tree.node(index).expect("in use once");
        let mut children = 0;
        let (mut child, mut previous) = (node.first, NIL);
        while let Some(below) = tree.node(child) {
            assert_eq!((below.parent, below.previous), (index, previous));
            (previous, child) = (child, below.next);
            children += 1;
        }
        match &node.state {
            State::Free => assert_eq!(node.first, NIL),
            State::Ghost => {
                assert!(children >= 2, "a ghost with {children} children");
                ghosts += 1;
            }
            State::Live(place) => {
                let (id, parent) = model.0.get(place).expect("gone from the model");
                assert_eq!((id.index, id.serial), (index, node.serial));
                assert_eq!(parent_of(tree, index), *parent);
                live += 1;
            }
        }
    }
    assert_eq!(live, model.0.len());
    assert!(ghosts == 0 || ghosts < live);
}

fn add(tree: &mut Tree<u32>, parent: Option<NodeId>, place: u32, helped: Helped) -> NodeId {
    loop {
        let added = match parent {
            Some(parent) => tree.add_child(parent, place, helped),
            None => tree.add_root(place).map_err(|place| (place, Refused::Full)),
        };
        match added {
            Ok(id) => return id,
            Err((_, Refused::Full)) => {
                let growth = Growth::try_new(tree.wants()).expect("memory");
                drop(tree.grow(growth));
            }
            Err((_, refused)) => panic!("{refused:?}"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Root,
    Child(usize),
    Remove(usize),
    Move(usize),
    Revoke(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => Just(Op::Root),
        8 => any::<usize>().prop_map(Op::Child),
        4 => any::<usize>().prop_map(Op::Remove),
        1 => any::<usize>().prop_map(Op::Move),
        1 => any::<usize>().prop_map(Op::Revoke),
    ]
}

/// Revokes, and checks that it takes the descendants and no more, each once, in few steps.
fn revoke(tree: &mut Tree<u32>, model: &mut Model, top: u32, id: NodeId) {
    let mut wanted = model.descendants(top);
    assert_eq!(tree.begin(id), Begun::Yes);
    let steps = 2 * wanted.len() + 1;
    for _ in 0..steps {
        match tree.step() {
            Step::Detached(place) => {
                let at = wanted.iter().position(|other| *other == place);
                wanted.swap_remove(at.expect("a descendant"));
                model.remove(place);
                tree.finished();
            }
            Step::More => {}
            Step::Wait => panic!("nobody else is there"),
            Step::Done => {
                assert!(wanted.is_empty());
                assert_eq!(tree.course(id), Course::Done);
                return;
            }
        }
        check(tree, model);
    }
    panic!("not done in {steps} steps");
}

proptest! {
    #[test]
    fn it_is_a_tree(ops in prop::collection::vec(op(), 1..300)) {
        let (mut tree, mut model) = (Tree::new(), Model::default());
        let mut stale = Vec::new();
        for (place, op) in (0u32..).zip(ops) {
            match op {
                Op::Root => {
                    let id = add(&mut tree, None, place, Helped::No);
                    model.0.insert(place, (id, None));
                }
                Op::Child(at) => if let Some((parent, id)) = model.nth(at) {
                    let id = add(&mut tree, Some(id), place, Helped::No);
                    model.0.insert(place, (id, Some(parent)));
                },
                Op::Remove(at) => if let Some((old, id)) = model.nth(at) {
                    prop_assert_eq!(tree.remove(id), Some(old));
                    model.remove(old);
                    stale.push(id);
                },
                Op::Move(at) => if let Some((old, id)) = model.nth(at) {
                    prop_assert_eq!(tree.set_place(id, place), Ok(old));
                    for (_, above) in model.0.values_mut() {
                        if *above == Some(old) {
                            *above = Some(place);
                        }
                    }
                    let node = model.0.remove(&old).expect("there");
                    model.0.insert(place, node);
                },
                Op::Revoke(at) => if let Some((top, id)) = model.nth(at) {
                    revoke(&mut tree, &mut model, top, id);
                },
            }
            check(&tree, &model);
            for id in &stale {
                prop_assert_eq!(tree.add_child(*id, 0, Helped::Yes), Err((0, Refused::Stale)));
                prop_assert_eq!(tree.remove(*id), None);
                prop_assert_eq!(tree.begin(*id), Begun::Stale);
            }
        }
    }
}

/// A chain of nodes with two children each, of which all but the last are ghosts: the deepest tree of few handles.
#[test]
fn a_revocation_goes_through_deep_ghosts_in_short_steps() {
    const DEPTH: u32 = 1000;
    let mut tree = Tree::new();
    let top = add(&mut tree, None, 0, Helped::No);
    let mut end = top;
    let mut inner = Vec::new();
    for level in 1..=DEPTH {
        add(&mut tree, Some(end), 2 * level, Helped::No);
        end = add(&mut tree, Some(end), 2 * level + 1, Helped::No);
        inner.push(end);
    }
    inner.pop();
    for id in inner {
        tree.remove(id).expect("there");
    }
    assert_eq!(tree.begin(top), Begun::Yes);
    let mut closed = 0;
    for _ in 0..4 * DEPTH {
        match tree.step() {
            Step::Detached(_) => {
                closed += 1;
                tree.finished();
            }
            Step::Done => break,
            Step::More | Step::Wait => {}
        }
    }
    assert_eq!(closed, DEPTH + 1);
    assert_eq!(tree.course(top), Course::Done);
}

/// Others derive as fast as they may, from what they still have; it ends all the same.
#[test]
fn a_revocation_ends_although_others_derive() {
    let mut tree = Tree::new();
    let top = add(&mut tree, None, 0, Helped::No);
    let mut theirs: Vec<_> = (1..=10)
        .map(|place| add(&mut tree, Some(top), place, Helped::No))
        .collect();
    assert_eq!(tree.begin(top), Begun::Yes);
    let step = |tree: &mut Tree<u32>| match tree.step() {
        Step::Detached(_) => {
            tree.finished();
            false
        }
        step => step == Step::Done,
    };
    for round in 0.. {
        assert!(round < 100, "it goes on for ever");
        if step(&mut tree) {
            break;
        }
        // Ten others, each of which helps first and then derives from the newest handle that is left.
        for place in 0..10 {
            theirs.retain(|id| tree.live(*id).is_some());
            let Some(parent) = theirs.last().copied() else {
                break;
            };
            let refused = tree.add_child(parent, place, Helped::No);
            assert_eq!(refused, Err((place, Refused::Busy)));
            for _ in 0..4 {
                let _ = step(&mut tree);
            }
            if tree.live(parent).is_some() && tree.course(top) == Course::Going {
                theirs.push(add(&mut tree, Some(parent), place, Helped::Yes));
            }
        }
    }
}

#[test]
fn a_revocation_ends_when_its_handle_goes_and_waits_for_what_others_close() {
    let mut tree = Tree::new();
    let top = add(&mut tree, None, 0, Helped::No);
    add(&mut tree, Some(top), 1, Helped::No);
    let other = add(&mut tree, None, 2, Helped::No);
    assert_eq!(tree.begin(top), Begun::Yes);
    assert_eq!(tree.begin(other), Begun::Other);
    assert_eq!(tree.step(), Step::Detached(1));
    assert_eq!(tree.step(), Step::Wait);
    assert_eq!(tree.course(top), Course::Going);
    tree.finished();
    assert_eq!(tree.step(), Step::Done);
    assert_eq!(tree.begin(top), Begun::Yes);
    tree.remove(top);
    assert_eq!(tree.course(top), Course::Stale);
    assert_eq!(tree.step(), Step::Done);
    assert_eq!(tree.begin(other), Begun::Yes);
}

#[test]
fn a_node_whose_serials_are_used_up_is_not_used_again() {
    let mut tree = Tree::new();
    let root = add(&mut tree, None, 0, Helped::No);
    tree.nodes[0].serial = u32::MAX - 1;
    let id = NodeId {
        serial: u32::MAX - 1,
        ..root
    };
    assert_eq!(tree.remove(id), Some(0));
    for place in 1..FIRST as u32 {
        assert_ne!(add(&mut tree, None, place, Helped::No).index, 0);
    }
    assert_eq!(tree.add_root(9), Err(9));
}
