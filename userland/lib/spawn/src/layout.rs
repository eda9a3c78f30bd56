//! Where the parts of a program go, and what they contain: decided from the file alone.
//!
//! A [`Piece`] is a run of pages with one kind of access. No page is in two of them, none is both writable and executable, and
//! all are in user space.

use alloc::vec::Vec;
use core::ops::Range;

use abi::{PAGE_SIZE, USER_END, area};
use kboot::elf::{Image, Relocation, SegmentFlags};

use crate::error::{LayoutError, Reason};

/// Programs that can be moved begin somewhere here: above those at fixed addresses, below where the kernel puts mappings of its choice.
const MOVED: Range<u64> = 0x0100_0000_0000..0x0700_0000_0000;
/// The greatest alignment that a program can have.
const ALIGN_MAX: u64 = 1 << 30;

/// A run of pages of a program in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its addresses, load bias included: whole pages.
    pub pages: Range<u64>,
    /// What it may be used for: bits of [`abi::area`].
    pub access: u64,
    /// How many bytes from its begin on are not just zeros; at most its length.
    pub filled: u64,
}

/// A program, and where it goes.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    image: Image<'a>,
    bias: u64,
    entry: u64,
    pieces: Vec<Piece>,
}

impl<'a> Plan<'a> {
    /// Reads an ELF file and decides where it goes; `random` decides for programs that can be moved.
    ///
    /// # Errors
    /// When the file is no program, or cannot be placed.
    pub fn new(file: &'a [u8], random: u64) -> Result<Self, Reason> {
        let image = Image::parse(file)?;
        let entry = image.checked_entry()?;
        if image.align() > ALIGN_MAX {
            return Err(LayoutError::Alignment(image.align()).into());
        }
        let bias = image.bias(MOVED, PAGE_SIZE, random);
        let bias = bias.ok_or(LayoutError::TooLarge)?;
        let pieces = pieces(&image, bias)?;
        Ok(Self {
            image,
            bias,
            entry: entry.wrapping_add(bias),
            pieces,
        })
    }

    /// What was added to all addresses of the file.
    pub fn bias(&self) -> u64 {
        self.bias
    }

    /// Where the program begins to run.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Its parts, by address.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The file.
    pub fn image(&self) -> &Image<'a> {
        &self.image
    }

    /// Says what of the first bytes of a piece, as many as [`Piece::filled`] says, is not zero: by calls of `write` with the offset in the piece
    /// and bytes. What is written later counts.
    pub fn fill(&self, piece: &Piece, mut write: impl FnMut(u64, &[u8])) {
        let place = piece.pages.start..piece.pages.start + piece.filled;
        for segment in self.image.segments() {
            let start = segment.virt.wrapping_add(self.bias);
            write_overlap(&place, segment.file, start, &mut write);
        }
        self.relocate(&place, write);
    }

    /// Whether relocations write to a piece, so that its bytes depend on where it lies.
    pub fn is_relocated(&self, piece: &Piece) -> bool {
        let mut starts = self.image.relocations().map(|relocation| {
            let start = relocation.offset.wrapping_add(self.bias);
            start..start + RELOCATED
        });
        starts.any(|range| range.start < piece.pages.end && piece.pages.start < range.end)
    }

    /// Says the same of a copy of the thread-local storage.
    pub fn fill_tls(&self, mut write: impl FnMut(u64, &[u8])) {
        if let Some(tls) = self.image.tls() {
            let start = tls.virt.wrapping_add(self.bias);
            write(0, tls.file);
            self.relocate(&(start..start.saturating_add(tls.file.len() as u64)), write);
        }
    }

    /// Says what relocations write to a range of addresses, by offsets from its begin on.
    fn relocate(&self, place: &Range<u64>, mut write: impl FnMut(u64, &[u8])) {
        for Relocation { offset, addend } in self.image.relocations() {
            let value = self.bias.wrapping_add_signed(addend).to_le_bytes();
            let start = offset.wrapping_add(self.bias);
            write_overlap(place, &value, start, &mut write);
        }
    }
}

/// Bits of [`abi::area`] for the flags of a segment.
fn access(flags: SegmentFlags) -> Result<u64, LayoutError> {
    match (flags.write, flags.execute) {
        (true, true) => Err(LayoutError::WriteExecute),
        (true, false) => Ok(area::READ | area::WRITE),
        (false, true) => Ok(area::READ | area::EXECUTE),
        (false, false) => Ok(area::READ),
    }
}

