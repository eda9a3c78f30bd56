//! ACPI tables built byte by byte, as firmware writes them, and a memory to put them in.

#![allow(dead_code, reason = "each test program uses a part of this")]

use kboot::acpi::{PhysRead, Unreadable};
use std::collections::BTreeMap;

/// A table: header, body, right length and checksum.
pub fn sdt(signature: &[u8; 4], revision: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    bytes.extend((36 + body.len() as u32).to_le_bytes());
    bytes.extend([revision, 0]);
    bytes.extend(b"BOCHS BXPC    ");
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(b"BXPC");
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(body);
    seal(&mut bytes);
    bytes
}

/// Makes the checksum right.
pub fn seal(table: &mut [u8]) {
    table[9] = 0;
    table[9] = sum(table).wrapping_neg();
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

pub fn rsdp(revision: u8, rsdt: u32, xsdt: u64) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0BOCHS ".to_vec();
    bytes.push(revision);
    bytes.extend(rsdt.to_le_bytes());
    bytes[8] = sum(&bytes).wrapping_neg();
    if revision >= 2 {
        bytes.extend(36u32.to_le_bytes());
        bytes.extend(xsdt.to_le_bytes());
        bytes.extend([0; 4]);
        bytes[32] = sum(&bytes).wrapping_neg();
    }
    bytes
}

/// MADT entries.
pub fn local_apic(uid: u8, id: u8, flags: u32) -> Vec<u8> {
    [&[0, 8, uid, id][..], &flags.to_le_bytes()].concat()
}

pub fn local_x2apic(uid: u32, id: u32, flags: u32) -> Vec<u8> {
    [
        &[9, 16, 0, 0][..],
        &id.to_le_bytes(),
        &flags.to_le_bytes(),
        &uid.to_le_bytes(),
    ]
    .concat()
}

pub fn io_apic(id: u8, address: u32, gsi: u32) -> Vec<u8> {
    [
        &[1, 12, id, 0][..],
        &address.to_le_bytes(),
        &gsi.to_le_bytes(),
    ]
    .concat()
}

pub fn source_override(irq: u8, gsi: u32, flags: u16) -> Vec<u8> {
    [
        &[2, 10, 0, irq][..],
        &gsi.to_le_bytes(),
        &flags.to_le_bytes(),
    ]
    .concat()
}

pub fn nmi_source(gsi: u32, flags: u16) -> Vec<u8> {
    [&[3, 8][..], &flags.to_le_bytes(), &gsi.to_le_bytes()].concat()
}

pub fn local_nmi(uid: u8, flags: u16, lint: u8) -> Vec<u8> {
    [&[4, 6, uid][..], &flags.to_le_bytes(), &[lint]].concat()
}

pub fn x2apic_nmi(uid: u32, flags: u16, lint: u8) -> Vec<u8> {
    [
        &[10, 12][..],
        &flags.to_le_bytes(),
        &uid.to_le_bytes(),
        &[lint, 0, 0, 0],
    ]
    .concat()
}

pub fn address_override(address: u64) -> Vec<u8> {
    [&[5, 12, 0, 0][..], &address.to_le_bytes()].concat()
}

pub fn madt(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut body = 0xfee0_0000u32.to_le_bytes().to_vec();
    body.extend(1u32.to_le_bytes());
    body.extend(entries.concat());
    sdt(b"APIC", 5, &body)
}

/// What QEMU's q35 writes for `cpus` processors.
pub fn qemu_madt(cpus: u8) -> Vec<u8> {
    let mut entries: Vec<_> = (0..cpus).map(|cpu| local_apic(cpu, cpu, 1)).collect();
    entries.push(io_apic(0, 0xfec0_0000, 0));
    entries.push(source_override(0, 2, 0));
    for irq in [5, 9, 10, 11] {
        entries.push(source_override(irq, u32::from(irq), 13));
    }
    entries.push(local_nmi(0xff, 0, 1));
    madt(&entries)
}

pub fn gas(space: u8, width: u8, address: u64) -> [u8; 12] {
    let mut bytes = [space, width, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..].copy_from_slice(&address.to_le_bytes());
    bytes
}

/// A FADT of `size` bytes as q35 has it, with `dsdt` in the 32-bit field.
pub fn fadt(size: usize, revision: u8, dsdt: u32) -> Vec<u8> {
    let mut table = vec![0; 276];
    let mut put = |offset: usize, bytes: &[u8]| {
        table[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    put(40, &dsdt.to_le_bytes());
    put(46, &9u16.to_le_bytes());
    put(48, &0xb2u32.to_le_bytes());
    put(52, &[2, 3]);
    put(56, &0x600u32.to_le_bytes());
    put(64, &0x604u32.to_le_bytes());
    put(76, &0x608u32.to_le_bytes());
    put(88, &[4, 2, 0, 4]);
    put(109, &2u16.to_le_bytes());
    put(112, &0x84a5u32.to_le_bytes());
    put(116, &gas(1, 8, 0xcf9));
    put(128, &[0x0f]);
    sdt(b"FACP", revision, &table[36..size])
}

/// `Name (\_S5, Package (4) {5, 6, 0, 0})` between other code.
pub fn dsdt() -> Vec<u8> {
    let code = b"\x10\x05\\_SB_\x08_S3_\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06\x00\x00\xa4";
    sdt(b"DSDT", 1, code)
}

pub fn hpet(address: u64) -> Vec<u8> {
    let mut body = 0x8086_a201u32.to_le_bytes().to_vec();
    body.extend(gas(0, 0, address));
    body.extend([0, 0x80, 0, 0]);
    sdt(b"HPET", 1, &body)
}

pub fn mcfg(base: u64, segment: u16, first: u8, last: u8) -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend(base.to_le_bytes());
    body.extend(segment.to_le_bytes());
    body.extend([first, last, 0, 0, 0, 0]);
    sdt(b"MCFG", 1, &body)
}

/// Memory with holes.
#[derive(Default)]
pub struct Memory {
    pub blocks: BTreeMap<u64, Vec<u8>>,
}

impl Memory {
    pub fn put(&mut self, address: u64, bytes: Vec<u8>) {
        self.blocks.insert(address, bytes);
    }

    /// A machine: the root pointer at 0xe0000, an XSDT (or an RSDT for revision 0), these tables.
    pub fn machine(revision: u8, tables: Vec<Vec<u8>>) -> Self {
        let mut memory = Self::default();
        let mut roots = Vec::new();
        for (index, table) in tables.into_iter().enumerate() {
            let address = 0x10_0000 + index as u64 * 0x1_0000;
            if revision == 0 {
                roots.extend((address as u32).to_le_bytes());
            } else {
                roots.extend(address.to_le_bytes());
            }
            memory.put(address, table);
        }
        if revision == 0 {
            memory.put(0xf000, sdt(b"RSDT", 1, &roots));
            memory.put(0xe0000, rsdp(0, 0xf000, 0));
        } else {
            memory.put(0xf000, sdt(b"XSDT", 1, &roots));
            memory.put(0xe0000, rsdp(revision, 0, 0xf000));
        }
        memory
    }
}

impl PhysRead for Memory {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let (start, block) = self
            .blocks
            .range(..=address)
            .next_back()
            .ok_or(Unreadable)?;
        let from = usize::try_from(address - start).map_err(|_| Unreadable)?;
        let end = from.checked_add(into.len()).ok_or(Unreadable)?;
        into.copy_from_slice(block.get(from..end).ok_or(Unreadable)?);
        Ok(())
    }
}
