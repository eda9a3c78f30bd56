//! The allocator over all blocks.

use kaddr::{Frame, PAGE_SHIFT, PAGE_SIZE, PhysAddr, PhysRange};

use super::block::{Block, FRAMES, FRAMES_SHIFT, GROUP, Refusal};
use super::error::{FrameError, FreeError};
use super::search;
use super::span::{Span, block_runs, blocks_needed};
use super::summary::{self, Kind};

/// The allocator of physical frames, over all of the machine's usable memory.
///
/// ```
/// use kaddr::{PhysAddr, PhysRange};
/// use kmem::frame::{Block, FrameAllocator, blocks_needed};
///
/// let usable = [PhysRange::new(PhysAddr::new(0x10_0000), PhysAddr::new(0x400_0000))];
/// let mut storage = vec![Block::EMPTY; blocks_needed(usable.iter().copied())];
/// let mut frames = FrameAllocator::new(&mut storage, usable.iter().copied()).expect("memory");
/// let frame = frames.allocate().expect("a frame");
/// frames.free(frame).expect("it was ours");
/// assert!(frames.free(frame).is_err());
/// ```
#[derive(Debug)]
pub struct FrameAllocator<'m> {
    blocks: &'m mut [Block],
    /// Levels of the trees in `summary`.
    height: usize,
    free: usize,
    total: usize,
}

/// What [`FrameAllocator::add`] made of a range, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Added {
    /// Now free.
    pub added: u64,
    /// Left alone, as they were managed before, free or handed out.
    pub known: u64,
    /// Lost, as they lie in no block; see [`FrameAllocator::new_covering`].
    pub outside: u64,
}

impl<'m> FrameAllocator<'m> {
    /// Makes an allocator in which all whole frames of `usable` are free.
    ///
    /// The ranges may be unsorted, overlapping, tiny and unaligned. The storage may hold anything:
    /// the blocks that are needed are overwritten, the rest of it stays unused.
    ///
    /// # Errors
    /// If the storage has fewer than [`blocks_needed`] blocks, or there is no memory at all.
    pub fn new(
        storage: &'m mut [Block],
        usable: impl Iterator<Item = PhysRange> + Clone,
    ) -> Result<Self, FrameError> {
        Self::new_covering(storage, usable.clone(), usable)
    }

