//! Kernel stacks, each below an unmapped guard page, so that an overflow is a fault and not a corruption.

use alloc::vec::Vec;

use kaddr::{PAGE_SIZE, VirtAddr, VirtRange};

use super::layout::STACKS;
use super::{MapError, Purpose, map_fresh};
use crate::arch::current::IrqLock;

/// Bytes of a kernel stack.
pub const SIZE: u64 = 32 * 1024;
/// From one stack to the next: a guard page lies below each.
const STRIDE: u64 = SIZE + PAGE_SIZE;

struct Pool {
    /// Where the next new stack goes.
    next: VirtAddr,
    /// Stacks that were given back: they stay mapped.
    free: Vec<VirtAddr>,
    /// How many stacks there are, given back or not.
    made: usize,
}

static POOL: IrqLock<Pool> = IrqLock::new(Pool {
    next: STACKS.start,
    free: Vec::new(),
    made: 0,
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
        // Room for the return of every stack is made now, so that giving one back cannot fail.
        let room = pool.made + 1;
        pool.free
            .try_reserve(room)
            .map_err(|_| MapError::OutOfFrames)?;
        let base = pool
            .next
            .checked_add(PAGE_SIZE)
            .ok_or(MapError::OutOfFrames)?;
        let top = base
            .checked_add(SIZE)
            .filter(|top| *top <= STACKS.end)
            .ok_or(MapError::OutOfFrames)?;
        map_fresh(VirtRange::new(base, top), Purpose::Stack)?;
        pool.next = top;
        pool.made = room;
        Ok(Self { base })
    }

    /// The end of the stack, where it begins to grow down: 16-byte aligned.
    pub fn top(&self) -> u64 {
        self.base.as_u64() + SIZE
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        POOL.lock().free.push(self.base);
    }
}

/// How many stacks there are, and how many of them are in the pool.
pub fn counts() -> (usize, usize) {
    let pool = POOL.lock();
    (pool.made, pool.free.len())
}

/// Whether an address lies in the guard page of some kernel stack.
pub fn is_guard(address: u64) -> bool {
    let address = VirtAddr::new(address);
    STACKS.contains(address)
        && address
            .offset_from(STACKS.start)
            .is_some_and(|offset| offset % STRIDE < PAGE_SIZE)
}
