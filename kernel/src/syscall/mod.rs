//! System calls: check number, handle, type and rights by the table in `abi`, then call the typed handler.
//!
//! A handler decodes its arguments first, which may fail and has no effect, and then acts. It may drop objects, touch user
//! memory and block, and so holds no lock while it does.

mod area;
mod event;
mod handle;
mod log;
mod process;
mod system;
mod thread;

use abi::{Error, Handle, Sysno};
use ksync::Arc;

use crate::arch::current::usercopy;
use crate::object::Object;
use crate::process::Process;
use crate::vm::{AreaError, MappingError, SpaceError};

/// What goes back to the user in RAX and RDX.
#[repr(C)]
pub struct Outcome {
    error: u64,
    value: u64,
}

impl From<Result<u64, Error>> for Outcome {
    fn from(result: Result<u64, Error>) -> Self {
        match result {
            Ok(value) => Self { error: 0, value },
            Err(error) => Self {
                error: error.number(),
                value: 0,
            },
        }
    }
}

/// Entered from the assembly of `arch::syscall`, interrupts off, on the thread's kernel stack.
pub extern "C" fn dispatch(
    a0: u64,
    a1: u64,
    a2: u64,
    a3: u64,
    a4: u64,
    a5: u64,
    number: u64,
) -> Outcome {
    let outcome = call(number, [a0, a1, a2, a3, a4, a5]).into();
    crate::sched::before_user_return();
    outcome
}

#[inline(always)]
fn call(number: u64, arguments: [u64; 6]) -> Result<u64, Error> {
    let number = Sysno::try_from(number)?;
    let act = |process: &Arc<Process>| act(process, number, arguments);
    crate::sched::with_current_process(act).ok_or(Error::UnknownCall)?
}

#[inline(always)]
fn act(process: &Arc<Process>, number: Sysno, arguments: [u64; 6]) -> Result<u64, Error> {
    let [a0, a1, a2, a3, a4, a5] = arguments;
    let object = match number.call().object {
        Some((kind, rights)) => Some(process.object(Handle(a0), kind, rights)?),
        None => None,
    };
    match (number, object) {
        (Sysno::AbiVersion, _) => system::abi_version(),
        (Sysno::ClockRead, _) => system::clock_read(),
        (Sysno::ProcessExit, _) => process::exit(process, a0),
        (Sysno::ThreadYield, _) => thread::yield_now(),
        (Sysno::ThreadExit, _) => thread::exit(),
        (Sysno::LogWrite, Some(Object::Log)) => log::write(process, a1, a2),
        (Sysno::HandleClose, _) => handle::close(process, a0),
        (Sysno::HandleDuplicate, _) => handle::duplicate(process, a0, a1),
        (Sysno::HandleGive, Some(Object::Process(other))) => handle::give(process, &other, a1),
        (Sysno::VmAreaCreate, _) => area::create(process, a0, a1, a2),
        (Sysno::VmAreaInfo, Some(Object::VmArea(area))) => area::info(&area, a1),
        (Sysno::VmAreaResize, Some(Object::VmArea(area))) => area::resize(&area, a1),
        (Sysno::VmAreaCommit, Some(Object::VmArea(area))) => area::commit(&area, a1, a2),
        (Sysno::VmAreaDecommit, Some(Object::VmArea(area))) => area::decommit(&area, a1, a2),
        (Sysno::VmAreaSnapshot, Some(Object::VmArea(area))) => area::snapshot(process, &area),
        (Sysno::ProcessMap, Some(Object::Process(target))) => {
            process::map(process, &target, a1, a2, a3, a4, a5)
        }
        (Sysno::ProcessUnmap, Some(Object::Process(target))) => process::unmap(&target, a1, a2),
        (Sysno::ProcessProtect, Some(Object::Process(target))) => {
            process::protect(&target, a1, a2, a3)
        }
        (Sysno::ProcessCreate, _) => process::create(process, a0, a1),
        (Sysno::ProcessKill, Some(Object::Process(target))) => process::kill(&target, a1),
        (Sysno::ProcessInfo, Some(Object::Process(target))) => process::info(&target, a1),
        (Sysno::ProcessSetLimit, Some(Object::Process(target))) => {
            process::set_limit(process, &target, a1)
        }
        (Sysno::ProcessOnExit, Some(Object::Process(target))) => {
            process::on_exit(process, &target, a1, a2)
        }
        (Sysno::ProcessOnException, Some(Object::Process(target))) => {
            process::on_exception(process, &target, a1, a2)
        }
        (Sysno::ExceptionRead, Some(Object::Process(target))) => {
            process::exception_read(&target, a1)
        }
        (Sysno::ExceptionResume, Some(Object::Process(target))) => {
            process::exception_resume(&target, a1, a2)
        }
        (Sysno::ThreadCreate, Some(Object::Process(target))) => {
            thread::create(process, &target, a1, a2, a3, a4)
        }
        (Sysno::EventCreate, _) => event::create(process),
        (Sysno::EventSignal, Some(Object::Event(event))) => event::signal(&event, a1),
        (Sysno::EventWait, Some(Object::Event(event))) => event::wait(&event, a1),
        (Sysno::EventTake, Some(Object::Event(event))) => event::take(&event, a1),
        (Sysno::SystemStatistics, Some(Object::System)) => system::statistics(a1),
        // The table names the type of the object that each of these calls takes, and it was checked.
        (
            Sysno::LogWrite
            | Sysno::HandleGive
            | Sysno::VmAreaInfo
            | Sysno::VmAreaResize
            | Sysno::VmAreaCommit
            | Sysno::VmAreaDecommit
            | Sysno::VmAreaSnapshot
            | Sysno::ProcessMap
            | Sysno::ProcessUnmap
            | Sysno::ProcessProtect
            | Sysno::ProcessKill
            | Sysno::ProcessInfo
            | Sysno::ProcessSetLimit
            | Sysno::ProcessOnExit
            | Sysno::ProcessOnException
            | Sysno::ExceptionRead
            | Sysno::ExceptionResume
            | Sysno::ThreadCreate
            | Sysno::EventSignal
            | Sysno::EventWait
            | Sysno::EventTake
            | Sysno::SystemStatistics,
            _,
        ) => Err(Error::WrongType),
    }
}

/// Writes the words of a structure to user memory.
fn write_words<const N: usize>(address: u64, words: [u64; N]) -> Result<u64, Error> {
    let mut at = address;
    for word in words {
        usercopy::write(at, &word.to_le_bytes()).map_err(|_| Error::BadAddress)?;
        // No overflow: the word just written ends within user space.
        at += 8;
    }
    Ok(0)
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
