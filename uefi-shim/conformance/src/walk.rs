//! Walks the page tables that the loader made.

use crate::hardware::control;
use crate::requests::HHDM;

const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// A translation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The physical address.
    pub phys: u64,
    /// It may be written.
    pub write: bool,
    /// It may be executed.
    pub execute: bool,
    /// User mode may use it.
    pub user: bool,
    /// The index into the PAT.
    pub pat: u8,
}

/// The base of the direct map.
pub fn hhdm() -> u64 {
    HHDM.get_response()
        .map_or(0, limine::response::HhdmResponse::offset)
}

/// The number of levels.
pub fn levels() -> u32 {
    if control().2 & (1 << 12) != 0 { 5 } else { 4 }
}

/// Reads an entry of a table.
pub fn entry(table: u64, index: u64) -> u64 {
    // SAFETY: page tables are in loader memory, which every base revision maps in the direct map.
    unsafe { ((hhdm() + (table & ADDRESS) + index * 8) as *const u64).read_volatile() }
}

/// Translates an address.
pub fn translate(virt: u64) -> Option<Mapping> {
    let mut table = control().1;
    let (mut write, mut execute, mut user) = (true, true, true);
    for level in (0..levels()).rev() {
        let shift = 12 + 9 * level;
        let entry = entry(table, virt >> shift & 0x1ff);
        if entry & PRESENT == 0 {
            return None;
        }
        write &= entry & 2 != 0;
        user &= entry & 4 != 0;
        execute &= entry >> 63 == 0;
        let is_large = level > 0 && entry & LARGE != 0;
        if level == 0 || is_large {
            let pat = if level == 0 {
                entry >> 7 & 1
            } else {
                entry >> 12 & 1
            };
            let pat = pat << 2 | entry >> 3 & 3;
            let inside = (1 << shift) - 1;
            let phys = (entry & ADDRESS & !inside) | (virt & inside);
            return Some(Mapping {
                phys,
                write,
                execute,
                user,
                pat: pat as u8,
            });
        }
        table = entry;
    }
    None
}

/// The memory type of a PAT index: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB, 7 UC-.
pub fn memory_type(pat: u8) -> u64 {
    crate::hardware::rdmsr(0x277) >> (u32::from(pat) * 8) & 0xff
}

/// Tells whether all pages of a physical range are in the direct map as the protocol says:
/// readable, writable, executable, not for users, and of the given memory type.
pub fn is_mapped(base: u64, end: u64, memory_type_wanted: u64) -> bool {
    let mut at = base & !0xfff;
    while at < end {
        let good = translate(hhdm() + at).is_some_and(|map| {
            map.phys == at
                && map.write
                && map.execute
                && !map.user
                && memory_type(map.pat) == memory_type_wanted
        });
        if !good {
            return false;
        }
        at += 0x1000;
    }
    true
}

/// Tells whether any page of a physical range is in the direct map.
pub fn is_touched(base: u64, end: u64) -> bool {
    let mut at = base & !0xfff;
    while at < end {
        if translate(hhdm() + at).is_some() {
            return true;
        }
        at += 0x1000;
    }
    false
}
