//! Where parts of programs go: against a model, and with damaged files.

mod common;

use std::collections::BTreeMap;

use abi::{PAGE_SIZE, USER_END, area};
use common::{Description, Part, small};
use proptest::prelude::*;
use spawn::error::{LayoutError, Reason};
use spawn::layout::{Piece, Plan};

/// What holds of every plan.
fn check_pieces(plan: &Plan<'_>) {
    let pieces = plan.pieces();
    assert!(!pieces.is_empty());
    for piece in pieces {
        let Piece {
            pages,
            access,
            filled,
        } = piece;
        assert!(pages.start.is_multiple_of(PAGE_SIZE) && pages.end.is_multiple_of(PAGE_SIZE));
        assert!(PAGE_SIZE <= pages.start && pages.start < pages.end && pages.end <= USER_END);
        assert!(*filled <= pages.end - pages.start);
        assert!(access & area::READ != 0);
        assert!(access & area::WRITE == 0 || access & area::EXECUTE == 0);
    }
    for pair in pieces.windows(2) {
        assert!(pair[0].pages.end <= pair[1].pages.start);
    }
    let entry = plan.entry();
    let code = pieces.iter().find(|piece| piece.pages.contains(&entry));
    assert!(code.unwrap().access & area::EXECUTE != 0);
    for segment in plan.image().segments() {
        let start = segment.virt.wrapping_add(plan.bias());
        assert!(start.is_multiple_of(segment.align) || segment.virt % segment.align != 0);
        // Looking at both ends is enough: pieces that touch have no gap.
        for address in [start, start + segment.mem_size - 1] {
            let piece = pieces.iter().find(|piece| piece.pages.contains(&address));
            let access = piece.unwrap().access;
            assert!(segment.flags.execute || access & area::EXECUTE == 0);
            assert!(segment.flags.write || access & area::WRITE == 0);
        }
    }
}

/// The memory of a program, as the plan fills it.
fn memory(plan: &Plan<'_>) -> BTreeMap<u64, Vec<u8>> {
    let fill = |piece: &Piece| {
        let mut bytes = vec![0; piece.filled as usize];
        plan.fill(piece, into(&mut bytes));
        bytes.resize((piece.pages.end - piece.pages.start) as usize, 0);
        (piece.pages.start, bytes)
    };
    plan.pieces().iter().map(fill).collect()
}

/// Writes into a buffer.
fn into(buffer: &mut [u8]) -> impl FnMut(u64, &[u8]) {
    |offset, bytes| buffer[offset as usize..][..bytes.len()].copy_from_slice(bytes)
}

/// A byte of it; none where nothing is.
fn byte(memory: &BTreeMap<u64, Vec<u8>>, address: u64) -> Option<u8> {
    let (start, bytes) = memory.range(..=address).next_back()?;
    bytes.get((address - start) as usize).copied()
}

/// What each byte of a program must be.
fn model(description: &Description, bias: u64) -> BTreeMap<u64, u8> {
    let mut bytes = BTreeMap::new();
    for part in &description.parts {
        for at in 0..part.size {
            let byte = part.bytes.get(at as usize).copied().unwrap_or(0);
            bytes.insert(part.virt.wrapping_add(bias) + at, byte);
        }
    }
    for &(offset, addend) in &description.relocations {
        let value = bias.wrapping_add_signed(addend).to_le_bytes();
        for (at, byte) in value.into_iter().enumerate() {
            bytes.insert(offset.wrapping_add(bias) + at as u64, byte);
        }
    }
    bytes
}

fn check_against_model(description: &Description, random: u64) {
    let file = description.file();
    let plan = Plan::new(&file, random).unwrap();
    check_pieces(&plan);
    let memory = memory(&plan);
    for (address, expected) in model(description, plan.bias()) {
        assert_eq!(byte(&memory, address), Some(expected), "at {address:#x}");
    }
    if let Some((virt, len, ..)) = description.tls {
        let mut tls = vec![0; len as usize];
        plan.fill_tls(into(&mut tls));
        for (at, found) in tls.into_iter().enumerate() {
            let address = virt.wrapping_add(plan.bias()) + at as u64;
            assert_eq!(byte(&memory, address), Some(found));
        }
    }
}

#[test]
fn a_fixed_program_stays_where_it_was_linked() {
    let description = small(false);
    let file = description.file();
    let plan = Plan::new(&file, 77).unwrap();
    assert_eq!((plan.bias(), plan.entry()), (0, 0x20_1010));
    let access: Vec<_> = plan.pieces().iter().map(|piece| piece.access).collect();
    let (read, write, execute) = (area::READ, area::WRITE, area::EXECUTE);
    assert_eq!(access, [read, read | execute, read, read | write]);
    check_against_model(&description, 0);
}

