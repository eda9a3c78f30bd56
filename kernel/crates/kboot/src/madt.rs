//! The MADT: processors, interrupt controllers, and how interrupts are wired.
//!
//! A pure iterator over the bytes of the table, because entries of length zero, entries cut short
//! and unknown types all occur and must neither panic nor loop. Local APIC and x2APIC entries give
//! the same [`Cpu`]; `acpi::Platform` merges them.

use crate::bytes::{array, u8_at, u16_at, u32_at, u64_at};
use crate::sdt::{Signature, Table, TableError};

/// Bytes before the first entry.
const ENTRIES: usize = 44;
/// `Flags` of the table: a pair of 8259 interrupt controllers exists and must be masked.
const FLAG_8259: u32 = 1;

/// What may be done with a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CpuState {
    /// Nothing.
    Disabled,
    /// It is not there now but may be plugged in.
    OnlineCapable,
    /// It can be started.
    Enabled,
}

/// Which type of entry describes a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuEntryKind {
    /// Processor Local APIC (type 0), with an id of 8 bits.
    LocalApic,
    /// Processor Local x2APIC (type 9), with an id of 32 bits.
    LocalX2Apic,
}

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The id of its local APIC.
    pub apic_id: u32,
    /// Its id in the ACPI namespace and in NMI entries.
    pub processor_uid: u32,
    /// What may be done with it.
    pub state: CpuState,
    /// Which type of entry it comes from.
    pub kind: CpuEntryKind,
}

/// The active level of an interrupt input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// As usual on the bus: high for ISA.
    Bus,
    /// Active high.
    High,
    /// Active low.
    Low,
}

/// What an interrupt input reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// As usual on the bus: edges for ISA.
    Bus,
    /// Edges.
    Edge,
    /// Levels.
    Level,
}

/// Splits the flags of an interrupt entry; the reserved patterns count as those of the bus.
fn inti_flags(flags: u16) -> (Polarity, Trigger) {
    let polarity = match flags & 3 {
        1 => Polarity::High,
        3 => Polarity::Low,
        _ => Polarity::Bus,
    };
    let trigger = match flags >> 2 & 3 {
        1 => Trigger::Edge,
        3 => Trigger::Level,
        _ => Trigger::Bus,
    };
    (polarity, trigger)
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Its id.
    pub id: u8,
    /// Physical address of its registers.
    pub address: u64,
    /// The global system interrupt of its first input.
    pub gsi_base: u32,
}

/// An ISA interrupt that is not wired one to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// The ISA interrupt.
    pub source_irq: u8,
    /// The global system interrupt that it is.
    pub gsi: u32,
    /// Its active level.
    pub polarity: Polarity,
    /// What it reacts to.
    pub trigger: Trigger,
}

/// An input of an I/O APIC that is to be a non-maskable interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NmiSource {
    /// The global system interrupt.
    pub gsi: u32,
    /// Its active level.
    pub polarity: Polarity,
    /// What it reacts to.
    pub trigger: Trigger,
}

/// Which processors an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NmiTarget {
    /// All.
    All,
    /// The one with this [`Cpu::processor_uid`].
    Processor(u32),
}

/// A pin of local APICs that is wired to the non-maskable interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalNmi {
    /// Whose local APIC.
    pub target: NmiTarget,
    /// The pin: 0 or 1.
    pub lint: u8,
    /// Its active level.
    pub polarity: Polarity,
    /// What it reacts to.
    pub trigger: Trigger,
}

/// An entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Types 0 and 9.
    Cpu(Cpu),
    /// Type 1.
    IoApic(IoApic),
    /// Type 2.
    Override(Override),
    /// Type 3.
    NmiSource(NmiSource),
    /// Types 4 and 10.
    LocalNmi(LocalNmi),
    /// Type 5: the physical address of the local APICs, instead of [`Madt::local_apic_address`].
    AddressOverride(u64),
    /// A type that is of no use here, or an id that means none.
    Ignored {
        /// The type.
        kind: u8,
    },
    /// The entry is too short for its type, or ends the table because it has no possible length.
    Malformed {
        /// The type.
        kind: u8,
        /// Where it stands in the table, in bytes.
        offset: usize,
    },
}

/// The table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Madt<'a> {
    /// Physical address of the local APICs; 32 bits in this field.
    pub local_apic_address: u32,
    /// Whether a pair of 8259 interrupt controllers exists, which must be masked.
    pub has_8259: bool,
    bytes: &'a [u8],
}

