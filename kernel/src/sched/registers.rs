//! The registers of a thread's user mode, as another thread reads and changes them: for debuggers.
//!
//! That is possible while the thread is *stopped*: suspended and blocked, or blocked with an exception that nobody has answered. Who
//! looks keeps the thread blocked meanwhile ([`ksync::Wake::while_blocked`]), and only with interrupts off and for as long as it
//! takes to copy a frame. So the frame is the looker's alone (invariant 13), but for one case: a thread that is within a mailbox call
//! may be given a message at any moment, whose registers are then left out.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::call::Output;
use abi::thread::{AT_BORDER, FLAGS, IN_CALL, Registers};
use abi::{Error, Sysno, USER_END};
use x86_64::instructions::interrupts;

use super::thread::{Attention, Thread};
use crate::arch::current::syscall::SYSTEM_CALL;
use crate::arch::current::trap::{ALWAYS_SET, TrapFrame};

/// What belongs to a thread's user mode besides its frame. The `Cell`s are touched by the processor that runs or switches the thread,
/// or by the one that keeps it blocked.
pub struct UserState {
    /// The thread is about to enter user mode: its frame is complete.
    is_at_border: AtomicBool,
    /// The frame was changed since the thread entered the kernel: all of it is to be loaded.
    is_changed: Cell<bool>,
    fs_base: Cell<u64>,
    gs_base: Cell<u64>,
    /// One of the bases is not 0.
    has_bases: Cell<bool>,
}

impl UserState {
    /// That of a thread which was never in user mode.
    pub(super) const fn new() -> Self {
        Self {
            is_at_border: AtomicBool::new(true),
            is_changed: Cell::new(false),
            fs_base: Cell::new(0),
            gs_base: Cell::new(0),
            has_bases: Cell::new(false),
        }
    }

    pub(super) fn set_at_border(&self, is_at_border: bool) {
        // Others look when it blocks, which has an order of its own.
        self.is_at_border.store(is_at_border, Ordering::Relaxed);
    }

    /// Whether the frame was changed. To be asked by the thread, once for each change.
    pub(super) fn take_changed(&self) -> bool {
        self.is_changed.replace(false)
    }

    /// Whether one of the bases is not 0.
    #[inline(always)]
    pub(super) fn has_bases(&self) -> bool {
        self.has_bases.get()
    }

    /// The bases of FS and GS in user mode.
    pub(super) fn bases(&self) -> (u64, u64) {
        (self.fs_base.get(), self.gs_base.get())
    }
}

/// Where a stopped thread is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Between two instructions of user code.
    AtBorder,
    /// Within a system call.
    InCall,
}

/// Looks at a stopped thread, whose frame nobody else touches meanwhile but for messages to a thread within a call.
fn while_stopped<R>(
    thread: &Thread,
    look: impl FnOnce(Stop, *mut TrapFrame) -> Result<R, Error>,
) -> Result<R, Error> {
    if thread.must_end() || thread.has_ended() {
        return Err(Error::Ended);
    }
    let looked = interrupts::without_interrupts(|| {
        thread.wake.while_blocked(|| {
            let frame = thread.frame();
            // SAFETY: a thread that handles name has a stack and was put into user mode or is about to be: the frame is there as
            // long as the thread. The thread does not run, and messages do not change the vector (invariant 13).
            let vector = unsafe { (*frame).vector };
            let is_suspended = thread.attention().contains(Attention::SUSPEND);
            let stop = match (thread.user.is_at_border.load(Ordering::Relaxed), vector) {
                (true, _) if is_suspended => Stop::AtBorder,
                (false, SYSTEM_CALL) if is_suspended => Stop::InCall,
                // It waits with an exception, suspended or not.
                (false, vector) if vector != SYSTEM_CALL => Stop::AtBorder,
                _ => return Err(Error::NotReady),
            };
            look(stop, frame)
        })
    });
    looked.unwrap_or(Err(Error::NotReady))
}

