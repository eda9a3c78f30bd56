//! The runtime library of jsix programs: this is the programmer's manual.
//!
//! # A program
//!
//! A program is `no_std` and has a main function, which gets a [`Context`] and returns the exit status. [`program!`] names it:
//!
//! ```
//! #![cfg_attr(target_os = "none", no_std, no_main)]
//!
//! use sys::{Context, println};
//!
//! fn main_of_program(context: &Context) -> u64 {
//!     let name = context.argument(1).unwrap_or("world");
//!     println!("hello, {name}");
//!     0
//! }
//!
//! sys::program!(main_of_program);
//!
//! // So that the host can check the program, too.
//! #[cfg(not(target_os = "none"))]
//! fn main() {
//!     let _: fn(&Context) -> u64 = main_of_program;
//! }
//! ```
//!
//! With `extern crate alloc;` it has `Vec`, `Box`, `String` and the others: [`heap`].
//!
//! # What it is given
//!
//! A program can do what its handles allow, and nothing else. It gets them by name from whoever started it, with arguments and an
//! environment; what is not given is absent, and there is no other way to it. A handle is taken once:
//!
//! ```
//! # use sys::{Context, Error};
//! use sys::object::Mailbox;
//!
//! fn directory(context: &Context) -> Result<Mailbox, Error> {
//!     let handle = context.handle("directory").ok_or(Error::NotReady)?;
//!     Ok(handle.into())
//! }
//! ```
//!
//! # Handles and their objects
//!
//! [`object`] has a type for each type of object. It owns a handle, closes it when it is dropped, and has the calls as methods:
//! [`Event`](object::Event), [`Mailbox`](object::Mailbox), [`VmArea`](object::VmArea), [`Process`](object::Process) and so on. Rights are
//! with the handle, not with the type: what a handle does not allow is the error `AccessDenied`. To give less away than one has:
//!
//! ```no_run
//! # fn f() -> Result<(), sys::Error> {
//! use sys::Rights;
//! use sys::object::{Event, Process};
//!
//! let event = Event::new()?;
//! let only_to_signal = event.duplicate(Rights::SIGNAL.union(Rights::TRANSFER))?;
//! let child = Process::new("child")?;
//! let its_name_there = child.give(only_to_signal)?;
//! # Ok(()) }
//! ```
//!
//! [`call`] has all system calls as functions of raw handles, as the kernel's table documents them; they are what the rest is made of.
//!
//! # Errors
//!
//! Every call returns one of a closed set, [`Error`]; nothing has happened then. The library does not panic because of what others do.
//! A panic ends the program with status 101, memory that runs out where that cannot be told with
//! [`OUT_OF_MEMORY`](heap::OUT_OF_MEMORY); both write why to the log. Where others decide how much memory is needed use `try_reserve`,
//! [`try_box`](heap::try_box) and [`Executor::try_spawn`](exec::Executor::try_spawn).
//!
//! # Memory of others
//!
//! Memory is an object: a [`VmArea`](object::VmArea) is made, mapped, shared by giving a handle of it away, and freed when neither
//! handles nor mappings are left. What is mapped others may change at any time, so it is copied in and out:
//!
//! ```no_run
//! # fn f() -> Result<(), sys::Error> {
//! use sys::abi::area::{READ, WRITE};
//! use sys::object::VmArea;
//!
//! let area = VmArea::open(64 * 1024)?;
//! let view = area.map(READ | WRITE)?;
//! view.write(100, b"hello");
//! # Ok(()) }
//! ```
//!
//! # Printing and logging
//!
//! [`print!`] and [`println!`] write to `stdout`, [`eprint!`] and [`eprintln!`] to `stderr`, if the program was given them, else to its
//! log; [`io`] has the streams, [`Read`](io::Read) and [`Write`](io::Write). Services have no `stdout`: they use the facade of the crate
//! `log`, `log::info!` and so on, which [`mod@log`] connects.
//!
//! # Threads, locks, time
//!
//! [`thread::spawn`] starts a closure on a stack of its own; [`sync`] has `Mutex`, `Condvar`, `RwLock`, `Once` and `OnceLock`. All times
//! are nanoseconds on one clock that begins with the kernel ([`time`]), and whatever waits takes a time until which it does so at the
//! latest: [`time::after`], or [`NEVER`]. Then the error is `TimedOut`.
//!
//! # Talking to others
//!
//! - **Calls**: a client calls a [`Mailbox`](object::Mailbox) and waits for the answer; up to 64 words and 8 handles go each way
//!   ([`message`]). The crate `ipc` makes requests and answers of it, as Rust types; `protocols` has those of the services.
//! - **Events**: 64 bits that are set and waited for. Everything that can happen sets bits of an event when it is bound to it: a timer, the
//!   end of a process, a message that comes, an interrupt, an exception.
//! - **Channels**: bytes from one side to the other through shared memory ([`channel`]).
//! - **Shared memory** with futexes in it ([`call::futex_wait`]).
//!
//! # A server
//!
//! A server waits for many things at once. [`exec`] does that on one thread, with futures:
//!
//! ```no_run
//! # use sys::Error;
//! use sys::exec::{Executor, Inbox};
//! use sys::object::{Mailbox, Process};
//! use sys::time::SECOND;
//!
//! async fn serve(inbox: Inbox) -> Result<(), Error> {
//!     loop {
//!         let mut call = inbox.receive().await?;
//!         let client = call.badge();
//!         let handle = call.take_handle();
//!         // One that has gone meanwhile does not hear the answer; that is no error of the server's.
//!         let _ = call.answer(client, handle, &[1, 2, 3]);
//!     }
//! }
//!
//! fn run(mailbox: Mailbox, child: Process) -> Result<u64, Error> {
//!     let exec = Executor::new()?;
//!     exec.spawn(serve(exec.mailbox(mailbox)?));
//!     // At most a minute.
//!     let end = exec.exit_of(&child)?;
//!     let info = exec.run_until(exec.timeout(end, 60 * SECOND))???;
//!     Ok(info.status)
//! }
//! ```
//!
//! # Drivers
//!
//! A driver is given parts of what the machine has: [`Resource`](object::Resource). From them it makes areas of its device's memory
//! ([`VmArea::fixed`](object::VmArea::fixed), [`Mapping::read_u32`](object::Mapping::read_u32)), gets leave to use ports
//! ([`Resource::grant_ports`](object::Resource::grant_ports), [`port`]), and takes interrupt lines
//! ([`Executor::interrupt`](exec::Executor::interrupt)).
//!
//! # Tests on the host
//!
//! All of this compiles on the host. There the system calls go to whatever is set in `host`: the crate `fake-kernel`, on which servers, drivers
//! and clients run as threads of a test.
//!
//! # Programs for tests and benchmarks
//!
//! [`bare_program!`] leaves out everything that is not asked for; [`log_line!`] prints. [`held`], [`random`], [`twin`] and [`clock`] serve the
//! tests of the kernel.

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
mod line;
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

use abi::log::Level;

pub use abi;
pub use abi::{Error, Handle, NEVER, Rights};
pub use line::{Line, Log};
pub use start::Context;

/// Bytes that surely fit into one record of the log, whatever the name of the process is.
const RECORD_TEXT_MAX: usize = abi::log::RECORD_MAX - abi::log::HEAD_SIZE - abi::NAME_MAX;

/// Writes to the log, by a handle of the machine.
pub(crate) fn log_write(system: Handle, level: Level, mut text: &[u8]) -> Result<(), Error> {
    // The kernel keeps only so much of a line: a longer one becomes several records, rather than to lose its end.
    while let Some((piece, rest)) = line::split(text, RECORD_TEXT_MAX) {
        call::system_log_write(system, level, piece)?;
        text = rest;
    }
    call::system_log_write(system, level, text)
}

/// Ends the program with a status, after what it has printed was sent.
pub fn exit(status: u64) -> ! {
    io::finish();
    call::process_exit(status)
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
    use core::fmt::Write;
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
