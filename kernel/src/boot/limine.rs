//! The Limine boot protocol: our requests, and the copy of the answers.
//!
//! Four levels of page tables are preferred, as they are walked faster; five are taken where the configuration asks
//! for them. We ask for base revision 3 and run with whatever revision was loaded. No multiprocessor request is made: the
//! kernel starts the other processors itself, so they still wait for STARTUP when it comes to them.

use core::cell::UnsafeCell;
use core::ffi::CStr;

use kaddr::{PAGE_SIZE, PhysAddr, PhysRange};
use kboot::memory_map::{Region, RegionKind, sanitise};
use limine::BaseRevision;
use limine::memory_map::EntryType;
use limine::paging::Mode;
use limine::request::{
    BootloaderInfoRequest, DateAtBootRequest, ExecutableAddressRequest, ExecutableFileRequest,
    FramebufferRequest, HhdmRequest, MemoryMapRequest, ModuleRequest, PagingModeRequest,
    RequestsEndMarker, RequestsStartMarker, RsdpRequest, StackSizeRequest,
};

use super::{BootInfo, Channel, FramebufferInfo, MAX_MODULES, MAX_REGIONS, Module, Text};

/// Stack that the boot loader is to give us, in bytes: for the code up to our own stacks.
const BOOT_STACK: u64 = 128 * 1024;

#[used]
#[unsafe(link_section = ".requests_start")]
static START: RequestsStartMarker = RequestsStartMarker::new();

macro_rules! requests {
    ($($name:ident: $kind:ty = $value:expr;)*) => {
        $(
            #[used]
            #[unsafe(link_section = ".requests")]
            static $name: $kind = $value;
        )*
    };
}

requests! {
    REVISION: BaseRevision = BaseRevision::new();
    LOADER: BootloaderInfoRequest = BootloaderInfoRequest::new();
    STACK: StackSizeRequest = StackSizeRequest::new().with_size(BOOT_STACK);
    DIRECT_MAP: HhdmRequest = HhdmRequest::new();
    FRAMEBUFFER: FramebufferRequest = FramebufferRequest::new();
    PAGING: PagingModeRequest = PagingModeRequest::new()
        .with_mode(Mode::FOUR_LEVEL)
        .with_max_mode(Mode::FIVE_LEVEL)
        .with_min_mode(Mode::FOUR_LEVEL);
    MEMORY_MAP: MemoryMapRequest = MemoryMapRequest::new();
    FILE: ExecutableFileRequest = ExecutableFileRequest::new();
    ADDRESS: ExecutableAddressRequest = ExecutableAddressRequest::new();
    MODULES: ModuleRequest = ModuleRequest::new();
    RSDP: RsdpRequest = RsdpRequest::new();
    DATE: DateAtBootRequest = DateAtBootRequest::new();
}

#[used]
#[unsafe(link_section = ".requests_end")]
static END: RequestsEndMarker = RequestsEndMarker::new();

/// Why the kernel cannot go on with this boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// The loader knows no base revision that we can use.
    Revision,
    /// A response that we cannot do without is missing.
    Missing(&'static str),
}

impl core::fmt::Display for BootError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Revision => {
                f.write_str("the boot loader does not speak base revision 2 or later of the Limine protocol; use Limine 8 or later, or uefi-shim")
            }
            Self::Missing(what) => write!(f, "the boot loader did not answer the {what} request, which the kernel needs"),
        }
    }
}

/// Storage of the boot information: too large for the boot stack.
struct Storage(UnsafeCell<BootInfo>);

// SAFETY: written by `collect` once on the boot CPU, then only read (invariant 3).
unsafe impl Sync for Storage {}

static STORAGE: Storage = Storage(UnsafeCell::new(BootInfo {
    loader: Text::EMPTY,
    revision: 0,
    cmdline: Text::EMPTY,
    direct_map: 0,
    kernel: PhysAddr::ZERO,
    rsdp: None,
    five_levels: false,
    boot_time_s: None,
    framebuffer: None,
    regions: [Region::EMPTY; MAX_REGIONS],
    region_count: 0,
    modules: [None; MAX_MODULES],
    module_count: 0,
    dropped: (0, 0),
}));

/// Copies the boot loader's answers.
///
/// # Errors
/// When the loader is too old or an answer that the kernel needs is missing.
///
/// # Safety
/// Once, on the boot CPU, while the boot loader's memory is untouched (invariant 3).
#[unsafe(link_section = ".init.text")]
pub unsafe fn collect() -> Result<&'static BootInfo, BootError> {
    // SAFETY: the only access before the reference below is given out (caller).
    let info = unsafe { &mut *STORAGE.0.get() };
    // A loader that does not know revision 3 leaves our tag as it is and uses an older one, the latest that it has: for
    // Limine 8, revision 2. One that knows it says which it used.
    info.revision = REVISION
        .loaded_revision()
        .unwrap_or(if REVISION.is_supported() { 3 } else { 2 });
    if info.revision < 2 {
        return Err(BootError::Revision);
    }
    info.direct_map = DIRECT_MAP
        .get_response()
        .ok_or(BootError::Missing("direct map"))?
        .offset();
    crate::mm::direct::set_offset(info.direct_map);
    let address = ADDRESS
        .get_response()
        .ok_or(BootError::Missing("executable address"))?;
    info.kernel = PhysAddr::new(address.physical_base());
    if let Some(loader) = LOADER.get_response() {
        info.loader = Text::new(loader.name());
        let mut text = Concat::new(loader.name());
        text.add(" ");
        text.add(loader.version());
        info.loader = text.0;
    }
    if let Some(file) = FILE.get_response() {
        info.cmdline = Text::new(lossless(file.file().string()));
    }
    info.five_levels = x86_64::registers::control::Cr4::read()
        .contains(x86_64::registers::control::Cr4Flags::L5_PAGING);
    // Up to revision 2 the RSDP's address is virtual, from 3 on physical; both are told apart by the direct map.
    info.rsdp = RSDP
        .get_response()
        .map(|rsdp| physical(rsdp.address() as u64, info.direct_map));
    info.boot_time_s = DATE.get_response().map(|date| date.timestamp().as_secs());
    modules(info);
    memory_map(info)?;
    info.framebuffer = framebuffer(info.direct_map);
    Ok(info)
}

