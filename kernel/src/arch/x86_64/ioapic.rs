//! The I/O APICs: what comes from the lines of devices goes to processors as their entries say (Intel 82093AA data sheet, section 3).

use kaddr::PhysAddr;
use kirq::Entry;

use super::IrqLock;
use crate::locks;
use crate::mm::{self, MapError};

const REGISTER_SELECT: u64 = 0x00;
const WINDOW: u64 = 0x10;
const VERSION: u32 = 0x01;
const REDIRECTION: u32 = 0x10;
const MASKED: u32 = 1 << 16;

/// An I/O APIC.
pub struct IoApic {
    /// Selects a register and reads or writes it: two accesses that belong together.
    window: IrqLock<Window, locks::IoApic>,
    /// How many inputs it has.
    pub inputs: u32,
}

/// Its registers, by their virtual address.
struct Window(u64);

impl Window {
    fn select(&self, register: u32) -> *mut u32 {
        // SAFETY: the select register of the I/O APIC, which is mapped for ever (invariant 8).
        unsafe { ((self.0 + REGISTER_SELECT) as *mut u32).write_volatile(register) };
        (self.0 + WINDOW) as *mut u32
    }

    fn read(&self, register: u32) -> u32 {
        // SAFETY: the data window of the same device.
        unsafe { self.select(register).read_volatile() }
    }

    fn write(&self, register: u32, value: u32) {
        // SAFETY: as in `read`.
        unsafe { self.select(register).write_volatile(value) }
    }
}

impl IoApic {
    /// Maps the registers at `address`, reads how many inputs there are, and masks them all.
    ///
    /// # Errors
    /// When the registers cannot be mapped.
    #[unsafe(link_section = ".init.text")]
    pub fn new(address: PhysAddr) -> Result<Self, MapError> {
        let window = Window(mm::map_device(address, 0x20)?.as_u64());
        let inputs = (window.read(VERSION) >> 16 & 0xff) + 1;
        for input in 0..inputs {
            window.write(REDIRECTION + 2 * input, MASKED);
        }
        Ok(Self {
            window: IrqLock::new(window),
            inputs,
        })
    }

    /// Writes the entry of an input, masked. What the input was used for before is forgotten.
    pub fn program(&self, input: u32, entry: &Entry) {
        let low = REDIRECTION + 2 * input;
        let window = self.window.lock();
        window.write(low, entry.reset());
        window.write(low + 1, entry.high());
        window.write(low, entry.masked());
    }

    /// Masks or unmasks an input that was [programmed](Self::program). A masked one keeps vector and trigger, by which the end of an interrupt
    /// that is on its way finds it.
    #[inline]
    pub fn set_masked(&self, input: u32, entry: &Entry, is_masked: bool) {
        let value = if is_masked {
            entry.masked()
        } else {
            entry.open()
        };
        self.window.lock().write(REDIRECTION + 2 * input, value);
    }
}
