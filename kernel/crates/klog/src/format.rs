//! How a record looks on a console.

use crate::record::{Header, Level, Record};
use core::fmt;

/// A record as lines: `[    0.001234] cpu0 INFO  target: text`. Further lines of a text are
/// indented below its first one. Each line, the last included, ends with a line feed.
#[derive(Clone, Copy, Debug)]
pub struct Formatter<'a> {
    header: Header<'a>,
    text: fmt::Arguments<'a>,
}

impl<'a> Formatter<'a> {
    /// For a text that is being made, on its way to a console.
    pub fn new(header: Header<'a>, text: fmt::Arguments<'a>) -> Self {
        Self { header, text }
    }

    /// Writes the record `record` to `out`.
    pub fn write_record(record: &Record<'_>, out: &mut dyn fmt::Write) -> fmt::Result {
        Formatter::new(record.header, format_args!("{}", record.text)).write(out)
    }

    /// Writes the lines to `out`.
    pub fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Header {
            time_ns,
            cpu,
            level,
            target,
            ..
        } = self.header;
        let (seconds, micros) = (time_ns / 1_000_000_000, time_ns / 1000 % 1_000_000);
        let level = match level {
            Level::Error => "ERROR",
            Level::Warn => "WARN ",
            Level::Info => "INFO ",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        };
        write!(out, "[{seconds:5}.{micros:06}] cpu{cpu} {level} {target}: ")?;
        let mut indented = Indented {
            out,
            at_line_start: false,
        };
        fmt::Write::write_fmt(&mut indented, self.text)?;
        out.write_char('\n')
    }
}

impl fmt::Display for Formatter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// Indents each line after the first one, below the text after the time.
struct Indented<'a> {
    out: &'a mut dyn fmt::Write,
    at_line_start: bool,
}

impl fmt::Write for Indented<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive('\n') {
            // Written only when something follows, so that a line feed at the end adds nothing.
            if self.at_line_start {
                self.out.write_str("\n                 ")?;
            }
            let line = part.strip_suffix('\n');
            self.at_line_start = line.is_some();
            self.out.write_str(line.unwrap_or(part))?;
        }
        Ok(())
    }
}