/// Text put together from parts.
struct Concat<const N: usize>(Text<N>);

impl<const N: usize> Concat<N> {
    fn new(text: &str) -> Self {
        Self(Text::new(text))
    }

    fn add(&mut self, text: &str) {
        for &byte in text.as_bytes() {
            if byte.is_ascii() && self.0.len < N {
                self.0.bytes[self.0.len] = byte;
                self.0.len += 1;
            }
        }
    }
}

fn lossless(text: &CStr) -> &str {
    text.to_str().unwrap_or("")
}

/// The physical address of something that the loader names by an address in its direct map, or by a physical one.
fn physical(address: u64, direct_map: u64) -> PhysAddr {
    PhysAddr::new(if address >= direct_map {
        address - direct_map
    } else {
        address
    })
}

#[unsafe(link_section = ".init.text")]
fn memory_map(info: &mut BootInfo) -> Result<(), BootError> {
    let entries = MEMORY_MAP
        .get_response()
        .ok_or(BootError::Missing("memory map"))?
        .entries();
    // What the direct map has no room for is not used: 64 TiB are more than machines of today have.
    let limit = crate::mm::layout::DIRECT_MAP.len();
    let regions = entries.iter().map(|entry| Region {
        range: entry.base.min(limit)..entry.base.saturating_add(entry.length).min(limit),
        kind: match entry.entry_type {
            EntryType::USABLE => RegionKind::Usable,
            EntryType::BOOTLOADER_RECLAIMABLE => RegionKind::BootloaderReclaimable,
            EntryType::EXECUTABLE_AND_MODULES => RegionKind::ExecutableAndModules,
            EntryType::ACPI_RECLAIMABLE => RegionKind::AcpiReclaimable,
            EntryType::ACPI_NVS => RegionKind::AcpiNvs,
            EntryType::FRAMEBUFFER => RegionKind::Framebuffer,
            EntryType::BAD_MEMORY => RegionKind::Bad,
            _ => RegionKind::Reserved,
        },
    });
    // Limine 8 leaves modules whose hash it checked in memory that it says is its own, when they come from a disc.
    let modules = info.modules[..info.module_count].iter().flatten();
    let kept = modules.map(|module| Region {
        range: module.range.start.as_u64()..module.range.end.as_u64(),
        kind: RegionKind::ExecutableAndModules,
    });
    let result = sanitise(regions.chain(kept), &mut info.regions);
    info.region_count = result.count;
    if result.completeness != kboot::memory_map::Completeness::Complete {
        info.dropped.0 = entries.len().saturating_sub(result.count);
    }
    Ok(())
}

#[unsafe(link_section = ".init.text")]
fn modules(info: &mut BootInfo) {
    let Some(response) = MODULES.get_response() else {
        return;
    };
    for file in response.modules() {
        if info.module_count == MAX_MODULES {
            info.dropped.1 += 1;
            continue;
        }
        let string = lossless(file.string())
            .split_whitespace()
            .next()
            .unwrap_or("");
        let path = lossless(file.path()).rsplit('/').next().unwrap_or("");
        let start = physical(file.addr() as u64, info.direct_map);
        let len = usize::try_from(file.size()).unwrap_or(0);
        let Some(end) = start
            .checked_add(file.size())
            .and_then(|end| end.align_up(PAGE_SIZE))
        else {
            continue;
        };
        info.modules[info.module_count] = Some(Module {
            name: Text::new(if string.is_empty() { path } else { string }),
            range: PhysRange::new(start, end),
            len,
        });
        info.module_count += 1;
    }
}

#[unsafe(link_section = ".init.text")]
fn framebuffer(direct_map: u64) -> Option<FramebufferInfo> {
    use limine::framebuffer::MemoryModel;
    let response = FRAMEBUFFER.get_response()?;
    response.framebuffers().find_map(|screen| {
        let bytes_per_pixel = usize::from(screen.bpp()) / 8;
        let info = FramebufferInfo {
            address: physical(screen.addr() as u64, direct_map),
            width: usize::try_from(screen.width()).ok()?,
            height: usize::try_from(screen.height()).ok()?,
            pitch: usize::try_from(screen.pitch()).ok()?,
            bytes_per_pixel,
            red: Channel {
                size: screen.red_mask_size(),
                shift: screen.red_mask_shift(),
            },
            green: Channel {
                size: screen.green_mask_size(),
                shift: screen.green_mask_shift(),
            },
            blue: Channel {
                size: screen.blue_mask_size(),
                shift: screen.blue_mask_shift(),
            },
        };
        let fits = info.width.checked_mul(bytes_per_pixel)? <= info.pitch
            && info.pitch.checked_mul(info.height).is_some();
        let usable =
            screen.memory_model() == MemoryModel::RGB && matches!(bytes_per_pixel, 3 | 4) && fits;
        usable.then_some(info)
    })
}
