//! Starts the other processors after the boot services are gone, and silences the interrupt
//! controllers.
//!
//! All processors are started at the same time: INIT to each, a pause, SIPI to each, a second SIPI
//! to those that did not answer, and a limit. One that stays away gets another INIT, which makes
//! it wait for a SIPI again, and is left out of the response. Intel SDM volume 3, section 9.4.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use shim_core::processors::{ApicMode, Processor};
use uefi::boot;

use crate::cpu::{self, inb, outb, rdmsr, wrmsr};
use crate::memory::Pages;
use crate::mtrr;

const APIC_BASE: u32 = 0x1b;
const APIC_ENABLED: u64 = 1 << 11;
const X2APIC_ENABLED: u64 = 1 << 10;
const X2APIC_ID: u32 = 0x802;
const X2APIC_ICR: u32 = 0x830;

/// A started processor writes this into its state (`STATE_UP` in `handoff.s`).
const UP: u32 = 2;
/// Bytes of a table entry: id, state, address of the structure.
const ENTRY: usize = 16;

/// How long processors get to answer.
const LIMIT: Duration = Duration::from_millis(500);

/// In which mode the local APIC of this processor is.
pub fn current_mode() -> ApicMode {
    // SAFETY: the feature check found an APIC.
    if unsafe { rdmsr(APIC_BASE) } & X2APIC_ENABLED != 0 {
        ApicMode::X2Apic
    } else {
        ApicMode::XApic
    }
}

/// The id of this processor's local APIC.
pub fn own_id() -> u32 {
    match current_mode() {
        // SAFETY: in x2APIC mode the register exists.
        ApicMode::X2Apic => unsafe { rdmsr(X2APIC_ID) }.try_into().unwrap_or(u32::MAX),
        ApicMode::XApic => core::arch::x86_64::__cpuid(1).ebx >> 24,
    }
}

/// Measures how many ticks of the time stamp counter a microsecond has.
pub fn calibrate() -> u64 {
    let start = cpu::tsc();
    boot::stall(Duration::from_millis(2));
    cpu::tsc()
        .wrapping_sub(start)
        .checked_div(2000)
        .unwrap_or(0)
        .max(1)
}

/// The table that a started processor finds itself in.
pub struct Starter {
    table: Pages,
    count: usize,
    ticks_per_us: u64,
}

impl Starter {
    /// Writes the table: `info` is the virtual address of each processor's structure.
    pub fn new(mut table: Pages, processors: &[Processor], info: impl Fn(usize) -> u64) -> Self {
        for (index, (entry, processor)) in table
            .bytes()
            .chunks_exact_mut(ENTRY)
            .zip(processors)
            .enumerate()
        {
            let (id, rest) = entry.split_at_mut(4);
            id.copy_from_slice(&processor.apic_id.to_le_bytes());
            let (_, address) = rest.split_at_mut(4);
            address.copy_from_slice(&info(index).to_le_bytes());
        }
        Self {
            table,
            count: processors.len(),
            ticks_per_us: calibrate(),
        }
    }

    /// How many bytes the table for so many processors takes.
    pub fn table_bytes(processors: usize) -> usize {
        processors.saturating_mul(ENTRY)
    }

    /// The physical address of the table.
    pub fn base(&self) -> u64 {
        self.table.base
    }

    /// How many processors are in the table.
    pub fn count(&self) -> u64 {
        u64::try_from(self.count).unwrap_or(0)
    }

    fn state(&mut self, index: usize) -> &AtomicU32 {
        let at = index.saturating_mul(ENTRY).saturating_add(4);
        let state = self
            .table
            .bytes()
            .as_mut_ptr()
            .wrapping_add(at)
            .cast::<u32>();
        // SAFETY: the table has `count` entries of 16 bytes, `index` is below `count` for all
        // callers, and the word is only touched as an atomic from now on.
        unsafe { AtomicU32::from_ptr(state) }
    }

    /// Tells whether a processor has answered.
    pub fn is_up(&mut self, index: usize) -> bool {
        index < self.count && self.state(index).load(Ordering::Acquire) == UP
    }

    /// Marks the boot processor as running.
    pub fn mark_up(&mut self, index: usize) {
        if index < self.count {
            self.state(index).store(UP, Ordering::Release);
        }
    }

