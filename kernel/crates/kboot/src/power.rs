//! How to switch the machine off: from tables to a list of register writes.
//!
//! The kernel carries the list out, one step after the other; everything that can be wrong about
//! it is decided, and tested, here.

use crate::bytes::{u8_at, u16_at, u32_at};
use crate::fadt::{Fadt, HardwareModel};
use crate::gas::Gas;

/// The values of a sleep state (`\_S5` for off), for both halves of the PM1 control registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SleepType {
    /// `SLP_TYPa`, 3 bits.
    pub a: u8,
    /// `SLP_TYPb`, 3 bits.
    pub b: u8,
}

/// One step: write `(present & keep) | set` to a register. `keep` of 0 needs no read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterWrite {
    /// The register.
    pub register: Gas,
    /// Bytes to access at once: 1 or 2.
    pub bytes: u8,
    /// Which bits keep their present value.
    pub keep: u64,
    /// Which bits become 1.
    pub set: u64,
}

/// The steps of a power-off, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[must_use]
pub struct PowerOff {
    steps: [Option<RegisterWrite>; 6],
}

impl PowerOff {
    /// The steps. None at all means that the tables give no way to switch off.
    pub fn steps(&self) -> impl Iterator<Item = RegisterWrite> + use<> {
        self.steps.into_iter().flatten()
    }

    /// Whether the tables give a way to switch off.
    pub fn is_possible(&self) -> bool {
        self.steps
            .iter()
            .flatten()
            .any(|step| step.set & (SLP_EN | SLEEP_ENABLE) != 0)
    }
}

/// PM1 control: enter the sleep state now.
const SLP_EN: u64 = 1 << 13;
/// PM1 control: first bit of the sleep type.
const SLP_TYP: u32 = 10;
/// PM1 status: the system woke up; cleared by writing 1.
const WAK_STS: u64 = 1 << 15;
/// Sleep control of reduced hardware: enter the sleep state now.
const SLEEP_ENABLE: u64 = 1 << 5;
/// Sleep status of reduced hardware: the system woke up; cleared by writing 1.
const SLEEP_WAKE: u64 = 1 << 7;

/// The steps that enter the state of `sleep`, which should be `\_S5`.
///
/// On fixed hardware: clear the wake status, write the sleep types, then write them again with the
/// enable bit, first a, then b (ACPI 6.5, 4.8.3.2.1; ACPICA does the same, because some chipsets
/// take the type only from an earlier write). Other bits of the control registers are kept.
pub fn power_off(fadt: &Fadt, sleep: SleepType) -> PowerOff {
    let mut steps = [None; 6];
    if fadt.hardware == HardwareModel::Reduced {
        let typ = u64::from(sleep.a & 7) << 2;
        steps[0] = fadt
            .sleep_status
            .map(|register| step(register, 1, 0, SLEEP_WAKE));
        steps[1] = fadt
            .sleep_control
            .map(|register| step(register, 1, 0, typ | SLEEP_ENABLE));
        return PowerOff { steps };
    }
    let keep = 0xffff & !(SLP_EN | 7 << SLP_TYP);
    let control = |register: Option<Gas>, typ: u8, enable: u64| {
        register.map(|register| step(register, 2, keep, u64::from(typ & 7) << SLP_TYP | enable))
    };
    steps[0] = fadt
        .pm1a_event
        .map(|register| step(register, 2, 0, WAK_STS));
    steps[1] = fadt
        .pm1b_event
        .map(|register| step(register, 2, 0, WAK_STS));
    steps[2] = control(fadt.pm1a_control, sleep.a, 0);
    steps[3] = control(fadt.pm1b_control, sleep.b, 0);
    steps[4] = control(fadt.pm1a_control, sleep.a, SLP_EN);
    steps[5] = control(fadt.pm1b_control, sleep.b, SLP_EN);
    PowerOff { steps }
}

fn step(register: Gas, bytes: u8, keep: u64, set: u64) -> RegisterWrite {
    RegisterWrite {
        register,
        bytes,
        keep,
        set,
    }
}

/// The step that switches to ACPI mode: afterwards wait until bit 0 (`SCI_EN`) of
/// [`Fadt::pm1a_control`] is 1. `None` when there is no other mode.
pub fn enable_acpi(fadt: &Fadt) -> Option<RegisterWrite> {
    let port = fadt.smi_command_port.filter(|_| fadt.acpi_enable != 0)?;
    let register = Gas::port(u32::from(port), 1)?;
    Some(step(register, 1, 0, u64::from(fadt.acpi_enable)))
}

/// Finds the package of `\_S<state>` in AML code without running it.
///
/// Every known firmware writes a plain named package of constants, for which a search suffices;
/// the AML interpreter is the way for one that does not. A name that is not followed by a package of
/// constants is passed over.
pub fn find_sleep_type(aml: &[u8], state: u8) -> Option<SleepType> {
    const NAME_OP: u8 = 0x08;
    const PACKAGE_OP: u8 = 0x12;
    let digit = b'0'.checked_add(state).filter(u8::is_ascii_digit)?;
    let name = [b'_', b'S', digit, b'_'];
    (0..aml.len()).find_map(|at| {
        let rest = aml.get(at..)?.strip_prefix(&[NAME_OP])?;
        let rest = rest.strip_prefix(b"\\").unwrap_or(rest);
        let package = rest.strip_prefix(&name)?.strip_prefix(&[PACKAGE_OP])?;
        // PkgLength: the two top bits of its first byte count its further bytes.
        let more = usize::from(u8_at(package, 0)? >> 6);
        let body = package.get(more.checked_add(1)?..)?;
        let count = u8_at(body, 0)?;
        let (a, rest) = constant(body.get(1..)?)?;
        let b = if count >= 2 { constant(rest)?.0 } else { a };
        let low = |value: u64| (value & 7) as u8;
        (count >= 1).then_some(SleepType {
            a: low(a),
            b: low(b),
        })
    })
}

/// The integer constant at the beginning of `aml`, and what follows it.
fn constant(aml: &[u8]) -> Option<(u64, &[u8])> {
    let (value, size) = match u8_at(aml, 0)? {
        0x00 => (0, 1),
        0x01 => (1, 1),
        0xff => (u64::MAX, 1),
        0x0a => (u64::from(u8_at(aml, 1)?), 2),
        0x0b => (u64::from(u16_at(aml, 1)?), 3),
        0x0c => (u64::from(u32_at(aml, 1)?), 5),
        _ => return None,
    };
    Some((value, aml.get(size..)?))
}
