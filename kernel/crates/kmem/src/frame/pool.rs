//! Allocation by caches in front of a shared allocator.
//!
//! The functions here say what happens in which order under which lock; [`Pool`] provides the
//! locks. The order is: one cache, then the shared allocator. No two caches are held at once, so
//! processors that look into each other's caches cannot wait for each other.
//!
//! Memory is out only when the shared allocator and all caches were found empty, twice: frames that
//! move from one to another while we look are found in the second round.

use kaddr::{Frame, PAGE_SIZE, PhysAddr, PhysRange};

use super::allocator::FrameAllocator;
use super::cache::{Cache, limit_for};
use super::error::FreeError;
use super::usage::{PURPOSES, Purpose, Statistics};

/// Caches, one for each processor, and the allocator that they share, each behind its lock.
pub trait Pool {
    /// How many caches there may be: the indices below it.
    fn caches(&self) -> usize;

    /// Acts on the cache of the processor that runs this.
    fn own<R>(&self, act: impl FnOnce(&mut Cache) -> R) -> R;

    /// Acts on a cache; `None` when there is none with this index.
    fn cache<R>(&self, index: usize, act: impl FnOnce(&mut Cache) -> R) -> Option<R>;

    /// Hears that a frame was given back twice, which was found while memory was looked for.
    fn refused(&self, error: FreeError);

