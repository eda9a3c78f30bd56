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

use abi::Error;

use crate::arch::current::trap::TrapFrame;
use crate::trace;
use crate::vm::{AreaError, MappingError, SpaceError};
use decode::Registers;

/// Entered from the assembly of `arch::syscall`, interrupts off, on the thread's kernel stack, at whose top the frame is. It is a
/// pointer, as other threads write to the frame of one that waits for a message (invariant 13).
pub extern "C" fn dispatch(frame: *mut TrapFrame) {
    // SAFETY: the frame that the entry code has pushed; nobody else touches it while the thread runs.
    let (number, registers) = unsafe { ((*frame).rax, Registers::new(frame)) };
    // A message overwrites them.
    let noted = is_watched().then(|| note(number, registers.all()));
    let result = match crate::sched::current_process() {
        Some(process) => dispatch::act(process, number, registers),
        None => Err(Error::UnknownCall),
    };
    if let Some(noted) = noted {
        watch(number, noted, result);
    }
    let (error, value) = match result {
        Ok(value) => (0, value),
        Err(error) => (error.number(), 0),
    };
    // SAFETY: as above; the call is over.
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
