//! The [`log`] facade: `log::info!` and the others of that crate write records to the kernel's log, from where the logger gets them.
//!
//! A program that was given a handle named `"log"` can, and all others write nothing. The name of the process is the target of its records;
//! a target that a program names itself stands before the text. How much is written the variable `LOG` of the environment says: `error`,
//! `warn`, `info` (the usual), `debug`, `trace` or `off`.

use core::fmt::Write;

use abi::log::Level;
use log::{LevelFilter, Log, Metadata, Record};

use crate::{Context, Line, start};

struct Logger;

static LOGGER: Logger = Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        start::system().is_some()
    }

    fn log(&self, record: &Record<'_>) {
        let Some(system) = start::system() else {
            return;
        };
        let mut line = Line::new();
        // A line that is too long is cut.
        let _ = match record.module_path() == Some(record.target()) {
            true => write!(line, "{}", record.args()),
            false => write!(line, "{}: {}", record.target(), record.args()),
        };
        let _ = crate::log_write(system, level(record.level()), line.as_bytes());
    }

    fn flush(&self) {}
}

/// The kernel's name for a level.
fn level(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warn,
        log::Level::Info => Level::Info,
        log::Level::Debug => Level::Debug,
        log::Level::Trace => Level::Trace,
    }
}

/// Lets the facade write to what the program was given. [`program!`](crate::program) has done it.
pub fn start(context: &Context) {
    if let Some(handle) = context.handle("log") {
        // It stays for the life of the program.
        start::set_system(Some(handle.into_raw()));
    }
    let level = context.env("LOG").and_then(|level| level.parse().ok());
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(level.unwrap_or(LevelFilter::Info));
    }
}
