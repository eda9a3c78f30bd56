//! ELF images built by hand: what a loader may rely on, and what is refused.

use kboot::elf::{ElfError, Image, Placement, ProgramHeaders, Relocation};
use proptest::prelude::*;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_TLS: u32 = 7;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PT_GNU_RELRO: u32 = 0x6474_e552;

/// One program header: type, flags, offset, virt, filesz, memsz, align.
type Header = (u32, u32, u64, u64, u64, u64, u64);

fn build(kind: u16, entry: u64, headers: &[Header], size: usize) -> Vec<u8> {
    let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    out.extend(kind.to_le_bytes());
    out.extend(62u16.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(entry.to_le_bytes());
    out.extend(64u64.to_le_bytes());
    out.extend(0u64.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    for half in [64u16, 56, headers.len() as u16, 64, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    for &(kind, flags, offset, virt, filesz, memsz, align) in headers {
        out.extend(kind.to_le_bytes());
        out.extend(flags.to_le_bytes());
        for word in [offset, virt, virt, filesz, memsz, align] {
            out.extend(word.to_le_bytes());
        }
    }
    let used = out.len();
    out.extend((used..size).map(|at| at as u8));
    out
}

fn put(bytes: &mut [u8], offset: usize, words: &[u64]) {
    for (index, word) in words.iter().enumerate() {
        bytes[offset + index * 8..offset + index * 8 + 8].copy_from_slice(&word.to_le_bytes());
    }
}

/// A PIE with a dynamic table at 0x1000 and two relocations at 0x1100.
fn pie(relocations: &[(u64, u64, u64)], extra: &[(u64, u64)]) -> Vec<u8> {
    let headers = [
        (PT_LOAD, 5, 0, 0, 0x1000, 0x1000, 0x1000),
        (PT_LOAD, 6, 0x1000, 0x1000, 0x800, 0x2000, 0x1000),
        (PT_DYNAMIC, 6, 0x1000, 0x1000, 0x100, 0x100, 8),
    ];
    let mut bytes = build(3, 0x100, &headers, 0x1800);
    let mut words = vec![7, 0x1100, 8, relocations.len() as u64 * 24, 9, 24];
    for &(tag, value) in extra {
        words.extend([tag, value]);
    }
    words.extend([0, 0]);
    put(&mut bytes, 0x1000, &words);
    for (index, &(offset, info, addend)) in relocations.iter().enumerate() {
        put(&mut bytes, 0x1100 + index * 24, &[offset, info, addend]);
    }
    bytes
}

#[test]
fn a_static_kernel_is_handed_out_as_it_is() {
    const BASE: u64 = 0xffff_ffff_8000_0000;
    let bytes = build(
        2,
        BASE + 0x10,
        &[
            (PT_LOAD, 5, 0x1000, BASE, 0x400, 0x400, 0x1000),
            (PT_LOAD, 6, 0x2000, BASE + 0x1000, 0x10, 0x5000, 0x1000),
            (PT_LOAD, 6, 0, BASE + 0x9000, 0, 0, 0x1000),
            (PT_GNU_STACK, 6, 0, 0, 0, 0, 0),
        ],
        0x2010,
    );
    let image = Image::parse(&bytes).unwrap();
    assert_eq!(image.checked_entry(), Ok(BASE + 0x10));
    assert_eq!(image.placement(), Placement::Fixed);
    assert_eq!(image.span(), BASE..BASE + 0x6000);
    assert_eq!(image.align(), 0x1000);
    assert_eq!(image.relocations().count(), 0);
    let segments: Vec<_> = image.segments().collect();
    assert_eq!(segments.len(), 2, "a segment without memory is left out");
    assert_eq!(segments[0].file, &bytes[0x1000..0x1400]);
    assert!(segments[0].flags.execute && !segments[0].flags.write);
    assert_eq!(
        (segments[1].file.len(), segments[1].mem_size),
        (0x10, 0x5000)
    );
    let stack = image.gnu_stack().unwrap();
    assert!(stack.write && !stack.execute);
    assert!(image.shared_page(4096).is_none());
    assert!(image.shared_page(0x2000).is_some());
}

#[test]
fn the_relocations_of_a_static_pie_are_found() {
    let bytes = pie(&[(0x1800, 8, 0x40), (0, 0, 0), (0x2ff8, 8, u64::MAX)], &[]);
    let image = Image::parse(&bytes).unwrap();
    assert_eq!(image.placement(), Placement::Relocatable);
    let found: Vec<_> = image.relocations().collect();
    assert_eq!(
        found,
        [
            Relocation {
                offset: 0x1800,
                addend: 0x40
            },
            Relocation {
                offset: 0x2ff8,
                addend: -1
            }
        ]
    );
}

#[test]
fn a_program_finds_its_headers_and_what_its_threads_get() {
    let headers = [
        (PT_LOAD, 4, 0, 0x20_0000, 0x400, 0x400, 0x1000),
        (PT_LOAD, 6, 0x1000, 0x20_1000, 0x400, 0x800, 0x1000),
        (PT_TLS, 4, 0x1010, 0x20_1010, 0x20, 0x48, 16),
        (PT_GNU_RELRO, 4, 0x1000, 0x20_1000, 0x400, 0x1000, 1),
    ];
    let bytes = build(2, 0, &headers, 0x2000);
    let image = Image::parse(&bytes).unwrap();
    let tls = image.tls().unwrap();
    assert_eq!((tls.virt, tls.mem_size, tls.align), (0x20_1010, 0x48, 16));
    assert_eq!(tls.file, &bytes[0x1010..0x1030]);
    assert_eq!(image.relro(), Some(0x20_1000..0x20_2000));
    let found = ProgramHeaders {
        virt: 0x20_0040,
        entry_size: 56,
        count: 4,
    };
    assert_eq!(image.program_headers(), Some(found));

    let without = [(PT_LOAD, 6, 0x1000, 0x20_1000, 0x400, 0x800, 0x1000)];
    let bytes = build(2, 0, &without, 0x2000);
    let image = Image::parse(&bytes).unwrap();
    assert_eq!(image.program_headers(), None);
    assert_eq!((image.tls(), image.relro()), (None, None));
}

#[test]
fn templates_of_thread_local_storage_are_checked() {
    let refuse = |tls: &[Header]| {
        let load = (PT_LOAD, 6, 0x1000, 0x20_1000, 0x400, 0x800, 0x1000);
        let headers = [&[load], tls].concat();
        let bytes = build(2, 0, &headers, 0x2000);
        Image::parse(&bytes).map(|_| ())
    };
    let good = (PT_TLS, 4, 0x1010, 0x20_1010, 0x20, 0x48, 16);
    assert_eq!(refuse(&[good]), Ok(()));
    for bad in [
        (PT_TLS, 4, 0x1010, 0x20_1010, 0x49, 0x48, 16),
        (PT_TLS, 4, 0x1010, 0x20_1010, 0x20, 0x48, 3),
        (PT_TLS, 4, 0x1010, 0x20_13f0, 0x20, 0x48, 16),
        (PT_TLS, 4, 0x1010, u64::MAX, 0x20, 0x48, 16),
    ] {
        assert_eq!(refuse(&[bad]), Err(ElfError::BadTls));
    }
    assert_eq!(refuse(&[good, good]), Err(ElfError::BadTls));
}

#[test]
fn what_a_static_loader_cannot_do_is_refused_by_name() {
    let refuse = |bytes: &[u8]| Image::parse(bytes).map(|_| ()).unwrap_err();
    assert_eq!(
        refuse(&pie(&[(0x2ff9, 8, 0)], &[])),
        ElfError::RelocationOutside { offset: 0x2ff9 }
    );
    assert_eq!(
        refuse(&pie(&[(u64::MAX, 8, 0)], &[])),
        ElfError::RelocationOutside { offset: u64::MAX }
    );
    assert_eq!(
        refuse(&pie(&[(0x1800, 37, 0)], &[])),
        ElfError::UnsupportedRelocation { kind: 37 }
    );
    assert_eq!(refuse(&pie(&[], &[(1, 5)])), ElfError::NeedsLibraries);
    assert_eq!(
        refuse(&pie(&[], &[(36, 0x1000)])),
        ElfError::UnsupportedDynamic { tag: "DT_RELR" }
    );
    assert_eq!(
        refuse(&pie(&[], &[(2, 24)])),
        ElfError::UnsupportedDynamic { tag: "DT_JMPREL" }
    );
    assert_eq!(refuse(&pie(&[], &[(8, 23)])), ElfError::BadRelocationTable);
    assert_eq!(
        refuse(&pie(&[], &[(8, 24), (7, 0x1900)])),
        ElfError::BadRelocationTable
    );

    let load = (PT_LOAD, 5, 0, 0x1000, 0x100, 0x100, 0x1000);
    let one = |header: Header| refuse(&build(2, 0, &[header], 0x1000));
    let with_interpreter = build(3, 0, &[load, (PT_INTERP, 4, 0, 0, 1, 1, 1)], 0x1000);
    assert_eq!(refuse(&with_interpreter), ElfError::NeedsInterpreter);
    assert_eq!(one((PT_GNU_STACK, 6, 0, 0, 0, 0, 0)), ElfError::NoSegments);
    assert_eq!(
        one((PT_LOAD, 5, 0, 0, 0x1001, 0x2000, 1)),
        ElfError::SegmentOutsideFile { index: 0 }
    );
    assert_eq!(
        one((PT_LOAD, 5, u64::MAX, 0, 2, 2, 1)),
        ElfError::SegmentOutsideFile { index: 0 }
    );
    assert_eq!(
        one((PT_LOAD, 5, 0, 0, 2, 1, 1)),
        ElfError::SegmentLargerInFile { index: 0 }
    );
    assert_eq!(
        one((PT_LOAD, 5, 0, u64::MAX, 1, 1, 1)),
        ElfError::SegmentWraps { index: 0 }
    );
    assert_eq!(
        one((PT_LOAD, 5, 0, 0x10, 1, 1, 0x1000)),
        ElfError::SegmentMisaligned { index: 0 }
    );
    assert_eq!(
        one((PT_LOAD, 5, 0, 0, 1, 1, 3)),
        ElfError::SegmentMisaligned { index: 0 }
    );
    let overlapping = build(2, 0, &[load, (PT_LOAD, 4, 0, 0x10ff, 1, 1, 1)], 0x1000);
    assert_eq!(
        refuse(&overlapping),
        ElfError::SegmentsOverlap {
            first: 0,
            second: 1
        }
    );
    let many = vec![load; 65];
    assert!(matches!(
        refuse(&build(2, 0, &many, 0x8000)),
        ElfError::SegmentsOverlap { .. }
    ));
    let many: Vec<_> = (0..65)
        .map(|n| (PT_LOAD, 5, 0, n * 0x1000, 1, 1, 1))
        .collect();
    assert_eq!(
        refuse(&build(2, 0, &many, 0x8000)),
        ElfError::TooManySegments
    );
    assert_eq!(
        refuse(&build(1, 0, &[load], 0x1000)),
        ElfError::WrongType { kind: 1 }
    );
    assert_eq!(refuse(b"MZ"), ElfError::NotElf);
    assert_eq!(
        refuse(b"\x7fELF"),
        ElfError::Truncated {
            what: "file header"
        }
    );
    let entry = build(2, 0x1100, &[load], 0x1000);
    assert_eq!(
        Image::parse(&entry).unwrap().checked_entry(),
        Err(ElfError::BadEntry { entry: 0x1100 })
    );
}

#[test]
fn the_running_test_program_is_refused_with_a_reason() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(
        Image::parse(&own).map(|_| ()).unwrap_err(),
        ElfError::NeedsInterpreter
    );
}

/// What holds of every image that is accepted.
fn check_promises(bytes: &[u8]) {
    let Ok(image) = Image::parse(bytes) else {
        return;
    };
    let span = image.span();
    let segments: Vec<_> = image.segments().collect();
    assert!(!segments.is_empty());
    for (index, a) in segments.iter().enumerate() {
        assert!(a.mem_size >= 1 && a.file.len() as u64 <= a.mem_size);
        assert!(span.start <= a.virt && a.virt.checked_add(a.mem_size).unwrap() <= span.end);
        for b in &segments[index + 1..] {
            assert!(a.range().end <= b.range().start || b.range().end <= a.range().start);
        }
    }
    for relocation in image.relocations() {
        let end = relocation.offset.checked_add(8).unwrap();
        assert!(
            segments
                .iter()
                .any(|s| s.range().start <= relocation.offset && end <= s.range().end)
        );
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        check_promises(&bytes);
    }

    #[test]
    fn an_image_is_moved_to_where_it_fits(
        start in 0u64..1 << 40, len in 0u64..0x10_0000, random in any::<u64>(), align in 0u32..18,
    ) {
        let align = 1 << align;
        let virt = 0x2_0000 + align.min(0x1000) / 2;
        let offset = virt % align;
        let headers = [(PT_LOAD, 5, offset, virt, 0x100, 0x3000, align)];
        let bytes = build(3, 0, &headers, 0x4_0000);
        let image = Image::parse(&bytes).unwrap();
        match image.bias(start..start + len, 0x1000, random) {
            Some(bias) => {
                prop_assert!(bias.is_multiple_of(align) && bias.is_multiple_of(0x1000));
                let place = virt.wrapping_add(bias);
                prop_assert!(start <= place && place + 0x3000 <= start + len);
            }
            None => prop_assert!(len < 0x3000 + 2 * align.max(0x1000)),
        }
        let fixed = build(2, 0, &headers, 0x4_0000);
        let fixed = Image::parse(&fixed).unwrap();
        prop_assert_eq!(fixed.bias(start..start + len, 0x1000, random), Some(0));
    }

    #[test]
    fn damaged_images_are_refused_or_keep_the_promises(
        edits in proptest::collection::vec((0usize..0x1800, any::<u8>()), 1..12),
        near in proptest::collection::vec((16usize..0x110, any::<u8>()), 0..4),
        tail in 0usize..0x1801,
    ) {
        let mut bytes = pie(&[(0x1800, 8, 0x40), (0x1808, 8, 0x48)], &[]);
        for (at, value) in edits.into_iter().chain(near) {
            bytes[at] = value;
        }
        check_promises(&bytes);
        check_promises(&bytes[..tail]);
    }

    #[test]
    fn every_layout_that_does_not_overlap_is_accepted(
        pages in proptest::collection::vec((1u64..5, 0u64..3, 0u64..=0x1000), 1..12),
        backwards in any::<bool>(),
    ) {
        let mut virt = 0x20_0000;
        let mut headers = Vec::new();
        for (size, gap, file) in pages {
            headers.push((PT_LOAD, 6, 0x1000, virt, file, size * 0x1000, 0x1000));
            virt += (size + gap) * 0x1000;
        }
        if backwards {
            headers.reverse();
        }
        let bytes = build(2, 0x20_0000, &headers, 0x2000);
        let image = Image::parse(&bytes).unwrap();
        prop_assert_eq!(image.segments().count(), headers.len());
        check_promises(&bytes);
    }
}
