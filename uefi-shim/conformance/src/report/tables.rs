//! The tables of the firmware.

use super::{conf, note, yes};
use crate::requests::{EFI_SYSTEM_TABLE, REVISION, RSDP, SMBIOS};
use crate::walk::{hhdm, translate};

/// Prints them.
pub fn report() {
    match RSDP.get_response() {
        Some(response) => table(
            "RSDP",
            response.revision(),
            response.address() as u64,
            b"RSD PTR ",
        ),
        None => conf!("RSDP: none"),
    }
    match SMBIOS.get_response() {
        Some(response) => {
            for (name, address, anchor) in [
                ("SMBIOS 32", response.entry_32(), &b"_SM_"[..]),
                ("SMBIOS 64", response.entry_64(), &b"_SM3_"[..]),
            ] {
                match address {
                    Some(address) => table(name, response.revision(), address.get() as u64, anchor),
                    None => conf!("{name}: none"),
                }
            }
        }
        None => conf!("SMBIOS: none"),
    }
    match EFI_SYSTEM_TABLE.get_response() {
        Some(response) => table(
            "EFI system table",
            response.revision(),
            response.address() as u64,
            b"IBI SYST",
        ),
        None => conf!("EFI system table: none"),
    }
}

/// Base revision 3 gives physical addresses, of memory that may be missing from the direct map.
fn table(name: &str, revision: u64, address: u64, anchor: &[u8]) {
    let is_virtual = address >= hhdm();
    let phys = if is_virtual {
        address - hhdm()
    } else {
        address
    };
    if REVISION <= 2 {
        conf!(
            "{name}: revision {revision}, in the direct map {}, physical {phys:#x}",
            yes(is_virtual)
        );
    } else {
        note!(
            "{name}: revision {revision}, in the direct map {}, physical {phys:#x}",
            yes(is_virtual)
        );
    }
    if translate(hhdm() + phys).is_none() {
        note!("{name}: not mapped");
        return;
    }
    // SAFETY: the first page is mapped, and tables of the firmware are at least this long.
    let begin = unsafe { core::slice::from_raw_parts((hhdm() + phys) as *const u8, anchor.len()) };
    if REVISION <= 2 {
        conf!("{name}: begins as it must {}", yes(begin == anchor));
    } else {
        note!("{name}: begins as it must {}", yes(begin == anchor));
    }
}
