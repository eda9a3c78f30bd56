//! ELF64 images for x86-64: everything checked once, then handed out without failure.
//!
//! [`Image::parse`] checks all that a loader relies on: that each segment lies in the file, does not
//! wrap, overlaps no other one and has a sane alignment, and that each relocation is of the one type
//! that a static PIE needs and writes inside a segment. After that, the iterators cannot fail. The
//! shim loads the kernel with this and the kernel its first user programs; neither trusts the file.

mod error;
mod relocation;

pub use error::ElfError;
pub use relocation::{Relocation, Relocations};

use core::ops::Range;
use elf::abi;
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader};
use elf::segment::{ProgramHeader, SegmentTable};

/// The most loadable segments that an image may have; linkers make four to six.
pub const MAX_SEGMENTS: usize = 64;

/// The most program headers of all types; bounds the work that a hostile file can cause. It also
/// excludes the escape for 65,535 and more of them (`PN_XNUM`).
const MAX_HEADERS: u16 = 256;

/// Size of `Elf64_Phdr`.
const HEADER_SIZE: u16 = 56;

/// How the image may be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// `ET_EXEC`: only at the addresses that it names.
    Fixed,
    /// `ET_DYN`: anywhere, after its relocations are applied.
    Relocatable,
}

/// What a segment (or the stack) may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentFlags {
    /// May be read (`PF_R`).
    pub read: bool,
    /// May be written (`PF_W`).
    pub write: bool,
    /// May be executed (`PF_X`).
    pub execute: bool,
}

impl SegmentFlags {
    fn from_bits(bits: u32) -> Self {
        Self {
            read: bits & abi::PF_R != 0,
            write: bits & abi::PF_W != 0,
            execute: bits & abi::PF_X != 0,
        }
    }
}

/// One loadable segment (`PT_LOAD`) that takes memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its first address, before any load bias.
    pub virt: u64,
    /// Its first physical address, as the linker says; few loaders want it.
    pub phys: u64,
    /// The bytes to copy to its beginning; never longer than `mem_size`. The rest is zeros.
    pub file: &'a [u8],
    /// Its size in memory, at least 1; `virt + mem_size` does not overflow.
    pub mem_size: u64,
    /// Its alignment: a power of two, at least 1.
    pub align: u64,
    /// What it may be used for.
    pub flags: SegmentFlags,
}

impl Segment<'_> {
    /// The addresses it takes, before any load bias.
    pub fn range(&self) -> Range<u64> {
        self.virt..self.virt.saturating_add(self.mem_size)
    }
}

/// What each thread gets a copy of (`PT_TLS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls<'a> {
    /// Where the template is in memory, before any load bias; its bytes are all in the file's part of one segment.
    pub virt: u64,
    /// The bytes that a copy begins with, before relocation; the rest is zeros.
    pub file: &'a [u8],
    /// The size of a copy; at least that of `file`.
    pub mem_size: u64,
    /// Its alignment: a power of two, at least 1.
    pub align: u64,
}

/// Where a program finds its own program headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramHeaders {
    /// Address of the first one, before any load bias.
    pub virt: u64,
    /// Bytes of each.
    pub entry_size: u16,
    /// How many there are.
    pub count: u16,
}

/// A checked image.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    bytes: &'a [u8],
    headers: SegmentTable<'a, LittleEndian>,
    headers_offset: u64,
    entry: u64,
    placement: Placement,
    span: Range<u64>,
    stack: Option<SegmentFlags>,
    tls: Option<Tls<'a>>,
    relro: Option<Range<u64>>,
    relocations: &'a [u8],
}

