//! The first serial port (16550 compatible, COM1), polled: the kernel's own early and last voice.
//!
//! The driver of later days is a user process; this one is for the boot log and for panics. It never waits for
//! ever: a transmitter that does not empty within a bounded number of polls loses the byte.
//! Source: National Semiconductor PC16550D data sheet, section 8.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::instructions::port::Port;

const COM1: u16 = 0x3f8;
const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;

const LSR_DATA_READY: u8 = 1 << 0;
const LSR_TRANSMIT_EMPTY: u8 = 1 << 5;
const LCR_DLAB: u8 = 1 << 7;
const LCR_8N1: u8 = 0b11;
const MCR_LOOPBACK: u8 = 1 << 4;
const MCR_DTR_RTS_OUT2: u8 = 0b1011;

/// Polls of the line status register before a byte is given up: seconds, as an emulator's reader may be slow.
const PATIENCE: u32 = 5_000_000;
/// The same while the port is stuck: a byte that was given up makes the next ones wait less.
const PATIENCE_WHEN_STUCK: u32 = 1000;

static PRESENT: AtomicBool = AtomicBool::new(false);
static STUCK: AtomicBool = AtomicBool::new(false);

fn read(register: u16) -> u8 {
    // SAFETY: COM1's registers; reading them has no effect on memory (invariant 8).
    unsafe { Port::new(COM1 + register).read() }
}

fn write(register: u16, value: u8) {
    // SAFETY: COM1's registers; writing them has no effect on memory (invariant 8).
    unsafe { Port::new(COM1 + register).write(value) }
}

/// Sets COM1 to 115200 8N1 and finds out, by a loop-back test, whether there is a port at all.
pub fn init() {
    write(INTERRUPT_ENABLE, 0);
    write(LINE_CONTROL, LCR_DLAB);
    write(DATA, 1);
    write(INTERRUPT_ENABLE, 0);
    write(LINE_CONTROL, LCR_8N1);
    write(FIFO_CONTROL, 0b111);
    write(MODEM_CONTROL, MCR_LOOPBACK);
    write(DATA, 0xae);
    let mut present = false;
    for _ in 0..1000 {
        if read(LINE_STATUS) & LSR_DATA_READY != 0 {
            present = read(DATA) == 0xae;
            break;
        }
        core::hint::spin_loop();
    }
    write(MODEM_CONTROL, MCR_DTR_RTS_OUT2);
    PRESENT.store(present, Ordering::Relaxed);
}

/// Sets COM1 up again after somebody else has used it. What that has written and is still on its way is not lost.
pub fn take_back() {
    write(LINE_CONTROL, LCR_8N1);
    write(INTERRUPT_ENABLE, 0);
    write(LINE_CONTROL, LCR_DLAB);
    write(DATA, 1);
    write(INTERRUPT_ENABLE, 0);
    write(LINE_CONTROL, LCR_8N1);
    write(FIFO_CONTROL, 0b1);
    write(MODEM_CONTROL, MCR_DTR_RTS_OUT2);
}

fn put(byte: u8) {
    let stuck = STUCK.load(Ordering::Relaxed);
    for _ in 0..if stuck { PATIENCE_WHEN_STUCK } else { PATIENCE } {
        if read(LINE_STATUS) & LSR_TRANSMIT_EMPTY != 0 {
            write(DATA, byte);
            if stuck {
                STUCK.store(false, Ordering::Relaxed);
            }
            return;
        }
        core::hint::spin_loop();
    }
    STUCK.store(true, Ordering::Relaxed);
}

/// The port as a text sink. Whoever writes decides about locking: the logger holds its lock, a panic takes none.
pub struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if PRESENT.load(Ordering::Relaxed) {
            for byte in text.bytes() {
                if byte == b'\n' {
                    put(b'\r');
                }
                put(byte);
            }
        }
        Ok(())
    }
}
