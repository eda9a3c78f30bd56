//! One function per system call. Calls that the kernel's table does not know do not exist here.

use core::arch::asm;

use abi::{Error, Handle, Sysno};

/// Makes a system call by its raw number: for tests of the kernel's checks.
///
/// # Errors
/// What the kernel says.
pub fn raw(number: u64, arguments: [u64; 6]) -> Result<u64, Error> {
    let error: u64;
    let value: u64;
    let [a0, a1, a2, a3, a4, a5] = arguments;
    // SAFETY: the instruction enters the kernel, which changes RAX, RDX, RCX and R11 only; it writes no user memory in
    // any call of this version of the ABI.
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
