//! Finding, reading and checking all tables, from the root pointer on.

use crate::bytes::{u32_at, u64_at};
use crate::fadt::Fadt;
use crate::rsdp::{self, Rsdp};
use crate::sdt::{HEADER_SIZE, Header, Signature, Table, TableError};
use alloc::vec::Vec;

/// The largest table that is read. Real ones stay far below 1 MiB.
const MAX_TABLE: u32 = 4 << 20;
/// The most tables that are read. Large servers have a few hundred.
const MAX_TABLES: usize = 4096;

/// Memory that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The seam to physical memory.
pub trait PhysRead {
    /// Fills `into` with the bytes at `address`, or says that not all of them can be read. Any
    /// address may be asked for: it comes from firmware.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable>;
}

/// A checked copy of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedTable {
    /// Where it was found.
    pub address: u64,
    bytes: Vec<u8>,
}

impl OwnedTable {
    /// The table; the checks were made when it was read.
    pub fn table(&self) -> Result<Table<'_>, TableError> {
        Table::check(&self.bytes)
    }

    fn signature(&self) -> Option<Signature> {
        Header::parse(&self.bytes).map(|header| header.signature)
    }
}

/// A table that was listed but is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where it is.
    pub address: u64,
    /// Why.
    pub reason: TableError,
}

/// All tables that passed their checks.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    tables: Vec<OwnedTable>,
    refused: Vec<Refused>,
}

impl Tables {
    /// Reads everything that can be reached from the root pointer at physical address `rsdp`. Only
    /// a root that leads nowhere is an error; single bad tables are in [`Tables::refused`].
    pub fn read(memory: &impl PhysRead, rsdp: u64) -> Result<Self, TableError> {
        let rsdp = read_rsdp(memory, rsdp)?;
        let mut tables = Self::default();
        let xsdt = rsdp.xsdt.map(|address| (address, Signature::XSDT));
        let rsdt = rsdp.rsdt.map(|address| (address, Signature::RSDT));
        let mut root = Err(TableError::NoRoot);
        for (address, signature) in [xsdt, rsdt].into_iter().flatten() {
            root = read_table(memory, address).and_then(|table| {
                table.table()?.expect(signature)?;
                Ok((signature, table.bytes))
            });
            match root {
                Ok(_) => break,
                Err(reason) => tables.refused.push(Refused { address, reason }),
            }
        }
        let (signature, root) = root?;
        let entries = root.get(HEADER_SIZE..).unwrap_or(&[]);
        if signature == Signature::XSDT {
            tables.add_all(
                memory,
                entries.chunks_exact(8).filter_map(|entry| u64_at(entry, 0)),
            );
        } else {
            let words = entries.chunks_exact(4).filter_map(|entry| u32_at(entry, 0));
            tables.add_all(memory, words.map(u64::from));
        }
        if let Ok(fadt) = tables.require(Signature::FADT).and_then(Fadt::parse)
            && let Some(dsdt) = fadt.dsdt
        {
            tables.add(memory, dsdt);
        }
        Ok(tables)
    }

    fn add_all(&mut self, memory: &impl PhysRead, addresses: impl Iterator<Item = u64>) {
        for address in addresses.filter(|address| *address != 0).take(MAX_TABLES) {
            self.add(memory, address);
        }
    }

    fn add(&mut self, memory: &impl PhysRead, address: u64) {
        // Firmware that lists a table twice means one.
        if self.tables.iter().any(|table| table.address == address) {
            return;
        }
        match read_table(memory, address) {
            Ok(table) => self.tables.push(table),
            Err(reason) => self.refused.push(Refused { address, reason }),
        }
    }

    /// All tables with this name, in the order of the root table; the DSDT is among them.
    pub fn all(&self, signature: Signature) -> impl Iterator<Item = Table<'_>> {
        self.tables
            .iter()
            .filter(move |table| table.signature() == Some(signature))
            .filter_map(|table| table.table().ok())
    }

    /// The first table with this name.
    pub fn find(&self, signature: Signature) -> Option<Table<'_>> {
        self.all(signature).next()
    }

    /// The first table with this name, or the error that says that there is none.
    pub fn require(&self, signature: Signature) -> Result<Table<'_>, TableError> {
        self.find(signature)
            .ok_or(TableError::Missing { signature })
    }

    /// Every table, for a listing.
    pub fn iter(&self) -> impl Iterator<Item = &OwnedTable> {
        self.tables.iter()
    }

    /// What was listed but failed its checks; worth a warning each.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }
}

/// Reads the root pointer: the short form first, as the long one may end beyond readable memory.
fn read_rsdp(memory: &impl PhysRead, address: u64) -> Result<Rsdp, TableError> {
    let mut bytes = [0; rsdp::SIZE_V2];
    if memory.read(address, &mut bytes).is_ok() {
        return Rsdp::parse(&bytes);
    }
    let mut bytes = [0; rsdp::SIZE_V1];
    memory
        .read(address, &mut bytes)
        .map_err(|_| TableError::Unreadable { address })?;
    Rsdp::parse(&bytes)
}

/// Reads and checks the table at `address`.
fn read_table(memory: &impl PhysRead, address: u64) -> Result<OwnedTable, TableError> {
    let unreadable = TableError::Unreadable { address };
    let mut header = [0; HEADER_SIZE];
    memory.read(address, &mut header).map_err(|_| unreadable)?;
    let Header { signature, length } = Header::parse(&header).ok_or(unreadable)?;
    let wrong = TableError::Length {
        signature,
        length: u64::from(length),
    };
    let size = usize::try_from(length).map_err(|_| wrong)?;
    if size < HEADER_SIZE || length > MAX_TABLE {
        return Err(wrong);
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| wrong)?;
    bytes.resize(size, 0);
    memory.read(address, &mut bytes).map_err(|_| unreadable)?;
    Table::check(&bytes)?;
    Ok(OwnedTable { address, bytes })
}