/// The registers of a stopped thread.
///
/// # Errors
/// `NotReady` when it is not stopped, `Ended` when it has ended or is about to.
pub fn read(thread: &Thread) -> Result<Registers, Error> {
    while_stopped(thread, |stop, frame| {
        let (fs_base, gs_base) = thread.user.bases();
        // SAFETY: the frame is there, and these words are changed by nobody but the thread and us (`while_stopped`).
        let (rax, rbx, rbp) = unsafe { ((*frame).rax, (*frame).rbx, (*frame).rbp) };
        // SAFETY: as above.
        let (rip, rsp, rflags) = unsafe { ((*frame).rip, (*frame).rsp, (*frame).rflags) };
        let own = Registers {
            rax,
            rbx,
            rbp,
            rip,
            rsp,
            rflags: rflags & (FLAGS | ALWAYS_SET),
            fs_base,
            gs_base,
            place: if stop == Stop::InCall {
                IN_CALL
            } else {
                AT_BORDER
            },
            ..Registers::default()
        };
        let may_get_message = stop == Stop::InCall
            && Sysno::try_from(rax).is_ok_and(|number| number.call().output == Output::Message);
        if may_get_message {
            return Ok(own);
        }
        // SAFETY: the thread does not run and gets no message: nobody but us has the frame.
        let frame = unsafe { &*frame };
        Ok(Registers {
            rcx: frame.rcx,
            rdx: frame.rdx,
            rsi: frame.rsi,
            rdi: frame.rdi,
            r8: frame.r8,
            r9: frame.r9,
            r10: frame.r10,
            r11: frame.r11,
            r12: frame.r12,
            r13: frame.r13,
            r14: frame.r14,
            r15: frame.r15,
            ..own
        })
    })
}

/// Whether registers can be those of user mode: addresses of user space, and no flags but harmless ones.
fn are_valid(registers: &Registers) -> bool {
    let Registers {
        rip,
        rsp,
        fs_base,
        gs_base,
        ..
    } = *registers;
    let are_in_space = [rip, rsp, fs_base, gs_base]
        .iter()
        .all(|&address| address <= USER_END);
    are_in_space && registers.rflags & !FLAGS == ALWAYS_SET && registers.place == AT_BORDER
}

/// Changes all registers of a stopped thread.
///
/// # Errors
/// `InvalidArgument` for values that no user mode has; `NotReady` when it is not stopped, or within a system call, to which its registers
/// belong; `Ended` when it has ended or is about to.
pub fn write(thread: &Thread, registers: &Registers) -> Result<(), Error> {
    if !are_valid(registers) {
        return Err(Error::InvalidArgument);
    }
    while_stopped(thread, |stop, frame| {
        if stop == Stop::InCall {
            return Err(Error::NotReady);
        }
        // SAFETY: the thread does not run and gets no message: nobody but us has the frame.
        let frame = unsafe { &mut *frame };
        *frame = TrapFrame {
            r15: registers.r15,
            r14: registers.r14,
            r13: registers.r13,
            r12: registers.r12,
            r11: registers.r11,
            r10: registers.r10,
            r9: registers.r9,
            r8: registers.r8,
            rbp: registers.rbp,
            rdi: registers.rdi,
            rsi: registers.rsi,
            rdx: registers.rdx,
            rcx: registers.rcx,
            rbx: registers.rbx,
            rax: registers.rax,
            rip: registers.rip,
            rflags: registers.rflags,
            rsp: registers.rsp,
            // Where it came from, and the selectors.
            ..*frame
        };
        thread.user.fs_base.set(registers.fs_base);
        thread.user.gs_base.set(registers.gs_base);
        let has_bases = registers.fs_base | registers.gs_base != 0;
        thread.user.has_bases.set(has_bases);
        thread.user.is_changed.set(true);
        Ok(())
    })
}
