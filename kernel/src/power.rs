//! Switching the machine off, and telling an emulator how it went.

use core::fmt::Write;
use core::sync::atomic::{AtomicU16, Ordering};

use x86_64::instructions::port::Port;
use x86_64::structures::DescriptorTablePointer;

use crate::acpi::PowerError;
use crate::arch::current::serial::Serial;
use crate::arch::current::{halt_forever, time};
use crate::{acpi, console, mm, trace};

/// Port of QEMU's `isa-debug-exit` device; 0: there is none.
static EXIT_PORT: AtomicU16 = AtomicU16::new(0);

/// The largest status that the exit device can carry and that is not a panic's.
const LARGEST_STATUS: u64 = 62;
/// What the exit device is told after a panic.
const PANIC_STATUS: u32 = 63;

/// Sets the exit device, as the command line names it. Only emulators have one: the option is never set by itself.
pub fn set_exit_port(port: u16) {
    EXIT_PORT.store(port, Ordering::Relaxed);
}

/// The port of the exit device, if there is one.
pub fn exit_port() -> Option<u16> {
    let port = EXIT_PORT.load(Ordering::Relaxed);
    (port != 0).then_some(port)
}

fn tell_emulator(value: u32) {
    if let Some(port) = exit_port() {
        // SAFETY: the command line says that this port is the emulator's exit device, which ends the machine.
        unsafe { Port::new(port).write(value) };
    }
}

/// Ends the system with a status, or stops here if that is not possible.
pub fn off(status: u64) -> ! {
    let error = try_off(status);
    log::error!("the machine does not switch itself off: {error}; it is safe to do it by hand");
    halt_forever()
}

/// Ends the system with a status: by the exit device when it is not zero and there is one, else by ACPI. Comes back if neither works.
pub fn try_off(status: u64) -> PowerError {
    log::info!("stopping, {} us after entry", time::now_ns() / 1000);
    if let Some(ticks) = time::ticks_to_first_user() {
        // One tick is one instruction where the emulator counts them (`-icount shift=0,sleep=off`).
        log::info!("boot cost {ticks} ticks from kernel entry to the first user instruction");
    }
    let (stacks, size) = (mm::stack::counts().0, mm::stack::SIZE);
    let deepest = mm::stack::high_water();
    log::info!("{stacks} kernel stacks, the deepest use was {deepest} of {size} bytes");
    trace::write();
    // Straight to the port: the last line is for those who watch it.
    console::take_serial_back();
    let _ = writeln!(Serial, "jsix: powering off, status {status}");
    if status != 0 {
        tell_emulator(status.min(LARGEST_STATUS) as u32);
    }
    let error = acpi::power_off();
    tell_emulator(status.min(LARGEST_STATUS) as u32);
    error
}

/// Restarts the machine: by the reset register of ACPI, else by a fault that nothing can handle.
pub fn restart() -> ! {
    log::info!("restarting");
    console::take_serial_back();
    let _ = writeln!(Serial, "jsix: restarting");
    acpi::reset();
    // SAFETY: with an empty interrupt table the next exception, and the double fault after it, cannot be delivered,
    // which makes the processor shut down and the board reset it (Intel SDM vol. 3A, 6.15).
    unsafe {
        x86_64::instructions::interrupts::disable();
        x86_64::instructions::tables::lidt(&DescriptorTablePointer {
            limit: 0,
            base: x86_64::VirtAddr::zero(),
        });
        core::arch::asm!("ud2", options(noreturn));
    }
}

/// Ends the system after a panic: takes no lock.
pub fn fail() -> ! {
    trace::write();
    tell_emulator(PANIC_STATUS);
    halt_forever()
}
