//! The instructions by which this processor keeps and forgets translations, and whether it does so under PCIDs.
//!
//! What is loaded and forgotten when is decided by `kmem::tlb`; [`super::shootdown`] brings both together. Pages of the
//! kernel are global: they are the same under all PCIDs, and `INVLPG` forgets them under all.

use core::fmt;

use kaddr::{PhysAddr, VirtAddr};
use kmem::tlb::{Load, SLOTS};
use spin::Once;
use x86_64::instructions::tlb::{self, InvPcidCommand, Pcid};
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};
use x86_64::structures::paging::PhysFrame;

use super::cpuid;
use crate::boot;

/// Whether PCIDs are used, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcidUse {
    /// They are, on all processors.
    Used,
    /// The command line says `nopcid`.
    Refused,
    /// The boot processor has none.
    Missing,
    /// The boot processor is of a kind whose `INVLPG` may miss global pages while PCIDs are on.
    Faulty,
}

impl fmt::Display for PcidUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Self::Used => return write!(f, "PCIDs: {SLOTS} for each processor"),
            Self::Refused => "the command line says so",
            Self::Missing => "the processor has none",
            Self::Faulty => "the processor's INVLPG may miss global pages with them",
        };
        write!(f, "PCIDs: not used, {reason}")
    }
}

/// Whether PCIDs are used. It is decided at the first call, which needs the command line.
pub fn pcid_use() -> PcidUse {
    static USE: Once<PcidUse> = Once::new();
    *USE.call_once(|| {
        let features = cpuid::features();
        if boot::info().options().flag("nopcid") {
            PcidUse::Refused
        } else if !features.pcid {
            PcidUse::Missing
        } else if features.invlpg_misses_global {
            PcidUse::Faulty
        } else {
            PcidUse::Used
        }
    })
}

/// Switches PCIDs on where they are to be used; returns how many there are besides 0.
///
/// # Safety
/// Interrupts are off and the kernel's own tables are loaded, by [`load`] or as plain address: the low 12 bits of CR3 must
/// be zero (Intel SDM vol. 3A, 4.10.1).
pub unsafe fn enable_pcids() -> usize {
    if pcid_use() != PcidUse::Used {
        return 0;
    }
    // SAFETY: the processor has PCIDs, and the current one is 0 (caller).
    unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::PCID)) };
    SLOTS
}

/// The frame of a top table, as [`load`] takes it.
pub fn frame_of(root: PhysAddr) -> PhysFrame {
    PhysFrame::containing_address(x86_64::PhysAddr::new(root.as_u64()))
}

/// Loads page tables.
///
/// # Safety
/// They have the kernel's half and outlive their use. If the load forgets nothing, what is kept under its PCID belongs to
/// these tables, and is not older than they are (invariant 11).
#[inline]
pub unsafe fn load(frame: PhysFrame, load: Load) {
    match (load.must_flush, Pcid::new(load.pcid)) {
        // SAFETY: the caller vouches for the tables and for what is kept; only a table of slots that has PCIDs, which
        // are on then, lets anything be kept.
        (false, Ok(pcid)) => unsafe { Cr3::write_pcid_no_flush(frame, pcid) },
        // SAFETY: the caller vouches for the tables; without PCIDs the low bits are zero.
        _ => unsafe { Cr3::write_raw(frame, load.pcid) },
    }
}

/// Loads page tables where no PCIDs are used: nothing is kept.
///
/// # Safety
/// They have the kernel's half and outlive their use.
#[inline(always)]
pub unsafe fn load_plainly(frame: PhysFrame) {
    // SAFETY: the caller vouches for the tables; without PCIDs the low bits are zero.
    unsafe { Cr3::write_raw(frame, 0) };
}

/// Forgets the page at an address, under the current PCID and globally, and all that is kept of tables under the current
/// PCID (Intel SDM vol. 3A, 4.10.4.1).
#[inline]
pub fn forget(address: VirtAddr) {
    tlb::flush(x86_64::VirtAddr::new_truncate(address.as_u64()));
}

/// Forgets everything under the current PCID, but for global pages.
pub fn forget_current() {
    let (frame, pcid) = Cr3::read_raw();
    // SAFETY: the same tables again, under the same PCID; bit 63, which would keep what is there, is not set.
    unsafe { Cr3::write_raw(frame, pcid) };
}

/// Forgets everything, under all PCIDs, global pages too (Intel SDM vol. 3A, 4.10.4.1): by `INVPCID`, or by a change of
/// CR4.PGE.
pub fn forget_everything() {
    if cpuid::features().invpcid {
        // SAFETY: the processor has the instruction.
        unsafe { tlb::flush_pcid(InvPcidCommand::All) };
        return;
    }
    let flags = Cr4::read();
    // SAFETY: global pages are only an optimisation, on again at once.
    unsafe {
        Cr4::write(flags - Cr4Flags::PAGE_GLOBAL);
        Cr4::write(flags);
    }
}
