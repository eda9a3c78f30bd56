//! The runtime library of jsix programs.

#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

mod bytes;
pub mod call;
pub mod channel;
pub mod clock;
pub mod exec;
pub mod heap;
pub mod held;
#[cfg(not(target_os = "none"))]
pub mod host;
pub mod io;
pub mod log;
pub mod message;
pub mod object;
pub mod port;
pub mod random;
pub mod start;
pub mod sync;
pub mod thread;
pub mod time;
pub mod twin;

use core::fmt;

use abi::log::Level;

pub use abi;
pub use abi::{Error, Handle, NEVER, Rights};
pub use start::Context;

/// The most bytes of a line of the log.
pub const LOG_LINE_MAX: usize = abi::LOG_WRITE_MAX;

/// Writes to the log, by a handle of the machine.
pub(crate) fn log_write(system: Handle, level: Level, text: &[u8]) -> Result<(), Error> {
    call::system_log_write(system, level, text)
}

/// Ends the program with a status, after what it has printed was sent.
pub fn exit(status: u64) -> ! {
    io::finish();
    call::process_exit(status)
}

/// The log as a text sink, by a handle of the machine; lines longer than a call takes are sent in pieces.
pub struct Log(pub abi::Handle);

impl fmt::Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while !rest.is_empty() {
            let mut len = rest.len().min(abi::LOG_WRITE_MAX);
            while !rest.is_char_boundary(len) {
                len -= 1;
            }
            let (piece, tail) = rest.split_at(len);
            log_write(self.0, Level::Info, piece.as_bytes()).map_err(|_| fmt::Error)?;
            rest = tail;
        }
        Ok(())
    }
}

/// Collects formatted text, so that one line becomes one record of the log.
pub struct Line {
    bytes: [u8; abi::LOG_WRITE_MAX],
    len: usize,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self {
            bytes: [0; abi::LOG_WRITE_MAX],
            len: 0,
        }
    }

    /// The text so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

/// Prints a line to the log of a program that the kernel has started: tests and benchmarks.
#[macro_export]
macro_rules! log_line {
    ($context:expr, $($argument:tt)*) => {
        $context.print(format_args!($($argument)*))
    };
}

/// Names the program's main function.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[cfg(target_os = "none")]
        #[unsafe(no_mangle)]
        fn jsix_main(context: &$crate::Context) -> u64 {
            $crate::log::start(context);
            let status = $main(context);
            $crate::io::finish();
            status
        }
    };
}

/// Names the main function of a program that brings nothing along: no logger, no output but [`log_line!`]. For tests of the kernel and
/// benchmarks.
#[macro_export]
macro_rules! bare_program {
    ($main:path) => {
        #[cfg(target_os = "none")]
        #[unsafe(no_mangle)]
        fn jsix_main(context: &$crate::Context) -> u64 {
            $main(context)
        }
    };
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    use fmt::Write;
    let mut line = Line::new();
    let _ = write!(line, "panic: {info}");
    if let Some(system) = start::system() {
        let _ = log_write(system, Level::Error, line.as_bytes());
    }
    // Where the standard library says that an allocation has failed which could not be told otherwise.
    let file = info.location().map_or("", |location| location.file());
    let status = match file.ends_with("alloc/src/alloc.rs") {
        true => heap::OUT_OF_MEMORY,
        false => 101,
    };
    call::process_exit(status)
}
