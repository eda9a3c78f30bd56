//! Platforms as firmware describes them, well and badly.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use kboot::acpi::{Platform, Tables};
use kboot::fadt::{Fadt, HardwareModel};
use kboot::gas::{AddressSpace, Gas};
use kboot::madt::{
    Cpu, CpuEntryKind, CpuState, Entry, IoApic, LocalNmi, Madt, NmiSource, NmiTarget, Override,
    Polarity, Trigger,
};
use kboot::power::{self, SleepType};
use kboot::rsdp::Rsdp;
use kboot::sdt::{Signature, Table, TableError};
use proptest::prelude::*;

fn platform_of(entries: &[Vec<u8>]) -> Platform {
    let table = madt(entries);
    Platform::from_madt(&Madt::parse(Table::check(&table).unwrap()).unwrap())
}

#[test]
fn a_machine_as_qemu_describes_it() {
    for revision in [0, 2] {
        let memory = Memory::machine(
            revision,
            vec![
                fadt(244, 3, 0x20_0000),
                qemu_madt(4),
                hpet(0xfed0_0000),
                mcfg(0xb000_0000, 0, 0, 255),
            ],
        );
        let mut memory = memory;
        memory.put(0x20_0000, dsdt());
        let (platform, tables) = Platform::discover(&memory, 0xe0000).unwrap();
        assert_eq!(tables.refused(), []);
        assert_eq!(tables.iter().count(), 5);
        assert_eq!(
            platform
                .cpus
                .iter()
                .map(|cpu| cpu.apic_id)
                .collect::<Vec<_>>(),
            [0, 1, 2, 3]
        );
        assert_eq!(platform.enabled_cpus().count(), 4);
        assert_eq!(platform.local_apic_address, 0xfee0_0000);
        assert_eq!(
            platform.io_apics,
            [IoApic {
                id: 0,
                address: 0xfec0_0000,
                gsi_base: 0
            }]
        );
        assert_eq!(platform.overrides.len(), 5);
        let timer = Override {
            source_irq: 0,
            gsi: 2,
            polarity: Polarity::Bus,
            trigger: Trigger::Bus,
        };
        assert_eq!(platform.overrides[0], timer);
        let sci = Override {
            source_irq: 9,
            gsi: 9,
            polarity: Polarity::High,
            trigger: Trigger::Level,
        };
        assert_eq!(platform.overrides[2], sci);
        let nmi = LocalNmi {
            target: NmiTarget::All,
            lint: 1,
            polarity: Polarity::Bus,
            trigger: Trigger::Bus,
        };
        assert_eq!(platform.local_nmis, [nmi]);
        assert!(platform.has_8259);
        let hpet = platform.hpet.unwrap();
        assert_eq!(
            (hpet.address, hpet.min_tick, hpet.number),
            (0xfed0_0000, 0x80, 0)
        );
        assert_eq!(
            platform.mcfg[0].function_address(1, 2, 3),
            Some(0xb011_3000)
        );
        assert_eq!(platform.mcfg[0].function_address(1, 32, 0), None);
        let timer = platform.pm_timer().unwrap();
        assert_eq!((timer.register.as_port(), timer.bits), (Some(0x608), 24));
        assert_eq!(platform.s5, Some(SleepType { a: 5, b: 6 }));
        let reset = platform.fadt.unwrap().reset.unwrap();
        assert_eq!((reset.register.as_port(), reset.value), (Some(0xcf9), 0x0f));
        let off = platform.power_off();
        assert!(off.is_possible());
        let writes: Vec<_> = off
            .steps()
            .map(|s| (s.register.as_port().unwrap(), s.keep, s.set))
            .collect();
        assert_eq!(
            writes,
            [
                (0x600, 0, 0x8000),
                (0x604, 0xc3ff, 5 << 10),
                (0x604, 0xc3ff, 5 << 10 | 1 << 13)
            ]
        );
        let enable = power::enable_acpi(&platform.fadt.unwrap()).unwrap();
        assert_eq!((enable.register.as_port(), enable.set), (Some(0xb2), 2));
    }
}