impl<'a> Madt<'a> {
    /// Reads the fixed part of the table.
    pub fn parse(table: Table<'a>) -> Result<Self, TableError> {
        let bytes = table.expect(Signature::MADT)?.bytes();
        let wrong = TableError::Length {
            signature: Signature::MADT,
            length: bytes.len() as u64,
        };
        Ok(Self {
            local_apic_address: u32_at(bytes, 36).ok_or(wrong)?,
            has_8259: u32_at(bytes, 40).ok_or(wrong)? & FLAG_8259 != 0,
            bytes,
        })
    }

    /// The entries, in the order of the table.
    pub fn entries(&self) -> Entries<'a> {
        Entries {
            bytes: self.bytes,
            offset: ENTRIES,
        }
    }
}

/// Iterator over the entries of a MADT. It always ends.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let rest = self.bytes.get(self.offset..)?;
        let kind = u8_at(rest, 0)?;
        let offset = self.offset;
        let length = usize::from(u8_at(rest, 1).unwrap_or(0));
        let Some(entry) = rest.get(..length).filter(|entry| entry.len() >= 2) else {
            self.offset = self.bytes.len();
            return Some(Entry::Malformed { kind, offset });
        };
        self.offset = offset.saturating_add(length);
        Some(parse_entry(kind, entry).unwrap_or(Entry::Malformed { kind, offset }))
    }
}

/// The entry in `bytes`; `None` when it is too short for its type.
fn parse_entry(kind: u8, bytes: &[u8]) -> Option<Entry> {
    Some(match kind {
        0 => {
            let id = u8_at(bytes, 3)?;
            let uid = u32::from(u8_at(bytes, 2)?);
            let state = cpu_state(u32_at(bytes, 4)?);
            if id == u8::MAX {
                Entry::Ignored { kind }
            } else {
                cpu(u32::from(id), uid, state, CpuEntryKind::LocalApic)
            }
        }
        9 => {
            let id = u32_at(bytes, 4)?;
            let state = cpu_state(u32_at(bytes, 8)?);
            let uid = u32_at(bytes, 12)?;
            if id == u32::MAX {
                Entry::Ignored { kind }
            } else {
                cpu(id, uid, state, CpuEntryKind::LocalX2Apic)
            }
        }
        1 => Entry::IoApic(IoApic {
            id: u8_at(bytes, 2)?,
            address: u64::from(u32_at(bytes, 4)?),
            gsi_base: u32_at(bytes, 8)?,
        }),
        2 => {
            let (polarity, trigger) = inti_flags(u16_at(bytes, 8)?);
            let (source_irq, gsi) = (u8_at(bytes, 3)?, u32_at(bytes, 4)?);
            Entry::Override(Override {
                source_irq,
                gsi,
                polarity,
                trigger,
            })
        }
        3 => {
            let (polarity, trigger) = inti_flags(u16_at(bytes, 2)?);
            Entry::NmiSource(NmiSource {
                gsi: u32_at(bytes, 4)?,
                polarity,
                trigger,
            })
        }
        4 => {
            let [uid, low, high, lint] = array(bytes, 2)?;
            let target = if uid == u8::MAX {
                NmiTarget::All
            } else {
                NmiTarget::Processor(u32::from(uid))
            };
            local_nmi(target, u16::from_le_bytes([low, high]), lint)
        }
        10 => {
            let uid = u32_at(bytes, 4)?;
            let target = if uid == u32::MAX {
                NmiTarget::All
            } else {
                NmiTarget::Processor(uid)
            };
            local_nmi(target, u16_at(bytes, 2)?, u8_at(bytes, 8)?)
        }
        5 => Entry::AddressOverride(u64_at(bytes, 4)?),
        _ => Entry::Ignored { kind },
    })
}

fn cpu(apic_id: u32, processor_uid: u32, state: CpuState, kind: CpuEntryKind) -> Entry {
    Entry::Cpu(Cpu {
        apic_id,
        processor_uid,
        state,
        kind,
    })
}

fn cpu_state(flags: u32) -> CpuState {
    match flags & 3 {
        1 | 3 => CpuState::Enabled,
        2 => CpuState::OnlineCapable,
        _ => CpuState::Disabled,
    }
}

fn local_nmi(target: NmiTarget, flags: u16, lint: u8) -> Entry {
    let (polarity, trigger) = inti_flags(flags);
    Entry::LocalNmi(LocalNmi {
        target,
        lint,
        polarity,
        trigger,
    })
}