    /// Starts all processors of the list that are not marked as running.
    ///
    /// # Safety
    /// The boot services are gone. `page` is a handoff page below 1 MiB whose parameters name this
    /// table, and the page tables in them map the page and this program one to one.
    pub unsafe fn start(&mut self, processors: &[Processor], page: u64) {
        mtrr::save();
        let vector = u32::try_from(page >> 12).unwrap_or(0);
        let each = |this: &mut Self, command: u32| {
            for (index, processor) in processors.iter().enumerate() {
                if !this.is_up(index) {
                    // SAFETY: as the caller promises; a processor that is not up waits for this.
                    unsafe { send(processor.apic_id, command) };
                }
            }
        };
        const INIT: u32 = 0x4500;
        const SIPI: u32 = 0x4600;
        each(self, INIT);
        self.pause(Duration::from_millis(10));
        each(self, SIPI | vector);
        if !self.wait(Duration::from_millis(2)) {
            each(self, SIPI | vector);
            if !self.wait(LIMIT) {
                each(self, INIT);
                self.pause(Duration::from_millis(10));
            }
        }
    }

    fn pause(&self, time: Duration) {
        let ticks = self.ticks(time);
        let start = cpu::tsc();
        while cpu::tsc().wrapping_sub(start) < ticks {
            core::hint::spin_loop();
        }
    }

    fn ticks(&self, time: Duration) -> u64 {
        u64::try_from(time.as_micros())
            .unwrap_or(u64::MAX)
            .saturating_mul(self.ticks_per_us)
    }

    /// Waits until all are up; tells whether that happened.
    fn wait(&mut self, limit: Duration) -> bool {
        let ticks = self.ticks(limit);
        let start = cpu::tsc();
        loop {
            if (0..self.count).all(|index| self.is_up(index)) {
                return true;
            }
            if cpu::tsc().wrapping_sub(start) >= ticks {
                return false;
            }
            core::hint::spin_loop();
        }
    }
}

/// Sends an interrupt to one processor.
///
/// # Safety
/// The target can take it.
unsafe fn send(apic_id: u32, command: u32) {
    if current_mode() == ApicMode::X2Apic {
        // SAFETY: in x2APIC mode the register exists.
        unsafe { wrmsr(X2APIC_ICR, u64::from(apic_id) << 32 | u64::from(command)) };
        return;
    }
    // SAFETY: the feature check found an APIC.
    let base = unsafe { rdmsr(APIC_BASE) } & 0x000f_ffff_ffff_f000;
    let high = (base + 0x310) as *mut u32;
    let low = (base + 0x300) as *mut u32;
    // SAFETY: the registers of the local APIC, which the firmware maps one to one and which
    // nobody else uses any more. A delivery that does not end is given up.
    unsafe {
        high.write_volatile(apic_id << 24);
        low.write_volatile(command);
        for _ in 0..100_000 {
            if low.read_volatile() & (1 << 12) == 0 {
                break;
            }
            core::hint::spin_loop();
        }
    }
}

/// Switches this processor's local APIC to x2APIC mode.
///
/// # Safety
/// The processor has that mode, and the firmware no longer uses the APIC.
pub unsafe fn enable_x2apic() {
    // SAFETY: as the caller promises.
    unsafe { wrmsr(APIC_BASE, rdmsr(APIC_BASE) | APIC_ENABLED | X2APIC_ENABLED) };
}

/// Masks the legacy interrupt controller and the inputs of the IOAPICs that carry interrupts.
///
/// # Safety
/// The firmware no longer uses them, and `io_apics` are their addresses, mapped one to one.
pub unsafe fn mask_interrupt_controllers(io_apics: &[u64]) {
    // SAFETY: the mask registers of the two 8259; without them, nothing answers.
    unsafe {
        outb(0xa1, 0xff);
        outb(0x21, 0xff);
        let _settle = inb(0x80);
    }
    for base in io_apics {
        let select = *base as *mut u32;
        let window = (*base + 0x10) as *mut u32;
        // SAFETY: the registers of an IOAPIC, as the caller promises: version in register 1, two
        // registers for each input from 0x10 on.
        unsafe {
            select.write_volatile(1);
            let inputs = (window.read_volatile() >> 16 & 0xff) + 1;
            for input in 0..inputs {
                select.write_volatile(0x10 + input * 2);
                // Fixed and lowest-priority interrupts; NMI, SMI and the like stay.
                if window.read_volatile() >> 8 & 7 <= 1 {
                    window.write_volatile(1 << 16);
                    select.write_volatile(0x11 + input * 2);
                    window.write_volatile(0);
                }
            }
        }
    }
}
