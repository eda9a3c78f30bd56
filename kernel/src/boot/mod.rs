//! What the boot loader told us, copied out of its memory into one structure of ours.
//!
//! Only `limine` knows the boot protocol. Everything here is normalised: physical addresses are physical, strings
//! and lists are copied, so that nothing points into the boot loader's memory afterwards.

pub mod limine;

use kaddr::{PhysAddr, PhysRange};
use kboot::memory_map::Region;
use spin::Once;

/// The most memory map entries that are kept. Real machines have been seen with more than 256.
pub const MAX_REGIONS: usize = 2048;
/// The most boot modules.
pub const MAX_MODULES: usize = 64;
const MAX_CMDLINE: usize = 2048;
const MAX_NAME: usize = 64;

/// A short text, cut off at its capacity.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self {
        bytes: [0; N],
        len: 0,
    };

    /// A copy of as much of `text` as fits.
    pub fn new(text: &str) -> Self {
        let mut copy = Self::EMPTY;
        let mut len = text.len().min(N);
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        copy.bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
        copy.len = len;
        copy
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or("")
    }
}

/// A file that the boot loader brought into memory.
#[derive(Clone, Copy)]
pub struct Module {
    /// First word of its string in the configuration, or else the last part of its path.
    pub name: Text<MAX_NAME>,
    /// Where it lies.
    pub range: PhysRange,
    /// Its length in bytes: the range is rounded up to pages.
    pub len: usize,
}

/// Position and size of one colour in a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Bits.
    pub size: u8,
    /// Position of its lowest bit.
    pub shift: u8,
}

/// A linear framebuffer with direct colours.
#[derive(Clone, Copy, Debug)]
pub struct FramebufferInfo {
    /// Physical address of the first pixel.
    pub address: PhysAddr,
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from one row to the next.
    pub pitch: usize,
    /// Bytes per pixel: 3 or 4.
    pub bytes_per_pixel: usize,
    /// Red.
    pub red: Channel,
    /// Green.
    pub green: Channel,
    /// Blue.
    pub blue: Channel,
}

/// Everything that the kernel keeps of the boot loader's answers.
pub struct BootInfo {
    /// Name and version of the boot loader.
    pub loader: Text<MAX_NAME>,
    /// Revision of the boot protocol that was used.
    pub revision: u64,
    /// The kernel's command line.
    pub cmdline: Text<MAX_CMDLINE>,
    /// Offset of the boot loader's direct map.
    pub direct_map: u64,
    /// Physical address of the kernel image.
    pub kernel: PhysAddr,
    /// Physical address of the root system description pointer.
    pub rsdp: Option<PhysAddr>,
    /// Whether paging has five levels.
    pub five_levels: bool,
    /// Seconds since 1970 at boot, when the loader knows.
    pub boot_time_s: Option<u64>,
    /// The first framebuffer whose format we can draw in.
    pub framebuffer: Option<FramebufferInfo>,
    regions: [Region; MAX_REGIONS],
    region_count: usize,
    modules: [Option<Module>; MAX_MODULES],
    module_count: usize,
    /// Entries that did not fit: memory map, modules.
    pub dropped: (usize, usize),
}

impl BootInfo {
    /// The memory map: sorted, page-aligned, without overlaps.
    pub fn regions(&self) -> &[Region] {
        &self.regions[..self.region_count]
    }

    /// The boot modules.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules[..self.module_count].iter().flatten()
    }

    /// The module with this name.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.modules().find(|module| module.name.as_str() == name)
    }

    /// The command line, parsed.
    pub fn options(&self) -> kboot::cmdline::CommandLine<'_> {
        kboot::cmdline::CommandLine::new(self.cmdline.as_str())
    }
}

static INFO: Once<&'static BootInfo> = Once::new();

/// The boot information; the kernel takes it before anything else asks.
///
/// # Panics
/// Before [`set`].
pub fn info() -> &'static BootInfo {
    INFO.get()
        .expect("boot information is there before anything that asks for it")
}

/// The boot information if it is there already: for the panic path.
pub fn try_info() -> Option<&'static BootInfo> {
    INFO.get().copied()
}

/// Keeps the boot information.
pub fn set(info: &'static BootInfo) {
    INFO.call_once(|| info);
}
