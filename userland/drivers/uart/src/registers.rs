//! The registers of a 16550 (National Semiconductor PC16550D data sheet, section 8), and how they are reached.

/// The eight registers of a port.
pub trait Registers {
    /// Reads one of them, by its number.
    fn read(&mut self, register: u8) -> u8;
    /// Writes one of them, by its number.
    fn write(&mut self, register: u8, value: u8);
}

/// How many there are.
pub const COUNT: u16 = 8;

/// Data, received and to be sent; the low half of the divisor while [`LCR_DIVISOR`] is set.
pub const DATA: u8 = 0;
/// Which causes interrupt; the high half of the divisor while [`LCR_DIVISOR`] is set.
pub const INTERRUPT_ENABLE: u8 = 1;
/// Read: why it interrupts.
pub const INTERRUPT_CAUSE: u8 = 2;
/// Written: the FIFOs.
pub const FIFO_CONTROL: u8 = 2;
/// The form of characters.
pub const LINE_CONTROL: u8 = 3;
/// Lines to the other side.
pub const MODEM_CONTROL: u8 = 4;
/// What has come and gone.
pub const LINE_STATUS: u8 = 5;
/// Lines from the other side.
pub const MODEM_STATUS: u8 = 6;
/// A byte that nothing depends on; the first 8250s have none.
pub const SCRATCH: u8 = 7;

/// There is data, or none has come for a while.
pub const IER_RECEIVED: u8 = 1 << 0;
/// The transmitter can take more.
pub const IER_TRANSMIT: u8 = 1 << 1;
/// Errors of the line.
pub const IER_LINE: u8 = 1 << 2;
/// A line from the other side has changed.
pub const IER_MODEM: u8 = 1 << 3;
/// All of them; the other bits are always 0, or mean something on later chips only.
pub const IER_ALL: u8 = 0x0f;

/// It does not interrupt.
pub const CAUSE_NONE: u8 = 1 << 0;
/// Both set: the FIFOs work. The upper one alone: they are there, and broken (the first 16550s).
pub const CAUSE_FIFOS: u8 = 0b11 << 6;

/// The FIFOs are used.
pub const FIFO_ENABLE: u8 = 1 << 0;
/// Empties that of the receiver.
pub const FIFO_CLEAR_RECEIVED: u8 = 1 << 1;
/// Empties that of the transmitter.
pub const FIFO_CLEAR_TRANSMIT: u8 = 1 << 2;
/// The receiver interrupts at 8 bytes: half of its FIFO is left for those that come until somebody looks.
pub const FIFO_TRIGGER_8: u8 = 0b10 << 6;

/// Eight bits, no parity, one stop bit.
pub const LCR_8N1: u8 = 0b11;
/// The first two registers are the divisor.
pub const LCR_DIVISOR: u8 = 1 << 7;

/// Data terminal ready.
pub const MCR_DTR: u8 = 1 << 0;
/// Request to send: the other side may.
pub const MCR_RTS: u8 = 1 << 1;
/// On a PC: the interrupt reaches its line.
pub const MCR_OUT2: u8 = 1 << 3;
/// What is sent comes back, and the lines to the other side, too.
pub const MCR_LOOP: u8 = 1 << 4;

/// A byte can be read.
pub const LSR_READY: u8 = 1 << 0;
/// A byte was lost as there was no room.
pub const LSR_OVERRUN: u8 = 1 << 1;
/// The byte that can be read has wrong parity.
pub const LSR_PARITY: u8 = 1 << 2;
/// It has no stop bit.
pub const LSR_FRAMING: u8 = 1 << 3;
/// It is none: the line was broken.
pub const LSR_BREAK: u8 = 1 << 4;
/// The transmitter takes as many bytes as its FIFO has room for.
pub const LSR_TRANSMIT_EMPTY: u8 = 1 << 5;
/// The last bit has gone, too.
pub const LSR_IDLE: u8 = 1 << 6;

/// The four lines from the other side; below them, which have changed.
pub const MSR_LINES: u8 = 0xf0;
/// Clear to send: the other side takes bytes.
pub const MSR_CTS: u8 = 1 << 4;
