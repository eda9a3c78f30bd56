//! One function per system call. Calls that the kernel's table does not know do not exist here.

use core::arch::asm;

use abi::{Error, Handle, Rights, Sysno, area, process, statistics::Statistics};

/// Makes a system call by its raw number: for tests of the kernel's checks.
///
/// # Errors
/// What the kernel says.
pub fn raw(number: u64, arguments: [u64; 6]) -> Result<u64, Error> {
    let error: u64;
    let value: u64;
    let [a0, a1, a2, a3, a4, a5] = arguments;
    // SAFETY: the instruction enters the kernel, which changes RAX, RDX, RCX and R11 only, and user memory only where an
    // argument says so; whoever names memory of Rust objects here gives a pointer that may be written through.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => error,
            in("rdi") a0,
            in("rsi") a1,
            inlateout("rdx") a2 => value,
            in("r10") a3,
            in("r8") a4,
            in("r9") a5,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    match Error::from_number(error) {
        None if error == 0 => Ok(value),
        // A newer kernel may know errors that this program does not.
        None => Err(Error::InvalidArgument),
        Some(error) => Err(error),
    }
}

fn call(number: Sysno, arguments: [u64; 6]) -> Result<u64, Error> {
    raw(number as u64, arguments)
}

/// The ABI version of the kernel.
pub fn abi_version() -> u64 {
    call(Sysno::AbiVersion, [0; 6]).unwrap_or(0)
}

/// Ends this process.
pub fn process_exit(status: u64) -> ! {
    loop {
        // The call does not return; should it ever, asking again is all that is left.
        let _ = call(Sysno::ProcessExit, [status, 0, 0, 0, 0, 0]);
    }
}

/// Lets another thread run.
pub fn thread_yield() {
    // Cannot fail.
    let _ = call(Sysno::ThreadYield, [0; 6]);
}

/// Writes text to the log.
///
/// # Errors
/// `BadHandle`, `WrongType`, `AccessDenied`, `BadAddress`, or `InvalidArgument` when it is too long.
pub fn log_write(log: Handle, text: &[u8]) -> Result<(), Error> {
    call(
        Sysno::LogWrite,
        [log.0, text.as_ptr() as u64, text.len() as u64, 0, 0, 0],
    )
    .map(|_| ())
}

/// Nanoseconds since the kernel's start.
pub fn clock_read() -> u64 {
    call(Sysno::ClockRead, [0; 6]).unwrap_or(0)
}

/// Gives a handle up.
///
/// # Errors
/// `BadHandle`.
pub fn handle_close(handle: Handle) -> Result<(), Error> {
    call(Sysno::HandleClose, [handle.0, 0, 0, 0, 0, 0]).map(|_| ())
}

/// A second handle of the same object, with those of its rights that `rights` names.
///
/// # Errors
/// `BadHandle`, `AccessDenied`, `OutOfMemory`, `TooMany`.
pub fn handle_duplicate(handle: Handle, rights: Rights) -> Result<Handle, Error> {
    let rights = u64::from(rights.0);
    call(Sysno::HandleDuplicate, [handle.0, rights, 0, 0, 0, 0]).map(Handle)
}

/// Moves a handle to another process; returns its value there.
///
/// # Errors
/// Those of both handles, `OutOfMemory`, `TooMany`, `Ended`.
pub fn handle_give(process: Handle, handle: Handle) -> Result<Handle, Error> {
    call(Sysno::HandleGive, [process.0, handle.0, 0, 0, 0, 0]).map(Handle)
}

/// Makes a `vm_area`; see [`abi::area`] for the kinds. `sections` counts only for guarded ones.
///
/// # Errors
/// `InvalidArgument`, `OutOfMemory`, `TooMany`.
pub fn vm_area_create(kind: u64, size: u64, sections: u64) -> Result<Handle, Error> {
    call(Sysno::VmAreaCreate, [kind, size, sections, 0, 0, 0]).map(Handle)
}

