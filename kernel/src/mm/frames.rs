//! Physical frames for everybody: a cache for each processor in front of the shared allocator.
//!
//! `kmem::frame::pool` says what happens in which order; this module provides the locks and, in builds with checks, the
//! poison. A cache is under a lock of its own, which other processors take only when memory is short or counted: in the
//! common case its cache line stays where it is, and the lock costs one locked instruction.
//!
//! Lock order: one cache, then the shared allocator; nothing is taken after that. May be used in interrupt handlers.

use kaddr::{Frame, PAGE_SIZE, PhysAddr, PhysRange};
use kmem::frame::pool::{self, Pool};
use kmem::frame::{Added, Cache, FrameAllocator, FreeError};
pub use kmem::frame::{Node, Purpose, Statistics};
use spin::Once;

use core::sync::atomic::{AtomicUsize, Ordering};

use super::{inject, poison};
use crate::arch::current::{IrqLock, percpu};
use crate::locks;

static SHARED: Once<IrqLock<FrameAllocator<'static>, locks::Frames>> = Once::new();

/// The cache of one processor, in its per-CPU area.
#[repr(align(64))]
pub struct Stock(IrqLock<Cache, locks::Stock>);

impl Stock {
    /// An empty cache, which everything passes by until [`set_limits`].
    pub const fn new() -> Self {
        Self(IrqLock::new(Cache::new()))
    }
}

/// Frames that programs leave to the kernel: with them it can go on when programs have used up everything else.
static RESERVE: AtomicUsize = AtomicUsize::new(0);

/// Sets how many frames are left to the kernel when programs ask.
pub(super) fn set_reserve(frames: usize) {
    RESERVE.store(frames, Ordering::Relaxed);
}

/// The processors' caches, and the allocator that they share.
struct Machine;

impl Pool for Machine {
    fn caches(&self) -> usize {
        percpu::count()
    }

    #[inline]
    fn own<R>(&self, act: impl FnOnce(&mut Cache) -> R) -> R {
        // Should the thread move between finding the cache and locking it, then it uses the cache of the processor that
        // it comes from: slower, but no less right.
        act(&mut percpu::current().frames.0.lock())
    }

    fn cache<R>(&self, index: usize, act: impl FnOnce(&mut Cache) -> R) -> Option<R> {
        percpu::get(index).map(|area| act(&mut area.frames.0.lock()))
    }

    fn refused(&self, error: FreeError) {
        report(Err(error));
    }

    fn shared<R>(&self, act: impl FnOnce(&mut FrameAllocator<'_>) -> R) -> R {
        let shared = SHARED
            .get()
            .expect("memory is initialised before frames are asked for");
        act(&mut shared.lock())
    }
}

/// Hands the allocator over: from here on frames can be had. All that is free in it must be poisoned.
pub(super) fn init(allocator: FrameAllocator<'static>) {
    SHARED.call_once(|| IrqLock::new(allocator));
}

/// Acts on the shared allocator, behind the back of the counts.
pub(super) fn with_shared<R>(act: impl FnOnce(&mut FrameAllocator<'static>) -> R) -> Option<R> {
    SHARED.get().map(|shared| act(&mut shared.lock()))
}

/// Sizes the caches for this many processors: together they hold at most 1/64 of memory.
pub fn set_limits(cpus: usize) {
    report(pool::set_limits(&Machine, cpus));
}

/// Takes a frame with any content. `None` when memory is out: no processor has a frame parked then. For
/// [`Purpose::User`] memory is out earlier: what [`set_reserve`] says is left to the kernel.
#[inline]
pub fn allocate(purpose: Purpose) -> Option<Frame> {
    if inject::is_refused() {
        return None;
    }
    let frame = pool::allocate(&Machine, purpose, kept_from(purpose))?;
    poison::check(frame);
    Some(frame)
}

/// Frames that are left when somebody asks for this purpose.
#[inline]
fn kept_from(purpose: Purpose) -> usize {
    if purpose == Purpose::User {
        RESERVE.load(Ordering::Relaxed)
    } else {
        0
    }
}

/// As [`allocate`], for as many frames as there are places, all of them empty; returns how many could be had, and fills so many
/// places.
pub fn allocate_many(purpose: Purpose, places: &mut [Option<Frame>]) -> usize {
    // Each counts as one allocation of the program.
    let wanted = places.iter().take_while(|_| !inject::is_refused()).count();
    let places = places.get_mut(..wanted).unwrap_or_default();
    let count = pool::allocate_many(&Machine, purpose, kept_from(purpose), places);
    if poison::is_on() {
        places.iter().flatten().copied().for_each(poison::check);
    }
    count
}

/// How many frames programs can have, and could have if they had none.
pub fn room() -> (u64, u64) {
    let memory = statistics();
    let kept = RESERVE.load(Ordering::Relaxed) as u64;
    (
        memory.free.saturating_sub(kept),
        memory.total.saturating_sub(kept),
    )
}

/// Takes a frame, near the processors of a node if there is a choice. There is one node today.
pub fn allocate_on(_node: Node, purpose: Purpose) -> Option<Frame> {
    allocate(purpose)
}

/// The node that a frame belongs to.
pub fn node_of(_frame: Frame) -> Node {
    Node::ONLY
}

/// Gives a frame back that was taken for `purpose`.
///
/// # Errors
/// When it is free already or no frame of ours; or when one that came back before it was: a bug elsewhere.
#[inline]
pub fn try_free(frame: Frame, purpose: Purpose) -> Result<(), FreeError> {
    if poison::is_on() {
        if poison::is_filled(frame) && pool::is_free(&Machine, frame) {
            return Err(FreeError::DoubleFree(frame));
        }
        if poison::is_ours(frame) {
            poison::fill(frame);
        }
    }
    pool::free(&Machine, frame, purpose)
}

/// Gives a frame back that was taken for `purpose`. Its owner has seen to it that no page table maps it and no
/// processor has a translation to it.
#[inline]
pub fn free(frame: Frame, purpose: Purpose) {
    report(try_free(frame, purpose));
}

/// Frames that are given back together, at the latest when this is dropped. What is said of [`free`] is due before they are
/// put here.
pub struct GiveBack {
    purpose: Purpose,
    /// What lies from `len` on means nothing.
    frames: [Option<Frame>; Self::MOST],
    len: usize,
}

impl GiveBack {
    /// Frames that wait at most.
    const MOST: usize = 32;

    /// None, for frames that were taken for this purpose.
    pub const fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            frames: [None; Self::MOST],
            len: 0,
        }
    }

