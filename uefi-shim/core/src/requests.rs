//! Finds the requests of the Limine boot protocol in a loaded kernel.
//!
//! A request is four 64-bit words of id, a revision and a response pointer, anywhere in the image
//! at a multiple of 8 bytes; markers may limit the search. The scanner only says where things are
//! ([`Requests`]); what goes into the response fields is decided by `response`.

use alloc::vec::Vec;
use core::ops::Range;

use crate::error::RequestFault;

/// The first two words of every request.
const COMMON_MAGIC: [u64; 2] = [0xc7b1_dd30_df4c_8b88, 0x0a82_e883_a194_f07b];
const BASE_REVISION_MAGIC: [u64; 2] = [0xf956_2b2d_5c95_a6c8, 0x6a7b_3849_4453_6bdc];
const START_MARKER: [u64; 4] = [
    0xf6b8_f4b3_9de7_d1ae,
    0xfab9_1a69_40fc_b9cf,
    0x785c_6ed0_15d3_e316,
    0x181e_920a_7852_b9d9,
];
const END_MARKER: [u64; 2] = [0xadc0_e053_1bb1_0d03, 0x9572_709f_3176_4c62];

/// The highest base revision that is understood here.
pub const MAX_BASE_REVISION: u64 = 3;

/// Where the response pointer of a request is, behind its beginning.
pub const RESPONSE_OFFSET: usize = 40;
/// Where the fields of a request begin that are its own.
pub const FIELDS_OFFSET: usize = 48;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $a:literal, $b:literal;)*) => {
        /// A feature of the protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All features that are known here.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The two words of the id that belong to this feature alone.
            pub fn id(self) -> [u64; 2] {
                match self {
                    $(Self::$name => [$a, $b],)*
                }
            }
        }
    };
}

kinds! {
    /// Name and version of the loader.
    BootloaderInfo = 0xf550_38d8_e2a1_202f, 0x2794_26fc_f5f5_9740;
    /// The command line of the kernel; newer than Limine 8.
    ExecutableCmdline = 0x4b16_1536_e598_651e, 0xb390_ad4a_2f1f_303a;
    /// The kind of the firmware.
    FirmwareType = 0x8c2f_75d9_0bef_28a8, 0x7045_a468_8eac_00c3;
    /// The size of the stacks.
    StackSize = 0x224e_f046_0a8e_8926, 0xe1cb_0fc2_5f46_ea3d;
    /// Where the direct map is.
    Hhdm = 0x48dc_f1cb_8ad2_b852, 0x6398_4e95_9a98_244b;
    /// The framebuffers.
    Framebuffer = 0x9d58_27dc_d881_dd75, 0xa314_8604_f6fa_b11b;
    /// The number of levels of the page tables.
    PagingMode = 0x95c1_a0ed_ab09_44cb, 0xa4e5_cb38_42f7_488a;
    /// The other processors.
    Mp = 0x95a6_7b81_9a1b_857e, 0xa0b6_1b72_3b6a_73e0;
    /// The memory map.
    MemoryMap = 0x67cf_3d9d_378a_806f, 0xe304_acdf_c50c_3c62;
    /// Another entry point.
    EntryPoint = 0x13d8_6c03_5a1c_d3e1, 0x2b0c_aa89_d8f3_026a;
    /// The file of the kernel.
    ExecutableFile = 0xad97_e90e_83f1_ed67, 0x31eb_5d1c_5ff2_3b69;
    /// The modules.
    Module = 0x3e7e_2797_02be_32af, 0xca1c_4f3b_d128_0cee;
    /// The ACPI tables.
    Rsdp = 0xc5e7_7b6b_397e_7b43, 0x2763_7845_accd_cf3c;
    /// The SMBIOS tables.
    Smbios = 0x9e90_46f1_1e09_5391, 0xaa4a_520f_efbd_e5ee;
    /// The EFI system table.
    EfiSystemTable = 0x5ceb_a516_3eaa_f6d6, 0x0a69_8161_0cf6_5fcc;
    /// The memory map as EFI gave it.
    EfiMemoryMap = 0x7df6_2a43_1d68_72d5, 0xa4fc_dfb3_e573_06c8;
    /// The time of the clock.
    DateAtBoot = 0x5027_46e1_84c0_88aa, 0xfbc5_ec83_e632_7893;
    /// Where the kernel is.
    ExecutableAddress = 0x71ba_7686_3cc5_5f63, 0xb264_4a48_c516_a487;
    /// The device tree; never there on x86-64.
    DeviceTree = 0xb40d_db48_fb54_bac7, 0x5450_8149_3f81_ffb7;
}