#[test]
fn ids_above_255_and_doubles_and_invalid_ids() {
    let mut entries: Vec<_> = (0..=254u8).map(|id| local_apic(id, id, 1)).collect();
    entries.push(local_apic(9, 0xff, 1));
    entries.push(local_x2apic(9, u32::MAX, 1));
    // The same processors again, once better and once worse than before.
    entries[7] = local_apic(7, 7, 0);
    entries.push(local_x2apic(7, 7, 1));
    entries.push(local_x2apic(8, 8, 0));
    entries.extend((255..400).map(|id| local_x2apic(id, id, 1)));
    entries.push(local_x2apic(1000, 1000, 2));
    entries.push(local_x2apic(1001, 0xffff_fffe, 0));
    let platform = platform_of(&entries);
    assert_eq!(platform.cpus.len(), 402);
    assert_eq!(platform.enabled_cpus().count(), 400);
    let expected = Cpu {
        apic_id: 7,
        processor_uid: 7,
        state: CpuState::Enabled,
        kind: CpuEntryKind::LocalX2Apic,
    };
    assert_eq!(platform.cpus[7], expected);
    assert_eq!(platform.cpus[8].kind, CpuEntryKind::LocalApic);
    assert_eq!(platform.cpus[400].state, CpuState::OnlineCapable);
    assert_eq!(platform.cpus[401].apic_id, 0xffff_fffe);
    assert_eq!(platform.malformed_entries, 0);
}