/// What there is to know about an area.
///
/// # Errors
/// Those of the handle.
pub fn vm_area_info(area: Handle) -> Result<area::Info, Error> {
    let mut words = [0u64; area::Info::WORDS];
    let at = words.as_mut_ptr() as u64;
    call(Sysno::VmAreaInfo, [area.0, at, 0, 0, 0, 0])?;
    Ok(area::Info::from_words(words))
}

/// Changes the size of an open area.
///
/// # Errors
/// Those of the handle, `InvalidArgument`, `NotSupported`.
pub fn vm_area_resize(area: Handle, size: u64) -> Result<(), Error> {
    call(Sysno::VmAreaResize, [area.0, size, 0, 0, 0, 0]).map(|_| ())
}

/// Gives pages to a range now.
///
/// # Errors
/// Those of the handle, `InvalidArgument`, `OutOfMemory`, `OverLimit`.
pub fn vm_area_commit(area: Handle, offset: u64, len: u64) -> Result<(), Error> {
    call(Sysno::VmAreaCommit, [area.0, offset, len, 0, 0, 0]).map(|_| ())
}

/// Takes the pages of a range away.
///
/// # Errors
/// Those of the handle, `InvalidArgument`, `NotSupported`, `OutOfMemory`.
pub fn vm_area_decommit(area: Handle, offset: u64, len: u64) -> Result<(), Error> {
    call(Sysno::VmAreaDecommit, [area.0, offset, len, 0, 0, 0]).map(|_| ())
}

/// A copy-on-write copy of an area.
///
/// # Errors
/// Those of the handle, `NotSupported`, `OutOfMemory`, `OverLimit`, `TooMany`.
pub fn vm_area_snapshot(area: Handle) -> Result<Handle, Error> {
    call(Sysno::VmAreaSnapshot, [area.0, 0, 0, 0, 0, 0]).map(Handle)
}

/// Maps a range of an area; `access` as in [`abi::area`]. Returns the address.
///
/// # Errors
/// Those of the handles, `InvalidArgument`, `Occupied`, `NoRoom`, `TooMany`, `OutOfMemory`, `Ended`.
pub fn process_map(
    process: Handle,
    area: Handle,
    address: u64,
    offset: u64,
    len: u64,
    access: u64,
) -> Result<u64, Error> {
    call(
        Sysno::ProcessMap,
        [process.0, area.0, address, offset, len, access],
    )
}

/// Unmaps a range.
///
/// # Errors
/// Those of the handle, `InvalidArgument`, `TooMany`, `OutOfMemory`, `Ended`.
pub fn process_unmap(process: Handle, address: u64, len: u64) -> Result<(), Error> {
    call(Sysno::ProcessUnmap, [process.0, address, len, 0, 0, 0]).map(|_| ())
}

/// Changes what a mapped range may be used for.
///
/// # Errors
/// Those of the handle, `InvalidArgument`, `NotMapped`, `AccessDenied`, `TooMany`, `OutOfMemory`, `Ended`.
pub fn process_protect(process: Handle, address: u64, len: u64, access: u64) -> Result<(), Error> {
    call(
        Sysno::ProcessProtect,
        [process.0, address, len, access, 0, 0],
    )
    .map(|_| ())
}

/// Makes an empty process.
///
/// # Errors
/// `InvalidArgument` for a name that is too long or no UTF-8, `OutOfMemory`, `TooMany`.
pub fn process_create(name: &str) -> Result<Handle, Error> {
    let (at, len) = (name.as_ptr() as u64, name.len() as u64);
    call(Sysno::ProcessCreate, [at, len, 0, 0, 0, 0]).map(Handle)
}

/// Ends a process.
///
/// # Errors
/// Those of the handle.
pub fn process_kill(process: Handle, status: u64) -> Result<(), Error> {
    call(Sysno::ProcessKill, [process.0, status, 0, 0, 0, 0]).map(|_| ())
}

/// What there is to know about a process.
///
/// # Errors
/// Those of the handle.
pub fn process_info(process: Handle) -> Result<process::Info, Error> {
    let mut words = [0u64; process::Info::WORDS];
    let at = words.as_mut_ptr() as u64;
    call(Sysno::ProcessInfo, [process.0, at, 0, 0, 0, 0])?;
    Ok(process::Info::from_words(words))
}

