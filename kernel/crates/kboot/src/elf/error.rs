//! Why an ELF image was refused, in sentences that say what to do about it.

use core::fmt;

/// The reason for which an image is not one that can be loaded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElfError {
    /// The file does not begin with the ELF magic number.
    NotElf,
    /// A header or table lies outside of the file.
    Truncated {
        /// What was being read.
        what: &'static str,
    },
    /// Not a 64-bit little-endian image of ELF version 1.
    NotElf64Little,
    /// For another processor than x86-64.
    WrongMachine {
        /// `e_machine` of the file.
        machine: u16,
    },
    /// Neither `ET_EXEC` nor `ET_DYN`.
    WrongType {
        /// `e_type` of the file.
        kind: u16,
    },
    /// A program header size other than that of ELF64.
    BadHeaderSize {
        /// `e_phentsize` of the file.
        size: u16,
    },
    /// There is nothing to load.
    NoSegments,
    /// More loadable segments than [`super::MAX_SEGMENTS`].
    TooManySegments,
    /// A segment takes bytes from beyond the end of the file.
    SegmentOutsideFile {
        /// Index in the program header table.
        index: usize,
    },
    /// A segment has more bytes in the file than in memory.
    SegmentLargerInFile {
        /// Index in the program header table.
        index: usize,
    },
    /// A segment ends beyond the end of the address space.
    SegmentWraps {
        /// Index in the program header table.
        index: usize,
    },
    /// A segment's alignment is no power of two, or its address and offset disagree with it.
    SegmentMisaligned {
        /// Index in the program header table.
        index: usize,
    },
    /// Two segments claim the same memory.
    SegmentsOverlap {
        /// Index of the first one in the program header table.
        first: usize,
        /// Index of the second one in the program header table.
        second: usize,
    },
    /// The entry point is in no executable segment.
    BadEntry {
        /// `e_entry` of the file.
        entry: u64,
    },
    /// The template of thread-local storage (`PT_TLS`) is not inside the file's part of a segment, has more bytes in the file than
    /// in memory or an odd alignment, or there are two.
    BadTls,
    /// The image wants a dynamic linker (`PT_INTERP`).
    NeedsInterpreter,
    /// The image wants shared libraries (`DT_NEEDED`).
    NeedsLibraries,
    /// The dynamic table is used in a way that is not supported.
    UnsupportedDynamic {
        /// The name of the entry.
        tag: &'static str,
    },
    /// The relocation table is not inside the file's part of a segment, or has an odd size.
    BadRelocationTable,
    /// A relocation other than `R_X86_64_RELATIVE`.
    UnsupportedRelocation {
        /// Its type number.
        kind: u32,
    },
    /// A relocation writes outside of all segments.
    RelocationOutside {
        /// Where it writes, before the load bias.
        offset: u64,
    },
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotElf => f.write_str("this is not an ELF file; give the linked executable"),
            Self::Truncated { what } => {
                write!(f, "the ELF {what} lies outside of the file; the file is cut off or damaged, copy it again")
            }
            Self::NotElf64Little => {
                f.write_str("this is not a 64-bit little-endian ELF file; build it for x86_64")
            }
            Self::WrongMachine { machine } => {
                write!(f, "the ELF file is for machine {machine}, not for x86-64 (62); build it for x86_64")
            }
            Self::WrongType { kind } => write!(
                f,
                "ELF type {kind} cannot be loaded; link an executable (2) or a static PIE (3)"
            ),
            Self::BadHeaderSize { size } => write!(
                f,
                "ELF program headers of {size} bytes are not those of ELF64 (56); the file is damaged"
            ),
            Self::NoSegments => {
                f.write_str("the ELF file has no loadable segment; link it with program headers")
            }
            Self::TooManySegments => write!(
                f,
                "the ELF file has more than {} loadable segments; merge sections in its linker script",
                super::MAX_SEGMENTS
            ),
            Self::SegmentOutsideFile { index } => write!(
                f,
                "ELF segment {index} takes bytes beyond the end of the file; the file is cut off, copy it again"
            ),
            Self::SegmentLargerInFile { index } => write!(
                f,
                "ELF segment {index} is larger in the file than in memory; the file is damaged"
            ),
            Self::SegmentWraps { index } => write!(
                f,
                "ELF segment {index} ends beyond the address space; correct its address in the linker script"
            ),
            Self::SegmentMisaligned { index } => write!(
                f,
                "ELF segment {index} has an alignment that is no power of two or that its address does not meet; link it again"
            ),
            Self::SegmentsOverlap { first, second } => write!(
                f,
                "ELF segments {first} and {second} overlap in memory; correct the linker script"
            ),
            Self::BadEntry { entry } => write!(
                f,
                "the ELF entry point {entry:#x} is in no executable segment; set the entry symbol"
            ),
            Self::BadTls => f.write_str(
                "the ELF file's template of thread-local storage is not inside of a segment, too long, misaligned, or there are two; link the file again",
            ),
            Self::NeedsInterpreter => {
                f.write_str("the ELF file wants a dynamic linker; link it statically")
            }
            Self::NeedsLibraries => {
                f.write_str("the ELF file wants shared libraries; link it statically")
            }
            Self::UnsupportedDynamic { tag } => write!(
                f,
                "the ELF dynamic table uses {tag}, which is not supported; link a static PIE with plain RELA relocations"
            ),
            Self::BadRelocationTable => f.write_str(
                "the ELF relocation table lies outside of its segment or has a wrong size; link the file again",
            ),
            Self::UnsupportedRelocation { kind } => write!(
                f,
                "ELF relocation type {kind} is not supported, only R_X86_64_RELATIVE (8); link a static PIE"
            ),
            Self::RelocationOutside { offset } => write!(
                f,
                "an ELF relocation at {offset:#x} is outside of all segments; the file is damaged"
            ),
        }
    }
}

impl core::error::Error for ElfError {}
