use super::{HIGHER_HALF, ImagePlan, Kaslr, PAGE};
use crate::error::ImageFault;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

/// A program header to be: virtual address, bytes, size in memory, flags.
type Load<'a> = (u64, &'a [u8], u64, u32);

/// Writes an ELF file; `dynamic` are the words of a dynamic section in the first segment.
fn elf(kind: u16, entry: u64, loads: &[Load<'_>], dynamic: Option<(u64, u64)>) -> Vec<u8> {
    let count = loads.len() + usize::from(dynamic.is_some());
    let mut file = vec![0; 64 + 56 * count];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let put = |file: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        file[at..at + bytes.len()].copy_from_slice(bytes)
    };
    put(&mut file, 16, &kind.to_le_bytes());
    put(&mut file, 18, &62_u16.to_le_bytes());
    put(&mut file, 20, &1_u32.to_le_bytes());
    put(&mut file, 24, &entry.to_le_bytes());
    put(&mut file, 32, &64_u64.to_le_bytes());
    put(&mut file, 52, &64_u16.to_le_bytes());
    put(&mut file, 54, &56_u16.to_le_bytes());
    put(&mut file, 56, &u16::try_from(count).unwrap().to_le_bytes());
    let mut offsets = Vec::new();
    for (index, (virt, bytes, size, flags)) in loads.iter().enumerate() {
        let offset = file.len().next_multiple_of(4096) + usize::try_from(virt % 4096).unwrap();
        file.resize(offset, 0);
        file.extend(*bytes);
        offsets.push(offset as u64);
        let header = 64 + 56 * index;
        put(&mut file, header, &1_u32.to_le_bytes());
        put(&mut file, header + 4, &flags.to_le_bytes());
        for (field, value) in [offset as u64, *virt, *virt, bytes.len() as u64, *size, 4096]
            .iter()
            .enumerate()
        {
            put(&mut file, header + 8 + 8 * field, &value.to_le_bytes());
        }
    }
    if let Some((at, size)) = dynamic {
        let header = 64 + 56 * loads.len();
        put(&mut file, header, &2_u32.to_le_bytes());
        for (field, value) in [offsets[0] + at, loads[0].0 + at, 0, size, size, 8]
            .iter()
            .enumerate()
        {
            put(&mut file, header + 8 + 8 * field, &value.to_le_bytes());
        }
    }
    file
}