/// A request that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What it asks for; `None` if that is unknown here.
    pub kind: Option<Kind>,
    /// Where it begins in the image.
    pub offset: usize,
    /// The words of its id that are its own.
    pub id: [u64; 2],
    /// Its revision.
    pub revision: u64,
}

/// The base revision tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseRevision {
    /// What the kernel asks for.
    pub requested: u64,
    /// What it gets: 1 to [`MAX_BASE_REVISION`].
    pub loaded: u64,
    /// Where the tag begins in the image.
    pub offset: usize,
}

/// All that a kernel asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requests {
    /// The base revision.
    pub base_revision: BaseRevision,
    /// The requests, in the order of the image.
    pub list: Vec<Request>,
}

impl Requests {
    /// Finds the request for a feature.
    pub fn find(&self, kind: Kind) -> Option<&Request> {
        self.list.iter().find(|request| request.kind == Some(kind))
    }

    /// Searches the given ranges of an image.
    ///
    /// # Errors
    /// The tag is missing or doubled, or a request is doubled or cut off.
    pub fn scan(
        image: &[u8],
        ranges: impl Iterator<Item = Range<usize>>,
    ) -> Result<Self, RequestFault> {
        let mut tag: Option<BaseRevision> = None;
        let mut list: Vec<Request> = Vec::new();
        'ranges: for range in ranges {
            let mut offset = range.start.next_multiple_of(8);
            while offset < range.end {
                let Some(bytes) = image.get(offset..range.end.min(image.len())) else {
                    break;
                };
                let at = offset;
                offset = offset.saturating_add(8);
                let Some(first) = word(bytes, 0) else { break };
                if first == START_MARKER[0] && matches(bytes, &START_MARKER) {
                    tag = None;
                    list.clear();
                } else if first == END_MARKER[0] && matches(bytes, &END_MARKER) {
                    break 'ranges;
                } else if first == COMMON_MAGIC[0] && matches(bytes, &COMMON_MAGIC) {
                    push(&mut list, bytes, at)?;
                } else if first == BASE_REVISION_MAGIC[0]
                    && matches(bytes, &BASE_REVISION_MAGIC)
                    && let Some(requested) = word(bytes, 2)
                {
                    let loaded = requested.min(MAX_BASE_REVISION);
                    let new = BaseRevision {
                        requested,
                        loaded,
                        offset: at,
                    };
                    if tag.replace(new).is_some() {
                        return Err(RequestFault::DuplicateTag);
                    }
                }
            }
        }
        match tag {
            Some(base_revision) if base_revision.requested > 0 => Ok(Self {
                base_revision,
                list,
            }),
            _ => Err(RequestFault::BaseRevisionZero),
        }
    }

    /// Writes the answer to the base revision tag into the image.
    pub fn acknowledge(&self, image: &mut [u8]) {
        let tag = self.base_revision;
        // A loader that knows revision 3 tells which one it used, in place of the second word.
        if tag.requested >= 3 {
            put_word(image, tag.offset.saturating_add(8), tag.loaded);
        }
        if tag.requested == tag.loaded {
            put_word(image, tag.offset.saturating_add(16), 0);
        }
    }
}

fn push(list: &mut Vec<Request>, bytes: &[u8], offset: usize) -> Result<(), RequestFault> {
    let (Some(a), Some(b)) = (word(bytes, 2), word(bytes, 3)) else {
        // The magic alone at the very end of a segment is no request.
        return Ok(());
    };
    let (Some(revision), Some(_)) = (word(bytes, 4), word(bytes, 5)) else {
        return Err(RequestFault::Truncated { id: a });
    };
    if list.iter().any(|other| other.id == [a, b]) {
        return Err(RequestFault::Duplicate { id: a });
    }
    let kind = Kind::ALL.iter().copied().find(|kind| kind.id() == [a, b]);
    list.push(Request {
        kind,
        offset,
        id: [a, b],
        revision,
    });
    Ok(())
}

fn matches(bytes: &[u8], words: &[u64]) -> bool {
    words
        .iter()
        .enumerate()
        .all(|(index, expected)| word(bytes, index) == Some(*expected))
}

fn word(bytes: &[u8], index: usize) -> Option<u64> {
    get_word(bytes, index.checked_mul(8)?)
}

/// Reads eight bytes of an image.
pub fn get_word(image: &[u8], offset: usize) -> Option<u64> {
    let bytes = image.get(offset..offset.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

/// Writes eight bytes of an image; what does not fit is left out.
pub fn put_word(image: &mut [u8], offset: usize, value: u64) {
    if let Some(end) = offset.checked_add(8)
        && let Some(bytes) = image.get_mut(offset..end)
    {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests;