#[test]
fn a_program_that_can_be_moved_is() {
    let file = small(true).file();
    let bias = |random| Plan::new(&file, random).unwrap().bias();
    assert_eq!(bias(1), bias(1));
    assert_ne!(bias(1), bias(2));
    check_against_model(&small(true), u64::MAX);
}

#[test]
fn what_cannot_be_placed_is_refused_by_name() {
    let refuse = |change: &dyn Fn(&mut Description)| {
        let mut description = small(false);
        change(&mut description);
        Plan::new(&description.file(), 0).map(|_| ()).unwrap_err()
    };
    let layout = Reason::Layout;
    assert_eq!(
        refuse(&|program| program.parts[1].flags = 7),
        layout(LayoutError::WriteExecute)
    );
    assert_eq!(
        refuse(&|program| (program.parts[2].virt, program.tls) = (0x20_1200, None)),
        layout(LayoutError::WriteExecute)
    );
    assert_eq!(
        refuse(&|program| program.parts[2].size = USER_END),
        layout(LayoutError::OutsideUserSpace)
    );
    assert_eq!(
        refuse(&|program| (program.parts[0].virt, program.tls) = (0, None)),
        layout(LayoutError::OutsideUserSpace)
    );
    let mut large = small(true);
    large.parts[2].size = 1 << 44;
    let large = Plan::new(&large.file(), 0).map(|_| ()).unwrap_err();
    assert_eq!(large, layout(LayoutError::TooLarge));
}

prop_compose! {
    /// Descriptions that a linker could write.
    fn description()(
        is_pie in any::<bool>(),
        base in 1u64..0x1000,
        shapes in prop::collection::vec(
            (0u32..4, 0u64..3, 0u64..0x1000, 0usize..0x2800, 0u64..0x3000),
            1..8,
        ),
        targets in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<i64>()), 0..12),
        tls in prop::option::of((any::<prop::sample::Index>(), 0u64..64, 0u32..8)),
        relro in prop::option::of(any::<prop::sample::Index>()),
    ) -> Description {
        let mut virt = base * PAGE_SIZE;
        let mut parts = Vec::new();
        for (kind, gap, within, file, more) in shapes {
            virt += gap * PAGE_SIZE + within / 8 * 8;
            let flags = [4, 5, 6, 6][kind as usize];
            let bytes: Vec<u8> = (0..file).map(|at| (at * 7 + virt as usize) as u8).collect();
            let size = file as u64 + more + 1;
            parts.push(Part { flags, virt, bytes, size, align: PAGE_SIZE });
            virt = (virt + size).next_multiple_of(PAGE_SIZE);
        }
        // Something has to run.
        let code = parts.iter().position(|part| part.flags == 5).unwrap_or(0);
        parts[code].flags = 5;
        let entry = parts[code].virt;
        let mut relocations: Vec<(u64, i64)> = Vec::new();
        for (part, place, addend) in targets {
            let part = part.get(&parts);
            if is_pie && part.size >= 16 {
                // As linkers do: aligned, and each place once.
                let first = part.virt.next_multiple_of(8);
                let room = (part.virt + part.size).saturating_sub(first) / 8;
                let offset = first + 8 * place.index(room as usize) as u64;
                if offset + 8 <= part.virt + part.size && relocations.iter().all(|other| other.0 != offset) {
                    relocations.push((offset, addend));
                }
            }
        }
        let tls = tls.and_then(|(part, more, align)| {
            let part = part.get(&parts);
            let len = part.bytes.len() as u64 / 2;
            (len > 0).then_some((part.virt, len, len + more, 1 << align))
        });
        let relro = relro.map(|part| {
            let part = part.get(&parts);
            (part.virt, (part.size / 2).max(1))
        });
        Description { is_pie, entry, parts, relocations, tls, relro }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_byte_is_where_the_linker_wanted_it(description in description(), random in any::<u64>()) {
        check_against_model(&description, random);
    }

}

proptest! {
    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Plan::new(&bytes, 0).is_err());
    }

    #[test]
    fn damaged_programs_are_refused_or_keep_the_promises(
        is_pie in any::<bool>(),
        edits in prop::collection::vec((0usize..0x400, any::<u8>()), 1..10),
        relocations in prop::collection::vec((0usize..0x200, any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        random in any::<u64>(),
    ) {
        let mut file = small(is_pie).file();
        let end = file.len();
        for (at, value) in edits {
            file[at] = value;
        }
        for (back, value) in relocations {
            file[end - 1 - back] = value;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(end));
        }
        if let Ok(plan) = Plan::new(&file, random) {
            check_pieces(&plan);
            for piece in plan.pieces().iter().filter(|piece| piece.filled < 1 << 24) {
                plan.fill(piece, into(&mut vec![0; piece.filled as usize]));
            }
        }
    }
}
