//! The requests, all of them.

use limine::BaseRevision;
use limine::modules::{InternalModule, ModuleFlags};
use limine::mp::RequestFlags;
use limine::paging::Mode;
use limine::request::{
    BootloaderInfoRequest, DateAtBootRequest, DeviceTreeBlobRequest, EfiMemoryMapRequest,
    EfiSystemTableRequest, EntryPointRequest, ExecutableAddressRequest, ExecutableCmdlineRequest,
    ExecutableFileRequest, FirmwareTypeRequest, FramebufferRequest, HhdmRequest, MemoryMapRequest,
    ModuleRequest, MpRequest, PagingModeRequest, RequestsEndMarker, RequestsStartMarker,
    RsdpRequest, SmbiosRequest, StackSizeRequest,
};

/// The base revision that this kernel asks for.
pub const REVISION: u64 = if cfg!(feature = "rev3") { 3 } else { 2 };
/// The stack that this kernel asks for; not the smallest one.
pub const STACK_SIZE: u64 = 0x3_0000;

/// Four levels, or up to five.
const fn paging() -> PagingModeRequest {
    if cfg!(feature = "wide") {
        PagingModeRequest::new()
            .with_mode(Mode::FIVE_LEVEL)
            .with_max_mode(Mode::FIVE_LEVEL)
    } else {
        PagingModeRequest::new()
    }
}
const MP_FLAGS: RequestFlags = if cfg!(feature = "wide") {
    RequestFlags::X2APIC
} else {
    RequestFlags::empty()
};

static INTERNAL: InternalModule = InternalModule::new()
    .with_path(c"internal")
    .with_cmdline(c"from the kernel")
    .with_flags(ModuleFlags::REQUIRED);
static ABSENT: InternalModule = InternalModule::new()
    .with_path(c"no-such-file")
    .with_cmdline(c"");

macro_rules! requests {
    ($($name:ident: $kind:ty = $value:expr;)*) => {
        $(
            #[doc = concat!("`", stringify!($kind), "`")]
            #[used]
            #[unsafe(link_section = ".requests")]
            pub static $name: $kind = $value;
        )*
    };
}

#[used]
#[unsafe(link_section = ".requests_start")]
static START: RequestsStartMarker = RequestsStartMarker::new();
#[used]
#[unsafe(link_section = ".requests_end")]
static END: RequestsEndMarker = RequestsEndMarker::new();
/// A request that the loader must not see.
#[used]
#[unsafe(link_section = ".requests_outside")]
pub static OUTSIDE: DateAtBootRequest = DateAtBootRequest::new();

requests! {
    BASE_REVISION: BaseRevision = BaseRevision::with_revision(REVISION);
    BOOTLOADER_INFO: BootloaderInfoRequest = BootloaderInfoRequest::new();
    CMDLINE: ExecutableCmdlineRequest = ExecutableCmdlineRequest::new();
    FIRMWARE_TYPE: FirmwareTypeRequest = FirmwareTypeRequest::new();
    STACK: StackSizeRequest = StackSizeRequest::new().with_size(STACK_SIZE);
    HHDM: HhdmRequest = HhdmRequest::new();
    FRAMEBUFFER: FramebufferRequest = FramebufferRequest::new();
    PAGING_MODE: PagingModeRequest = paging();
    MP: MpRequest = MpRequest::new().with_flags(MP_FLAGS);
    MEMORY_MAP: MemoryMapRequest = MemoryMapRequest::new();
    ENTRY_POINT: EntryPointRequest = EntryPointRequest::new().with_entry_point(crate::entry::start);
    KERNEL_FILE: ExecutableFileRequest = ExecutableFileRequest::new();
    MODULES: ModuleRequest = ModuleRequest::new().with_internal_modules(&[&INTERNAL, &ABSENT]);
    RSDP: RsdpRequest = RsdpRequest::new();
    SMBIOS: SmbiosRequest = SmbiosRequest::new();
    EFI_SYSTEM_TABLE: EfiSystemTableRequest = EfiSystemTableRequest::new();
    EFI_MEMORY_MAP: EfiMemoryMapRequest = EfiMemoryMapRequest::new();
    DATE: DateAtBootRequest = DateAtBootRequest::new();
    ADDRESS: ExecutableAddressRequest = ExecutableAddressRequest::new();
    DEVICE_TREE: DeviceTreeBlobRequest = DeviceTreeBlobRequest::new();
}
