//! System calls: from the registers to typed handlers, one file for each group of the table in `abi`.
//!
//! `dispatch` is generated from the table. It decodes and checks all arguments (`decode`), which may fail and has no effect, before
//! a handler acts. A handler may drop objects, touch user memory and block, and so holds no lock while it does.

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

use crate::arch::current::syscall::return_to_user;
use crate::arch::current::trap::TrapFrame;
use crate::trace;
use crate::vm::{AreaError, MappingError, SpaceError};
use decode::Registers;

/// Entered from the assembly of `arch::syscall`, interrupts off, on the thread's kernel stack, at whose top the frame is. It is a
/// pointer, as other threads write to the frame of one that waits for a message (invariant 13).
pub extern "C" fn dispatch(frame: *mut TrapFrame, number: u64) {
    // SAFETY: the frame that the entry code has pushed; nobody else touches it while the thread runs.
    let registers = unsafe { Registers::new(frame) };
    // A message overwrites them.
    let noted = is_watched().then(|| note(number, registers.all()));
    let result = match crate::sched::current_process() {
        Some(process) => dispatch::act(process, number, registers),
        None => Err(Error::UnknownCall),
    };
    if let Some(noted) = noted {
        watch(number, noted, result);
    }
    // SAFETY: as above; the call is over.
    unsafe { finish(frame, result) };
}

/// The calls that the entry code of `arch::syscall` sends to a short way of their own.
pub const CALL: u32 = Sysno::MailboxCall as u32;
pub const REPLY_RECEIVE: u32 = Sysno::MailboxReplyReceive as u32;

/// Entered as [`dispatch()`], for [`CALL`] in RAX.
pub extern "C" fn call_shortly(frame: *mut TrapFrame) -> ! {
    mailbox::try_call(frame);
    as_usual(frame)
}

/// Entered as [`dispatch()`], for [`REPLY_RECEIVE`] in RAX.
pub extern "C" fn reply_and_receive_shortly(frame: *mut TrapFrame) -> ! {
    mailbox::try_reply_and_receive(frame);
    as_usual(frame)
}

/// What has no short way. It returns by itself, as a function that does not come back needs to save no registers.
#[cold]
#[inline(never)]
extern "C" fn as_usual(frame: *mut TrapFrame) -> ! {
    // SAFETY: the frame that the entry code has pushed; nobody else touches it while the thread runs.
    dispatch(frame, unsafe { (*frame).rax });
    // SAFETY: the frame of the running thread, whose call is over; nothing is left on the stack.
    unsafe { return_to_user(frame) }
}

/// Entered on the kernel stack of a thread that was parked in a system call, below its frame: goes on with the call.
pub extern "C" fn go_on() {
    let result = match crate::sched::current_process() {
        Some(process) => mailbox::go_on(dispatch::Caller(process)),
        None => Err(Error::UnknownCall),
    };
    let frame = crate::sched::current_ref().frame();
    // SAFETY: the running thread's own frame; the call is over.
    unsafe { finish(frame, result) };
}

/// Tells the program what a call returns.
///
/// # Safety
/// The frame is that of the running thread, whose call is over.
#[inline(always)]
unsafe fn finish(frame: *mut TrapFrame, result: Result<u64, Error>) {
    let (error, value) = match result {
        Ok(value) => (0, value),
        Err(error) => (error.number(), 0),
    };
    // SAFETY: the frame is ours (caller).
    unsafe {
        (*frame).rax = error;
        (*frame).rdx = value;
    }
    crate::sched::before_user_return();
}

/// Whether somebody wants to know what calls there are.
#[inline(always)]
fn is_watched() -> bool {
    cfg!(feature = "frame-debug") || trace::is_calls_on()
}

/// A call begins.
#[cold]
fn note(number: u64, registers: [u64; 6]) -> [u64; 6] {
    trace::call(number, registers);
    registers
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
