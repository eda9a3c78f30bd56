//! The FADT: fixed hardware registers, the power management timer, reset and sleep registers.
//!
//! Firmware writes tables of every length and lies about their revision, so a field exists here
//! when its bytes do, and the 64-bit form of a field is taken when it is not zero.

use crate::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::gas::Gas;
use crate::sdt::{Signature, Table, TableError};

/// `FLAGS`: the power management timer counts 32 bits, not 24.
const FLAG_TIMER_32: u32 = 1 << 8;
/// `FLAGS`: the reset register works.
const FLAG_RESET: u32 = 1 << 10;
/// `FLAGS`: there is no fixed hardware.
const FLAG_HW_REDUCED: u32 = 1 << 20;

/// Whether the registers of ACPI's fixed hardware exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HardwareModel {
    /// They do.
    Fixed,
    /// They do not: sleep goes by the sleep control register.
    Reduced,
}

/// The power management timer, which counts at 3.579545 MHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmTimer {
    /// Its register: a port or memory.
    pub register: Gas,
    /// The bits that it counts: 24 or 32.
    pub bits: u8,
}

impl PmTimer {
    /// Its frequency in Hz.
    pub const FREQUENCY_HZ: u64 = 3_579_545;
}

/// What to write where to reset the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The register, 8 bits wide.
    pub register: Gas,
    /// The value.
    pub value: u8,
}

/// What the kernel uses of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fadt {
    /// Whether the fixed registers below exist.
    pub hardware: HardwareModel,
    /// The interrupt of ACPI events: an ISA interrupt, to be looked up in the overrides.
    pub sci_interrupt: u16,
    /// The port that switches between ACPI and legacy mode; `None` when there is no legacy mode.
    pub smi_command_port: Option<u16>,
    /// What to write there to switch to ACPI mode; 0 when there is nothing to switch.
    pub acpi_enable: u8,
    /// First PM1 event block: status, then enable register.
    pub pm1a_event: Option<Gas>,
    /// Second PM1 event block.
    pub pm1b_event: Option<Gas>,
    /// First PM1 control register.
    pub pm1a_control: Option<Gas>,
    /// Second PM1 control register.
    pub pm1b_control: Option<Gas>,
    /// The power management timer.
    pub pm_timer: Option<PmTimer>,
    /// The reset register, when the table says that it works.
    pub reset: Option<Reset>,
    /// Sleep control register of reduced hardware.
    pub sleep_control: Option<Gas>,
    /// Sleep status register of reduced hardware.
    pub sleep_status: Option<Gas>,
    /// Physical address of the DSDT.
    pub dsdt: Option<u64>,
    /// Physical address of the FACS.
    pub facs: Option<u64>,
    /// `IAPC_BOOT_ARCH`: which legacy devices exist; `None` in tables that are too old.
    pub boot_arch: Option<u16>,
    /// `FLAGS` as they are.
    pub flags: u32,
}

impl Fadt {
    /// Reads the table.
    pub fn parse(table: Table<'_>) -> Result<Self, TableError> {
        let bytes = table.expect(Signature::FADT)?.bytes();
        // The fields of ACPI 1.0, which all tables have, end with FLAGS.
        let wrong = TableError::Length {
            signature: Signature::FADT,
            length: bytes.len() as u64,
        };
        let flags = u32_at(bytes, 112).ok_or(wrong)?;
        let byte = |offset| u8_at(bytes, offset).unwrap_or(0);
        let word = |offset| u32_at(bytes, offset).unwrap_or(0);
        // The 64-bit register, or else the port block with its length.
        let register = |extended, port, length| {
            Gas::parse(bytes, extended).or_else(|| Gas::port(word(port), byte(length)))
        };
        let address = |extended, short| {
            let short = || {
                u32_at(bytes, short)
                    .map(u64::from)
                    .filter(|address| *address != 0)
            };
            u64_at(bytes, extended)
                .filter(|address| *address != 0)
                .or_else(short)
        };
        let timer_bits = if flags & FLAG_TIMER_32 != 0 { 32 } else { 24 };
        let reset = if flags & FLAG_RESET != 0 {
            Gas::parse(bytes, 116)
        } else {
            None
        };
        Ok(Self {
            hardware: if flags & FLAG_HW_REDUCED != 0 {
                HardwareModel::Reduced
            } else {
                HardwareModel::Fixed
            },
            sci_interrupt: u16_at(bytes, 46).ok_or(wrong)?,
            smi_command_port: u16::try_from(word(48)).ok().filter(|port| *port != 0),
            acpi_enable: byte(52),
            pm1a_event: register(148, 56, 88),
            pm1b_event: register(160, 60, 88),
            pm1a_control: register(172, 64, 89),
            pm1b_control: register(184, 68, 89),
            pm_timer: register(208, 76, 91).map(|register| PmTimer {
                register,
                bits: timer_bits,
            }),
            reset: reset.and_then(|register| {
                Some(Reset {
                    register,
                    value: u8_at(bytes, 128)?,
                })
            }),
            sleep_control: Gas::parse(bytes, 244),
            sleep_status: Gas::parse(bytes, 256),
            dsdt: address(140, 40),
            facs: address(132, 36),
            boot_arch: u16_at(bytes, 109).filter(|_| table.revision() >= 2),
            flags,
        })
    }
}
