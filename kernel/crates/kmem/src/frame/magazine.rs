//! A processor's own stock of frames.
//!
//! Most allocations and returns are of single frames, and a processor that allocates will soon return, and the other way
//! round. A [`Magazine`] stands between it and the allocator that all share: it is refilled and emptied by the half, so
//! that the shared one is asked at most once for every [`HALF`] frames, however they come and go. To the allocator the
//! frames in a magazine are handed out.

use kaddr::Frame;

use super::{FrameAllocator, FreeError};

/// Frames that a magazine takes from the allocator, or gives back, at once.
pub const HALF: usize = 32;

/// At most twice [`HALF`] frames, the last one in the first one out: it is most likely still in the processor's cache.
#[derive(Debug)]
pub struct Magazine {
    frames: [Option<Frame>; 2 * HALF],
    len: usize,
}

impl Default for Magazine {
    fn default() -> Self {
        Self::new()
    }
}

impl Magazine {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            frames: [None; 2 * HALF],
            len: 0,
        }
    }

    /// How many frames it has.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is no room.
    pub const fn is_full(&self) -> bool {
        self.len == self.frames.len()
    }

    /// Takes a frame out.
    pub fn pop(&mut self) -> Option<Frame> {
        let last = self.len.checked_sub(1)?;
        self.len = last;
        self.frames.get_mut(last)?.take()
    }

    /// Puts a frame in.
    ///
    /// # Errors
    /// The frame, when there is no room: [`Self::spill`] makes some.
    pub fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        let Some(place) = self.frames.get_mut(self.len) else {
            return Err(frame);
        };
        *place = Some(frame);
        self.len += 1;
        Ok(())
    }

    /// Whether a frame is in here: given back already.
    pub fn contains(&self, frame: Frame) -> bool {
        self.frames
            .iter()
            .take(self.len)
            .any(|own| *own == Some(frame))
    }

    /// Takes up to [`HALF`] frames from the allocator, but none that would leave it fewer than `keep`.
    pub fn refill(&mut self, from: &mut FrameAllocator<'_>, keep: usize) {
        while self.len < HALF && from.free_frames() > keep {
            let Some(frame) = from.allocate() else {
                return;
            };
            if self.push(frame).is_err() {
                return;
            }
        }
    }

    /// Gives frames back to the allocator until it has at most `remaining`. The first error is returned: a frame was given
    /// back twice.
    ///
    /// # Errors
    /// That of the allocator; all frames have left the magazine all the same.
    pub fn spill(
        &mut self,
        to: &mut FrameAllocator<'_>,
        remaining: usize,
    ) -> Result<(), FreeError> {
        let mut result = Ok(());
        while self.len > remaining {
            if let Some(frame) = self.pop() {
                result = result.and(to.free(frame));
            }
        }
        result
    }
}
