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
