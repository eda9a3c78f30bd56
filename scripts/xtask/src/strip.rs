//! Cuts an ELF file down to what a boot loader reads, or to that and the names of its functions.
//!
//! Section headers, symbols and debug information all lie after the last loaded byte; [`strip`] ends the copy
//! there, and its header says that there are no sections. [`strip_debug`] puts the symbols and the headers of the sections that are
//! loaded behind that again. The full file stays in `target/`.

use std::collections::BTreeMap;

use object::elf::{self, FileHeader64, PT_LOAD};
use object::endian::LittleEndian;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

use crate::error::{Error, Result};

/// Where `e_shoff` lies in an ELF64 header, and where `e_shnum` and `e_shstrndx` do (ELF-64
/// object file format 1.5, figure 2).
const E_SHOFF: std::ops::Range<usize> = 0x28..0x30;
const E_SHNUM_SHSTRNDX: std::ops::Range<usize> = 0x3c..0x40;

/// A copy of the ELF64 file `data` without its sections. `name` is for messages.
pub fn strip(name: &str, data: &[u8]) -> Result<Vec<u8>> {
    let bad = |reason: String| Error::Input(format!("{name} is no usable ELF64 file: {reason}"));
    let header = FileHeader64::<LittleEndian>::parse(data).map_err(|e| bad(e.to_string()))?;
    let endian = header.endian().map_err(|e| bad(e.to_string()))?;
    let segments = header
        .program_headers(endian, data)
        .map_err(|e| bad(e.to_string()))?;

    let table_end = header
        .e_phoff(endian)
        .checked_add(std::mem::size_of_val(segments) as u64)
        .ok_or_else(|| bad("the program header table overflows".into()))?;
    let mut end = table_end;
    let mut loads = 0_u32;
    for segment in segments {
        let (offset, size) = segment.file_range(endian);
        let segment_end = offset
            .checked_add(size)
            .ok_or_else(|| bad("a segment overflows".into()))?;
        end = end.max(segment_end);
        loads += u32::from(segment.p_type(endian) == PT_LOAD);
    }
    if loads == 0 {
        return Err(bad(
            "it has nothing to load; did its linker script apply?".into()
        ));
    }
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    let mut copy = data
        .get(..end)
        .ok_or_else(|| bad("a segment lies outside of the file".into()))?
        .to_vec();
    for range in [E_SHOFF, E_SHNUM_SHSTRNDX] {
        copy.get_mut(range)
            .ok_or_else(|| bad("its header is cut off".into()))?
            .fill(0);
    }
    Ok(copy)
}

/// Sizes of a section header and of a symbol, and where in them lies what is changed (ELF-64 object file format 1.5, figures 3
/// and 6).
const SECTION_SIZE: usize = 64;
/// See [`SECTION_SIZE`].
const SYMBOL_SIZE: usize = 24;
/// See [`SECTION_SIZE`].
const SH_OFFSET: usize = 0x18;
/// See [`SECTION_SIZE`].
const SH_LINK: usize = 0x28;
/// See [`SECTION_SIZE`].
const ST_SHNDX: usize = 6;

/// A copy of the ELF64 file `data` with its symbol table, and without debug information. `name` is for messages.
///
/// A file without sections or without symbols comes back as from [`strip`].
pub fn strip_debug(name: &str, data: &[u8]) -> Result<Vec<u8>> {
    let loaded = strip(name, data)?;
    with_symbols(data, &loaded)
        .ok_or_else(|| {
            Error::Input(format!(
                "{name} is no usable ELF64 file: its section headers or its symbols are damaged"
            ))
        })
        .map(|copy| copy.unwrap_or(loaded))
}

/// `loaded` and what belongs to the symbols of `data`; `Some(None)` when there are none, `None` when the file is damaged.
fn with_symbols(data: &[u8], loaded: &[u8]) -> Option<Option<Vec<u8>>> {
    let endian = LittleEndian;
    let header = FileHeader64::<LittleEndian>::parse(data).ok()?;
    let sections = header.section_headers(endian, data).ok()?;
    let names_index = usize::from(header.e_shstrndx(endian).0);
    let Some(symbols_index) = sections
        .iter()
        .position(|section| section.sh_type(endian) == elf::SHT_SYMTAB)
    else {
        return Some(None);
    };
    let strings_index = usize::try_from(sections.get(symbols_index)?.sh_link(endian)).ok()?;

    let is_loaded = |section: &elf::SectionHeader64<LittleEndian>| {
        let flags = section.sh_flags(endian);
        let end = match section.file_range(endian) {
            Some((offset, size)) => offset.checked_add(size),
            None => Some(0),
        };
        flags.0 & elf::SHF_ALLOC.0 != 0 && end.is_some_and(|end| end <= loaded.len() as u64)
    };
    let moved = [symbols_index, strings_index, names_index];
    // The new number of each section that stays.
    let mut places = BTreeMap::new();
    for (index, section) in sections.iter().enumerate() {
        if index == 0 || is_loaded(section) || moved.contains(&index) {
            places.insert(index, u16::try_from(places.len()).ok()?);
        }
    }

    let mut copy = loaded.to_vec();
    let mut table = Vec::new();
    let table_start = usize::try_from(header.e_shoff(endian)).ok()?;
    for &index in places.keys() {
        let at = table_start.checked_add(index.checked_mul(SECTION_SIZE)?)?;
        let mut entry = data.get(at..at.checked_add(SECTION_SIZE)?)?.to_vec();
        let section = sections.get(index)?;
        if moved.contains(&index) {
            let mut bytes = section.data(endian, data).ok()?.to_vec();
            if index == symbols_index {
                renumber(&mut bytes, &places)?;
            }
            copy.resize(copy.len().next_multiple_of(8), 0);
            put(&mut entry, SH_OFFSET, &(copy.len() as u64).to_le_bytes())?;
            copy.extend_from_slice(&bytes);
        }
        let link = usize::try_from(section.sh_link(endian)).ok()?;
        let link = places.get(&link).copied().map_or(0, u32::from);
        put(&mut entry, SH_LINK, &link.to_le_bytes())?;
        table.extend_from_slice(&entry);
    }
    copy.resize(copy.len().next_multiple_of(8), 0);
    let table_start = copy.len() as u64;
    copy.extend_from_slice(&table);
    put(&mut copy, E_SHOFF.start, &table_start.to_le_bytes())?;
    let count = u16::try_from(places.len()).ok()?;
    put(&mut copy, E_SHNUM_SHSTRNDX.start, &count.to_le_bytes())?;
    let names = places.get(&names_index)?;
    put(&mut copy, E_SHNUM_SHSTRNDX.start + 2, &names.to_le_bytes())?;
    Some(Some(copy))
}

