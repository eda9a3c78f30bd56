//! The fuzz targets of this crate, over their corpus and fixed mutations of it.
#![cfg(feature = "alloc")]

#[path = "../../../fuzz/src/kboot_entries.rs"]
mod kboot_entries;
#[path = "../../../fuzz/src/smoke.rs"]
mod smoke;

use std::path::Path;

fn run(target: &str, entry: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    smoke::run(&corpus, entry);
}

#[test]
fn elf() {
    run("elf", kboot_entries::elf);
}

#[test]
fn madt() {
    run("madt", kboot_entries::madt);
}

#[test]
fn acpi() {
    run("acpi", kboot_entries::acpi);
}

#[test]
fn memory_map() {
    run("memory_map", kboot_entries::memory_map);
}

#[test]
fn cmdline() {
    run("cmdline", kboot_entries::cmdline);
}

/// A seed that is refused at the door would make the targets above prove nothing.
#[test]
fn the_seeds_reach_the_end() {
    let seed = |name: &str| {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        std::fs::read(corpus.join(name)).unwrap()
    };
    for name in ["acpi/q35-xsdt", "acpi/pc-rsdt", "acpi/reduced"] {
        let bytes = seed(name);
        let (platform, tables) =
            kboot::acpi::Platform::discover(&kboot_entries::Memory(&bytes), 0).unwrap();
        assert_eq!(
            (platform.cpus.len(), tables.refused().len()),
            (4, 0),
            "{name}"
        );
        assert!(
            platform.hpet.is_some() && platform.mcfg.len() == 1,
            "{name}"
        );
        assert!(platform.power_off().is_possible(), "{name}");
    }
    for name in ["elf/kernel", "elf/pie", "elf/user"] {
        let bytes = seed(name);
        let image = kboot::elf::Image::parse(&bytes).unwrap();
        assert!(image.checked_entry().is_ok(), "{name}");
    }
}
