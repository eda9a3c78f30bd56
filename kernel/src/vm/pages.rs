//! Pages as values: whoever drops one gives its frames back.

use kaddr::{Frame, LARGE, PAGE_SIZE, PhysRange};
use kmem::account::OverLimit;
use kmem::pt::FrameSource;
use kmem::vma::{AHEAD_MAX, LARGE_PAGES, OwnedFrame, OwnedLarge, Supply};
use ksync::Arc;

use super::Account;
use super::pressure::Lack;
use crate::mm::{self, GiveBack, Purpose, direct, phys_to_virt};

/// Large pages, and pages that nobody has asked for yet, are given out while more than one in so many frames is free: memory
/// for single pages must not run out for the convenience of these.
const GENEROUS: usize = 8;

/// A frame of user memory.
#[derive(Debug)]
pub struct Small(Frame);

impl OwnedFrame for Small {
    fn frame(&self) -> Frame {
        self.0
    }
}

/// Pages that are given back together.
pub struct Bin(GiveBack);

impl Bin {
    /// An empty one; what is put into it is given back when it is dropped, if not before.
    pub const fn new() -> Self {
        Self(GiveBack::new(Purpose::User))
    }

    /// Gives a page back, now or later.
    #[inline]
    pub fn put(&mut self, page: Small) {
        self.0.put(core::mem::ManuallyDrop::new(page).0);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        mm::free(self.0, Purpose::User);
    }
}

/// 512 frames of user memory in a row.
#[derive(Debug)]
pub struct Large(Frame);

impl OwnedLarge for Large {
    type Small = Small;

    fn frame(&self) -> Frame {
        self.0
    }

    fn into_small(self) -> impl Iterator<Item = Small> {
        let first = core::mem::ManuallyDrop::new(self).0;
        (0..LARGE_PAGES).filter_map(move |index| first.checked_add(index).map(Small))
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        if let Some(range) = PhysRange::from_len(self.0.start(), LARGE) {
            mm::free_large(range);
        }
    }
}

/// Frames for an area, charged to an account.
pub struct Frames(pub Arc<Account>);

impl Supply for Frames {
    type Small = Small;
    type Large = Large;

    #[inline]
    fn zeroed(&mut self) -> Option<Small> {
        let frame = mm::allocate(Purpose::User)?;
        direct::zero(frame);
        Some(Small(frame))
    }

    fn zeroed_large(&mut self) -> Option<Large> {
        let first = mm::allocate_large(GENEROUS)?;
        let large = Large(first);
        for index in 0..LARGE_PAGES {
            direct::zero(first.checked_add(index)?);
        }
        Some(large)
    }

    fn copy_of(&mut self, source: Frame) -> Option<Small> {
        let copy = Small(mm::allocate(Purpose::User)?);
        let from = phys_to_virt(source.start()).as_u64() as *const u8;
        let to = phys_to_virt(copy.0.start()).as_u64() as *mut u8;
        // SAFETY: two frames in the direct map; the copy is ours alone, and the source is shared, so that nobody writes to it
        // (invariants 1 and 4).
        unsafe { to.copy_from_nonoverlapping(from, PAGE_SIZE as usize) };
        Some(copy)
    }

    fn is_zero(&self, frame: Frame) -> bool {
        direct::is_zero(frame)
    }

    #[inline]
    fn charge(&mut self, pages: u64) -> Result<(), OverLimit> {
        self.0.charge(pages)
    }

    fn zeroed_ahead(&mut self, places: &mut [Option<Small>]) {
        let pages = places.len() as u64;
        if !mm::is_plentiful(GENEROUS) || self.0.charge_ahead(pages).is_err() {
            return;
        }
        let mut frames = [None; AHEAD_MAX as usize];
        let frames = frames.get_mut(..places.len()).unwrap_or_default();
        let count = mm::allocate_many(Purpose::User, frames);
        for (place, frame) in places.iter_mut().zip(frames.iter().flatten()) {
            direct::zero(*frame);
            *place = Some(Small(*frame));
        }
        if count as u64 != pages {
            self.0.uncharge(pages - count as u64);
        }
    }

    #[inline]
    fn uncharge(&mut self, pages: u64) {
        self.0.uncharge(pages);
    }
}

/// Frames for the page tables of a space, charged to its account.
pub struct Tables<'a> {
    account: &'a Account,
    /// Whether the account was what had no room.
    over_limit: bool,
}

impl<'a> Tables<'a> {
    /// Frames that this account pays for.
    pub fn of(account: &'a Account) -> Self {
        Self {
            account,
            over_limit: false,
        }
    }

    /// What there was too little of, if a table could not be had.
    pub fn lack(&self) -> Lack {
        if self.over_limit {
            Lack::Limit
        } else {
            Lack::Frames
        }
    }
}

impl FrameSource for Tables<'_> {
    fn allocate_table(&mut self) -> Option<Frame> {
        if self.account.charge(1).is_err() {
            self.over_limit = true;
            return None;
        }
        let frame = mm::allocate(Purpose::Table);
        if frame.is_none() {
            self.account.uncharge(1);
        }
        frame
    }

    fn free_table(&mut self, table: Frame) {
        mm::free(table, Purpose::Table);
        self.account.uncharge(1);
    }
}
