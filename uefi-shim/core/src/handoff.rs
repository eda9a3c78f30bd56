//! The page that carries the machine from the firmware into the kernel.
//!
//! One page below 1 MiB holds the code that switches page tables (`uefi-shim/src/handoff.s`), the
//! GDT that the kernel starts with, and the parameters of both. This module knows the layout of
//! everything behind the code; the assembler file repeats the offsets and says so.

use crate::config::PagingLevels;
use crate::requests::put_word;

/// The size of the page.
pub const PAGE: usize = 4096;
/// Where the parameters begin in the page; the code ends before.
pub const PARAMETERS: usize = 0xc00;
/// How many bytes of the page the stack of the switch takes, at its end.
pub const STACK: usize = 0x100;

const GDT: usize = PARAMETERS + 0x80;

/// The descriptors that the protocol names, all marked as accessed so that no load writes to them.
const DESCRIPTORS: [u64; 7] = [
    0,
    // 16-bit code and data
    0x0000_9b00_0000_ffff,
    0x0000_9300_0000_ffff,
    // 32-bit code and data
    0x00cf_9b00_0000_ffff,
    0x00cf_9300_0000_ffff,
    // 64-bit code and data
    0x00af_9b00_0000_ffff,
    0x00cf_9300_0000_ffff,
];

/// What the code in the page needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// The physical address of the page.
    pub page: u64,
    /// The physical address of the top page table, below 4 GiB.
    pub root: u64,
    /// The base of the direct map.
    pub hhdm: u64,
    /// Where the kernel begins.
    pub entry: u64,
    /// The end of its stack, in the direct map.
    pub stack_top: u64,
    /// The levels of the page tables.
    pub levels: PagingLevels,
    /// Bits of CR4 that the firmware had set and that stay, beside those that are always set.
    pub keep_cr4: u64,
    /// Whether started processors switch to x2APIC mode.
    pub x2apic: crate::processors::ApicMode,
    /// The virtual address of the table of started processors.
    pub processors: u64,
    /// How many processors are in the table.
    pub processor_count: u64,
    /// What a started processor calls before it waits, by its identity-mapped address.
    pub on_start: u64,
    /// Offsets in the page of the 32-bit code of a started processor and of the 64-bit code.
    pub code: CodeOffsets,
}

/// Places in the code that are reached by far jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeOffsets {
    /// Where a started processor is in 32-bit mode for the first time.
    pub protected: u64,
    /// Where every processor is in 64-bit mode with the new page tables.
    pub long: u64,
}

/// CR0: PE, MP, ET, NE, WP, PG.
const CR0: u64 = 0x8001_0033;
/// CR4: PAE, OSFXSR, OSXMMEXCPT.
const CR4: u64 = 0x620;
/// CR4: debugging extensions and machine checks, which stay as the firmware set them.
pub const CR4_KEEP: u64 = 0x48;
const CR4_LA57: u64 = 1 << 12;

impl Parameters {
    /// Writes parameters and GDT behind the code.
    pub fn write(&self, page: &mut [u8; PAGE]) {
        let cr4 = CR4
            | (self.keep_cr4 & CR4_KEEP)
            | match self.levels {
                PagingLevels::Four => 0,
                PagingLevels::Five => CR4_LA57,
            };
        let x2apic = match self.x2apic {
            crate::processors::ApicMode::XApic => 0,
            crate::processors::ApicMode::X2Apic => 1,
        };
        let gdt = self.page.wrapping_add(GDT as u64);
        let limit = (DESCRIPTORS.len() as u64).wrapping_mul(8).wrapping_sub(1);
        let words = [
            self.root,
            self.hhdm,
            self.entry,
            self.stack_top,
            CR0,
            cr4,
            x2apic,
            self.processors,
            self.processor_count,
            self.on_start,
            // Two GDT registers: limit in the low 16 bits, base behind it.
            limit | gdt << 16,
            gdt >> 48,
            limit | gdt.wrapping_add(self.hhdm) << 16,
            gdt.wrapping_add(self.hhdm) >> 48,
            // Two far pointers: offset in the low 32 bits, selector behind it.
            (self.page.wrapping_add(self.code.protected) & 0xffff_ffff) | 0x18 << 32,
            (self.page.wrapping_add(self.code.long) & 0xffff_ffff) | 0x28 << 32,
        ];
        for (index, word) in words.iter().chain(&DESCRIPTORS).enumerate() {
            put_word(page, PARAMETERS.wrapping_add(index.wrapping_mul(8)), *word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CodeOffsets, GDT, PAGE, PARAMETERS, Parameters};
    use crate::config::PagingLevels;
    use crate::processors::ApicMode;
    use crate::requests::get_word;

    #[test]
    fn both_gdt_registers_point_to_the_gdt_behind_the_parameters() {
        let mut page = [0; PAGE];
        let parameters = Parameters {
            page: 0x9_f000,
            root: 0x1000,
            hhdm: 0xffff_8000_0000_0000,
            entry: 1,
            stack_top: 2,
            levels: PagingLevels::Five,
            keep_cr4: u64::MAX,
            x2apic: ApicMode::X2Apic,
            processors: 3,
            processor_count: 4,
            on_start: 5,
            code: CodeOffsets {
                protected: 0x100,
                long: 0x200,
            },
        };
        parameters.write(&mut page);
        let at = |index: usize| get_word(&page, PARAMETERS + index * 8).unwrap();
        let base = |index: usize| at(index) >> 16 | at(index + 1) << 48;
        assert_eq!(base(10), 0x9_f000 + GDT as u64);
        assert_eq!(base(12), 0xffff_8000_0009_f000 + GDT as u64);
        assert_eq!(at(10) & 0xffff, 55);
        assert_eq!(at(14), 0x18_0009_f100);
        assert_eq!(at(5), 0x1668);
        // 64-bit code descriptor: present, code, long.
        assert_eq!(get_word(&page, GDT + 0x28).unwrap() >> 40 & 0xffff, 0xaf9b);
    }
}
