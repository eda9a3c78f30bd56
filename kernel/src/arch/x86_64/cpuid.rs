//! What this processor can do, read once on the boot CPU, and the control bits that follow from it.
//!
//! The boot loader checked the floor (docs/boot.md); here are the features that are used when they are there.

use core::arch::x86_64::{__cpuid_count, CpuidResult};

use spin::Once;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::Msr;

use super::usercopy;

/// Features beyond the floor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    pub huge_pages: bool,
    pub x2apic: bool,
    pub tsc_deadline: bool,
    pub xsave: bool,
    pub machine_check: bool,
    pub smep: bool,
    pub smap: bool,
    pub umip: bool,
    pub pcid: bool,
    pub invpcid: bool,
    /// `INVLPG` may leave global pages as they are while PCIDs are on.
    pub invlpg_misses_global: bool,
    /// Physical address bits.
    pub physical_bits: u8,
    /// TSC frequency in Hz as the processor or hypervisor states it; 0 when it does not.
    pub tsc_hz: u64,
}

const IA32_PAT: u32 = 0x277;

static FEATURES: Once<Features> = Once::new();

/// A CPUID leaf, all zero when the processor does not have it.
pub fn leaf(leaf: u32, subleaf: u32) -> CpuidResult {
    let highest = __cpuid_count(leaf & 0xf000_0000, 0).eax;
    if leaf > highest || highest & 0xf000_0000 != leaf & 0xf000_0000 {
        return CpuidResult {
            eax: 0,
            ebx: 0,
            ecx: 0,
            edx: 0,
        };
    }
    __cpuid_count(leaf, subleaf)
}

fn bit(value: u32, bit: u32) -> bool {
    value >> bit & 1 != 0
}

/// The features of the boot CPU.
pub fn features() -> &'static Features {
    FEATURES.call_once(|| {
        let basic = leaf(1, 0);
        let structured = leaf(7, 0);
        let extended = leaf(0x8000_0001, 0);
        let sizes = leaf(0x8000_0008, 0);
        Features {
            huge_pages: bit(extended.edx, 26),
            x2apic: bit(basic.ecx, 21),
            tsc_deadline: bit(basic.ecx, 24),
            xsave: bit(basic.ecx, 26),
            machine_check: bit(basic.edx, 7),
            smep: bit(structured.ebx, 7),
            smap: bit(structured.ebx, 20),
            umip: bit(structured.ecx, 2),
            pcid: bit(basic.ecx, 17),
            invpcid: bit(structured.ebx, 10),
            invlpg_misses_global: invlpg_misses_global(basic.eax),
            physical_bits: if sizes.eax & 0xff == 0 {
                36
            } else {
                (sizes.eax & 0xff) as u8
            },
            tsc_hz: stated_tsc_hz(bit(basic.ecx, 31)),
        }
    })
}

/// Whether the processor is an Alder Lake, Gracemont or Raptor Lake (Intel's errata ADL063 and RPL042). Newer microcode
/// repairs it; whether it is there is not asked.
fn invlpg_misses_global(signature: u32) -> bool {
    let vendor = leaf(0, 0);
    let is_intel = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes)
        == [*b"Genu", *b"ineI", *b"ntel"];
    let family = signature >> 8 & 0xf;
    let model = signature >> 12 & 0xf0 | signature >> 4 & 0xf;
    is_intel && family == 6 && matches!(model, 0x97 | 0x9a | 0xb7 | 0xba | 0xbe | 0xbf)
}

/// TSC frequency by leaf 0x15 (Intel SDM vol. 3B, 19.7.3), or by the hypervisor's timing leaf 0x4000_0010 (kHz).
fn stated_tsc_hz(under_hypervisor: bool) -> u64 {
    let ratio = leaf(0x15, 0);
    if ratio.eax != 0 && ratio.ebx != 0 && ratio.ecx != 0 {
        return u64::from(ratio.ecx) * u64::from(ratio.ebx) / u64::from(ratio.eax);
    }
    if under_hypervisor {
        u64::from(leaf(0x4000_0010, 0).eax) * 1000
    } else {
        0
    }
}

/// The local APIC id of the CPU that runs this: from leaf 0xb where there is one (32 bits), else from leaf 1.
pub fn apic_id() -> u32 {
    let topology = leaf(0xb, 0);
    if topology.ebx != 0 {
        topology.edx
    } else {
        leaf(1, 0).ebx >> 24
    }
}

/// Sets the control registers of this CPU: no-execute, write protection in the kernel, global pages, SSE for user
/// mode, and SMEP, SMAP and UMIP where there are any.
///
/// # Safety
/// Early on each CPU, with interrupts off. All kernel mappings in use are of kernel pages.
pub unsafe fn enable() {
    let features = features();
    // SAFETY: the features are there (floor of the boot loader, or asked just now), and none takes away what the
    // kernel stands on: its pages are supervisor pages.
    unsafe {
        Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE));
        Cr0::update(|flags| {
            flags.insert(
                Cr0Flags::WRITE_PROTECT | Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR,
            );
            flags.remove(
                Cr0Flags::EMULATE_COPROCESSOR
                    | Cr0Flags::TASK_SWITCHED
                    | Cr0Flags::CACHE_DISABLE
                    | Cr0Flags::NOT_WRITE_THROUGH,
            );
        });
        Cr4::update(|flags| {
            // Firmware leaves what it likes on the boot CPU; only what long mode stands on is kept.
            *flags &= Cr4Flags::PHYSICAL_ADDRESS_EXTENSION | Cr4Flags::L5_PAGING;
            flags.insert(Cr4Flags::PAGE_GLOBAL | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE);
            flags.set(Cr4Flags::MACHINE_CHECK_EXCEPTION, features.machine_check);
            flags.set(Cr4Flags::OSXSAVE, features.xsave);
            flags.set(
                Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION,
                features.smep,
            );
            flags.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, features.smap);
            flags.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, features.umip);
        });
        Msr::new(IA32_PAT).write(kmem::pt::entry::PAT_VALUE);
    }
    if features.smap {
        usercopy::smap_is_on();
    }
}
