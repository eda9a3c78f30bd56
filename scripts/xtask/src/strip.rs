//! Cuts an ELF file down to what a boot loader reads.
//!
//! Section headers, symbols and debug information all lie after the last loaded byte; the copy
//! ends there, and its header says that there are no sections. The full file stays in `target/`.

use object::elf::{FileHeader64, PT_LOAD};
use object::endian::LittleEndian;
use object::read::elf::{FileHeader, ProgramHeader};

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

#[cfg(test)]
mod tests {
    use super::strip;
    use object::elf::FileHeader64;
    use object::endian::LittleEndian;
    use object::read::elf::{FileHeader, ProgramHeader};
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
        }

        #[test]
        fn a_damaged_file_never_panics(at in 0_usize..0x1000, value in any::<u8>()) {
            let mut file = elf(100, &[]);
            file[at] = value;
            let _ = strip("test", &file);
        }
    }
}