    /// Gives a frame back, now or later.
    #[inline]
    pub fn put(&mut self, frame: Frame) {
        if poison::is_on() {
            // One by one, to find the one that is given back twice.
            return free(frame, self.purpose);
        }
        if self.len == Self::MOST {
            self.finish();
        }
        if let Some(place) = self.frames.get_mut(self.len) {
            *place = Some(frame);
            self.len += 1;
        }
    }

    fn finish(&mut self) {
        let frames = self.frames.get(..self.len).unwrap_or_default();
        report(pool::free_many(&Machine, frames, self.purpose));
        self.len = 0;
    }
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Whether more than one frame in `share` is free, those aside that processors have parked.
pub fn is_plentiful(share: usize) -> bool {
    let plenty = with_shared(|shared| shared.free_frames() > shared.total_frames() / share.max(1));
    plenty == Some(true)
}

/// Takes an aligned 2 MiB for an area, with any content, if more than one frame in `share` is free; [`free_large`]
/// takes it back.
pub fn allocate_large(share: usize) -> Option<Frame> {
    if inject::is_refused() {
        return None;
    }
    if !is_plentiful(share) {
        return None;
    }
    let first = pool::allocate_large(&Machine, Purpose::User)?;
    if poison::is_on()
        && let Some(range) = PhysRange::from_len(first.start(), kaddr::LARGE)
    {
        range.frames().for_each(poison::check);
    }
    Some(first)
}

/// Takes `count` frames in a row, the highest that begin at a multiple of `align_frames` frames and end at or below
/// `below`. Slow: it searches all of memory.
pub fn allocate_contiguous(
    count: usize,
    align_frames: usize,
    below: Option<PhysAddr>,
    purpose: Purpose,
) -> Option<PhysRange> {
    let range = pool::allocate_contiguous(&Machine, count, align_frames, below, purpose)?;
    if poison::is_on() {
        range.frames().for_each(poison::check);
    }
    Some(range)
}

/// Gives a range of frames back, all or nothing.
///
/// # Errors
/// When it is not made of whole frames, or one of them is free or not ours.
pub fn try_free_range(range: PhysRange, purpose: Purpose) -> Result<(), FreeError> {
    if poison::is_on() {
        if let Some(frame) = range
            .frames()
            .find(|frame| poison::is_filled(*frame) && pool::is_free(&Machine, *frame))
        {
            return Err(FreeError::DoubleFree(frame));
        }
        range
            .frames()
            .filter(|frame| poison::is_ours(*frame))
            .for_each(poison::fill);
    }
    pool::free_range(&Machine, range, purpose)
}

/// Gives a range of frames back that was taken for `purpose`.
pub fn free_range(range: PhysRange, purpose: Purpose) {
    report(try_free_range(range, purpose));
}

/// Gives back what [`allocate_large`] returned.
pub fn free_large(range: PhysRange) {
    free_range(range, Purpose::User);
}

/// Adds memory that nobody uses any more and that the direct map has.
pub(super) fn add(range: PhysRange) -> Added {
    if !poison::is_on() {
        return with_shared(|shared| shared.add(range)).unwrap_or_default();
    }
    let mut added = Added::default();
    for frame in range.align_inward(PAGE_SIZE).frames() {
        let one = with_shared(|shared| {
            // Frames that are known may be in use.
            if !shared.manages(frame) {
                poison::fill(frame);
            }
            shared.add(frame.range())
        })
        .unwrap_or_default();
        added.added += one.added;
        added.known += one.known;
        added.outside += one.outside;
    }
    added
}

/// Takes what is free of a range out of use for good; returns how many frames that were.
pub(super) fn reserve(range: PhysRange) -> usize {
    pool::reserve(&Machine, range, Purpose::Other)
}

/// Gives all frames that processors have parked to the shared allocator.
pub fn drain() {
    report(pool::drain(&Machine));
}

/// How memory is used.
pub fn statistics() -> Statistics {
    pool::statistics(&Machine)
}

fn report(result: Result<(), FreeError>) {
    if let Err(error) = result {
        if poison::is_on() {
            panic!("{error}");
        }
        log::error!("memory was not given back: {error}");
    }
}