/// Gives the symbols of a table the new numbers of their sections. Those of sections that went have none: their values are no
/// addresses.
fn renumber(symbols: &mut [u8], places: &BTreeMap<usize, u16>) -> Option<()> {
    for symbol in symbols.chunks_exact_mut(SYMBOL_SIZE) {
        let place = symbol.get_mut(ST_SHNDX..ST_SHNDX + 2)?;
        let index = u16::from_le_bytes([*place.first()?, *place.get(1)?]);
        if index == elf::SHN_UNDEF.0 || index >= elf::SHN_LORESERVE {
            continue;
        }
        let new = places.get(&usize::from(index)).copied();
        place.copy_from_slice(&new.unwrap_or(elf::SHN_ABS.0).to_le_bytes());
    }
    Some(())
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes
        .get_mut(at..at.checked_add(value.len())?)?
        .copy_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{strip, strip_debug};
    use object::elf::FileHeader64;
    use object::endian::LittleEndian;
    use object::read::elf::{FileHeader, ProgramHeader};
    use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    /// An ELF64 file with one loaded segment of `size` bytes at 0x1000 and `tail` after it.
    fn elf(size: usize, tail: &[u8]) -> Vec<u8> {
        let mut file = vec![0_u8; 0x1000 + size];
        file[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        file[0x10..0x14].copy_from_slice(&[2, 0, 62, 0]);
        file[0x14] = 1;
        file[0x20] = 64;
        let sections = file.len() as u64;
        file[0x28..0x30].copy_from_slice(&sections.to_le_bytes());
        file[0x34..0x40].copy_from_slice(&[64, 0, 56, 0, 1, 0, 64, 0, 3, 0, 2, 0]);
        file[64] = 1;
        file[72..80].copy_from_slice(&0x1000_u64.to_le_bytes());
        file[96..104].copy_from_slice(&(size as u64).to_le_bytes());
        for (i, byte) in file[0x1000..].iter_mut().enumerate() {
            *byte = i as u8;
        }
        file.extend_from_slice(tail);
        file
    }

    /// The test binary itself is an ELF file with symbols and debug information.
    #[test]
    fn symbols_stay_and_debug_information_goes() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let copy = strip_debug("test", &file).unwrap();
        let (before, after) = (
            object::File::parse(&*file).unwrap(),
            object::File::parse(&*copy).unwrap(),
        );
        let names = |file: &object::File<'_>| -> Vec<(String, u64, u64)> {
            file.symbols()
                .filter(|symbol| symbol.kind() == SymbolKind::Text)
                .map(|symbol| {
                    let section = symbol.section_index();
                    let section = section.map(|index| file.section_by_index(index).unwrap());
                    let section = section
                        .as_ref()
                        .map_or("", |section| section.name().unwrap());
                    let name = format!("{section} {}", symbol.name().unwrap());
                    (name, symbol.address(), symbol.size())
                })
                .collect()
        };
        assert!(!names(&before).is_empty());
        assert_eq!(names(&before), names(&after));
        assert!(before.section_by_name(".debug_info").is_some());
        assert!(after.section_by_name(".debug_info").is_none());
        let text = |file: &object::File<'_>| {
            let section = file.section_by_name(".text").unwrap();
            section.data().unwrap().to_vec()
        };
        assert!(text(&before) == text(&after));
        assert!(copy.len() < file.len());
    }

    #[test]
    fn a_damaged_file_with_sections_never_panics() {
        let mut file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for at in 0x10..64 {
            for value in [0, 1, 0x7f, 0xff] {
                let before = std::mem::replace(&mut file[at], value);
                let _ = strip_debug("test", &file);
                file[at] = before;
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_loaded_stays_and_the_tail_goes(
            size in 1_usize..5000, tail in prop::collection::vec(any::<u8>(), 0..3000)
        ) {
            let file = elf(size, &tail);
            let copy = strip("test", &file).unwrap();
            prop_assert_eq!(copy.len(), 0x1000 + size);
            let header = FileHeader64::<LittleEndian>::parse(&*copy).unwrap();
            prop_assert_eq!(header.e_shnum(LittleEndian), 0);
            let segment = &header.program_headers(LittleEndian, &*copy).unwrap()[0];
            prop_assert_eq!(
                segment.data(LittleEndian, &*copy).unwrap(),
                &file[0x1000..0x1000 + size]
            );
        }

        #[test]
        fn bytes_from_anywhere_never_panic(data in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = strip("test", &data);
            let _ = strip_debug("test", &data);
        }


        #[test]
        fn a_damaged_file_never_panics(at in 0_usize..0x1000, value in any::<u8>()) {
            let mut file = elf(100, &[]);
            file[at] = value;
            let _ = strip("test", &file);
        }
    }
}
