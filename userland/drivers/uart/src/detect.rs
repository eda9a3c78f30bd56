//! Whether there is a port, and which chip it is.

use core::fmt;

use crate::registers::{
    CAUSE_FIFOS, FIFO_CONTROL, FIFO_ENABLE, IER_ALL, INTERRUPT_CAUSE, INTERRUPT_ENABLE, LCR_8N1,
    LINE_CONTROL, MCR_LOOP, MCR_OUT2, MCR_RTS, MODEM_CONTROL, MODEM_STATUS, MSR_LINES, Registers,
    SCRATCH,
};

/// Which chip it is, as far as that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// The first one: no FIFOs, no scratch register.
    I8250,
    /// No FIFOs.
    I16450,
    /// The first one with FIFOs, which do not work; it is used without.
    I16550,
    /// FIFOs of 16 bytes; so are later chips taken.
    I16550A,
}

impl Chip {
    /// How many bytes the transmitter takes when it is empty.
    pub const fn depth(self) -> usize {
        match self {
            Self::I8250 | Self::I16450 | Self::I16550 => 1,
            Self::I16550A => 16,
        }
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I8250 => "8250",
            Self::I16450 => "16450",
            Self::I16550 => "16550",
            Self::I16550A => "16550A",
        })
    }
}

/// In loop mode with RTS and OUT2 on, CTS and DCD are on, and the other two lines off.
const LOOPED: u8 = 0x90;

/// Finds the chip; `None` where there is none: bits that a port always has do not come back. Afterwards nothing interrupts.
pub fn detect<R: Registers>(registers: &mut R) -> Option<Chip> {
    registers.write(LINE_CONTROL, LCR_8N1);
    let mut holds = |value| {
        registers.write(INTERRUPT_ENABLE, value);
        registers.read(INTERRUPT_ENABLE) & IER_ALL == value
    };
    // Enabled for a moment only, and with OUT2 off, so that no interrupt leaves the chip.
    let is_there = holds(0) && holds(IER_ALL) && holds(0);
    registers.write(INTERRUPT_ENABLE, 0);
    if !is_there {
        return None;
    }
    registers.write(MODEM_CONTROL, MCR_LOOP | MCR_OUT2 | MCR_RTS);
    let looped = registers.read(MODEM_STATUS) & MSR_LINES;
    registers.write(MODEM_CONTROL, 0);
    if looped != LOOPED {
        return None;
    }
    registers.write(FIFO_CONTROL, FIFO_ENABLE);
    let fifos = registers.read(INTERRUPT_CAUSE) & CAUSE_FIFOS;
    registers.write(FIFO_CONTROL, 0);
    Some(match fifos {
        CAUSE_FIFOS => Chip::I16550A,
        0 => {
            let mut keeps = |value| {
                registers.write(SCRATCH, value);
                registers.read(SCRATCH) == value
            };
            if keeps(0xa5) && keeps(0x5a) {
                Chip::I16450
            } else {
                Chip::I8250
            }
        }
        _ => Chip::I16550,
    })
}
