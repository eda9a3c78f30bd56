//! Where log lines go: the serial port at once, the framebuffer when there is one, the ring always.
//!
//! Installed as the `log` crate's logger before anything else can fail. A panic does not come through here: it
//! writes to the raw devices (`panic`).

pub mod framebuffer;
mod reader;

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::console::{SCREEN, SERIAL};

use klog::{Filter, Formatter, Header};
use log::{Level, LevelFilter, Log, Metadata, Record};
use spin::Once;

use crate::arch::current::serial::{self, Serial};
use crate::arch::current::{IrqLock, percpu, time};
use crate::locks;
use crate::process::Process;
use framebuffer::Console;
pub use reader::{on_record, read, tell};

/// The serial port and the screen, one line at a time. Taken with interrupts off; its holder takes no other lock.
static OUTPUT: IrqLock<Output, locks::Output> = IrqLock::new(Output { screen: None });
/// Which consoles are the kernel's: bits of [`abi::console`]. Changed with the lock of the output held.
static OWN: AtomicU64 = AtomicU64::new(SERIAL | SCREEN);
/// The last log records, for the panic report and for later readers.
pub static RING: klog::Ring = klog::Ring::new();
static FILTER: Once<Filter<'static>> = Once::new();

struct Output {
    screen: Option<Console>,
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        if is_own(SERIAL) {
            Serial.write_str(text)?;
        }
        if let Some(screen) = &mut self.screen
            && is_own(SCREEN)
        {
            screen.write_str(text)?;
        }
        Ok(())
    }
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match FILTER.get() {
            Some(filter) => filter.enabled(short(metadata.target()), metadata.level()),
            None => metadata.level() <= Level::Info,
        }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let target = short(record.target());
            record_and_show(record.level(), 0, target, *record.args(), true);
        }
    }

    fn flush(&self) {}
}

/// The part of a module path that tells a reader where a line comes from.
fn short(target: &str) -> &str {
    target
        .strip_prefix("kernel::")
        .unwrap_or(target)
        .split("::")
        .next()
        .unwrap_or(target)
}

/// Writes a line of a process to the log. What its level says decides only where it is shown.
pub fn write(level: Level, process: &Process, text: core::fmt::Arguments<'_>) {
    let target = process.name();
    let is_shown = match FILTER.get() {
        // What programs say at the usual level is what somebody has started them for.
        Some(filter) => level <= Level::Info || filter.enabled(target, level),
        None => level <= Level::Info,
    };
    record_and_show(level, process.id(), target, text, is_shown);
}

fn record_and_show(
    level: Level,
    process: u64,
    target: &str,
    text: core::fmt::Arguments<'_>,
    is_shown: bool,
) {
    let cpu = if percpu::is_ready() {
        percpu::current().index
    } else {
        0
    };
    let now_ns = time::now_ns();
    let header = Header {
        time_ns: now_ns,
        process,
        cpu,
        level,
        target,
    };
    let _ = RING.write(&header, text);
    reader::written();
    if !is_shown {
        return;
    }
    let mut output = OUTPUT.lock();
    // The sinks never fail; a formatting error of the caller's value must not take the line with it.
    let _ = Formatter::new(header, text).write(&mut *output);
}

/// Installs the logger. Called once, first thing.
pub fn init() {
    static LOGGER: Logger = Logger;
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Sets the levels from the command line's `log=` value.
pub fn set_filter(text: &'static str) {
    let (filter, error) = Filter::parse(text, LevelFilter::Info);
    log::set_max_level(filter.max_level());
    crate::trace::set_log(filter.max_level() == LevelFilter::Trace);
    FILTER.call_once(|| filter);
    if let Some(error) = error {
        log::warn!("log={text}: {error}");
    }
}

/// Writes a line where no lock may be taken. Who listens to the log is told with the next record.
pub fn note(text: core::fmt::Arguments<'_>) {
    let header = Header {
        time_ns: time::now_ns(),
        process: 0,
        cpu: percpu::current().index,
        level: Level::Warn,
        target: "kernel",
    };
    let _ = RING.write(&header, text);
    if is_own(SERIAL) {
        let _ = writeln!(Serial, "{text}");
    }
}

/// Whether a console, a bit of [`abi::console`], is the kernel's.
pub fn is_own(console: u64) -> bool {
    OWN.load(Ordering::Relaxed) & console != 0
}

/// Says which consoles are the kernel's. Nothing is written to the others any more when it returns, but for a panic and the last
/// line before the machine stops.
pub fn set_own(consoles: u64) {
    let mut output = OUTPUT.lock();
    let before = OWN.swap(consoles, Ordering::Relaxed);
    let taken_back = consoles & !before;
    if taken_back & SERIAL != 0 {
        serial::take_back();
    }
    if taken_back & SCREEN != 0
        && let Some(screen) = &mut output.screen
    {
        screen.clear();
    }
}

/// The serial port for a last word, whoever has it.
pub fn take_serial_back() {
    if !is_own(SERIAL) {
        serial::take_back();
    }
}

/// Starts showing lines on the screen too.
pub fn add_screen(screen: Console) {
    OUTPUT.lock().screen = Some(screen);
}
