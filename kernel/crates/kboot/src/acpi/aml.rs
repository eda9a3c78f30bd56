//! The glue between the checked tables and the AML interpreter of the `acpi` crate.
//!
//! The interpreter sees only code whose table passed its checks. The kernel needs it only when
//! [`crate::power::find_sleep_type`] found nothing, and later for devices.

use super::Tables;
use crate::power::SleepType;
use crate::sdt::Signature;
use ::acpi::Handler;
use ::acpi::aml::namespace::AmlName;
use ::acpi::aml::object::Object;
use ::acpi::aml::{AmlError, Interpreter};
use alloc::vec::Vec;
use core::str::FromStr;

/// Loads the DSDT, then all SSDTs. The first table that fails ends it, as later ones build on it.
pub fn load<H: Handler>(tables: &Tables, interpreter: &Interpreter<H>) -> Result<(), AmlError> {
    for signature in [Signature::DSDT, Signature::SSDT] {
        for table in tables.all(signature) {
            interpreter.load_table(table.body())?;
        }
    }
    Ok(())
}

/// Evaluates `\_S5`; `None` when it does not exist or is no package of integers.
pub fn sleep_type_s5<H: Handler>(
    interpreter: &Interpreter<H>,
) -> Result<Option<SleepType>, AmlError> {
    let Some(object) = interpreter.evaluate_if_present(AmlName::from_str("\\_S5_")?, Vec::new())?
    else {
        return Ok(None);
    };
    let Object::Package(elements) = &*object else {
        return Ok(None);
    };
    let value = |index: usize| match elements.get(index).map(|element| &**element) {
        Some(Object::Integer(value)) => Some((value & 7) as u8),
        _ => None,
    };
    Ok(value(0).map(|a| SleepType {
        a,
        b: value(1).unwrap_or(a),
    }))
}
