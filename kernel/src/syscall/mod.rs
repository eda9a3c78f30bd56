//! System calls: from the registers to typed handlers, one file for each group of the table in `abi`.
//!
//! `dispatch` is generated from the table. It decodes and checks all arguments (`decode`), which may fail and has no effect, before
//! a call acts. A call may drop objects, touch user memory and block, and so holds no lock while it does.

mod area;
mod decode;
mod dispatch;
mod event;
mod futex;
mod general;
mod handle;
mod interrupt;
mod mailbox;
mod process;
mod resource;
mod system;
mod thread;

use abi::{Error, Sysno};

use crate::arch::current::trap::TrapFrame;
use crate::sched::thread::Thread;
use crate::trace;
use crate::vm::{AreaError, MappingError, SpaceError};
use decode::Registers;
pub use dispatch::HANDLERS;
use dispatch::{Handler, unknown};

/// What there are handlers for without further ado ([`carry_out`]): all numbers below this.
pub const UNWATCHED: usize = if cfg!(feature = "frame-debug") {
    0
} else {
    HANDLERS.len()
};

/// Carries out a call that somebody wants to know of, or that there is not. Entered from the assembly of `arch::syscall`, as the
/// handlers: interrupts off, on the thread's kernel stack, at whose top the frame is. It is a pointer, as other threads write to the
/// frame of one that waits for a message (invariant 13).
pub extern "C" fn carry_out(frame: *mut TrapFrame, thread: &Thread) {
    // SAFETY: the frame that the entry code has pushed; nobody else touches it while the thread runs.
    let (number, registers) = unsafe { ((*frame).rax, Registers::new(frame).all()) };
    let is_watched = is_watched();
    if is_watched {
        trace::call(number, registers);
    }
    let handler = usize::try_from(number)
        .ok()
        .and_then(|number| HANDLERS.get(number));
    handler.unwrap_or(&(unknown as Handler))(frame, thread);
    if is_watched {
        // SAFETY: as above.
        let (error, value) = unsafe { ((*frame).rax, (*frame).rdx) };
        watch(
            number,
            registers,
            Error::from_number(error).map_or(Ok(value), Err),
        );
    }
}

/// The calls that the entry code of `arch::syscall` sends to a short way of their own first.
pub const CALL: u32 = Sysno::MailboxCall as u32;
pub const REPLY_RECEIVE: u32 = Sysno::MailboxReplyReceive as u32;

/// Entered as a handler, for [`CALL`] in RAX. Comes back if nothing has happened.
pub extern "C" fn try_call(frame: *mut TrapFrame) {
    mailbox::try_call(frame);
}

/// Entered as a handler, for [`REPLY_RECEIVE`] in RAX. Comes back if nothing has happened.
pub extern "C" fn try_reply_and_receive(frame: *mut TrapFrame) {
    mailbox::try_reply_and_receive(frame);
}

/// Entered on the kernel stack of a thread that was parked in a system call, below its frame: goes on with the call.
pub extern "C" fn go_on() {
    let result = match crate::sched::current_process() {
        Some(process) => mailbox::go_on(dispatch::Caller(process)),
        None => Err(Error::UnknownCall),
    };
    let frame = crate::sched::current_ref().frame();
    // SAFETY: the running thread's own frame; the call is over.
    unsafe { tell(frame, result) };
    crate::sched::before_user_return();
}

/// Tells the program what a call returns.
///
/// # Safety
/// The frame is that of the running thread, whose call is over.
#[inline(always)]
unsafe fn tell(frame: *mut TrapFrame, result: Result<u64, Error>) {
    let (error, value) = match result {
        Ok(value) => (0, value),
        Err(error) => (error.number(), 0),
    };
    // SAFETY: the frame is ours (caller).
    unsafe {
        (*frame).rax = error;
        (*frame).rdx = value;
    }
}

/// Whether somebody wants to know what calls there are.
#[inline(always)]
fn is_watched() -> bool {
    cfg!(feature = "frame-debug") || trace::is_calls_on()
}

/// Records and logs a call and what it returns, and checks that.
#[cold]
fn watch(number: u64, registers: [u64; 6], result: Result<u64, Error>) {
    trace::returned(number, result);
    #[cfg(feature = "frame-debug")]
    dispatch::check_error(number, registers, result);
    if log::max_level() != log::LevelFilter::Trace {
        return;
    }
    let call = abi::format_call(number, registers);
    match result {
        Ok(value) => log::trace!("{call} = {value:#x}"),
        Err(error) => log::trace!("{call}: {error}"),
    }
}

fn area_error(error: AreaError) -> Error {
    match error {
        AreaError::OutOfRange => Error::InvalidArgument,
        AreaError::NotSupported => Error::NotSupported,
        AreaError::OutOfMemory => Error::OutOfMemory,
        AreaError::OverLimit => Error::OverLimit,
    }
}

fn mapping_error(error: MappingError) -> Error {
    match error {
        MappingError::Closed => Error::Ended,
        MappingError::OutOfArea => Error::InvalidArgument,
        MappingError::Space(error) => match error {
            SpaceError::Empty
            | SpaceError::Misaligned
            | SpaceError::NotUserSpace
            | SpaceError::Overflow
            | SpaceError::WriteExecute => Error::InvalidArgument,
            SpaceError::Occupied => Error::Occupied,
            SpaceError::NoRoom => Error::NoRoom,
            SpaceError::NotMapped => Error::NotMapped,
            SpaceError::AccessDenied => Error::AccessDenied,
            SpaceError::TooMany => Error::TooMany,
            SpaceError::OutOfMemory => Error::OutOfMemory,
        },
    }
}
