//! What is written to the redirection table of an I/O APIC (Intel 82093AA data sheet, 3.2.4).

use crate::wiring::{Mode, Polarity, Trigger};

const ACTIVE_LOW: u32 = 1 << 13;
const LEVEL: u32 = 1 << 15;
const MASKED: u32 = 1 << 16;
/// Where the destination is in the upper half.
const DESTINATION_SHIFT: u32 = 24;

/// A processor that an I/O APIC can send to: the id of its local APIC has 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination(u8);

impl Destination {
    /// The processor with this id; none for one that cannot be named (255 means all of them).
    pub fn new(apic_id: u32) -> Option<Self> {
        u8::try_from(apic_id)
            .ok()
            .filter(|id| *id != u8::MAX)
            .map(Self)
    }
}

/// An entry for an interrupt that one processor gets, by number, with fixed priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The vector.
    pub vector: u8,
    /// How the input is wired.
    pub mode: Mode,
    /// Who gets it.
    pub destination: Destination,
}

impl Entry {
    /// The upper half.
    pub fn high(&self) -> u32 {
        u32::from(self.destination.0) << DESTINATION_SHIFT
    }

    /// The lower half, which lets interrupts through.
    pub fn open(&self) -> u32 {
        let mut low = u32::from(self.vector);
        if self.mode.polarity == Polarity::Low {
            low |= ACTIVE_LOW;
        }
        if self.mode.trigger == Trigger::Level {
            low |= LEVEL;
        }
        low
    }

    /// The lower half, which lets none through.
    pub fn masked(&self) -> u32 {
        self.open() | MASKED
    }

    /// A lower half that lets none through either, and makes the chip forget that it waits for the end of one: what it does when an
    /// input is said to react to edges.
    pub fn reset(&self) -> u32 {
        self.masked() & !LEVEL
    }
}
