//! What the loader knows when it answers: the input of the responses.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::PagingLevels;
use crate::processors::{ApicMode, Processor};
use crate::video::Mode;

/// The kind of medium that a file came from, with the numbers of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Media(pub u32);

impl Media {
    /// A disk.
    pub const GENERIC: Self = Self(0);
    /// An optical disc.
    pub const OPTICAL: Self = Self(1);
}

/// The volume that a file came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VolumeFacts {
    /// What it is.
    pub media: Media,
    /// The number of the partition, from 1; 0 if there is none.
    pub partition: u32,
    /// The id in the MBR; 0 if there is none.
    pub mbr_disk_id: u32,
    /// The GUID of the disk in its GPT.
    pub gpt_disk: [u8; 16],
    /// The GUID of the partition in the GPT.
    pub gpt_partition: [u8; 16],
}

/// A file in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Its physical address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its path on the volume, with a leading slash.
    pub path: String,
    /// Its command line.
    pub cmdline: String,
    /// Where it came from.
    pub volume: VolumeFacts,
}

/// A framebuffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramebufferFacts {
    /// Its physical address.
    pub address: u64,
    /// The mode that is set.
    pub mode: Mode,
    /// All modes that have a framebuffer.
    pub modes: Vec<Mode>,
    /// The EDID of the monitor, if there is one.
    pub edid: Option<Vec<u8>>,
}

/// The processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorFacts {
    /// All that can be started, the boot processor among them.
    pub list: Vec<Processor>,
    /// The APIC id of the boot processor.
    pub bsp_apic_id: u32,
    /// The mode of the local APICs.
    pub mode: ApicMode,
    /// The virtual address of the end of each one's stack.
    pub stack_tops: Vec<u64>,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The name of the loader.
    pub name: String,
    /// The version of the loader.
    pub version: String,
    /// The base of the direct map.
    pub hhdm: u64,
    /// The base revision that the kernel gets.
    pub base_revision: u64,
    /// The levels of the page tables.
    pub levels: PagingLevels,
    /// The command line of the kernel.
    pub cmdline: String,
    /// Where the kernel is in physical memory.
    pub physical_base: u64,
    /// Where the kernel is in virtual memory.
    pub virtual_base: u64,
    /// The file of the kernel.
    pub kernel: FileFacts,
    /// The modules: internal ones first.
    pub modules: Vec<FileFacts>,
    /// The framebuffers.
    pub framebuffers: Vec<FramebufferFacts>,
    /// The physical address of the ACPI root pointer.
    pub rsdp: Option<u64>,
    /// The physical address of the 32-bit SMBIOS entry point.
    pub smbios_32: Option<u64>,
    /// The physical address of the 64-bit SMBIOS entry point.
    pub smbios_64: Option<u64>,
    /// The physical address of the EFI system table.
    pub efi_system_table: u64,
    /// The physical address of the buffer for the EFI memory map.
    pub efi_map: u64,
    /// Seconds since 1970, if the clock could be read.
    pub date: Option<i64>,
    /// The processors, if they are asked for and known.
    pub processors: Option<ProcessorFacts>,
    /// The most entries that the memory map can get.
    pub map_capacity: usize,
}