#[test]
fn nmis_overrides_and_unknown_entries() {
    let platform = platform_of(&[
        address_override(0x1_2345_6000),
        nmi_source(20, 0b1111),
        local_nmi(3, 0b0101, 0),
        x2apic_nmi(300, 0b1101, 1),
        x2apic_nmi(u32::MAX, 0b0010, 1),
        vec![0x10, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![0xf3, 2],
        io_apic(1, 0xfec0_1000, 24),
        io_apic(1, 0xfec0_1000, 24),
    ]);
    assert_eq!(platform.local_apic_address, 0x1_2345_6000);
    assert_eq!(
        platform.nmi_sources,
        [NmiSource {
            gsi: 20,
            polarity: Polarity::Low,
            trigger: Trigger::Level
        }]
    );
    let nmi = |target, lint, polarity, trigger| LocalNmi {
        target,
        lint,
        polarity,
        trigger,
    };
    assert_eq!(
        platform.local_nmis,
        [
            nmi(NmiTarget::Processor(3), 0, Polarity::High, Trigger::Edge),
            nmi(NmiTarget::Processor(300), 1, Polarity::High, Trigger::Level),
            nmi(NmiTarget::All, 1, Polarity::Bus, Trigger::Bus),
        ]
    );
    assert_eq!(platform.io_apics.len(), 1);
    assert_eq!(platform.malformed_entries, 0);
}

#[test]
fn malformed_entries_end_or_are_skipped() {
    let zero = platform_of(&[local_apic(0, 0, 1), vec![0, 0], local_apic(1, 1, 1)]);
    assert_eq!((zero.cpus.len(), zero.malformed_entries), (1, 1));
    let short = platform_of(&[vec![0, 4, 0, 0], local_apic(1, 1, 1)]);
    assert_eq!((short.cpus.len(), short.malformed_entries), (1, 1));
    let beyond = platform_of(&[local_apic(0, 0, 1), vec![9, 16, 0]]);
    assert_eq!((beyond.cpus.len(), beyond.malformed_entries), (1, 1));
    let cut = platform_of(&[local_apic(0, 0, 1), vec![9]]);
    assert_eq!((cut.cpus.len(), cut.malformed_entries), (1, 1));
    let table = madt(&[vec![9]]);
    let madt = Madt::parse(Table::check(&table).unwrap()).unwrap();
    assert_eq!(
        madt.entries().collect::<Vec<_>>(),
        [Entry::Malformed {
            kind: 9,
            offset: 44
        }]
    );
}

#[test]
fn a_fadt_of_every_length() {
    for size in 36..=276 {
        let bytes = fadt(size, 6, 0x1000);
        let parsed = Fadt::parse(Table::check(&bytes).unwrap());
        assert_eq!(parsed.is_ok(), size >= 116, "{size} bytes");
        if let Ok(fadt) = parsed {
            assert_eq!(fadt.dsdt, Some(0x1000));
            assert_eq!(fadt.reset.is_some(), size >= 129);
            assert_eq!(fadt.boot_arch, Some(2));
        }
    }
}

#[test]
fn the_64_bit_fields_win_and_reduced_hardware_sleeps_by_its_register() {
    let mut bytes = fadt(276, 6, 0x1000);
    bytes[140..148].copy_from_slice(&0x1_0000_2000u64.to_le_bytes());
    bytes[208..220].copy_from_slice(&gas(0, 32, 0xfed8_0808));
    bytes[112..116].copy_from_slice(&(1u32 << 20 | 1 << 8).to_le_bytes());
    bytes[244..256].copy_from_slice(&gas(1, 8, 0x3f0));
    bytes[256..268].copy_from_slice(&gas(1, 8, 0x3f1));
    seal(&mut bytes);
    let fadt = Fadt::parse(Table::check(&bytes).unwrap()).unwrap();
    assert_eq!(fadt.dsdt, Some(0x1_0000_2000));
    let timer = fadt.pm_timer.unwrap();
    assert_eq!(
        (timer.register.space, timer.register.address),
        (AddressSpace::SYSTEM_MEMORY, 0xfed8_0808)
    );
    assert_eq!(timer.bits, 32);
    assert_eq!((fadt.reset, fadt.hardware), (None, HardwareModel::Reduced));
    let off = power::power_off(&fadt, SleepType { a: 5, b: 0 });
    let writes: Vec<_> = off
        .steps()
        .map(|s| (s.register.as_port(), s.bytes, s.keep, s.set))
        .collect();
    assert_eq!(
        writes,
        [
            (Some(0x3f1), 1, 0, 0x80),
            (Some(0x3f0), 1, 0, 5 << 2 | 0x20)
        ]
    );
    assert!(off.is_possible());
    let none = Fadt {
        sleep_control: None,
        ..fadt
    };
    assert!(!power::power_off(&none, SleepType { a: 5, b: 0 }).is_possible());
    assert_eq!(Gas::port(0, 4), None);
}

#[test]
fn sleep_types_in_all_encodings() {
    let find = |code: &[u8]| power::find_sleep_type(code, 5);
    assert_eq!(
        find(b"\x08_S5_\x12\x06\x04\x00\x00\x00\x00"),
        Some(SleepType { a: 0, b: 0 })
    );
    assert_eq!(
        find(b"\x08\\_S5_\x12\x4a\x00\x02\x01\x0a\x07"),
        Some(SleepType { a: 1, b: 7 })
    );
    assert_eq!(
        find(b"\x08_S5_\x12\x05\x01\x0b\x05\x00"),
        Some(SleepType { a: 5, b: 5 })
    );
    assert_eq!(find(b"\x08_S5_\x12\x05\x00\x00"), None);
    assert_eq!(find(b"\x08_S5_\x12\x05\x02\x0d7"), None);
    assert_eq!(
        find(b"\x08_S5_\x14\x08_S5_\x12\x06\x02\x0a\x03\x01"),
        Some(SleepType { a: 3, b: 1 })
    );
    assert_eq!(
        power::find_sleep_type(b"\x08_S5_\x12\x06\x02\x0a\x03\x01", 4),
        None
    );
    assert_eq!(power::find_sleep_type(b"", 200), None);
}

#[test]
fn roots_and_checksums() {
    assert_eq!(Rsdp::parse(b"RSD PTR").unwrap_err(), TableError::NotRsdp);
    assert_eq!(Rsdp::parse(&rsdp(2, 0, 0)).unwrap_err(), TableError::NoRoot);
    assert_eq!(
        Rsdp::parse(&rsdp(2, 0x1000, 0x2000)).unwrap().xsdt,
        Some(0x2000)
    );
    assert_eq!(Rsdp::parse(&rsdp(0, 0x1000, 0)).unwrap().rsdt, Some(0x1000));
    let name = Signature(*b"RSDP");
    for broken in [3, 34] {
        let mut bytes = rsdp(2, 0x1000, 0x2000);
        bytes[if broken == 3 { 10 } else { broken }] ^= 1;
        assert_eq!(
            Rsdp::parse(&bytes).unwrap_err(),
            TableError::Checksum { signature: name }
        );
    }
    // A bad XSDT falls back to the RSDT, a bad table is left out, and both are reported.
    let mut memory = Memory::machine(0, vec![qemu_madt(2), hpet(0xfed0_0000)]);
    memory.put(0xe0000, rsdp(2, 0xf000, 0x50_0000));
    memory.blocks.get_mut(&0x11_0000).unwrap()[40] ^= 1;
    let (platform, tables) = Platform::discover(&memory, 0xe0000).unwrap();
    assert_eq!((platform.cpus.len(), platform.hpet), (2, None));
    let reasons: Vec<_> = tables
        .refused()
        .iter()
        .map(|refused| refused.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            TableError::Unreadable { address: 0x50_0000 },
            TableError::Checksum {
                signature: Signature::HPET
            }
        ]
    );
    let memory = Memory::machine(2, vec![hpet(1)]);
    let missing = TableError::Missing {
        signature: Signature::MADT,
    };
    assert_eq!(Platform::discover(&memory, 0xe0000).unwrap_err(), missing);
}