/// Sets the memory limit of a process.
///
/// # Errors
/// Those of the handle; `InvalidArgument` when the caller itself may not use as much.
pub fn process_set_limit(process: Handle, bytes: u64) -> Result<(), Error> {
    call(Sysno::ProcessSetLimit, [process.0, bytes, 0, 0, 0, 0]).map(|_| ())
}

/// Sets bits of an event when the process has ended.
///
/// # Errors
/// Those of the handles.
pub fn process_on_exit(process: Handle, event: Handle, bits: u64) -> Result<(), Error> {
    call(Sysno::ProcessOnExit, [process.0, event.0, bits, 0, 0, 0]).map(|_| ())
}

/// Sets bits of an event when a thread of the process faults.
///
/// # Errors
/// Those of the handles.
pub fn process_on_exception(process: Handle, event: Handle, bits: u64) -> Result<(), Error> {
    call(
        Sysno::ProcessOnException,
        [process.0, event.0, bits, 0, 0, 0],
    )
    .map(|_| ())
}

/// The next exception that a thread of the process waits with.
///
/// # Errors
/// Those of the handle, `NotReady`.
pub fn exception_read(process: Handle) -> Result<process::Exception, Error> {
    let mut words = [0u64; process::Exception::WORDS];
    let at = words.as_mut_ptr() as u64;
    call(Sysno::ExceptionRead, [process.0, at, 0, 0, 0, 0])?;
    Ok(process::Exception::from_words(words))
}

/// Answers an exception.
///
/// # Errors
/// Those of the handle; `NotReady` when the thread does not wait with one.
pub fn exception_resume(
    process: Handle,
    thread: u64,
    action: process::Action,
) -> Result<(), Error> {
    call(
        Sysno::ExceptionResume,
        [process.0, thread, action as u64, 0, 0, 0],
    )
    .map(|_| ())
}

/// Starts a thread. It begins at `entry` with `argument` in RDI and the given stack pointer; see [`crate::thread`] for threads of
/// the own process.
///
/// # Errors
/// Those of the handle, `InvalidArgument`, `OutOfMemory`, `OverLimit`, `TooMany`, `Ended`.
pub fn thread_create(
    process: Handle,
    entry: u64,
    stack: u64,
    argument: u64,
    cpu: u64,
) -> Result<Handle, Error> {
    call(
        Sysno::ThreadCreate,
        [process.0, entry, stack, argument, cpu, 0],
    )
    .map(Handle)
}

/// Ends the calling thread.
pub fn thread_exit() -> ! {
    loop {
        // As `process_exit`.
        let _ = call(Sysno::ThreadExit, [0; 6]);
    }
}

/// Makes an event.
///
/// # Errors
/// `OutOfMemory`, `TooMany`.
pub fn event_create() -> Result<Handle, Error> {
    call(Sysno::EventCreate, [0; 6]).map(Handle)
}

/// Sets bits of an event.
///
/// # Errors
/// Those of the handle.
pub fn event_signal(event: Handle, bits: u64) -> Result<(), Error> {
    call(Sysno::EventSignal, [event.0, bits, 0, 0, 0, 0]).map(|_| ())
}

/// Waits for bits of an event; clears and returns them.
///
/// # Errors
/// Those of the handle; `InvalidArgument` for an empty mask; `OutOfMemory`.
pub fn event_wait(event: Handle, mask: u64) -> Result<u64, Error> {
    call(Sysno::EventWait, [event.0, mask, 0, 0, 0, 0])
}

/// Clears and returns the bits of `mask` that are set.
///
/// # Errors
/// Those of the handle.
pub fn event_take(event: Handle, mask: u64) -> Result<u64, Error> {
    call(Sysno::EventTake, [event.0, mask, 0, 0, 0, 0])
}

/// Statistics of the machine.
///
/// # Errors
/// Those of the handle.
pub fn system_statistics(system: Handle) -> Result<Statistics, Error> {
    let mut words = [0u64; Statistics::WORDS];
    let at = words.as_mut_ptr() as u64;
    call(Sysno::SystemStatistics, [system.0, at, 0, 0, 0, 0])?;
    Ok(Statistics::from_words(words))
}
