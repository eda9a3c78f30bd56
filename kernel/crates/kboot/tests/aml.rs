//! The glue to the AML interpreter, with code that touches no hardware.
#![cfg(feature = "acpi")]

mod common;

use acpi::address::{AddressSpace, GenericAddress, MappedGas};
use acpi::aml::{AmlError, Interpreter};
use acpi::registers::{FixedRegisters, Pm1ControlRegisterBlock, Pm1EventRegisterBlock};
use acpi::{Handle, PciAddress, PhysicalMapping};
use common::*;
use kboot::acpi::{Tables, aml};
use kboot::power::{SleepType, find_sleep_type};
use std::ptr::NonNull;
use std::sync::Arc;

/// A machine without hardware: the code of these tests must not need any.
#[derive(Clone)]
struct Nothing;

macro_rules! nothing {
    ($($name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        $(fn $name(&self, $(_: $argument),*) $(-> $result)? {
            panic!("AML touched hardware: {}", stringify!($name))
        })*
    };
}

impl acpi::Handler for Nothing {
    unsafe fn map_physical_region<T>(&self, start: usize, size: usize) -> PhysicalMapping<Self, T> {
        PhysicalMapping {
            physical_start: start,
            virtual_start: NonNull::dangling(),
            region_length: size,
            mapped_length: size,
            handler: Self,
        }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}

    nothing! {
        read_u8(usize) -> u8; read_u16(usize) -> u16; read_u32(usize) -> u32; read_u64(usize) -> u64;
        write_u8(usize, u8); write_u16(usize, u16); write_u32(usize, u32); write_u64(usize, u64);
        read_io_u8(u16) -> u8; read_io_u16(u16) -> u16; read_io_u32(u16) -> u32;
        write_io_u8(u16, u8); write_io_u16(u16, u16); write_io_u32(u16, u32);
        read_pci_u8(PciAddress, u16) -> u8; read_pci_u16(PciAddress, u16) -> u16;
        read_pci_u32(PciAddress, u16) -> u32;
        write_pci_u8(PciAddress, u16, u8); write_pci_u16(PciAddress, u16, u16);
        write_pci_u32(PciAddress, u16, u32);
        stall(u64); sleep(u64);
    }

    fn nanos_since_boot(&self) -> u64 {
        0
    }

    fn create_mutex(&self) -> Handle {
        Handle(0)
    }

    fn acquire(&self, _: Handle, _: u16) -> Result<(), AmlError> {
        Ok(())
    }

    fn release(&self, _: Handle) {}
}

#[expect(
    clippy::arc_with_non_send_sync,
    reason = "the interpreter asks for an `Arc`"
)]
fn interpreter() -> Interpreter<Nothing> {
    let gas = |address| {
        let gas = GenericAddress {
            address_space: AddressSpace::SystemIo,
            bit_width: 16,
            bit_offset: 0,
            access_size: 0,
            address,
        };
        // SAFETY: the register is behind a port, and no port is ever accessed here.
        unsafe { MappedGas::map_gas(gas, &Nothing) }.unwrap()
    };
    let registers = FixedRegisters {
        pm1_event_registers: Pm1EventRegisterBlock {
            pm1_event_length: 4,
            pm1a: gas(0x600),
            pm1b: None,
        },
        pm1_control_registers: Pm1ControlRegisterBlock {
            pm1a: gas(0x604),
            pm1b: None,
        },
    };
    Interpreter::new(Nothing, 1, Arc::new(registers), None)
}

/// Loads a DSDT with this code and an SSDT with that; gives what both ways find for `\_S5`.
fn both_ways(dsdt: &[u8], ssdt: &[u8]) -> (Option<SleepType>, Option<SleepType>) {
    let mut memory = Memory::machine(2, vec![fadt(244, 3, 0x20_0000), sdt(b"SSDT", 2, ssdt)]);
    memory.put(0x20_0000, sdt(b"DSDT", 1, dsdt));
    let tables = Tables::read(&memory, 0xe0000).unwrap();
    assert_eq!(tables.refused(), []);
    let interpreter = interpreter();
    aml::load(&tables, &interpreter).unwrap();
    let evaluated = aml::sleep_type_s5(&interpreter).unwrap();
    (
        evaluated,
        find_sleep_type(dsdt, 5).or_else(|| find_sleep_type(ssdt, 5)),
    )
}

#[test]
fn the_interpreter_and_the_search_agree() {
    // Name (_S5, Package (4) {5, 6, 0, 0}), at the root, in either table.
    let name = b"\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06\x00\x00";
    let other = b"\x08_S3_\x12\x06\x04\x01\x01\x00\x00";
    let expected = Some(SleepType { a: 5, b: 6 });
    assert_eq!(both_ways(name, other), (expected, expected));
    assert_eq!(both_ways(other, name), (expected, expected));
    assert_eq!(both_ways(other, b""), (None, None));
}