proptest! {
    #[test]
    fn damaged_machines_never_panic(
        edits in proptest::collection::vec((0usize..8, any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cuts in proptest::collection::vec((0usize..8, any::<prop::sample::Index>()), 0..3),
        resealed in any::<bool>(),
    ) {
        let mut memory = Memory::machine(
            2,
            vec![fadt(276, 6, 0x20_0000), qemu_madt(8), hpet(0xfed0_0000), mcfg(0xb000_0000, 0, 0, 255)],
        );
        memory.put(0x20_0000, dsdt());
        let addresses: Vec<_> = memory.blocks.keys().copied().collect();
        for (block, at, value) in edits {
            let bytes = memory.blocks.get_mut(&addresses[block % addresses.len()]).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (block, at) in cuts {
            let bytes = memory.blocks.get_mut(&addresses[block % addresses.len()]).unwrap();
            bytes.truncate(at.index(bytes.len()) + 10);
        }
        if resealed {
            memory.blocks.values_mut().filter(|bytes| bytes.len() > 36).for_each(|bytes| seal(bytes));
        }
        if let Ok(tables) = Tables::read(&memory, 0xe0000)
            && let Ok(platform) = Platform::from_tables(&tables)
        {
            let mut ids: Vec<_> = platform.cpus.iter().map(|cpu| cpu.apic_id).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), platform.cpus.len());
            let _ = platform.power_off().steps().count();
        }
    }

    #[test]
    fn every_processor_is_there_once(
        list in proptest::collection::vec((any::<bool>(), prop_oneof![0u32..300, any::<u32>()], 0u32..4), 0..60),
    ) {
        let mut entries = Vec::new();
        let mut best = std::collections::BTreeMap::new();
        for (short, id, flags) in list {
            if short {
                entries.push(local_apic(1, id as u8, flags));
            } else {
                entries.push(local_x2apic(1, id, flags));
            }
            let id = if short { id & 0xff } else { id };
            if id == if short { 0xff } else { u32::MAX } {
                continue;
            }
            let state = if flags & 1 != 0 { 2 } else if flags == 2 { 1 } else { 0 };
            let known = best.entry(id).or_insert(state);
            *known = state.max(*known);
        }
        let platform = platform_of(&entries);
        let found: std::collections::BTreeMap<_, _> =
            platform.cpus.iter().map(|cpu| (cpu.apic_id, cpu.state as i32)).collect();
        prop_assert_eq!(found.len(), platform.cpus.len());
        prop_assert_eq!(found, best);
    }
}
