//! Reports about threads that have faulted: which one, where, why, and who called whom.
//!
//! Who wants them binds an event with [`Builder::on_exception`](crate::Builder::on_exception). When its bits are set:
//!
//! ```ignore
//! while let Ok(crash) = Crash::read(child.process(), child.bias()) {
//!     log::error!("{}", crash.with(Symbols::new(&file).as_ref()));
//!     crash.end(child.process())?;
//! }
//! ```

mod frames;
mod symbols;

use alloc::vec::Vec;
use core::fmt;

use abi::process::{self as kinds, Action, Exception};
use abi::thread::Registers;
use abi::{Error, NAME_MAX};
use sys::call;
use sys::object::{Process, Thread};

pub use frames::{FRAMES_MAX, walk};
pub use symbols::{Place, Symbols};

/// Vector of a page fault (Intel SDM vol. 3A, 6.3.1).
const PAGE_FAULT: u64 = 14;

/// What is known of a thread that has faulted.
#[derive(Clone, Debug)]
pub struct Crash {
    /// The name of its process, as the kernel has it.
    pub name: [u8; NAME_MAX],
    /// The number of its process.
    pub process: u64,
    /// What was added to all addresses of the program's file.
    pub bias: u64,
    /// What the kernel says.
    pub exception: Exception,
    /// Its registers, if they could be read.
    pub registers: Option<Registers>,
    /// Where it is, and where its calls go back to.
    pub frames: Vec<u64>,
}

impl Crash {
    /// Reads about the first thread of a process that has faulted and was not read about yet. The handle needs HANDLE_EXCEPTIONS and
    /// INSPECT, and DEBUG for registers and frames. The thread waits on; see [`Crash::end`].
    ///
    /// # Errors
    /// `NotReady` when there is none, or as [`Process::read_exception`].
    pub fn read(process: &Process, bias: u64) -> Result<Self, Error> {
        let exception = process.read_exception()?;
        let usage = process.usage().unwrap_or_default();
        let registers = registers(process, exception.thread).ok();
        let frame = registers.map_or(0, |registers| registers.rbp);
        let frames = walk(exception.instruction, frame, |address| {
            read_word(process, address)
        });
        Ok(Self {
            name: usage.name(),
            process: usage.number,
            bias,
            exception,
            registers,
            frames,
        })
    }

    /// Ends the process by the exception, as if nobody had listened.
    ///
    /// # Errors
    /// As [`Process::resume_exception`].
    pub fn end(&self, process: &Process) -> Result<(), Error> {
        process.resume_exception(self.exception.thread, Action::End)
    }

    /// The report with the names of functions, as text of some lines.
    pub fn with<'a>(&'a self, symbols: Option<&'a Symbols<'a>>) -> Report<'a> {
        Report {
            crash: self,
            symbols,
        }
    }

    /// The name of its process.
    pub fn name(&self) -> &str {
        let len = self.name.iter().position(|&byte| byte == 0);
        let name = self.name.get(..len.unwrap_or(NAME_MAX));
        name.and_then(|name| core::str::from_utf8(name).ok())
            .unwrap_or("?")
    }
}

fn registers(process: &Process, thread: u64) -> Result<Registers, Error> {
    let thread = Thread::from_raw(call::process_thread(process.handle(), thread)?);
    thread.read_registers()
}

fn read_word(process: &Process, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    let count = call::process_read(process.handle(), address, &mut bytes).ok()?;
    (count == bytes.len() as u64).then(|| u64::from_le_bytes(bytes))
}

/// A crash as text. Lines end with a line feed, but for the last one.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    crash: &'a Crash,
    symbols: Option<&'a Symbols<'a>>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Crash {
            process,
            exception,
            registers,
            frames,
            ..
        } = self.crash;
        let Exception {
            thread,
            vector,
            address,
            error_code,
            ..
        } = *exception;
        let name = self.crash.name();
        write!(
            f,
            "{name} (process {process}) crashed: {} of thread {thread}",
            vector_name(vector)
        )?;
        if vector == PAGE_FAULT {
            let access = access_name(exception.access);
            let reason = reason_name(exception.reason);
            write!(f, ", {access} {address:#x}: {reason}")?;
        } else {
            write!(f, ", error code {error_code:#x}")?;
        }
        if self.crash.bias != 0 {
            write!(f, "\n  loaded at {:#x}", self.crash.bias)?;
        }
        if let Some(registers) = registers {
            write_registers(f, registers)?;
        }
        for (index, &address) in frames.iter().enumerate() {
            write!(f, "\n  #{index} {address:#x}")?;
            // A call that does not return may be the last of its function: what it goes back to is in the next one.
            let within = address.saturating_sub(u64::from(index != 0));
            let place = within.wrapping_sub(self.crash.bias);
            let found = self.symbols.and_then(|symbols| symbols.place(place));
            if let Some(place) = found {
                let offset = place.offset + u64::from(index != 0);
                write!(f, " {}", Place { offset, ..place })?;
            }
        }
        Ok(())
    }
}

fn write_registers(f: &mut fmt::Formatter<'_>, registers: &Registers) -> fmt::Result {
    let named = [
        ("rax", registers.rax),
        ("rbx", registers.rbx),
        ("rcx", registers.rcx),
        ("rdx", registers.rdx),
        ("rsi", registers.rsi),
        ("rdi", registers.rdi),
        ("rbp", registers.rbp),
        ("rsp", registers.rsp),
        ("r8", registers.r8),
        ("r9", registers.r9),
        ("r10", registers.r10),
        ("r11", registers.r11),
        ("r12", registers.r12),
        ("r13", registers.r13),
        ("r14", registers.r14),
        ("r15", registers.r15),
        ("fs", registers.fs_base),
        ("flags", registers.rflags),
    ];
    for (index, (name, value)) in named.iter().enumerate() {
        let start = if index % 4 == 0 { "\n  " } else { " " };
        write!(f, "{start}{name:>3}={value:016x}")?;
    }
    Ok(())
}

fn access_name(access: u64) -> &'static str {
    match access {
        kinds::WRITE => "writing",
        kinds::EXECUTE => "executing",
        _ => "reading",
    }
}

fn reason_name(reason: u64) -> &'static str {
    match reason {
        kinds::NOT_MAPPED => "nothing is mapped there",
        kinds::PROTECTION => "the mapping forbids it",
        kinds::GUARD => "it is a guard page, as below a stack",
        kinds::BEYOND_AREA => "the area has become shorter than its mapping",
        kinds::OUT_OF_MEMORY => "no memory is free",
        kinds::OVER_LIMIT => "the memory limit is reached",
        _ => "it is no address that a program can have",
    }
}

/// What programmers call an exception (Intel SDM vol. 3A, table 6-1).
fn vector_name(vector: u64) -> VectorName {
    VectorName(vector)
}

struct VectorName(u64);

impl fmt::Display for VectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "division error",
            1 => "debug exception",
            3 => "breakpoint",
            4 => "overflow",
            5 => "bound range exceeded",
            6 => "invalid opcode",
            7 => "device not available",
            11 => "segment not present",
            12 => "stack-segment fault",
            13 => "general protection fault",
            PAGE_FAULT => "page fault",
            16 => "x87 floating-point error",
            17 => "alignment check",
            19 => "SIMD floating-point exception",
            other => return write!(f, "exception {other}"),
        })
    }
}
