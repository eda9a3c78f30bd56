//! The user side of the system calls: stubs, entry point, printing and panics.
//!
//! A program is `#![no_std] #![no_main]`, defines `fn main(context: &Context) -> u64` and names it with [`program!`].

#![cfg_attr(target_os = "none", no_std)]

pub mod call;
pub mod channel;
pub mod clock;
pub mod held;
pub mod message;
pub mod port;
pub mod random;
pub mod start;
pub mod thread;
pub mod twin;

use core::fmt;

pub use abi;
pub use start::Context;

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
            call::system_log_write(self.0, abi::log::Level::Info, piece.as_bytes())
                .map_err(|_| fmt::Error)?;
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

/// Prints a line to the process's log.
#[macro_export]
macro_rules! println {
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
        let _ = call::system_log_write(system, abi::log::Level::Error, line.as_bytes());
    }
    call::process_exit(101)
}
