//! Text for the user: on the screen, and on the serial port if the firmware does not do that.
//!
//! Serial output goes through the firmware's serial protocol where there is one, else to the
//! registers of COM1 if a UART answers there. Errors always go to both; progress goes to the
//! serial port only with `serial: yes`. Text that the firmware redirects itself is never doubled.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;

use shim_core::console::{SerialConsole, serial_console};
use uefi::boot::{self, OpenProtocolAttributes, OpenProtocolParams, ScopedProtocol};
use uefi::proto::console::serial::Serial;
use uefi::runtime::{self, VariableVendor};
use uefi::{Identify, Status, cstr16, system, table};

use crate::cpu::{inb, outb};

/// How long an error waits for a key before the firmware gets the machine back.
const ERROR_WAIT: Duration = Duration::from_secs(10);
const COM1: u16 = 0x3f8;

/// Where text goes.
pub struct Console {
    serial: SerialConsole,
    mirror: bool,
}

impl Console {
    /// Finds out where the firmware's console goes.
    pub fn new() -> Self {
        let con_out =
            runtime::get_variable_boxed(cstr16!("ConOut"), &VariableVendor::GLOBAL_VARIABLE);
        let serial = con_out.map_or(SerialConsole::Separate, |(value, _)| serial_console(&value));
        Self {
            serial,
            mirror: false,
        }
    }

    /// Sends progress to the serial port, too.
    pub fn mirror_to_serial(&mut self) {
        self.mirror = true;
    }

    /// Prints a line of progress.
    pub fn say(&mut self, text: &str) {
        let line = format!("uefi-shim: {text}\n");
        screen(&line);
        if self.mirror {
            self.serial(&line);
        }
    }

    /// Prints text as it is, for the menu.
    pub fn print(&mut self, text: &str) {
        screen(text);
        if self.mirror {
            self.serial(text);
        }
    }

    /// Prints an error.
    pub fn error(&mut self, error: &shim_core::Error) {
        let line = format!("uefi-shim: error: {error}.\n");
        screen(&line);
        self.serial(&line);
    }

    /// Lets the user read, at most for ten seconds.
    pub fn wait_before_return(&mut self) {
        let text = "uefi-shim: returning to the firmware after a key or 10 seconds\n";
        screen(text);
        self.serial(text);
        wait_for_key(ERROR_WAIT);
    }

    fn serial(&self, text: &str) {
        if self.serial == SerialConsole::Redirected {
            return;
        }
        let text: String = text.replace('\n', "\r\n");
        let sent = serial_port().is_some_and(|mut port| port.write(text.as_bytes()).is_ok());
        if !sent {
            com1(text.as_bytes());
        }
    }
}

/// Waits for a key; gives it as a character if one came in time.
pub fn wait_for_key(limit: Duration) -> Option<Option<char>> {
    const STEP: Duration = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    loop {
        let key = if has(Device::Input) {
            system::with_stdin(|input| input.read_key())
        } else {
            Ok(None)
        };
        match key {
            Ok(Some(uefi::proto::console::text::Key::Printable(c))) => return Some(Some(c.into())),
            Ok(Some(_)) => return Some(None),
            _ if waited >= limit => return None,
            _ => {}
        }
        boot::stall(STEP);
        waited = waited.saturating_add(STEP);
    }
}

fn screen(text: &str) {
    if has(Device::Output) {
        // If this fails, there is nobody to tell.
        let _unseen = system::with_stdout(|out| out.write_str(text));
    }
}

/// A console device of the firmware.
#[derive(Clone, Copy)]
enum Device {
    Input,
    Output,
}

/// A machine without keyboard and screen may have no console at all.
fn has(device: Device) -> bool {
    table::system_table_raw().is_some_and(|table| {
        // SAFETY: the table is that of the firmware, which keeps it.
        let table = unsafe { table.as_ref() };
        match device {
            Device::Input => !table.stdin.is_null(),
            Device::Output => !table.stdout.is_null(),
        }
    })
}

fn serial_port() -> Option<ScopedProtocol<Serial>> {
    let handles = boot::locate_handle_buffer(boot::SearchType::ByProtocol(&Serial::GUID)).ok()?;
    let handle = *handles.first()?;
    let params = OpenProtocolParams {
        handle,
        agent: boot::image_handle(),
        controller: None,
    };
    // SAFETY: the port is not taken from the driver that may use it, only written to; the firmware
    // keeps the protocol while the boot services run, and it is dropped before they end.
    unsafe { boot::open_protocol(params, OpenProtocolAttributes::GetProtocol) }.ok()
}

/// Writes to the registers of a 16550 as it is set up, if one is there.
pub fn com1(bytes: &[u8]) {
    const SCRATCH: u16 = COM1 + 7;
    const LINE_STATUS: u16 = COM1 + 5;
    // SAFETY: the scratch register of a UART has no effect; without a UART the port is unused.
    let present = unsafe {
        outb(SCRATCH, 0x5a);
        inb(SCRATCH) == 0x5a
    };
    if !present {
        return;
    }
    for byte in bytes {
        // A UART that never becomes ready must not stop the boot.
        for _ in 0..100_000 {
            // SAFETY: reading the line status has no effect on the text.
            if unsafe { inb(LINE_STATUS) } & 0x20 != 0 {
                break;
            }
        }
        // SAFETY: a UART answered at this port; writing sends a byte.
        unsafe { outb(COM1, *byte) };
    }
}

/// Reports a fault of the shim itself, and restarts the machine.
pub fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    struct Com1;
    impl Write for Com1 {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            com1(text.as_bytes());
            Ok(())
        }
    }
    // No allocation here: the fault may have been one. The serial text may come twice, which is
    // better than not at all.
    let _unseen = write!(
        Com1,
        "uefi-shim: internal error, please report it: {info}\r\n"
    );
    if crate::exit::boot_services_are_alive() {
        if has(Device::Output) {
            let _unseen = system::with_stdout(|out| {
                writeln!(out, "uefi-shim: internal error, please report it: {info}")
            });
        }
        boot::stall(ERROR_WAIT);
    }
    runtime::reset(runtime::ResetType::COLD, Status::ABORTED, None)
}
