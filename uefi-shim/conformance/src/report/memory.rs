//! The memory map, beside the one of the firmware, and what of it is in the direct map.

use super::{conf, note, yes};
use crate::requests::{EFI_MEMORY_MAP, MEMORY_MAP, REVISION};
use crate::walk::{hhdm, is_mapped, is_touched, translate};

/// A region: base, end, kind.
type Region = (u64, u64, u64);

const NAMES: [&str; 8] = [
    "usable",
    "reserved",
    "ACPI reclaimable",
    "ACPI NVS",
    "bad",
    "loader",
    "kernel and modules",
    "framebuffer",
];
const WRITE_BACK: u64 = 6;
const WRITE_COMBINING: u64 = 1;

/// The regions of the map.
pub fn regions() -> impl Iterator<Item = Region> {
    let entries = MEMORY_MAP
        .get_response()
        .map_or(&[][..], |response| response.entries());
    entries.iter().map(|entry| {
        // The crate keeps the number of the kind to itself.
        let kind = (0..8)
            .find(|kind| entry.entry_type == kind_of(*kind))
            .unwrap_or(99);
        (entry.base, entry.base + entry.length, kind)
    })
}

fn kind_of(number: u64) -> limine::memory_map::EntryType {
    use limine::memory_map::EntryType;
    match number {
        0 => EntryType::USABLE,
        1 => EntryType::RESERVED,
        2 => EntryType::ACPI_RECLAIMABLE,
        3 => EntryType::ACPI_NVS,
        4 => EntryType::BAD_MEMORY,
        5 => EntryType::BOOTLOADER_RECLAIMABLE,
        6 => EntryType::EXECUTABLE_AND_MODULES,
        _ => EntryType::FRAMEBUFFER,
    }
}

/// The kind of the region that an address is in.
pub fn kind_at(phys: u64) -> Option<u64> {
    regions()
        .find(|(base, end, _)| (*base..*end).contains(&phys))
        .map(|(_, _, kind)| kind)
}

/// Prints it.
pub fn report() {
    let Some(response) = MEMORY_MAP.get_response() else {
        conf!("memory map: none");
        return;
    };
    conf!("memory map: revision {}", response.revision());
    shape();
    for (kind, name) in (0_u64..).zip(NAMES) {
        let count = regions().filter(|(_, _, other)| *other == kind).count();
        note!("memory map: {count} regions are {name}");
        match kind {
            2 | 3 | 7 => {
                for (base, end, _) in regions().filter(|(_, _, other)| *other == kind) {
                    // A framebuffer need not end at a page: some loaders round up.
                    let end = end.next_multiple_of(0x1000);
                    conf!("memory map: {base:#x}..{end:#x} {name}");
                }
            }
            4 => conf!("memory map: {name} regions {count}"),
            _ => conf!("memory map: {name} there {}", yes(count > 0)),
        }
        direct_map(kind, name);
    }
    if REVISION <= 2 {
        conf!(
            "direct map: first 4 GiB covered {}",
            yes(covered(0, 1 << 32))
        );
    }
    firmware();
}

fn shape() {
    let mut last_end = 0;
    let (mut sorted, mut disjoint, mut aligned, mut filled) = (true, true, true, true);
    let mut last_base = 0;
    for (base, end, kind) in regions() {
        note!("memory map: {base:#x}..{end:#x} kind {kind}");
        sorted &= base >= last_base;
        disjoint &= base >= last_end;
        last_base = base;
        last_end = end;
        filled &= end > base;
        if kind == 0 || kind == 5 {
            aligned &= base % 0x1000 == 0 && end % 0x1000 == 0;
        }
    }
    conf!(
        "memory map: sorted {}, disjoint {}, usable and loader memory aligned {}, no empty regions {}",
        yes(sorted),
        yes(disjoint),
        yes(aligned),
        yes(filled)
    );
    conf!(
        "memory map: first page usable {}",
        yes(kind_at(0) == Some(0))
    );
}

/// Whether the direct map covers the regions of a kind as it must.
fn direct_map(kind: u64, name: &str) {
    let expected_type = if kind == 7 {
        WRITE_COMBINING
    } else {
        WRITE_BACK
    };
    let must = match kind {
        0 | 5 | 6 | 7 => true,
        1 | 4 => false,
        _ => REVISION <= 2,
    };
    let mut regions = regions().filter(|(_, _, other)| *other == kind);
    if must {
        conf!(
            "direct map: {name} mapped {}",
            yes(regions.all(|(base, end, _)| is_mapped(base, end, expected_type)))
        );
    } else if REVISION > 2 {
        note!(
            "direct map: {name} touched {}",
            yes(regions.any(|(base, end, _)| end < 1 << 40 && is_touched(base, end)))
        );
    }
}

/// Whether every page of a range is in the direct map with some type.
fn covered(base: u64, end: u64) -> bool {
    let mut at = base;
    while at < end {
        if translate(hhdm() + at).is_none_or(|map| map.phys != at) {
            return false;
        }
        at += 0x1000;
    }
    true
}

/// Compares with the map of the firmware: what it reserves must not have become free.
fn firmware() {
    let Some(response) = EFI_MEMORY_MAP.get_response() else {
        conf!("EFI memory map: none");
        return;
    };
    let (size, step) = (response.memmap_size(), response.desc_size());
    conf!(
        "EFI memory map: revision {}, descriptor size {step}, version {}, whole descriptors {}, direct map {}",
        response.revision(),
        response.desc_version(),
        yes(step > 0 && size % step == 0),
        yes(response.memmap() as u64 >= hhdm())
    );
    let mut wrong = 0;
    let mut covered_bytes = 0;
    for index in 0..size.checked_div(step).unwrap_or(0) {
        let at = (response.memmap() as u64 + index * step) as *const u64;
        // SAFETY: the descriptor is inside of the map, and of the format of UEFI: type, start,
        // virtual start, pages, attributes.
        let (kind, start, pages) =
            unsafe { (at.read() as u32, at.add(1).read(), at.add(3).read()) };
        let end = start + pages * 0x1000;
        let expected: &[u64] = match kind {
            // Free for us, or what the loader made of it.
            3 | 4 | 7 => &[0, 5, 6, 7],
            1 | 2 => continue,
            8 => &[1, 4],
            9 => &[2],
            10 => &[3],
            _ => &[1, 7],
        };
        let mut page = start.max(0x1000);
        while page < end {
            let region = regions().find(|(base, end, _)| (*base..*end).contains(&page));
            match region {
                Some((_, region_end, kind)) if expected.contains(&kind) => page = region_end,
                other => {
                    wrong += 1;
                    note!("EFI type {kind} at {page:#x} became {other:x?}");
                    page = end;
                }
            }
        }
        covered_bytes += end - start;
    }
    conf!(
        "EFI memory map: descriptors that became something else {wrong}, not empty {}",
        yes(covered_bytes > 0)
    );
}
