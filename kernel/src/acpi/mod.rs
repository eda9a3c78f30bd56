//! What the ACPI tables say about this machine, and what they let us do: switch off.
//!
//! `kboot` reads and checks the tables; this module gives it memory and carries out what it decides.

pub mod devices;
mod handler;

use core::fmt;

use kaddr::PhysAddr;
use kboot::acpi::{PhysRead, Platform, Tables, Unreadable, aml};
use kboot::gas::{AddressSpace, Gas};
use kboot::power::{PowerOff, RegisterWrite, power_off as power_off_steps};
use kboot::sdt::TableError;
use spin::Once;
use x86_64::instructions::port::Port;

use crate::arch::current::{cpuid, time};
use crate::mm;
use handler::Handler;

/// How long the machine gets to switch itself off.
const POWER_OFF_PATIENCE_NS: u64 = 2_000_000_000;

/// How long the reset register gets to work.
const RESET_PATIENCE_NS: u64 = 100_000_000;

struct Acpi {
    platform: Platform,
    tables: Tables,
}

static ACPI: Once<Acpi> = Once::new();

/// Physical memory as the tables' reader wants it.
struct Memory;

impl PhysRead for Memory {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let end = address.checked_add(into.len() as u64).ok_or(Unreadable)?;
        // An address beyond the processor's would fault by its reserved bits.
        if end > 1 << cpuid::features().physical_bits.min(52) {
            return Err(Unreadable);
        }
        mm::read_physical(PhysAddr::new(address), into).map_err(|_| Unreadable)
    }
}

/// Reads the tables, once.
///
/// # Errors
/// When there is no MADT to be found at this root pointer.
#[unsafe(link_section = ".init.text")]
pub fn init(rsdp: PhysAddr) -> Result<&'static Platform, TableError> {
    let (platform, tables) = Platform::discover(&Memory, rsdp.as_u64())?;
    for refused in tables.refused() {
        log::warn!(
            "the table at {:#x} is not used: {}",
            refused.address,
            refused.reason
        );
    }
    if platform.malformed_entries != 0 {
        log::warn!(
            "{} entries of the MADT are malformed and are not used",
            platform.malformed_entries
        );
    }
    Ok(&ACPI.call_once(|| Acpi { platform, tables }).platform)
}

/// What the tables say about the machine, once they were read.
pub fn platform() -> Option<&'static Platform> {
    ACPI.get().map(|acpi| &acpi.platform)
}

/// The steps of a power-off by a search of the tables, and by running their AML.
pub fn power_off_both_ways() -> Option<(PowerOff, PowerOff)> {
    ACPI.get()
        .map(|acpi| (acpi.platform.power_off(), by_interpreter(acpi)))
}

/// Why the machine did not switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerError {
    /// No ACPI tables.
    NoTables,
    /// The tables do not describe the power-off state.
    NotDescribed,
    /// All steps were done and it is still on.
    StillOn,
}

impl fmt::Display for PowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTables => "it has no usable ACPI tables",
            Self::NotDescribed => r"its ACPI tables do not describe \_S5",
            Self::StillOn => r"it ignored the registers of \_S5",
        })
    }
}

/// Switches the machine off; returns only when that failed.
pub fn power_off() -> PowerError {
    let Some(acpi) = ACPI.get() else {
        return PowerError::NoTables;
    };
    let mut steps = acpi.platform.power_off();
    if !steps.is_possible() {
        steps = by_interpreter(acpi);
    }
    if !steps.is_possible() {
        return PowerError::NotDescribed;
    }
    for step in steps.steps() {
        write(&step);
    }
    time::spin_ns(POWER_OFF_PATIENCE_NS);
    PowerError::StillOn
}

/// Restarts the machine by the reset register of the FADT; returns when there is none or it did nothing.
pub fn reset() {
    let reset = ACPI
        .get()
        .and_then(|acpi| acpi.platform.fadt)
        .and_then(|fadt| fadt.reset);
    if let Some(reset) = reset
        && let Some(access) = Access::to(&reset.register)
    {
        access.write(1, u64::from(reset.value));
        time::spin_ns(RESET_PATIENCE_NS);
    }
}

/// For firmware whose `\_S5` is no plain constant: runs its AML.
fn by_interpreter(acpi: &Acpi) -> PowerOff {
    let evaluated = Handler::interpreter(&acpi.tables).and_then(|interpreter| {
        aml::load(&acpi.tables, &interpreter).ok()?;
        aml::sleep_type_s5(&interpreter).ok()?
    });
    match (acpi.platform.fadt, evaluated) {
        (Some(fadt), Some(sleep)) => power_off_steps(&fadt, sleep),
        _ => PowerOff::default(),
    }
}

fn write(step: &RegisterWrite) {
    let Some(access) = Access::to(&step.register) else {
        return;
    };
    let old = if step.keep == 0 {
        0
    } else {
        access.read(step.bytes)
    };
    access.write(step.bytes, old & step.keep | step.set);
}

/// A register that can be reached.
enum Access {
    Port(u16),
    Memory(u64),
}

impl Access {
    fn to(register: &Gas) -> Option<Self> {
        if let Some(port) = register.as_port() {
            return Some(Self::Port(port));
        }
        let is_memory = register.space == AddressSpace::SYSTEM_MEMORY;
        let mapped = is_memory
            .then(|| mm::map_device(PhysAddr::new(register.address), 8).ok())
            .flatten()?;
        Some(Self::Memory(mapped.as_u64()))
    }

    fn read(&self, bytes: u8) -> u64 {
        // SAFETY: a register that the firmware's tables name, read with its own width (invariant 8).
        unsafe {
            match (self, bytes) {
                (Self::Port(port), 1) => Port::<u8>::new(*port).read().into(),
                (Self::Port(port), _) => Port::<u16>::new(*port).read().into(),
                (Self::Memory(at), 1) => (*at as *const u8).read_volatile().into(),
                (Self::Memory(at), _) => (*at as *const u16).read_volatile().into(),
            }
        }
    }

    fn write(&self, bytes: u8, value: u64) {
        // SAFETY: as in `read`; the value is one that the tables prescribe.
        unsafe {
            match (self, bytes) {
                (Self::Port(port), 1) => Port::new(*port).write(value as u8),
                (Self::Port(port), _) => Port::new(*port).write(value as u16),
                (Self::Memory(at), 1) => (*at as *mut u8).write_volatile(value as u8),
                (Self::Memory(at), _) => (*at as *mut u16).write_volatile(value as u16),
            }
        }
    }
}
