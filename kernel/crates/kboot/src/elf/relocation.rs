//! The relocations of a static PIE: found by the dynamic table, checked, then iterated.

use super::{ElfError, Image};
use elf::abi;
use elf::dynamic::DynamicTable;
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::relocation::RelaIterator;

/// Size of `Elf64_Rela`.
const RELA_SIZE: u64 = 24;
/// Packed relative relocations; the `elf` crate has no name for it.
const DT_RELR: i64 = 36;

/// Write `bias + addend` (8 bytes, little-endian) at `bias + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Where to write, before the load bias; all 8 bytes are inside of one segment.
    pub offset: u64,
    /// What to write, before the load bias.
    pub addend: i64,
}

/// Iterator over the relocations of an image.
pub struct Relocations<'a> {
    table: RelaIterator<'a, LittleEndian>,
}

impl<'a> Relocations<'a> {
    pub(super) fn new(table: &'a [u8]) -> Self {
        Self {
            table: RelaIterator::new(LittleEndian, Class::ELF64, table),
        }
    }
}

impl Iterator for Relocations<'_> {
    type Item = Relocation;

    fn next(&mut self) -> Option<Relocation> {
        self.table
            .find(|entry| entry.r_type == abi::R_X86_64_RELATIVE)
            .map(|entry| Relocation {
                offset: entry.r_offset,
                addend: entry.r_addend,
            })
    }
}

/// The checked bytes of the relocation table that the dynamic table names; empty when there is none.
pub(super) fn find_table<'a>(image: &Image<'a>, dynamic: &'a [u8]) -> Result<&'a [u8], ElfError> {
    let mut address = None;
    let mut size = 0;
    let mut plt_size = 0;
    for entry in DynamicTable::new(LittleEndian, Class::ELF64, dynamic).iter() {
        match entry.d_tag {
            abi::DT_NULL => break,
            abi::DT_NEEDED => return Err(ElfError::NeedsLibraries),
            abi::DT_RELA => address = Some(entry.d_ptr()),
            abi::DT_RELASZ => size = entry.d_val(),
            abi::DT_RELAENT if entry.d_val() != RELA_SIZE => {
                return Err(ElfError::BadRelocationTable);
            }
            abi::DT_PLTRELSZ => plt_size = entry.d_val(),
            abi::DT_REL => return Err(ElfError::UnsupportedDynamic { tag: "DT_REL" }),
            DT_RELR => return Err(ElfError::UnsupportedDynamic { tag: "DT_RELR" }),
            _ => {}
        }
    }
    if plt_size != 0 {
        return Err(ElfError::UnsupportedDynamic { tag: "DT_JMPREL" });
    }
    let table = match address {
        Some(address) if size != 0 => {
            if !size.is_multiple_of(RELA_SIZE) {
                return Err(ElfError::BadRelocationTable);
            }
            image
                .loaded_bytes(address, size)
                .ok_or(ElfError::BadRelocationTable)?
        }
        None if size != 0 => return Err(ElfError::BadRelocationTable),
        _ => &[],
    };
    for entry in RelaIterator::new(LittleEndian, Class::ELF64, table) {
        match entry.r_type {
            abi::R_X86_64_NONE => {}
            abi::R_X86_64_RELATIVE => check_target(image, entry.r_offset)?,
            kind => return Err(ElfError::UnsupportedRelocation { kind }),
        }
    }
    Ok(table)
}

/// All 8 bytes at `offset` must be inside of one segment.
fn check_target(image: &Image<'_>, offset: u64) -> Result<(), ElfError> {
    let inside = offset.checked_add(8).is_some_and(|end| {
        image.segments().any(|segment| {
            let range = segment.range();
            range.start <= offset && end <= range.end
        })
    });
    if inside {
        Ok(())
    } else {
        Err(ElfError::RelocationOutside { offset })
    }
}
