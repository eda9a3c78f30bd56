//! Entry points for the parsers of the boot path.

use kboot::acpi::{PhysRead, Platform, Tables, Unreadable};
use kboot::cmdline::{CommandLine, commands};
use kboot::elf::Image;
use kboot::madt::Madt;
use kboot::memory_map::{Completeness, Region, RegionKind, sanitise};
use kboot::sdt::Table;

/// An ELF file: what is accepted keeps the promises that loaders rely on.
pub fn elf(data: &[u8]) {
    let Ok(image) = Image::parse(data) else {
        return;
    };
    let span = image.span();
    let segments: Vec<_> = image.segments().collect();
    assert!(!segments.is_empty());
    for (index, a) in segments.iter().enumerate() {
        assert!(a.mem_size >= 1 && a.file.len() as u64 <= a.mem_size);
        let end = a.virt.checked_add(a.mem_size).expect("a segment wraps");
        assert!(span.start <= a.virt && end <= span.end);
        for b in &segments[index + 1..] {
            assert!(end <= b.virt || b.range().end <= a.virt, "segments overlap");
        }
    }
    for relocation in image.relocations() {
        let end = relocation
            .offset
            .checked_add(8)
            .expect("a relocation wraps");
        let inside =
            |range: std::ops::Range<u64>| range.start <= relocation.offset && end <= range.end;
        assert!(segments.iter().any(|segment| inside(segment.range())));
    }
    let _ = (
        image.checked_entry(),
        image.shared_page(4096),
        image.align(),
    );
}

/// A whole MADT. Its checksum is made right, as a fuzzer would hardly ever do that.
pub fn madt(data: &[u8]) {
    let mut bytes = data.to_vec();
    if let [_, _, _, _, _, _, _, _, _, checksum, ..] = bytes.as_mut_slice() {
        *checksum = 0;
        let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        bytes[9] = sum.wrapping_neg();
    }
    let Ok(madt) = Table::check(&bytes).and_then(Madt::parse) else {
        return;
    };
    assert!(madt.entries().count() <= bytes.len());
    let platform = Platform::from_madt(&madt);
    let mut ids: Vec<_> = platform.cpus.iter().map(|cpu| cpu.apic_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), platform.cpus.len(), "a processor is there twice");
}

/// Physical memory of a few KiB, from address 0.
pub struct Memory<'a>(pub &'a [u8]);

impl PhysRead for Memory<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let start = usize::try_from(address).map_err(|_| Unreadable)?;
        let end = start.checked_add(into.len()).ok_or(Unreadable)?;
        into.copy_from_slice(self.0.get(start..end).ok_or(Unreadable)?);
        Ok(())
    }
}

/// Physical memory with a root pointer at its beginning and tables wherever that leads.
pub fn acpi(data: &[u8]) {
    let Ok(tables) = Tables::read(&Memory(data), 0) else {
        return;
    };
    for table in tables.iter() {
        assert!(
            table.table().is_ok(),
            "a table was kept that fails its checks"
        );
    }
    let Ok(platform) = Platform::from_tables(&tables) else {
        return;
    };
    assert!(platform.power_off().steps().count() <= 6);
    for region in &platform.mcfg {
        assert!(!region.buses.is_empty());
    }
}

/// Memory map entries of 17 bytes: begin, end, kind.
pub fn memory_map(data: &[u8]) {
    const KINDS: [RegionKind; 9] = [
        RegionKind::Usable,
        RegionKind::BootloaderReclaimable,
        RegionKind::ExecutableAndModules,
        RegionKind::AcpiReclaimable,
        RegionKind::Framebuffer,
        RegionKind::Mmio,
        RegionKind::AcpiNvs,
        RegionKind::Reserved,
        RegionKind::Bad,
    ];
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    let entries = data.chunks_exact(17).map(|entry| Region {
        range: word(&entry[..8])..word(&entry[8..16]),
        kind: KINDS[usize::from(entry[16]) % KINDS.len()],
    });
    let mut out = vec![Region::EMPTY; entries.len() * 2 + 1];
    let done = sanitise(entries.clone(), &mut out);
    assert_eq!(done.completeness, Completeness::Complete);
    let map = &out[..done.count];
    for pair in map.windows(2) {
        assert!(pair[0].range.end <= pair[1].range.start);
    }
    for region in map {
        assert!(region.range.start < region.range.end);
        assert_eq!((region.range.start | region.range.end) % 4096, 0);
        assert!(entries.clone().any(|entry| entry.kind == region.kind));
    }
}

/// A kernel command line, also as the value of `cmd`.
pub fn cmdline(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let line = CommandLine::new(text);
    assert!(line.iter().count() <= text.len());
    for argument in line {
        assert!(line.flag(argument.key) || line.get(argument.key).is_some());
        let _ = line.number(argument.key);
    }
    for command in commands(text) {
        assert!(!command.line().is_empty());
        assert!(command.words().count() <= text.len());
    }
}
