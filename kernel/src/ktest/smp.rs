//! That every CPU runs, with the same settings and an area of its own.

use alloc::collections::BTreeSet;
use alloc::format;

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::{GsBase, KernelGsBase, Msr};
use x86_64::registers::xcontrol::XCr0;

use super::tools::{on_each_cpu, online};
use super::{Outcome, check};
use crate::arch::current::tlb::{self, PcidUse};
use crate::arch::current::{cpuid, percpu};
use crate::{acpi, boot};

/// Every processor that the firmware names runs threads, each with an area and an APIC id of its own.
pub fn all_online() -> Outcome {
    let limited = boot::info().options().number("maxcpus");
    let named = acpi::platform().map_or(0, |platform| platform.enabled_cpus().count()) as u64;
    let wanted = limited.map_or(named, |limit| limit.clamp(1, named));
    check!(
        online().count() as u64 == wanted,
        "{} processors are online of {wanted}",
        online().count()
    );
    let seen = on_each_cpu(|_| {
        let area = percpu::current();
        (
            area.index,
            GsBase::read().as_u64(),
            core::ptr::from_ref(area) as u64,
            cpuid::apic_id(),
        )
    })?;
    let (mut areas, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (cpu, (index, gs, area, id)) in seen {
        check!(index == cpu, "a thread of cpu{cpu} ran on cpu{index}");
        check!(
            gs == area,
            "cpu{cpu}: its GS base is {gs:#x} and its area at {area:#x}"
        );
        check!(areas.insert(area), "cpu{cpu} shares its area");
        check!(ids.insert(id), "cpu{cpu} shares the APIC id {id}");
    }
    Ok(format!("{wanted} processors"))
}

/// The settings of a CPU that must be the same on all.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    cr0: u64,
    cr4: u64,
    efer: u64,
    pat: u64,
    star: u64,
    lstar: u64,
    sfmask: u64,
    user_gs: u64,
    xcr0: u64,
}

fn settings() -> Settings {
    let msr = |number: u32| {
        // SAFETY: PAT and the registers of SYSCALL are in every processor that this kernel runs on; reading has no effect.
        unsafe { Msr::new(number).read() }
    };
    Settings {
        cr0: Cr0::read_raw(),
        cr4: Cr4::read_raw(),
        efer: Efer::read_raw(),
        pat: msr(0x277),
        star: msr(0xc000_0081),
        lstar: msr(0xc000_0082),
        sfmask: msr(0xc000_0084),
        user_gs: KernelGsBase::read().as_u64(),
        xcr0: if Cr4::read().contains(Cr4Flags::OSXSAVE) {
            XCr0::read_raw()
        } else {
            0
        },
    }
}

/// Control registers and model-specific ones are the same everywhere, and protect what they can.
pub fn same_control_registers() -> Outcome {
    let seen = on_each_cpu(|_| settings())?;
    let own = settings();
    for (cpu, found) in &seen {
        check!(*found == own, "cpu{cpu} has {found:x?}, not {own:x?}");
    }
    let features = cpuid::features();
    let cr0 = Cr0Flags::from_bits_truncate(own.cr0);
    let cr4 = Cr4Flags::from_bits_truncate(own.cr4);
    check!(cr0.contains(Cr0Flags::WRITE_PROTECT), "CR0.WP is off");
    check!(
        !cr0.intersects(Cr0Flags::CACHE_DISABLE | Cr0Flags::NOT_WRITE_THROUGH),
        "caches are off"
    );
    check!(
        own.efer & EferFlags::NO_EXECUTE_ENABLE.bits() != 0,
        "EFER.NXE is off"
    );
    check!(
        own.pat == kmem::pt::entry::PAT_VALUE,
        "PAT is {:#x}",
        own.pat
    );
    for (there, flag) in [
        (true, Cr4Flags::PAGE_GLOBAL),
        (
            features.smep,
            Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION,
        ),
        (features.smap, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (features.umip, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        (tlb::pcid_use() == PcidUse::Used, Cr4Flags::PCID),
    ] {
        check!(cr4.contains(flag) == there, "CR4 is {cr4:?}");
    }
    Ok(format!(
        "CR0 {:x}, CR4 {:x}, EFER {:x}, XCR0 {:x}",
        own.cr0, own.cr4, own.efer, own.xcr0
    ))
}