proptest! {
    #[test]
    fn a_static_kernel_is_loaded_as_its_file_says(
        parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..9000), 0_u64..9000, 0_u64..3, 0_u32..8), 1..5),
        first in 0_u64..1000,
    ) {
        let mut virt = HIGHER_HALF + first * PAGE;
        let loads: Vec<Load<'_>> = parts.iter().map(|(bytes, zeros, gap, flags)| {
            let size = bytes.len() as u64 + zeros;
            let load = (virt, bytes.as_slice(), size, *flags);
            virt = (virt + size).next_multiple_of(PAGE) + gap * PAGE;
            load
        }).collect();
        let real: Vec<&Load<'_>> = loads.iter().filter(|load| load.2 > 0).collect();
        let file = elf(2, HIGHER_HALF, &loads, None);
        let plan = ImagePlan::new(&file, Kaslr::Random(77));
        let Some(lowest) = real.first() else {
            prop_assert!(plan.is_err());
            return Ok(());
        };
        let plan = plan.unwrap();
        prop_assert_eq!(plan.virtual_base, lowest.0);
        prop_assert_eq!(plan.segments.len(), real.len());
        prop_assert_eq!(plan.offset, plan.virtual_base % plan.align);
        let mut memory = vec![0xcc; usize::try_from(plan.size).unwrap()];
        plan.load(&mut memory).unwrap();
        for (load, segment) in real.iter().zip(&plan.segments) {
            let start = usize::try_from(load.0 - plan.virtual_base).unwrap();
            let end = start + usize::try_from(load.2).unwrap();
            prop_assert_eq!(&memory[start..start + load.1.len()], load.1);
            prop_assert!(memory[start + load.1.len()..end].iter().all(|byte| *byte == 0));
            prop_assert!(segment.offset as usize <= start && (segment.offset + segment.size) as usize >= end);
            prop_assert_eq!(segment.flags.write, load.3 & 2 != 0);
        }
        for pair in plan.segments.windows(2) {
            prop_assert!(pair[0].offset + pair[0].size <= pair[1].offset);
        }
    }

    #[test]
    fn a_relocatable_kernel_is_moved_whole(
        random in prop::option::of(any::<u64>()),
        zeros in 0_u64..0x40_0000,
        addend in 0_u64..0x1000,
    ) {
        // Dynamic section at 0, one relocation at 0x40, its target at 0x80.
        let words = [7_u64, 0x40, 8, 24, 9, 24, 0, 0, 0x80, 8, addend, 0];
        let mut bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        bytes.resize(0x100, 0);
        let file = elf(3, 0x20, &[(0, &bytes, 0x100 + zeros, 7)], Some((0, 64)));
        let kaslr = random.map_or(Kaslr::Off, Kaslr::Random);
        let plan = ImagePlan::new(&file, kaslr).unwrap();
        prop_assert!(plan.virtual_base >= HIGHER_HALF);
        prop_assert!(plan.virtual_base.checked_add(plan.size).is_some());
        prop_assert_eq!(plan.virtual_base % PAGE, 0);
        if random.is_none() {
            prop_assert_eq!(plan.virtual_base, HIGHER_HALF);
        }
        prop_assert_eq!(plan.entry, plan.virtual_base + 0x20);
        let mut memory = vec![0xcc; usize::try_from(plan.size).unwrap()];
        plan.load(&mut memory).unwrap();
        let value = u64::from_le_bytes(memory[0x80..0x88].try_into().unwrap());
        prop_assert_eq!(value, plan.virtual_base + addend);
    }

    #[test]
    fn any_bytes_do(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(ImagePlan::new(&bytes, Kaslr::Off).is_err());
    }

    #[test]
    fn a_damaged_kernel_is_refused_or_loaded_but_never_a_panic(
        damage in prop::collection::vec((0_usize..240, any::<u8>()), 1..6),
        random: u64,
    ) {
        let mut file = elf(2, HIGHER_HALF, &[(HIGHER_HALF, b"text", 0x2000, 5), (HIGHER_HALF + 0x3000, b"data", 0x800, 6)], None);
        for (at, byte) in damage {
            file[at] = byte;
        }
        if let Ok(plan) = ImagePlan::new(&file, Kaslr::Random(random))
            && plan.size < 1 << 24
        {
            let mut memory = vec![0; usize::try_from(plan.size).unwrap()];
            plan.load(&mut memory).unwrap();
            for range in plan.file_backed() {
                prop_assert!(range.end <= memory.len());
            }
        }
    }
}

#[test]
fn a_kernel_in_the_lower_half_is_refused() {
    let file = elf(2, 0x40_0000, &[(0x40_0000, b"x", 1, 5)], None);
    assert_eq!(
        ImagePlan::new(&file, Kaslr::Off).err(),
        Some(ImageFault::LowerHalf { address: 0x40_0000 })
    );
}

#[test]
fn a_page_with_two_permissions_is_refused() {
    let file = elf(
        2,
        HIGHER_HALF,
        &[(HIGHER_HALF, b"x", 1, 5), (HIGHER_HALF + 0x800, b"y", 1, 6)],
        None,
    );
    assert_eq!(
        ImagePlan::new(&file, Kaslr::Off).err(),
        Some(ImageFault::SharedPage {
            address: HIGHER_HALF + 0x800
        })
    );
}

#[test]
fn an_image_of_two_gibibytes_is_too_large() {
    let file = elf(3, 0, &[(0, b"x", 0x8000_0000, 5)], None);
    assert_eq!(
        ImagePlan::new(&file, Kaslr::Off).err(),
        Some(ImageFault::TooLarge)
    );
}
