//! How a record looks as text: `[    0.001234] cpu0 INFO  target: text`, as on the kernel's consoles.
//!
//! Whatever a program has written, only what it made lines of becomes lines, and nothing reaches the terminal that is not to be seen: control
//! characters and bytes that are no UTF-8 become `U+FFFD`.

use core::fmt::{self, Write};

use abi::log::{Level, Record};

/// Stands for what cannot be shown.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
/// Begins further lines of a text.
const INDENT: &str = "\n                 ";

/// Writes a record, with a line feed at its end.
///
/// # Errors
/// As `out`.
pub fn write_record(record: &Record<'_>, out: &mut dyn Write) -> fmt::Result {
    let time_ns = record.head.time_ns;
    let (seconds, micros) = (time_ns / 1_000_000_000, time_ns / 1000 % 1_000_000);
    let level = match record.head.level {
        Level::Error => "ERROR",
        Level::Warn => "WARN ",
        Level::Info => "INFO ",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    };
    let cpu = record.head.cpu;
    write!(out, "[{seconds:5}.{micros:06}] cpu{cpu} {level} ")?;
    write_clean(record.target, out)?;
    out.write_str(": ")?;
    let text = record.text.strip_suffix(b"\n").unwrap_or(record.text);
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.write_str(INDENT)?;
        }
        write_clean(line, out)?;
    }
    out.write_char('\n')
}

/// Writes what tells a follower of records that it did not get.
///
/// # Errors
/// As `out`.
pub fn write_skipped(count: u64, out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "[{count} records skipped: they came faster than they were read]"
    )
}

fn write_clean(bytes: &[u8], out: &mut dyn Write) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(|char: char| char.is_control() && char != '\t') {
            let (clean, control) = rest.split_at(at);
            out.write_str(clean)?;
            out.write_char(REPLACEMENT)?;
            let mut chars = control.chars();
            chars.next();
            rest = chars.as_str();
        }
        out.write_str(rest)?;
        if !chunk.invalid().is_empty() {
            out.write_char(REPLACEMENT)?;
        }
    }
    Ok(())
}