fn pieces(image: &Image<'_>, bias: u64) -> Result<Vec<Piece>, LayoutError> {
    if image.shared_page(PAGE_SIZE).is_some() {
        return Err(LayoutError::WriteExecute);
    }
    let mut pieces: Vec<Piece> = Vec::new();
    pieces.try_reserve_exact(image.segments().count() * 3)?;
    for segment in image.segments() {
        let access = access(segment.flags)?;
        let start = segment.virt.wrapping_add(bias);
        let end = start
            .checked_add(segment.mem_size)
            .filter(|&end| end <= USER_END)
            .ok_or(LayoutError::OutsideUserSpace)?;
        let pages = page_start(start)..end.next_multiple_of(PAGE_SIZE);
        if pages.start < PAGE_SIZE {
            return Err(LayoutError::OutsideUserSpace);
        }
        pieces.push(Piece {
            pages,
            access,
            filled: 0,
        });
    }
    pieces.sort_unstable_by_key(|piece| piece.pages.start);
    join(&mut pieces);
    if let Some(relro) = image.relro() {
        let from = relro.start.wrapping_add(bias);
        let to = relro.end.wrapping_add(bias);
        cut(&mut pieces, page_start(from)..page_start(to));
    }
    for piece in &mut pieces {
        piece.filled = filled(image, bias, &piece.pages);
    }
    Ok(pieces)
}

/// Makes one piece of those that share a page, which have the same access then.
fn join(pieces: &mut Vec<Piece>) {
    pieces.dedup_by(|next, piece| {
        let is_shared = next.pages.start < piece.pages.end;
        if is_shared {
            piece.pages.end = piece.pages.end.max(next.pages.end);
        }
        is_shared
    });
}

/// Takes the right to write from the pages of a range: at most one piece becomes three.
fn cut(pieces: &mut Vec<Piece>, range: Range<u64>) {
    let found = pieces.iter().position(|piece| {
        piece.access & area::WRITE != 0
            && piece.pages.start <= range.start
            && range.end <= piece.pages.end
            && range.start < range.end
    });
    let Some(index) = found else {
        return;
    };
    let whole = pieces.remove(index);
    let parts = [
        (whole.pages.start..range.start, whole.access),
        (range.clone(), area::READ),
        (range.end..whole.pages.end, whole.access),
    ];
    let parts = parts.into_iter().filter(|(pages, _)| !pages.is_empty());
    for (pages, access) in parts.rev() {
        let part = Piece {
            pages,
            access,
            filled: 0,
        };
        // There is room: `pieces` reserved it.
        pieces.insert(index, part);
    }
}

/// How many bytes of a range of pages, from its begin on, the file or a relocation says something of.
fn filled(image: &Image<'_>, bias: u64, pages: &Range<u64>) -> u64 {
    let of_files = image.segments().map(|segment| {
        let start = segment.virt.wrapping_add(bias);
        start..start + segment.file.len() as u64
    });
    let of_relocations = image.relocations().map(|relocation| {
        let start = relocation.offset.wrapping_add(bias);
        start..start + RELOCATED
    });
    let written = of_files.chain(of_relocations);
    let here = written.filter(|range| range.start < pages.end && pages.start < range.end);
    let end = here.map(|range| range.end.min(pages.end)).max();
    end.map_or(0, |end| end - pages.start)
}

/// Bytes that a relocation writes.
const RELOCATED: u64 = 8;

fn page_start(address: u64) -> u64 {
    address & !(PAGE_SIZE - 1)
}

/// Writes what of `bytes`, which begin at the address `start`, lies in a range of addresses, by its offset there.
fn write_overlap(place: &Range<u64>, bytes: &[u8], start: u64, write: &mut impl FnMut(u64, &[u8])) {
    // One of the two is 0: where the overlap begins, seen from each.
    let into = start.saturating_sub(place.start);
    let from = place.start.saturating_sub(start);
    let room = (place.end - place.start).saturating_sub(into);
    let rest = usize::try_from(from)
        .ok()
        .and_then(|from| bytes.get(from..));
    if let Some(rest) = rest {
        let len = rest.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if len != 0 {
            write(into, &rest[..len]);
        }
    }
}
