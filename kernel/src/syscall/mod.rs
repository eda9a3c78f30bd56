//! System calls: check number, handle, type and rights by the table in `abi`, then call the typed handler.

mod log;
mod process;
mod system;

use abi::{Error, Sysno};

use crate::process::{Object, Process};

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
    _a3: u64,
    _a4: u64,
    _a5: u64,
    number: u64,
) -> Outcome {
    let outcome = call(number, a0, a1, a2).into();
    crate::sched::before_user_return();
    outcome
}

fn call(number: u64, a0: u64, a1: u64, a2: u64) -> Result<u64, Error> {
    let number = Sysno::try_from(number)?;
    let process = crate::sched::current_process().ok_or(Error::UnknownCall)?;
    let object = checked_object(&process, number, a0)?;
    match (number, object) {
        (Sysno::AbiVersion, _) => system::abi_version(),
        (Sysno::ClockRead, _) => system::clock_read(),
        (Sysno::ProcessExit, _) => process::exit(process, a0),
        (Sysno::ThreadYield, _) => process::thread_yield(),
        (Sysno::LogWrite, Some(Object::Log)) => log::write(&process, a1, a2),
        (Sysno::LogWrite, _) => Err(Error::WrongType),
    }
}

/// Looks the handle up for calls that need one: right type, right rights, or an error.
fn checked_object(process: &Process, number: Sysno, handle: u64) -> Result<Option<Object>, Error> {
    match number.call().object {
        Some((kind, rights)) => process.object(abi::Handle(handle), kind, rights).map(Some),
        None => Ok(None),
    }
}
