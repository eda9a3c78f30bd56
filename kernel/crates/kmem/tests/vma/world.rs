//! A small machine: frames with one word of content each, an account, and failures on request.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use kaddr::Frame;
use kmem::account::OverLimit;
use kmem::vma::{OwnedFrame, OwnedLarge, Supply};

#[derive(Default)]
pub struct State {
    free: BTreeSet<u64>,
    /// What a frame holds, as long as somebody owns it.
    pub content: BTreeMap<u64, u64>,
    /// How often frames were zeroed since the start.
    pub zeroed: u64,
    pub charged: u64,
    pub limit: u64,
    /// Frames that may still be handed out.
    pub patience: u64,
}

#[derive(Clone)]
pub struct World(pub Rc<RefCell<State>>);

/// What a frame holds that nobody has cleared.
const DIRT: u64 = 0xd1d1;

impl World {
    pub fn new(frames: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            free: (0..frames).collect(),
            limit: u64::MAX,
            patience: u64::MAX,
            ..State::default()
        })))
    }

    pub fn used(&self) -> u64 {
        self.0.borrow().content.len() as u64
    }

    fn take(&self, count: u64) -> Option<u64> {
        let mut state = self.0.borrow_mut();
        state.patience.checked_sub(1)?;
        if state.patience != u64::MAX {
            state.patience -= 1;
        }
        let first = state.free.iter().copied().find(|first| {
            first.is_multiple_of(count) && (0..count).all(|i| state.free.contains(&(first + i)))
        })?;
        for frame in first..first + count {
            state.free.remove(&frame);
            state.content.insert(frame, DIRT);
        }
        Some(first)
    }

    fn give(&self, frame: u64) {
        let mut state = self.0.borrow_mut();
        assert!(
            state.content.remove(&frame).is_some(),
            "frame {frame} was given back twice"
        );
        assert!(state.free.insert(frame));
    }

    fn zero(&self, frame: u64) {
        let mut state = self.0.borrow_mut();
        let before = state.content.insert(frame, 0);
        assert_eq!(before, Some(DIRT), "a page with content was zeroed");
        state.zeroed += 1;
    }

    pub fn read(&self, frame: Frame) -> u64 {
        *self
            .0
            .borrow()
            .content
            .get(&frame.number())
            .expect("the frame is owned")
    }

    pub fn write(&self, frame: Frame, value: u64) {
        let old = self.0.borrow_mut().content.insert(frame.number(), value);
        assert!(old.is_some(), "the frame is owned");
    }

    /// A frame as a value, uncleared.
    pub fn small(&self) -> Small {
        Small(self.take(1).expect("a frame"), self.clone())
    }
}

pub struct Small(u64, World);

impl std::fmt::Debug for Small {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "frame {}", self.0)
    }
}

impl OwnedFrame for Small {
    fn frame(&self) -> Frame {
        Frame::from_number(self.0).expect("small")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.1.give(self.0);
    }
}

pub struct Large(Vec<Small>);

impl std::fmt::Debug for Large {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "large {:?}", self.0.first())
    }
}

impl OwnedLarge for Large {
    type Small = Small;

    fn frame(&self) -> Frame {
        self.0[0].frame()
    }

    fn into_small(self) -> impl Iterator<Item = Small> {
        self.0.into_iter()
    }
}

impl Supply for World {
    type Small = Small;
    type Large = Large;

    fn zeroed(&mut self) -> Option<Small> {
        let frame = self.take(1)?;
        self.zero(frame);
        Some(Small(frame, self.clone()))
    }

    fn zeroed_large(&mut self) -> Option<Large> {
        let first = self.take(512)?;
        Some(Large(
            (first..first + 512)
                .map(|frame| {
                    self.zero(frame);
                    Small(frame, self.clone())
                })
                .collect(),
        ))
    }

    fn copy_of(&mut self, frame: Frame) -> Option<Small> {
        let content = self.read(frame);
        let copy = self.take(1)?;
        let copy = Small(copy, self.clone());
        self.write(copy.frame(), content);
        Some(copy)
    }

    fn is_zero(&self, frame: Frame) -> bool {
        self.read(frame) == 0
    }

    fn charge(&mut self, pages: u64) -> Result<(), OverLimit> {
        let mut state = self.0.borrow_mut();
        let after = state.charged + pages;
        if after > state.limit {
            return Err(OverLimit);
        }
        state.charged = after;
        Ok(())
    }

    /// Takes no care of what is left: each test says how much there is.
    fn zeroed_ahead(&mut self, places: &mut [Option<Small>]) {
        for place in places {
            if self.charge(1).is_err() {
                return;
            }
            *place = self.zeroed();
            if place.is_none() {
                self.uncharge(1);
                return;
            }
        }
    }

    fn uncharge(&mut self, pages: u64) {
        let mut state = self.0.borrow_mut();
        state.charged = state
            .charged
            .checked_sub(pages)
            .expect("no more than was charged");
    }
}
