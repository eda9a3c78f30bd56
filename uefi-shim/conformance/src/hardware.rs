//! Ports, registers, and the serial output.

use core::arch::asm;
use core::fmt;

const COM1: u16 = 0x3f8;

/// Reads a port.
pub fn inb(port: u16) -> u8 {
    let value;
    // SAFETY: this kernel reads only ports whose reading has no effect.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack)) };
    value
}

fn outb(port: u16, value: u8) {
    // SAFETY: only the serial port is written.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) };
}

/// Writes the value to the exit device of QEMU, and halts.
pub fn exit(port: Option<u16>, value: u32) -> ! {
    if let Some(port) = port {
        // SAFETY: the command line says that the exit device is there.
        unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack)) };
    }
    loop {
        // SAFETY: interrupts are off, so this waits for good.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// Reads a model-specific register that every x86-64 processor has.
pub fn rdmsr(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the callers name architectural registers.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack))
    };
    u64::from(high) << 32 | u64::from(low)
}

/// CR0, CR3 and CR4.
pub fn control() -> (u64, u64, u64) {
    let (cr0, cr3, cr4);
    // SAFETY: reading has no effect.
    unsafe {
        asm!("mov {}, cr0", "mov {}, cr3", "mov {}, cr4", out(reg) cr0, out(reg) cr3, out(reg) cr4, options(nomem, nostack));
    }
    (cr0, cr3, cr4)
}

/// CS, DS, ES, FS, GS, SS.
pub fn segments() -> [u16; 6] {
    let (cs, ds, es, fs, gs, ss): (u16, u16, u16, u16, u16, u16);
    // SAFETY: reading has no effect.
    unsafe {
        asm!("mov {0:x}, cs", "mov {1:x}, ds", "mov {2:x}, es", "mov {3:x}, fs", "mov {4:x}, gs", "mov {5:x}, ss",
            out(reg) cs, out(reg) ds, out(reg) es, out(reg) fs, out(reg) gs, out(reg) ss, options(nomem, nostack));
    }
    [cs, ds, es, fs, gs, ss]
}

/// Base and limit of the GDT.
pub fn gdt() -> (u64, u16) {
    #[repr(C, packed)]
    struct Register {
        limit: u16,
        base: u64,
    }
    let mut register = Register { limit: 0, base: 0 };
    // SAFETY: stores ten bytes into a place of that size.
    unsafe { asm!("sgdt [{}]", in(reg) &raw mut register, options(nostack)) };
    (register.base, register.limit)
}

/// The id of this processor's local APIC, as CPUID says.
pub fn initial_apic_id() -> u32 {
    core::arch::x86_64::__cpuid(1).ebx >> 24
}

/// The serial port; only one processor writes at a time.
pub struct Serial;

impl Serial {
    /// Sets up the UART: 115200 baud, 8 bits, no parity.
    pub fn set_up() {
        for (offset, value) in [(1, 0), (3, 0x80), (0, 1), (1, 0), (3, 3), (2, 0xc7), (4, 3)] {
            outb(COM1 + offset, value);
        }
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while inb(COM1 + 5) & 0x20 == 0 {
                core::hint::spin_loop();
            }
            outb(COM1, byte);
        }
        Ok(())
    }
}
