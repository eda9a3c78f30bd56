//! Every way in which the shim can fail, as one sentence each.
//!
//! A sentence names the thing (a file, a line, an entry), says why it cannot be used and what to
//! do about it. It is what a user sees on the screen before the firmware gets the machine back, so
//! nothing here is an error code. The firmware's own status is added by the edge in `uefi-shim/src`.

use alloc::string::String;
use core::fmt;

use kboot::elf::ElfError;

/// A failure of the shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The processor lacks features that the system needs.
    CpuFeatures {
        /// The missing features, by name, separated by commas.
        missing: String,
    },
    /// No configuration file was found at any of the known places.
    NoConfig,
    /// The configuration file has no entry that could be booted.
    NoEntry,
    /// `default_entry` names an entry that does not exist.
    NoSuchEntry {
        /// The number that was asked for, from 1.
        index: usize,
        /// How many entries there are.
        count: usize,
    },
    /// An entry asks for a protocol that the shim does not speak.
    Protocol {
        /// The title of the entry.
        entry: String,
        /// The protocol that it asks for.
        protocol: String,
    },
    /// An entry does not say which kernel to boot.
    NoKernelPath {
        /// The title of the entry.
        entry: String,
    },
    /// A path is not written as a path.
    BadPath {
        /// The path as written.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file could not be found or read.
    File {
        /// The path as written.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// A file does not have the hash that its path promises.
    HashMismatch {
        /// The path without the hash.
        path: String,
    },
    /// A kernel file cannot be loaded.
    Image {
        /// The path of the kernel.
        path: String,
        /// What is wrong with it.
        reason: ImageFault,
    },
    /// A kernel asks for something that cannot be given.
    Request {
        /// The path of the kernel.
        path: String,
        /// What it asks for and why that fails.
        reason: RequestFault,
    },
    /// There is not enough memory for something.
    OutOfMemory {
        /// What the memory is for.
        what: String,
        /// How many bytes were wanted.
        bytes: u64,
    },
    /// The page tables that were set aside do not suffice.
    PageTablesExhausted {
        /// How many tables there were.
        tables: usize,
    },
    /// The memory map has more entries than there is room for.
    MemoryMapTooLong {
        /// How many entries there is room for.
        capacity: usize,
    },
    /// The firmware does not let go.
    ExitBootServices {
        /// Why the shim gave up.
        reason: ExitFault,
    },
    /// A firmware service failed.
    Firmware {
        /// What was being done.
        action: &'static str,
        /// The status that the firmware gave.
        status: String,
    },
}

/// What is wrong with a kernel image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFault {
    /// It is no ELF file that could be loaded.
    Elf(ElfError),
    /// A segment is linked below the higher half.
    LowerHalf {
        /// Its virtual address.
        address: u64,
    },
    /// Two segments share a page and want different permissions for it.
    SharedPage {
        /// The address where the second one begins.
        address: u64,
    },
    /// The image does not fit into the address space above its base.
    TooLarge,
    /// The alignment of a segment is absurd.
    BadAlignment {
        /// The alignment.
        align: u64,
    },
}

/// What is wrong with the requests of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFault {
    /// It has no base revision tag, or asks for revision 0.
    BaseRevisionZero,
    /// There is more than one base revision tag.
    DuplicateTag,
    /// The same request appears twice.
    Duplicate {
        /// The third word of the id.
        id: u64,
    },
    /// The request area ends in the middle of a request.
    Truncated {
        /// The third word of the id.
        id: u64,
    },
    /// No paging mode suits kernel, configuration and processor.
    PagingMode(&'static str),
    /// An internal module is described outside of the image.
    InternalModule,
    /// A required internal module cannot be read.
    RequiredModule {
        /// Its path.
        path: String,
    },
    /// An internal module wants to be decompressed.
    CompressedModule {
        /// Its path.
        path: String,
    },
    /// The stack that it asks for is absurd.
    StackSize(u64),
    /// The direct map does not fit.
    DirectMap,
}

