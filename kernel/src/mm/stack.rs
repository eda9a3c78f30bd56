//! Kernel stacks, each above an unmapped guard page, so that an overflow is a fault and not a corruption.
//!
//! A stack is filled with zeros when it is mapped, and how deep it was ever used is read off it: [`high_water`].

use alloc::vec::Vec;

use kaddr::{PAGE_SIZE, VirtAddr, VirtRange};

use super::layout::STACKS;
use super::{MapError, Purpose, map_fresh, unmap_fresh};
use crate::arch::current::IrqLock;
use crate::locks;

/// Bytes of a kernel stack.
pub const SIZE: u64 = 32 * 1024;
/// From one stack to the next: a guard page lies below each.
const STRIDE: u64 = SIZE + PAGE_SIZE;
/// So many stacks that nobody uses stay mapped.
pub const KEPT: usize = 16;

struct Pool {
    /// How many places for stacks were ever used: the first ones.
    places: usize,
    /// Stacks that were given back and stay mapped.
    free: Vec<VirtAddr>,
    /// Places whose stack was unmapped.
    unmapped: Vec<VirtAddr>,
    /// The deepest use of a stack that was unmapped, in bytes.
    deepest: u64,
}

static POOL: IrqLock<Pool, locks::Stacks> = IrqLock::new(Pool {
    places: 0,
    free: Vec::new(),
    unmapped: Vec::new(),
    deepest: 0,
});

/// A kernel stack; goes back to the pool when dropped.
#[derive(Debug)]
pub struct KernelStack {
    base: VirtAddr,
}

impl KernelStack {
    /// A stack from the pool, or a new one.
    ///
    /// # Errors
    /// When no memory or no address is left.
    pub fn new() -> Result<Self, MapError> {
        let mut pool = POOL.lock();
        if let Some(base) = pool.free.pop() {
            return Ok(Self { base });
        }
        let base = match pool.unmapped.last() {
            Some(base) => *base,
            None => pool.next_place()?,
        };
        map_fresh(range(base), Purpose::Stack)?;
        // SAFETY: mapped just now, for us alone.
        unsafe { (base.as_u64() as *mut u8).write_bytes(0, SIZE as usize) };
        if pool.unmapped.pop().is_none() {
            pool.places += 1;
        }
        Ok(Self { base })
    }

    /// The end of the stack, where it begins to grow down: 16-byte aligned.
    pub fn top(&self) -> u64 {
        self.base.as_u64() + SIZE
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        let mut pool = POOL.lock();
        // There is room for every stack in both lists.
        pool.free.push(self.base);
        if pool.free.len() > KEPT {
            pool.unmap_one();
        }
    }
}

impl Pool {
    /// Where a stack goes that is one more than there ever were. Makes room for it in both lists, so that nothing can
    /// fail when it is given back.
    fn next_place(&mut self) -> Result<VirtAddr, MapError> {
        let places = self.places + 1;
        for list in [&mut self.free, &mut self.unmapped] {
            let missing = places - list.len();
            list.try_reserve(missing)
                .map_err(|_| MapError::OutOfFrames)?;
        }
        let offset = self.places as u64 * STRIDE + PAGE_SIZE;
        STACKS
            .start
            .checked_add(offset)
            .filter(|base| base.as_u64() + SIZE <= STACKS.end.as_u64())
            .ok_or(MapError::OutOfFrames)
    }

    /// Unmaps a stack that nobody uses; false when there is none.
    fn unmap_one(&mut self) -> bool {
        let Some(base) = self.free.pop() else {
            return false;
        };
        self.deepest = self.deepest.max(depth(base));
        unmap_fresh(range(base), Purpose::Stack);
        self.unmapped.push(base);
        true
    }
}

fn range(base: VirtAddr) -> VirtRange {
    VirtRange::new(base, VirtAddr::new(base.as_u64() + SIZE))
}

/// How many bytes of a mapped stack were ever used.
fn depth(base: VirtAddr) -> u64 {
    let word = |index: u64| (base.as_u64() + index * 8) as *const u64;
    // SAFETY: the stack is mapped, and its owner, if it has one, may write while we read: what we see of a word that
    // changes only decides whether it counts (invariant 4).
    let is_used = |index: &u64| unsafe { word(*index).read_volatile() } != 0;
    let first = (0..SIZE / 8).find(is_used).unwrap_or(SIZE / 8);
    SIZE - first * 8
}

/// Unmaps all stacks that nobody uses.
pub fn trim() {
    while POOL.lock().unmap_one() {}
}

/// How many stacks are mapped, and how many of them nobody uses.
pub fn counts() -> (usize, usize) {
    let pool = POOL.lock();
    (pool.places - pool.unmapped.len(), pool.free.len())
}

/// Bytes of the heap that the lists keep, for as many stacks as there ever were.
pub fn room_bytes() -> usize {
    let pool = POOL.lock();
    (pool.free.capacity() + pool.unmapped.capacity()) * size_of::<VirtAddr>()
}

/// The most bytes of any stack that were ever used. Looks at every stack, with the pool's lock held: for reports.
pub fn high_water() -> u64 {
    let pool = POOL.lock();
    (0..pool.places as u64)
        .map(|place| VirtAddr::new(STACKS.start.as_u64() + place * STRIDE + PAGE_SIZE))
        .filter(|base| !pool.unmapped.contains(base))
        .map(depth)
        .fold(pool.deepest, u64::max)
}

/// Whether an address lies in the guard page of some kernel stack.
pub fn is_guard(address: u64) -> bool {
    let address = VirtAddr::new(address);
    STACKS.contains(address)
        && address
            .offset_from(STACKS.start)
            .is_some_and(|offset| offset % STRIDE < PAGE_SIZE)
}