    /// Like [`Self::new`], with blocks for all of `cover`, so that memory there which is not
    /// usable yet can be [added](Self::add) later.
    ///
    /// `cover` must contain `usable`: usable frames outside of its blocks are left out. Size the
    /// storage with `blocks_needed(cover)`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn new_covering(
        storage: &'m mut [Block],
        cover: impl Iterator<Item = PhysRange> + Clone,
        usable: impl Iterator<Item = PhysRange>,
    ) -> Result<Self, FrameError> {
        let needed = blocks_needed(cover.clone());
        let given = storage.len();
        let blocks = storage
            .get_mut(..needed)
            .ok_or(FrameError::StorageTooSmall { needed, given })?;
        let numbers = block_runs(cover).flat_map(|(first, last)| first..=last);
        for (block, number) in blocks.iter_mut().zip(numbers) {
            block.reset(number);
        }
        let height = summary::height(needed);
        let mut allocator = Self {
            blocks,
            height,
            free: 0,
            total: 0,
        };
        for range in usable {
            let _ = allocator.add(range);
        }
        if allocator.total == 0 {
            return Err(FrameError::NoMemory);
        }
        Ok(allocator)
    }

    /// The storage that is in use, to be copied for [`Self::relocate`].
    pub fn blocks(&self) -> &[Block] {
        self.blocks
    }

    /// Goes on with the same storage seen at another address: what the kernel needs when it leaves the
    /// boot loader's direct map for its own.
    ///
    /// # Errors
    /// When `storage` has fewer blocks than are in use; then nothing has changed. Its content must be
    /// that of the present storage, which is not touched again.
    pub fn relocate(&mut self, storage: &'m mut [Block]) -> Result<(), FrameError> {
        let (needed, given) = (self.blocks.len(), storage.len());
        self.blocks = storage
            .get_mut(..needed)
            .ok_or(FrameError::StorageTooSmall { needed, given })?;
        Ok(())
    }

    /// Takes any frame, the highest there is.
    pub fn allocate(&mut self) -> Option<Frame> {
        let index = summary::highest(self.blocks, self.height, Kind::Frames)?;
        let at = self.blocks[index].take_highest()?;
        self.free -= 1;
        self.note(index);
        Frame::from_number((self.blocks[index].number << FRAMES_SHIFT) + at as u64)
    }

    /// Takes as many frames as `out` has places, the highest there are, in descending order, and
    /// returns how many that were: fewer when memory is out. The other places stay as they are.
    pub fn allocate_many(&mut self, out: &mut [Option<Frame>]) -> usize {
        let mut count = 0;
        while count < out.len() {
            let Some(index) = summary::highest(self.blocks, self.height, Kind::Frames) else {
                break;
            };
            let block = &mut self.blocks[index];
            let base = block.number << FRAMES_SHIFT;
            let places = out.get_mut(count..).unwrap_or_default();
            count += block.take_many(base, places);
            self.note(index);
        }
        self.free -= count;
        count
    }

    /// Takes 512 frames that make an aligned 2 MiB, the highest there are, and returns the first.
    /// Give them back with [`Self::free_range`].
    pub fn allocate_large(&mut self) -> Option<Frame> {
        let index = summary::highest(self.blocks, self.height, Kind::Groups)?;
        let at = self.blocks[index].take_highest_group()?;
        self.free -= GROUP;
        self.note(index);
        Frame::from_number((self.blocks[index].number << FRAMES_SHIFT) + at as u64)
    }

    /// Takes `count` frames in a row, the highest that begin at a multiple of `align_frames`
    /// frames and end at or below `below`.
    ///
    /// Returns `None` when there is no such run, when `count` is zero, and when `align_frames` is
    /// not a power of two. The search is linear in the size of memory: not for hot paths.
    pub fn allocate_contiguous(
        &mut self,
        count: usize,
        align_frames: usize,
        below: Option<PhysAddr>,
    ) -> Option<PhysRange> {
        if count == 0 || !align_frames.is_power_of_two() {
            return None;
        }
        let top = (self.blocks.last()?.number + 1) << FRAMES_SHIFT;
        let limit = below.map_or(top, |below| top.min(below.as_u64() >> PAGE_SHIFT));
        let count = count as u64;
        let first = search::highest_run(self.blocks, count, align_frames as u64, limit)?;
        let range = PhysRange::from_len(
            PhysAddr::new(first << PAGE_SHIFT),
            count.checked_mul(PAGE_SIZE)?,
        )?;
        self.reserve(range);
        Some(range)
    }

    /// Takes every free frame that has a byte in `range`, and returns how many that were. They
    /// can be given back like any other.
    pub fn reserve(&mut self, range: PhysRange) -> usize {
        let Some(span) = Span::touched(range) else {
            return 0;
        };
        let mut taken = 0;
        self.each_block(span, |block, first, end| taken += block.take(first, end));
        self.free -= taken;
        taken
    }

    /// Gives a frame back.
    ///
    /// # Errors
    /// If it is free already, or is not managed here; nothing changes then.
    pub fn free(&mut self, frame: Frame) -> Result<(), FreeError> {
        let number = frame.number() >> FRAMES_SHIFT;
        let index = search::position(self.blocks, number).ok_or(FreeError::Foreign(frame))?;
        let at = (frame.number() % FRAMES as u64) as usize;
        self.blocks[index]
            .give_one(at)
            .map_err(|refusal| refused(number, refusal))?;
        self.free += 1;
        self.note(index);
        Ok(())
    }

    /// Gives frames back, each as [`Self::free`] would; what that would refuse is told to `refuse`.
    pub fn free_many(
        &mut self,
        frames: impl Iterator<Item = Frame>,
        mut refuse: impl FnMut(FreeError),
    ) {
        // The block that the last frame lay in: mostly the next one does, too.
        let mut last: Option<(u64, usize)> = None;
        for frame in frames {
            let number = frame.number() >> FRAMES_SHIFT;
            let index = match last {
                Some((same, index)) if same == number => index,
                _ => {
                    let Some(index) = search::position(self.blocks, number) else {
                        refuse(FreeError::Foreign(frame));
                        continue;
                    };
                    if let Some((_, before)) = last.replace((number, index)) {
                        self.note(before);
                    }
                    index
                }
            };
            let at = (frame.number() % FRAMES as u64) as usize;
            match self.blocks[index].give_one(at) {
                Ok(()) => self.free += 1,
                Err(refusal) => refuse(refused(number, refusal)),
            }
        }
        if let Some((_, index)) = last {
            self.note(index);
        }
    }

    /// Gives a range of frames back: all of it or, on an error, nothing. It need not be one that
    /// was allocated in one piece.
    ///
    /// # Errors
    /// If it is not made of whole frames, or one of them is free or not managed here.
    pub fn free_range(&mut self, range: PhysRange) -> Result<(), FreeError> {
        if range.is_empty() {
            return Ok(());
        }
        if !range.is_aligned(PAGE_SIZE) || range.end.as_u64() >> PAGE_SHIFT > Frame::LIMIT {
            return Err(FreeError::Misaligned(range));
        }
        let span = Span::touched(range).ok_or(FreeError::Misaligned(range))?;
        self.check_free(span)?;
        let mut given = 0;
        self.each_block(span, |block, first, end| {
            block.give(first, end);
            given += end - first;
        });
        self.free += given;
        Ok(())
    }

    /// Takes the whole frames of a range into management, free. Frames that are managed already
    /// stay as they are, even those handed out; frames where there is no block are left out.
    pub fn add(&mut self, range: PhysRange) -> Added {
        let Some(span) = Span::inside(range) else {
            return Added::default();
        };
        let mut added = 0;
        let mut seen = 0;
        self.each_block(span, |block, first, end| {
            added += block.manage(first, end);
            seen += (end - first) as u64;
        });
        self.free += added;
        self.total += added;
        let added = added as u64;
        Added {
            added,
            known: seen - added,
            outside: span.end - span.first - seen,
        }
    }

    /// Whether a frame is managed, free or not.
    pub fn manages(&self, frame: Frame) -> bool {
        let number = frame.number() >> FRAMES_SHIFT;
        let at = (frame.number() % FRAMES as u64) as usize;
        search::position(self.blocks, number).is_some_and(|index| {
            self.blocks[index].check_give(at, at + 1) != Err(Refusal::NotManaged(at))
        })
    }

    /// Whether a frame is managed and free.
    pub fn is_free(&self, frame: Frame) -> bool {
        let number = frame.number() >> FRAMES_SHIFT;
        let at = (frame.number() % FRAMES as u64) as usize;
        search::position(self.blocks, number).is_some_and(|index| {
            self.blocks[index].check_give(at, at + 1) == Err(Refusal::Free(at))
        })
    }

    /// How many frames are free.
    pub fn free_frames(&self) -> usize {
        self.free
    }

    /// How many frames are managed, free or not.
    pub fn total_frames(&self) -> usize {
        self.total
    }

    /// Whether every frame of the span may be given back.
    fn check_free(&self, span: Span) -> Result<(), FreeError> {
        let mut at = span.first;
        while at < span.end {
            let number = at >> FRAMES_SHIFT;
            let base = number << FRAMES_SHIFT;
            let end = span.end.min(base + FRAMES as u64);
            match search::position(self.blocks, number) {
                Some(index) => self.blocks[index]
                    .check_give((at - base) as usize, (end - base) as usize)
                    .map_err(|refusal| refused(number, refusal))?,
                None => return Err(foreign(at)),
            }
            at = end;
        }
        Ok(())
    }

    /// Calls `act` on the part of the span that lies in each block.
    fn each_block(&mut self, span: Span, mut act: impl FnMut(&mut Block, usize, usize)) {
        let from = self
            .blocks
            .partition_point(|block| block.number < span.first >> FRAMES_SHIFT);
        for index in from..self.blocks.len() {
            let base = self.blocks[index].number << FRAMES_SHIFT;
            if base >= span.end {
                break;
            }
            let first = span.first.max(base) - base;
            let end = span.end.min(base + FRAMES as u64) - base;
            act(&mut self.blocks[index], first as usize, end as usize);
            self.note(index);
        }
    }

    /// Brings the trees up to date with block `index`.
    fn note(&mut self, index: usize) {
        let (frame, group) = (
            self.blocks[index].has_frame(),
            self.blocks[index].has_group(),
        );
        summary::note(self.blocks, self.height, Kind::Frames, index, frame);
        summary::note(self.blocks, self.height, Kind::Groups, index, group);
    }
}

fn refused(number: u64, refusal: Refusal) -> FreeError {
    let base = number << FRAMES_SHIFT;
    match refusal {
        Refusal::NotManaged(at) => foreign(base + at as u64),
        Refusal::Free(at) => match Frame::from_number(base + at as u64) {
            Some(frame) => FreeError::DoubleFree(frame),
            None => foreign(base + at as u64),
        },
    }
}

fn foreign(number: u64) -> FreeError {
    // Spans are cut at the end of physical memory, so the number is always that of a frame.
    let frame = Frame::from_number(number).or(Frame::from_number(0));
    frame.map_or(
        FreeError::Misaligned(PhysRange::default()),
        FreeError::Foreign,
    )
}
