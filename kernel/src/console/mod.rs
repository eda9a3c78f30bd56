//! Where log lines go: the serial port at once, the framebuffer when there is one, the ring always.
//!
//! Installed as the `log` crate's logger before anything else can fail. A panic does not come through here: it
//! writes to the raw devices (`panic`).

pub mod framebuffer;

use core::fmt::Write;

use klog::{Filter, Formatter, Header};
use log::{Level, LevelFilter, Log, Metadata, Record};
use spin::Once;

use crate::arch::current::serial::Serial;
use crate::arch::current::{IrqLock, percpu, time};
use crate::locks;
use framebuffer::Console;

/// The serial port and the screen, one line at a time. Taken with interrupts off; its holder takes no other lock.
static OUTPUT: IrqLock<Output, locks::Output> = IrqLock::new(Output { screen: None });
/// The last log records, for the panic report and for later readers.
pub static RING: klog::Ring = klog::Ring::new();
static FILTER: Once<Filter<'static>> = Once::new();

struct Output {
    screen: Option<Console>,
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        Serial.write_str(text)?;
        if let Some(screen) = &mut self.screen {
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
            write(record.level(), short(record.target()), *record.args());
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

/// Writes one line to all outputs.
pub fn write(level: Level, target: &str, text: core::fmt::Arguments<'_>) {
    let cpu = if percpu::is_ready() {
        percpu::current().index
    } else {
        0
    };
    let now_ns = time::now_ns();
    let header = Header {
        time_ns: now_ns,
        cpu,
        level,
        target,
    };
    let _ = RING.write(&header, text);
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

/// Starts showing lines on the screen too.
pub fn add_screen(screen: Console) {
    OUTPUT.lock().screen = Some(screen);
}
