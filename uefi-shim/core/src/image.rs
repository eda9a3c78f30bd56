//! Where a kernel goes and how it gets there.
//!
//! [`ImagePlan`] decides the virtual base, the slide of a relocatable kernel, the permissions of
//! each segment and what its physical memory must look like; [`ImagePlan::load`] fills that memory.
//! The image is physically contiguous, as the protocol demands: byte `n` of it is at
//! `virtual_base + n` and at `physical_base + n`.
//!
//! The ELF file itself is checked by `kboot::elf`, which the kernel uses for its programs, too.

use alloc::vec::Vec;
use core::ops::Range;

use kboot::elf::{Image, Placement, Segment, SegmentFlags};

use crate::error::ImageFault;

/// Kernels live at or above this address.
pub const HIGHER_HALF: u64 = 0xffff_ffff_8000_0000;
/// The size of the smallest page.
pub const PAGE: u64 = 4096;
/// The size of a large page, which the image is aligned to where that pays.
const LARGE_PAGE: u64 = 2 << 20;
/// The largest alignment that a segment may ask for.
const MAX_ALIGN: u64 = 1 << 30;

/// What a kernel needs in order to run at its place.
#[derive(Debug, Clone)]
pub struct ImagePlan<'a> {
    /// The virtual address of the first byte; a multiple of the page size.
    pub virtual_base: u64,
    /// The size of the image in bytes; a multiple of the page size.
    pub size: u64,
    /// The alignment of the physical memory.
    pub align: u64,
    /// What the physical base must be, modulo `align`.
    pub offset: u64,
    /// The entry point of the file, moved along.
    pub entry: u64,
    /// Whether the kernel could be moved.
    pub placement: Placement,
    /// The segments, with page-aligned bounds, ascending.
    pub segments: Vec<PlannedSegment>,
    slide: u64,
    image: Image<'a>,
}

/// A part of the image with its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedSegment {
    /// Where it begins in the image; a multiple of the page size.
    pub offset: u64,
    /// Its size; a multiple of the page size.
    pub size: u64,
    /// What may be done with it.
    pub flags: SegmentFlags,
}

/// Whether a relocatable kernel is moved to a random place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kaslr {
    /// At the lowest place that it may be.
    Off,
    /// At a place chosen by this random number.
    Random(u64),
}

impl<'a> ImagePlan<'a> {
    /// Plans for an ELF file.
    ///
    /// # Errors
    /// The file is no kernel that could be loaded.
    pub fn new(bytes: &'a [u8], kaslr: Kaslr) -> Result<Self, ImageFault> {
        let image = Image::parse(bytes).map_err(ImageFault::Elf)?;
        let align = image.align().max(PAGE);
        if align > MAX_ALIGN {
            return Err(ImageFault::BadAlignment { align });
        }
        if let Some((_, second)) = image.shared_page(PAGE) {
            return Err(ImageFault::SharedPage {
                address: second.virt,
            });
        }
        let span = image.span();
        let start = span.start & !(PAGE - 1);
        let size = span
            .end
            .checked_next_multiple_of(PAGE)
            .and_then(|end| end.checked_sub(start))
            .ok_or(ImageFault::TooLarge)?;
        let slide = match image.placement() {
            Placement::Fixed if start < HIGHER_HALF => {
                return Err(ImageFault::LowerHalf {
                    address: span.start,
                });
            }
            Placement::Fixed => 0,
            Placement::Relocatable => slide_for(start, size, align, kaslr)?,
        };
        let virtual_base = start.checked_add(slide).ok_or(ImageFault::TooLarge)?;
        // Large pages need virtual and physical addresses that agree in their low bits.
        let physical_align = if size >= LARGE_PAGE {
            align.max(LARGE_PAGE)
        } else {
            align
        };
        let mut segments: Vec<PlannedSegment> = Vec::new();
        for segment in image.segments() {
            let range = segment.range();
            let first = range.start & !(PAGE - 1);
            let end = range
                .end
                .checked_next_multiple_of(PAGE)
                .ok_or(ImageFault::TooLarge)?;
            segments.push(PlannedSegment {
                offset: first.saturating_sub(start),
                size: end.saturating_sub(first),
                flags: segment.flags,
            });
        }
        segments.sort_by_key(|segment| segment.offset);
        Ok(Self {
            virtual_base,
            size,
            align: physical_align,
            offset: virtual_base & physical_align.saturating_sub(1),
            entry: image.entry().wrapping_add(slide),
            placement: image.placement(),
            segments,
            slide,
            image,
        })
    }

    /// Fills the memory of the image, which has [`ImagePlan::size`] bytes and holds anything.
    ///
    /// # Errors
    /// The memory is too small.
    pub fn load(&self, memory: &mut [u8]) -> Result<(), ImageFault> {
        let base = self.virtual_base.wrapping_sub(self.slide);
        memory.fill(0);
        for segment in self.image.segments() {
            let target = usize::try_from(segment.virt.wrapping_sub(base))
                .ok()
                .and_then(|start| memory.get_mut(start..start.checked_add(segment.file.len())?));
            target
                .ok_or(ImageFault::TooLarge)?
                .copy_from_slice(segment.file);
        }
        for relocation in self.image.relocations() {
            let target = usize::try_from(relocation.offset.wrapping_sub(base))
                .ok()
                .and_then(|start| memory.get_mut(start..start.checked_add(8)?));
            let value = self.slide.wrapping_add_signed(relocation.addend);
            target
                .ok_or(ImageFault::TooLarge)?
                .copy_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }

    /// The parts of the image that come from the file, ascending: where requests can be.
    pub fn file_backed(&self) -> Vec<Range<usize>> {
        let base = self.virtual_base.wrapping_sub(self.slide);
        let range = |segment: Segment<'_>| {
            let start = usize::try_from(segment.virt.wrapping_sub(base)).ok()?;
            Some(start..start.checked_add(segment.file.len())?)
        };
        let mut ranges: Vec<Range<usize>> = self.image.segments().filter_map(range).collect();
        ranges.sort_by_key(|range| range.start);
        ranges
    }
}

/// The distance by which a relocatable image is moved up.
fn slide_for(start: u64, size: u64, align: u64, kaslr: Kaslr) -> Result<u64, ImageFault> {
    // One page stays free at the end of the address space, so that no end wraps.
    let room = 0_u64.wrapping_sub(HIGHER_HALF).saturating_sub(PAGE);
    let lowest = if start >= HIGHER_HALF {
        start
    } else {
        HIGHER_HALF | (start & align.saturating_sub(1))
    };
    let above = lowest.wrapping_sub(HIGHER_HALF);
    let spare = room
        .checked_sub(size)
        .and_then(|spare| spare.checked_sub(above))
        .ok_or(ImageFault::TooLarge)?;
    let step = align.max(LARGE_PAGE);
    let shift = match kaslr {
        Kaslr::Off => 0,
        Kaslr::Random(random) => {
            let places = spare.checked_div(step).unwrap_or(0).saturating_add(1);
            random.checked_rem(places).unwrap_or(0).saturating_mul(step)
        }
    };
    lowest
        .checked_add(shift)
        .and_then(|base| base.checked_sub(start))
        .ok_or(ImageFault::TooLarge)
}

#[cfg(test)]
mod tests;
