//! What the firmware publishes: ACPI, SMBIOS, its system table, the clock.

use shim_core::clock::{DateTime, unix_seconds};
use uefi::table::cfg::ConfigTableEntry;
use uefi::{Guid, runtime, system, table};

/// The physical addresses of the tables.
pub struct Tables {
    /// The ACPI root pointer: that of version 2 if there is one.
    pub rsdp: Option<u64>,
    /// The 32-bit SMBIOS entry point.
    pub smbios_32: Option<u64>,
    /// The 64-bit SMBIOS entry point.
    pub smbios_64: Option<u64>,
    /// The EFI system table.
    pub system_table: u64,
}

impl Tables {
    /// Looks them up.
    pub fn find() -> Self {
        let get = |guid: Guid| {
            system::with_config_table(|entries| {
                entries
                    .iter()
                    .find(|entry| entry.guid == guid && !entry.address.is_null())
                    .map(|entry| entry.address as u64)
            })
        };
        Self {
            rsdp: get(ConfigTableEntry::ACPI2_GUID).or_else(|| get(ConfigTableEntry::ACPI_GUID)),
            smbios_32: get(ConfigTableEntry::SMBIOS_GUID),
            smbios_64: get(ConfigTableEntry::SMBIOS3_GUID),
            system_table: table::system_table_raw().map_or(0, |table| table.as_ptr() as u64),
        }
    }
}

/// Reads the clock.
pub fn date() -> Option<i64> {
    let time = runtime::get_time().ok()?;
    unix_seconds(DateTime {
        year: time.year(),
        month: time.month(),
        day: time.day(),
        hour: time.hour(),
        minute: time.minute(),
        second: time.second(),
        zone_minutes: time.time_zone(),
    })
}