impl<'a> Image<'a> {
    /// Checks `bytes` and gives the image in it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        let header = file_header(bytes)?;
        let placement = match header.e_type {
            abi::ET_EXEC => Placement::Fixed,
            abi::ET_DYN => Placement::Relocatable,
            kind => return Err(ElfError::WrongType { kind }),
        };
        let mut image = Self {
            bytes,
            headers: program_headers(bytes, &header)?,
            headers_offset: header.e_phoff,
            entry: header.e_entry,
            placement,
            span: 0..0,
            stack: None,
            tls: None,
            relro: None,
            relocations: &[],
        };
        image.span = image.check_segments()?;
        let mut dynamic = None;
        for header in image.headers.iter() {
            match header.p_type {
                abi::PT_INTERP => return Err(ElfError::NeedsInterpreter),
                abi::PT_TLS => {
                    let tls = image.check_tls(&header)?;
                    if image.tls.replace(tls).is_some() {
                        return Err(ElfError::BadTls);
                    }
                }
                abi::PT_GNU_RELRO => {
                    let end = header.p_vaddr.checked_add(header.p_memsz);
                    image.relro = end.map(|end| header.p_vaddr..end);
                }
                abi::PT_GNU_STACK => image.stack = Some(SegmentFlags::from_bits(header.p_flags)),
                abi::PT_DYNAMIC => {
                    let table = file_range(bytes, header.p_offset, header.p_filesz).ok_or(
                        ElfError::Truncated {
                            what: "dynamic table",
                        },
                    )?;
                    if dynamic.replace(table).is_some() {
                        return Err(ElfError::UnsupportedDynamic {
                            tag: "a second PT_DYNAMIC",
                        });
                    }
                }
                _ => {}
            }
        }
        if let Some(dynamic) = dynamic {
            image.relocations = relocation::find_table(&image, dynamic)?;
        }
        Ok(image)
    }

    /// The entry point as the header says, before any load bias; it may be 0 when the boot protocol
    /// names another one.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// The entry point, checked to lie in an executable segment.
    pub fn checked_entry(&self) -> Result<u64, ElfError> {
        self.segments()
            .any(|segment| segment.flags.execute && segment.range().contains(&self.entry))
            .then_some(self.entry)
            .ok_or(ElfError::BadEntry { entry: self.entry })
    }

    /// Whether the image may be moved.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// The loadable segments that take memory, in the order of the file (not always by address).
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> + Clone + use<'a> {
        let (bytes, headers) = (self.bytes, self.headers);
        (0..headers.len()).filter_map(move |index| loadable(bytes, headers, index).ok().flatten())
    }

    /// From the lowest address of any segment to the end of the highest one, before any load bias.
    pub fn span(&self) -> Range<u64> {
        self.span.clone()
    }

    /// The largest alignment of any segment, at least 1.
    pub fn align(&self) -> u64 {
        self.segments()
            .map(|segment| segment.align)
            .max()
            .unwrap_or(1)
    }

    /// What to add to all addresses so that the image lies in a range, at a place that `random` decides, a multiple of the page size (a power
    /// of two) and of its own alignment; `None` when there is none. Nothing for an image that may not be moved.
    pub fn bias(&self, range: Range<u64>, page_size: u64, random: u64) -> Option<u64> {
        if self.placement == Placement::Fixed {
            return Some(0);
        }
        let align = self.align().max(page_size);
        let mask = align.checked_sub(1)?;
        let first = self.span.start & !mask;
        let len = self.span.end.checked_sub(first)?;
        let start = range.start.checked_next_multiple_of(align)?;
        let room = range.end.checked_sub(start)?.checked_sub(len)?;
        let choices = room.checked_div(align)?.checked_add(1)?;
        let steps = random.checked_rem(choices)?;
        let base = start.checked_add(steps.checked_mul(align)?)?;
        Some(base.wrapping_sub(first))
    }

    /// The relocations to apply, all of type `R_X86_64_RELATIVE` and inside of a segment.
    pub fn relocations(&self) -> Relocations<'a> {
        Relocations::new(self.relocations)
    }

    /// What the image wants for its stack (`PT_GNU_STACK`), if it says so.
    pub fn gnu_stack(&self) -> Option<SegmentFlags> {
        self.stack
    }

    /// What each thread gets a copy of, if there is such a thing.
    pub fn tls(&self) -> Option<Tls<'a>> {
        self.tls
    }

    /// What only the relocation writes to (`PT_GNU_RELRO`), before any load bias. It may lie anywhere.
    pub fn relro(&self) -> Option<Range<u64>> {
        self.relro.clone()
    }

    /// Where the program headers are in memory, if a segment has them.
    pub fn program_headers(&self) -> Option<ProgramHeaders> {
        let count = u16::try_from(self.headers.len()).ok()?;
        let size = u64::from(count).checked_mul(u64::from(HEADER_SIZE))?;
        let end = self.headers_offset.checked_add(size)?;
        self.headers.iter().find_map(|header| {
            let from = self.headers_offset.checked_sub(header.p_offset)?;
            let last = header.p_offset.checked_add(header.p_filesz)?;
            (header.p_type == abi::PT_LOAD && end <= last).then_some(ProgramHeaders {
                virt: header.p_vaddr.checked_add(from)?,
                entry_size: HEADER_SIZE,
                count,
            })
        })
    }

    /// The first two segments with different flags that have bytes in one page of `page_size` bytes
    /// (a power of two). A loader that gives each page the flags of one segment refuses these.
    pub fn shared_page(&self, page_size: u64) -> Option<(Segment<'a>, Segment<'a>)> {
        let mask = !page_size.wrapping_sub(1);
        let pages = |segment: &Segment<'_>| {
            let range = segment.range();
            (range.start & mask, range.end.wrapping_sub(1) & mask)
        };
        for (index, a) in self.segments().enumerate() {
            let (a_first, a_last) = pages(&a);
            for b in self.segments().skip(index.saturating_add(1)) {
                let (b_first, b_last) = pages(&b);
                if a.flags != b.flags && a_first <= b_last && b_first <= a_last {
                    return Some((a, b));
                }
            }
        }
        None
    }

    /// The file's bytes that are loaded at `virt..virt + size`, if one segment has them all.
    fn loaded_bytes(&self, virt: u64, size: u64) -> Option<&'a [u8]> {
        self.segments().find_map(|segment| {
            let start = virt.checked_sub(segment.virt)?;
            file_range(segment.file, start, size)
        })
    }

    fn check_tls(&self, header: &ProgramHeader) -> Result<Tls<'a>, ElfError> {
        let align = header.p_align.max(1);
        let is_sane = header.p_filesz <= header.p_memsz && align.is_power_of_two();
        let file = if header.p_filesz == 0 {
            Some(&[][..])
        } else {
            self.loaded_bytes(header.p_vaddr, header.p_filesz)
        };
        match file {
            Some(file) if is_sane => Ok(Tls {
                virt: header.p_vaddr,
                file,
                mem_size: header.p_memsz,
                align,
            }),
            _ => Err(ElfError::BadTls),
        }
    }

    /// Checks each segment and each pair; gives the span of all.
    fn check_segments(&self) -> Result<Range<u64>, ElfError> {
        let mut span: Option<Range<u64>> = None;
        let mut count = 0usize;
        for first in 0..self.headers.len() {
            let Some(segment) = loadable(self.bytes, self.headers, first)? else {
                continue;
            };
            count = count.saturating_add(1);
            if count > MAX_SEGMENTS {
                return Err(ElfError::TooManySegments);
            }
            let range = segment.range();
            for second in 0..first {
                let Some(other) = loadable(self.bytes, self.headers, second)? else {
                    continue;
                };
                let other = other.range();
                if range.start < other.end && other.start < range.end {
                    return Err(ElfError::SegmentsOverlap {
                        first: second,
                        second: first,
                    });
                }
            }
            span = Some(match span {
                None => range,
                Some(span) => span.start.min(range.start)..span.end.max(range.end),
            });
        }
        span.ok_or(ElfError::NoSegments)
    }
}

