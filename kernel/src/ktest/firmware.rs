//! The firmware's tables, read in two ways.

use alloc::format;

use super::{Outcome, check};
use crate::acpi::{self, devices};

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

/// A panic of the AML interpreter ends the thread that runs it, and the search for devices goes on behind it.
pub fn panic_is_contained() -> Outcome {
    let begun = devices::begin_with(|| panic!("a test of what AML may do"));
    check!(begun.is_ok(), "no memory for the thread");
    let found = (0..).take_while(|index| devices::device(*index).is_ok());
    let found = found.count();
    check!(found > 1, "{found} devices were found");
    Ok(format!("{found} devices were found afterwards"))
}