#[test]
fn a_method_needs_the_interpreter() {
    // Method (_S5, 0) { Return (Package (2) {7, 0}) }: no plain package, so the search finds none.
    let method = b"\x14\x0d_S5_\x00\xa4\x12\x05\x02\x0a\x07\x00";
    assert_eq!(
        both_ways(method, b""),
        (Some(SleepType { a: 7, b: 0 }), None)
    );
}

/// An opcode with a length and what it encloses.
fn package(opcode: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = opcode.to_vec();
    let len = body.len() + 1;
    if len < 64 {
        bytes.push(len as u8);
    } else {
        bytes.extend([0x40 | ((len + 1) & 0xf) as u8, ((len + 1) >> 4) as u8]);
    }
    bytes.extend(body);
    bytes
}

fn aml_name(name: &[u8; 4], value: &[u8]) -> Vec<u8> {
    [&[0x08], &name[..], value].concat()
}

fn aml_buffer(content: &[u8]) -> Vec<u8> {
    let body = [&[0x0a, content.len() as u8], content].concat();
    package(&[0x11], &body)
}

fn aml_method(name: &[u8; 4], returned: &[u8]) -> Vec<u8> {
    let body = [&name[..], &[0, 0xa4], returned].concat();
    package(&[0x14], &body)
}

fn aml_device(name: &[u8; 4], parts: &[Vec<u8>]) -> Vec<u8> {
    let body = [&name[..], &parts.concat()].concat();
    package(&[0x5b, 0x82], &body)
}

#[test]
fn devices_are_those_that_are_there_and_have_an_identifier() {
    use kboot::acpi::devices::{Device, device, names};
    use kboot::acpi::resources::{Kind, Resource};

    let ports = [0x47, 1, 0xf8, 3, 0xf8, 3, 0, 8, 0x79, 0];
    let serial = [0x0c, 0x41, 0xd0, 0x05, 0x01];
    let text = |text: &[u8]| [&[0x0d], text, &[0]].concat();
    let devices = [
        aml_device(
            b"COM1",
            &[
                aml_name(b"_HID", &serial),
                aml_name(b"_UID", &[1]),
                aml_name(b"_CRS", &aml_buffer(&ports)),
            ],
        ),
        // By methods; and one within another.
        aml_device(
            b"DYN_",
            &[
                aml_method(b"_HID", &text(b"ACPI0007")),
                aml_method(b"_UID", &text(b"two")),
                aml_method(b"_STA", &[0x0a, 0x0f]),
                aml_method(b"_CRS", &aml_buffer(&ports)),
                aml_device(b"SUB_", &[aml_name(b"_HID", &text(b"QEMU0002"))]),
            ],
        ),
        // Not there; without an identifier; with one that is none.
        aml_device(
            b"OFF_",
            &[aml_name(b"_HID", &serial), aml_method(b"_STA", &[0])],
        ),
        aml_device(b"PCI9", &[aml_name(b"_UID", &[0])]),
        aml_device(b"ODD_", &[aml_name(b"_HID", &[0])]),
        // A method that fails.
        aml_device(b"BAD_", &[aml_method(b"_HID", b"NONE")]),
        // Resources of no use: not a buffer.
        aml_device(
            b"INT_",
            &[aml_name(b"_HID", &serial), aml_name(b"_CRS", &[1])],
        ),
    ];
    let body = [&b"\\_SB_"[..], &devices.concat()].concat();
    let interpreter = interpreter();
    interpreter.load_table(&package(&[0x10], &body)).unwrap();
    let mut found = Vec::new();
    for name in names(&interpreter).unwrap() {
        // A failure ends that device only.
        if let Ok(Some(device)) = device(&interpreter, &name) {
            found.push((name.to_string(), device));
        }
    }
    let ports = Resource {
        kind: Kind::Ports,
        start: 0x3f8,
        len: 8,
    };
    let wanted = |name: &str, hid: &str, uid: &str, resources: &[Resource]| {
        let device = Device {
            hid: hid.into(),
            uid: uid.into(),
            resources: resources.to_vec(),
        };
        (name.to_string(), device)
    };
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        found,
        [
            wanted("\\_SB_.COM1", "PNP0501", "1", &[ports]),
            wanted("\\_SB_.DYN_", "ACPI0007", "two", &[ports]),
            wanted("\\_SB_.DYN_.SUB_", "QEMU0002", "", &[]),
            wanted("\\_SB_.INT_", "PNP0501", "", &[]),
        ]
    );
}
