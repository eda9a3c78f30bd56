//! A processor's own stock of free frames, so that most requests leave the shared allocator alone.
//!
//! A [`Cache`] is a stack of frames that the shared [`FrameAllocator`] counts as handed out. It is
//! filled to half of its limit when it is empty, and half of its limit goes back when it is full:
//! between two visits to the shared allocator lie at least that many requests, whatever their
//! order. When memory is short it takes less, so that little of the last memory is parked.
//!
//! It also counts what its processor took and gave back, by [`Purpose`]. A frame may come back on
//! another processor than the one that took it, so only sums over all caches mean something.
//!
//! Neighbours: [`super::pool`] combines caches and allocator; the kernel puts a lock around each.

use kaddr::Frame;

use super::allocator::FrameAllocator;
use super::error::FreeError;
use super::usage::{PURPOSES, Purpose};

/// The most frames that a cache can hold.
pub const CAPACITY: usize = 128;
/// A cache with a lower limit than this would only move single frames: it gets limit 0.
const LOWEST_LIMIT: usize = 4;
/// A refill takes at most this part of what is free.
const SHARE_OF_FREE: usize = 8;
/// All caches together hold at most this part of memory.
const SHARE_OF_MEMORY: usize = 64;

/// The limit for each of `cpus` caches on a machine with `total` frames: all together they can hold
/// 1/64 of memory.
pub fn limit_for(total: usize, cpus: usize) -> usize {
    let fair = total / SHARE_OF_MEMORY / cpus.max(1);
    if fair < LOWEST_LIMIT {
        0
    } else {
        fair.min(CAPACITY) & !1
    }
}

/// What one cache knows; meaningful as a part of [`super::Statistics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) cached: usize,
    pub(super) taken: [i64; PURPOSES],
}

/// Free frames of one processor. Until it has a limit it holds none.
#[derive(Debug)]
pub struct Cache {
    len: usize,
    limit: usize,
    /// Frames taken minus frames given back here, by purpose.
    taken: [i64; PURPOSES],
    /// The first `len` are free; the others mean nothing.
    frames: [Option<Frame>; CAPACITY],
}

impl Cache {
    /// An empty cache with limit 0: every request passes through.
    pub const fn new() -> Self {
        Self {
            len: 0,
            limit: 0,
            taken: [0; PURPOSES],
            frames: [None; CAPACITY],
        }
    }

    /// How many frames are parked here.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether this frame is parked here. For searches of bugs: it looks at all.
    pub fn contains(&self, frame: Frame) -> bool {
        self.frames
            .get(..self.len)
            .is_some_and(|frames| frames.contains(&Some(frame)))
    }

    /// Takes the frame that came in last.
    #[inline]
    pub(super) fn take(&mut self, purpose: Purpose) -> Option<Frame> {
        let len = self.len.checked_sub(1)?;
        let frame = *self.frames.get(len)?;
        self.len = len;
        self.count(purpose, 1);
        frame
    }

    /// Takes the frames that came in last, one for each place; returns how many there were.
    pub(super) fn take_many(&mut self, purpose: Purpose, places: &mut [Option<Frame>]) -> usize {
        let count = places.len().min(self.len);
        let rest = self.len - count;
        let frames = self.frames.get(rest..self.len).unwrap_or_default();
        for (place, frame) in places.iter_mut().zip(frames.iter().rev()) {
            *place = *frame;
        }
        self.len = rest;
        self.count(purpose, count as i64);
        count
    }

    /// Takes frames back until the cache is full; returns how many places that were, empty ones included.
    pub(super) fn put_many(&mut self, frames: &[Option<Frame>], purpose: Purpose) -> usize {
        let before = self.len;
        let mut passed = 0;
        for frame in frames {
            if frame.is_some() {
                if self.len >= self.limit {
                    break;
                }
                let Some(place) = self.frames.get_mut(self.len) else {
                    break;
                };
                *place = *frame;
                self.len += 1;
            }
            passed += 1;
        }
        self.count(purpose, -((self.len - before) as i64));
        passed
    }

    /// Takes a frame back, unless the cache is full.
    #[inline]
    pub(super) fn put(&mut self, frame: Frame, purpose: Purpose) -> Result<(), Full> {
        if self.len >= self.limit {
            return Err(Full);
        }
        let place = self.frames.get_mut(self.len).ok_or(Full)?;
        *place = Some(frame);
        self.len += 1;
        self.count(purpose, -1);
        Ok(())
    }

    /// Notes frames that went past the cache; a negative number for those given back.
    #[inline]
    pub(super) fn count(&mut self, purpose: Purpose, frames: i64) {
        let taken = &mut self.taken[purpose as usize];
        *taken = taken.wrapping_add(frames);
    }

    /// Fills an empty cache to half of its limit, and with one frame at least if more than `keep` are
    /// free.
    pub(super) fn refill(&mut self, shared: &mut FrameAllocator<'_>, keep: usize) {
        if self.len != 0 {
            return;
        }
        let free = shared.free_frames().saturating_sub(keep);
        let share = (free / SHARE_OF_FREE).max(1).min(free);
        let wanted = (self.limit / 2).max(1).min(share);
        // The highest comes out first, as it would of the allocator itself.
        self.len = shared.allocate_many(&mut self.frames[..wanted]);
        self.frames[..self.len].reverse();
    }

    /// Makes room by giving back the half of the limit that lies here longest.
    ///
    /// # Errors
    /// The first refusal of the shared allocator; the refused frame is dropped, the others went back.
    pub(super) fn spill(&mut self, shared: &mut FrameAllocator<'_>) -> Result<(), FreeError> {
        self.give_back((self.limit / 2).max(1), shared)
    }

    /// Gives everything back.
    ///
    /// # Errors
    /// As [`Self::spill`].
    pub(super) fn drain(&mut self, shared: &mut FrameAllocator<'_>) -> Result<(), FreeError> {
        self.give_back(self.len, shared)
    }

    /// Sets how many frames the cache may hold, at most [`CAPACITY`]; see [`limit_for`].
    ///
    /// # Errors
    /// As [`Self::spill`].
    pub(super) fn set_limit(
        &mut self,
        limit: usize,
        shared: &mut FrameAllocator<'_>,
    ) -> Result<(), FreeError> {
        self.limit = limit.min(CAPACITY);
        self.give_back(self.len.saturating_sub(self.limit), shared)
    }

    fn give_back(
        &mut self,
        count: usize,
        shared: &mut FrameAllocator<'_>,
    ) -> Result<(), FreeError> {
        let count = count.min(self.len);
        let mut result = Ok(());
        let frames = self.frames[..count].iter().filter_map(|frame| *frame);
        shared.free_many(frames, |error| {
            // It was given back twice, and counted twice.
            self.taken[Purpose::Other as usize] += 1;
            result = result.and(Err(error));
        });
        self.frames.copy_within(count..self.len, 0);
        self.len -= count;
        result
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            cached: self.len,
            taken: self.taken,
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

/// The cache has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;
