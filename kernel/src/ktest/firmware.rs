//! The firmware's tables, read in two ways.

use alloc::format;

use super::{Outcome, check};
use crate::acpi;

/// A search of the tables for `\_S5` and the AML interpreter come to the same steps.
pub fn s5() -> Outcome {
    let (searched, evaluated) = acpi::power_off_both_ways().ok_or("there are no ACPI tables")?;
    check!(
        searched.is_possible(),
        "the search found no way to switch off"
    );
    check!(
        searched == evaluated,
        "the search says {searched:?}, the AML {evaluated:?}"
    );
    Ok(format!("{} steps", searched.steps().count()))
}