/// The checked file header.
fn file_header(bytes: &[u8]) -> Result<FileHeader<LittleEndian>, ElfError> {
    let truncated = ElfError::Truncated {
        what: "file header",
    };
    let ident = bytes.get(..abi::EI_NIDENT).ok_or(truncated);
    if bytes.get(..4) != Some(&abi::ELFMAGIC) {
        return Err(ElfError::NotElf);
    }
    let ident =
        elf::file::parse_ident::<LittleEndian>(ident?).map_err(|_| ElfError::NotElf64Little)?;
    if ident.1 != Class::ELF64 {
        return Err(ElfError::NotElf64Little);
    }
    let tail = bytes.get(abi::EI_NIDENT..).ok_or(truncated)?;
    let header = FileHeader::parse_tail(ident, tail).map_err(|_| truncated)?;
    if header.e_machine != abi::EM_X86_64 {
        return Err(ElfError::WrongMachine {
            machine: header.e_machine,
        });
    }
    Ok(header)
}

/// The program header table, checked to lie in the file.
fn program_headers<'a>(
    bytes: &'a [u8],
    header: &FileHeader<LittleEndian>,
) -> Result<SegmentTable<'a, LittleEndian>, ElfError> {
    if header.e_phnum == 0 {
        return Err(ElfError::NoSegments);
    }
    if header.e_phnum > MAX_HEADERS {
        return Err(ElfError::TooManySegments);
    }
    if header.e_phentsize != HEADER_SIZE {
        return Err(ElfError::BadHeaderSize {
            size: header.e_phentsize,
        });
    }
    let size = u64::from(header.e_phnum).saturating_mul(u64::from(HEADER_SIZE));
    let table = file_range(bytes, header.e_phoff, size).ok_or(ElfError::Truncated {
        what: "program header table",
    })?;
    Ok(SegmentTable::new(LittleEndian, Class::ELF64, table))
}

/// The segment at `index`, checked by itself; `None` when it is not loadable or takes no memory.
fn loadable<'a>(
    bytes: &'a [u8],
    headers: SegmentTable<'a, LittleEndian>,
    index: usize,
) -> Result<Option<Segment<'a>>, ElfError> {
    let header: ProgramHeader = headers.get(index).map_err(|_| ElfError::Truncated {
        what: "program header table",
    })?;
    if header.p_type != abi::PT_LOAD {
        return Ok(None);
    }
    if header.p_filesz > header.p_memsz {
        return Err(ElfError::SegmentLargerInFile { index });
    }
    if header.p_memsz == 0 {
        return Ok(None);
    }
    let file = file_range(bytes, header.p_offset, header.p_filesz)
        .ok_or(ElfError::SegmentOutsideFile { index })?;
    if header.p_vaddr.checked_add(header.p_memsz).is_none() {
        return Err(ElfError::SegmentWraps { index });
    }
    let align = header.p_align.max(1);
    let misfit = header.p_vaddr.wrapping_sub(header.p_offset) & align.wrapping_sub(1);
    if !align.is_power_of_two() || misfit != 0 {
        return Err(ElfError::SegmentMisaligned { index });
    }
    Ok(Some(Segment {
        virt: header.p_vaddr,
        phys: header.p_paddr,
        file,
        mem_size: header.p_memsz,
        align,
        flags: SegmentFlags::from_bits(header.p_flags),
    }))
}

/// `size` bytes from `offset`, if `bytes` has them all.
fn file_range(bytes: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(size)?).ok()?;
    bytes.get(start..end)
}
