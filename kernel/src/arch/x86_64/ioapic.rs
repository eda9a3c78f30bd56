//! The I/O APICs: every line masked until a driver asks for it (Intel 82093AA data sheet, section 3).

use kaddr::PhysAddr;

use crate::mm::{self, MapError};

const REGISTER_SELECT: u64 = 0x00;
const WINDOW: u64 = 0x10;
const VERSION: u32 = 0x01;
const REDIRECTION: u32 = 0x10;
const MASKED: u32 = 1 << 16;

/// One I/O APIC that was found and silenced.
#[derive(Clone, Copy, Debug)]
pub struct IoApic {
    /// First global system interrupt that it serves.
    pub gsi_base: u32,
    /// How many lines it has.
    pub lines: u32,
}

/// Maps the I/O APIC at `address`, reads how many lines it has and masks them all.
///
/// # Errors
/// When its registers cannot be mapped.
#[unsafe(link_section = ".init.text")]
pub fn init(address: PhysAddr, gsi_base: u32) -> Result<IoApic, MapError> {
    let registers = mm::map_device(address, 0x20)?.as_u64();
    let select = |register: u32| {
        // SAFETY: the select register of the I/O APIC that was mapped just now (invariant 8).
        unsafe { ((registers + REGISTER_SELECT) as *mut u32).write_volatile(register) }
    };
    let window = (registers + WINDOW) as *mut u32;
    select(VERSION);
    // SAFETY: the data window of the same device.
    let lines = (unsafe { window.read_volatile() } >> 16 & 0xff) + 1;
    for line in 0..lines {
        select(REDIRECTION + 2 * line);
        // SAFETY: as above.
        unsafe { window.write_volatile(MASKED) };
    }
    Ok(IoApic { gsi_base, lines })
}