/// Why leaving the boot services failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitFault {
    /// The memory map changed under every attempt.
    MapKeepsChanging {
        /// How often it was tried.
        attempts: u32,
    },
    /// The map outgrew the buffer after the firmware had begun to shut down.
    MapOutgrewBuffer {
        /// How many bytes it needs.
        needed: usize,
    },
    /// The firmware gave a status that the specification does not know here.
    Status(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CpuFeatures { missing } => write!(
                f,
                "this processor lacks {missing}, which the system needs; use a processor with \
                 x86-64-v2 and NX (in QEMU: -cpu Nehalem, Haswell or max)"
            ),
            Self::NoConfig => write!(
                f,
                "no limine.conf was found on the volume that the shim was started from; put it at \
                 /limine.conf, /limine/limine.conf, /boot/limine.conf, /boot/limine/limine.conf or \
                 /EFI/BOOT/limine.conf"
            ),
            Self::NoEntry => write!(
                f,
                "limine.conf has no entry to boot; add a line such as \"/jsix\" with the options \
                 protocol and kernel_path below it"
            ),
            Self::NoSuchEntry { index, count } => write!(
                f,
                "limine.conf: default_entry is {index}, but there are only {count} entries; set it \
                 to a number from 1 to {count}"
            ),
            Self::Protocol { entry, protocol } => write!(
                f,
                "entry \"{entry}\" of limine.conf uses the protocol \"{protocol}\", which this \
                 loader does not speak; write \"protocol: limine\", or put Limine at \
                 EFI/limine/BOOTX64.EFI"
            ),
            Self::NoKernelPath { entry } => write!(
                f,
                "entry \"{entry}\" of limine.conf names no kernel; add \
                 \"kernel_path: boot():/boot/kernel\""
            ),
            Self::BadPath { path, reason } => write!(
                f,
                "the path \"{path}\" in limine.conf cannot be used: {reason}; write it as \
                 boot():/directory/file"
            ),
            Self::File { path, reason } => write!(
                f,
                "cannot read \"{path}\": {reason}; check that the file is on the volume and that \
                 limine.conf spells its path rightly"
            ),
            Self::HashMismatch { path } => write!(
                f,
                "\"{path}\" does not have the BLAKE2B hash that limine.conf gives for it; restore \
                 the file, update the hash, or set \"hash_mismatch_panic: no\""
            ),
            Self::Image { path, reason } => {
                write!(f, "cannot load the kernel \"{path}\": {reason}")
            }
            Self::Request { path, reason } => {
                write!(f, "cannot boot the kernel \"{path}\": {reason}")
            }
            Self::OutOfMemory { what, bytes } => write!(
                f,
                "not enough memory for {what}: {bytes} bytes in one piece were wanted; give the \
                 machine more memory or load fewer modules"
            ),
            Self::PageTablesExhausted { tables } => write!(
                f,
                "the {tables} page tables set aside for the kernel do not suffice for this memory \
                 map; this is a fault of the loader, please report it with the memory map"
            ),
            Self::MemoryMapTooLong { capacity } => write!(
                f,
                "the memory map of the firmware needs more than the {capacity} entries that there \
                 is room for; this is a fault of the loader, please report it"
            ),
            Self::ExitBootServices { reason } => {
                write!(f, "the firmware did not give up the machine: {reason}")
            }
            Self::Firmware { action, status } => {
                write!(
                    f,
                    "the firmware failed while {action} ({status}); try a firmware update"
                )
            }
        }
    }
}

impl fmt::Display for ImageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf(error) => write!(f, "{error}"),
            Self::LowerHalf { address } => write!(
                f,
                "a segment is linked at {address:#x}; link it at or above 0xffffffff80000000, or as a \
                 position independent executable"
            ),
            Self::SharedPage { address } => write!(
                f,
                "the segment at {address:#x} shares a page with another one that wants different \
                 permissions; align the segments to 4096 bytes in the linker script"
            ),
            Self::TooLarge => {
                write!(
                    f,
                    "it does not fit below the end of the address space; make it smaller"
                )
            }
            Self::BadAlignment { align } => {
                write!(
                    f,
                    "a segment wants the alignment {align:#x}; use at most 1 GiB"
                )
            }
        }
    }
}

impl fmt::Display for RequestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaseRevisionZero => write!(
                f,
                "it asks for base revision 0 of the Limine protocol, or has no base revision tag; \
                 ask for 1, 2 or 3, or put Limine at EFI/limine/BOOTX64.EFI"
            ),
            Self::DuplicateTag => write!(
                f,
                "it has more than one base revision tag; remove all but one"
            ),
            Self::Duplicate { id } => {
                write!(
                    f,
                    "it makes the request with the id {id:#018x} more than once; remove all but one"
                )
            }
            Self::Truncated { id } => {
                write!(
                    f,
                    "the request with the id {id:#018x} is cut off by the end of its segment; check the linker script"
                )
            }
            Self::PagingMode(reason) => write!(f, "no paging mode suits it: {reason}"),
            Self::InternalModule => {
                write!(
                    f,
                    "its list of internal modules points outside of the image; correct the module request"
                )
            }
            Self::RequiredModule { path } => {
                write!(
                    f,
                    "it requires the module \"{path}\" beside it, which cannot be read; copy it to the volume"
                )
            }
            Self::CompressedModule { path } => {
                write!(
                    f,
                    "it wants the module \"{path}\" decompressed, which the protocol has dropped; store it uncompressed"
                )
            }
            Self::StackSize(bytes) => write!(
                f,
                "it asks for a stack of {bytes} bytes; ask for at most 1 GiB"
            ),
            Self::DirectMap => {
                write!(
                    f,
                    "the memory of this machine does not fit its direct map; ask for 5-level paging"
                )
            }
        }
    }
}

impl fmt::Display for ExitFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MapKeepsChanging { attempts } => write!(
                f,
                "its memory map changed during each of {attempts} attempts; unplug devices, or try a \
                 firmware update"
            ),
            Self::MapOutgrewBuffer { needed } => write!(
                f,
                "its memory map grew to {needed} bytes while it was shutting down; try a firmware update"
            ),
            Self::Status(status) => {
                write!(
                    f,
                    "it gave the unexpected status {status:#x}; try a firmware update"
                )
            }
        }
    }
}

impl core::error::Error for Error {}
