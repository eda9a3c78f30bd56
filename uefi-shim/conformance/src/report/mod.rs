//! Prints everything, in a fixed order.

mod files;
mod machine;
mod memory;
mod processors;
mod screen;
mod tables;

use core::fmt::Write;

use crate::hardware::{self, Serial};
use crate::requests::{
    BASE_REVISION, BOOTLOADER_INFO, CMDLINE, DATE, DEVICE_TREE, FIRMWARE_TYPE, KERNEL_FILE,
    OUTSIDE, REVISION,
};

/// The value that QEMU's exit device gets at the end.
const DONE: u32 = 0x10;
/// The value that it gets after a panic.
const PANIC: u32 = 0x3f;

macro_rules! conf {
    ($($argument:tt)*) => { $crate::report::line("conf: ", format_args!($($argument)*)) };
}
macro_rules! note {
    ($($argument:tt)*) => { $crate::report::line("note: ", format_args!($($argument)*)) };
}
pub(crate) use {conf, note};

/// Prints a line.
pub fn line(prefix: &str, text: core::fmt::Arguments<'_>) {
    // The serial port never fails.
    let _always = Serial.write_fmt(format_args!("{prefix}{text}\n"));
}

/// Words instead of true and false.
pub fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// The port of QEMU's exit device, if the command line names it.
fn exit_port() -> Option<u16> {
    let cmdline = KERNEL_FILE.get_response()?.file().string().to_str().ok()?;
    let value = cmdline
        .split_whitespace()
        .find_map(|word| word.strip_prefix("qemu-exit=0x"))?;
    u16::from_str_radix(value, 16).ok()
}

/// Everything; called by the entry point on the stack of the loader.
pub extern "C" fn main() -> ! {
    Serial::set_up();
    // The loader may have left a line unfinished.
    line("\n", format_args!(""));
    conf!("begin");
    revision();
    simple();
    machine::report();
    memory::report();
    files::report();
    screen::report();
    tables::report();
    processors::report();
    conf!("end");
    hardware::exit(exit_port(), DONE)
}

fn revision() {
    conf!("base revision: asked for {REVISION}");
    // Limine 8.2 knows up to 2: what it says to a higher one differs by nature.
    if REVISION <= 2 {
        conf!(
            "base revision: supported {}, loaded {:?}",
            yes(BASE_REVISION.is_supported()),
            BASE_REVISION.loaded_revision()
        );
    } else {
        note!(
            "base revision: supported {}, loaded {:?}",
            yes(BASE_REVISION.is_supported()),
            BASE_REVISION.loaded_revision()
        );
    }
    conf!(
        "request behind the end marker: answered {}",
        yes(OUTSIDE.get_response().is_some())
    );
}

fn simple() {
    match BOOTLOADER_INFO.get_response() {
        Some(info) => {
            conf!(
                "bootloader info: revision {}, name {}, version {}",
                info.revision(),
                yes(!info.name().is_empty()),
                yes(!info.version().is_empty())
            );
            note!("bootloader: {} {}", info.name(), info.version());
        }
        None => conf!("bootloader info: none"),
    }
    // Newer than Limine 8.2.
    match CMDLINE.get_response() {
        Some(cmdline) => note!("command line: {:?}", cmdline.cmdline()),
        None => note!("command line: none"),
    }
    match FIRMWARE_TYPE.get_response() {
        Some(firmware) => conf!(
            "firmware type: revision {}, UEFI64 {}",
            firmware.revision(),
            yes(firmware.firmware_type() == limine::firmware_type::FirmwareType::UEFI_64)
        ),
        None => conf!("firmware type: none"),
    }
    match DATE.get_response() {
        Some(date) => {
            let seconds = date.timestamp().as_secs();
            // 2020-01-01 to 2100-01-01.
            conf!(
                "date: revision {}, plausible {}",
                date.revision(),
                yes((1_577_836_800..4_102_444_800).contains(&seconds))
            );
            note!("date: {seconds}");
        }
        None => conf!("date: none"),
    }
    conf!("device tree: {}", yes(DEVICE_TREE.get_response().is_some()));
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    line("conf: panic: ", format_args!("{info}"));
    hardware::exit(exit_port(), PANIC)
}