    /// Acts on the shared allocator.
    fn shared<R>(&self, act: impl FnOnce(&mut FrameAllocator<'_>) -> R) -> R;
}

/// Takes a frame. When the own cache is empty, it is refilled only with what is free beyond `keep`
/// frames: these are left to callers that may not be refused.
#[inline]
pub fn allocate<P: Pool>(pool: &P, purpose: Purpose, keep: usize) -> Option<Frame> {
    match pool.own(|cache| cache.take(purpose)) {
        Some(frame) => Some(frame),
        None => allocate_slowly(pool, purpose, keep),
    }
}

#[cold]
#[inline(never)]
fn allocate_slowly<P: Pool>(pool: &P, purpose: Purpose, keep: usize) -> Option<Frame> {
    for _ in 0..2 {
        let frame = pool.own(|cache| {
            pool.shared(|shared| cache.refill(shared, keep));
            cache.take(purpose)
        });
        if frame.is_some() {
            return frame;
        }
        if keep != 0 {
            // What is parked counts, but not against the frames that are kept.
            drain_or_tell(pool);
            continue;
        }
        let frame = (0..pool.caches())
            .find_map(|index| pool.cache(index, |cache| cache.take(purpose)).flatten());
        if frame.is_some() {
            return frame;
        }
    }
    None
}

/// As [`allocate`], for as many frames as there are places, all of them empty; returns how many could be had, and fills so many
/// places.
pub fn allocate_many<P: Pool>(
    pool: &P,
    purpose: Purpose,
    keep: usize,
    places: &mut [Option<Frame>],
) -> usize {
    let mut count = 0;
    loop {
        let rest = places.get_mut(count..).unwrap_or_default();
        count += pool.own(|cache| cache.take_many(purpose, rest));
        let Some(place) = places.get_mut(count) else {
            return count;
        };
        // This fills the cache, too, as long as there is something to fill it with.
        *place = allocate_slowly(pool, purpose, keep);
        if place.is_none() {
            return count;
        }
        count += 1;
    }
}

/// Gives a frame back.
///
/// # Errors
/// When it, or one that was given back before it, is free already or not managed. What is found
/// late is the sign of a bug elsewhere; this frame is taken back then.
#[inline]
pub fn free<P: Pool>(pool: &P, frame: Frame, purpose: Purpose) -> Result<(), FreeError> {
    match pool.own(|cache| cache.put(frame, purpose)) {
        Ok(()) => Ok(()),
        Err(_) => free_slowly(pool, frame, purpose),
    }
}

#[cold]
#[inline(never)]
fn free_slowly<P: Pool>(pool: &P, frame: Frame, purpose: Purpose) -> Result<(), FreeError> {
    pool.own(|cache| {
        pool.shared(|shared| {
            let spilled = cache.spill(shared);
            if cache.put(frame, purpose).is_err() {
                shared.free(frame)?;
                cache.count(purpose, -1);
            }
            spilled
        })
    })
}

/// Gives frames back; empty places are passed over.
///
/// # Errors
/// As [`free`], for the first one; all others went back.
pub fn free_many<P: Pool>(
    pool: &P,
    frames: &[Option<Frame>],
    purpose: Purpose,
) -> Result<(), FreeError> {
    let mut rest = frames;
    let mut result = Ok(());
    loop {
        let taken = pool.own(|cache| cache.put_many(rest, purpose));
        rest = rest.get(taken..).unwrap_or_default();
        let Some((next, others)) = rest.split_first() else {
            return result;
        };
        // This makes room in the cache, too, if it may have any.
        if let Some(frame) = next {
            result = result.and(free_slowly(pool, *frame, purpose));
        }
        rest = others;
    }
}

/// Takes an aligned 2 MiB; give it back with [`free_range`]. Does not look for it in the caches: the
/// caller can do with small frames.
pub fn allocate_large<P: Pool>(pool: &P, purpose: Purpose) -> Option<Frame> {
    pool.own(|cache| {
        let frame = pool.shared(|shared| shared.allocate_large())?;
        cache.count(purpose, 512);
        Some(frame)
    })
}

/// Takes `count` frames in a row; see [`FrameAllocator::allocate_contiguous`]. When there is no such
/// run, the caches are emptied and it is tried again.
pub fn allocate_contiguous<P: Pool>(
    pool: &P,
    count: usize,
    align_frames: usize,
    below: Option<PhysAddr>,
    purpose: Purpose,
) -> Option<PhysRange> {
    let attempt = || {
        pool.own(|cache| {
            let range =
                pool.shared(|shared| shared.allocate_contiguous(count, align_frames, below))?;
            cache.count(purpose, frames_of(range));
            Some(range)
        })
    };
    attempt().or_else(|| {
        drain_or_tell(pool);
        attempt()
    })
}

/// Gives a range of frames back, all or nothing.
///
/// # Errors
/// As [`FrameAllocator::free_range`].
pub fn free_range<P: Pool>(pool: &P, range: PhysRange, purpose: Purpose) -> Result<(), FreeError> {
    pool.own(|cache| {
        pool.shared(|shared| shared.free_range(range))?;
        cache.count(purpose, -frames_of(range));
        Ok(())
    })
}

/// Takes what is free of a range for good; see [`FrameAllocator::reserve`].
pub fn reserve<P: Pool>(pool: &P, range: PhysRange, purpose: Purpose) -> usize {
    pool.own(|cache| {
        let taken = pool.shared(|shared| shared.reserve(range));
        cache.count(purpose, i64::try_from(taken).unwrap_or(i64::MAX));
        taken
    })
}

/// Empties all caches.
///
/// # Errors
/// The first refusal of the shared allocator; all other frames went back.
pub fn drain<P: Pool>(pool: &P) -> Result<(), FreeError> {
    each(pool, |cache, shared| cache.drain(shared))
}

fn drain_or_tell<P: Pool>(pool: &P) {
    if let Err(error) = drain(pool) {
        pool.refused(error);
    }
}

/// Sets the limit of all caches for a machine with this many processors.
///
/// # Errors
/// As [`drain`].
pub fn set_limits<P: Pool>(pool: &P, cpus: usize) -> Result<(), FreeError> {
    let limit = limit_for(pool.shared(|shared| shared.total_frames()), cpus);
    each(pool, |cache, shared| cache.set_limit(limit, shared))
}

/// Whether a frame is free, in a cache or in the shared allocator. For searches of bugs.
pub fn is_free<P: Pool>(pool: &P, frame: Frame) -> bool {
    pool.shared(|shared| shared.is_free(frame))
        || (0..pool.caches())
            .any(|index| pool.cache(index, |cache| cache.contains(frame)) == Some(true))
}

/// How memory is used. Each cache is read by itself: a reading that other processors disturbed is
/// repeated a few times, and then what does not add up counts as [`Purpose::Other`].
pub fn statistics<P: Pool>(pool: &P) -> Statistics {
    let (mut read, mut exact) = read(pool);
    for _ in 0..3 {
        if exact {
            break;
        }
        (read, exact) = self::read(pool);
    }
    read
}

fn read<P: Pool>(pool: &P) -> (Statistics, bool) {
    let mut cached = 0;
    let mut taken = [0i64; PURPOSES];
    for tally in (0..pool.caches()).filter_map(|index| pool.cache(index, |cache| cache.tally())) {
        cached += tally.cached as u64;
        for (sum, part) in taken.iter_mut().zip(tally.taken) {
            *sum = sum.wrapping_add(part);
        }
    }
    let (free, total) = pool.shared(|shared| (shared.free_frames(), shared.total_frames()));
    let total = total as u64;
    let free = (free as u64 + cached).min(total);
    let mut rest = total - free;
    let mut exact = true;
    let mut used = taken.map(|sum| {
        let part = u64::try_from(sum).unwrap_or(0);
        exact &= sum >= 0 && part <= rest;
        let part = part.min(rest);
        rest -= part;
        part
    });
    used[Purpose::Other as usize] += rest;
    (
        Statistics::new(total, free, cached, used),
        exact && rest == 0,
    )
}

fn each<P: Pool>(
    pool: &P,
    act: impl Fn(&mut Cache, &mut FrameAllocator<'_>) -> Result<(), FreeError>,
) -> Result<(), FreeError> {
    (0..pool.caches())
        .filter_map(|index| pool.cache(index, |cache| pool.shared(|shared| act(cache, shared))))
        .fold(Ok(()), Result::and)
}

fn frames_of(range: PhysRange) -> i64 {
    i64::try_from(range.len() / PAGE_SIZE).unwrap_or(i64::MAX)
}
