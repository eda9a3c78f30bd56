//! How a thread begins, with its stack and its thread-local memory, and how it leaves both.

use alloc::boxed::Box;
use core::arch::naked_asm;

use abi::{Error, PAGE_SIZE, Sysno, area, thread};

use super::Thread;
use crate::heap::try_box;
use crate::object::VmArea;
use crate::{call, start, twin};

type Body = Box<dyn FnOnce() + Send>;

/// What a thread finds when it begins.
struct Start {
    body: Body,
    /// Its stack, with the page below that is never touched.
    stack: u64,
    len: u64,
}

/// Makes a thread, lets `prepare` see it while it is suspended, and lets it go.
pub fn begin(
    body: Body,
    stack: u64,
    cpu: u64,
    prepare: impl FnOnce(&Thread) -> Result<(), Error>,
) -> Result<Thread, Error> {
    let local = twin::Local::of_image();
    let room = (stack.max(4 * PAGE_SIZE)).checked_add(local.size());
    let room = room.and_then(|room| room.checked_next_multiple_of(PAGE_SIZE));
    let room = room.ok_or(Error::InvalidArgument)?;
    let mapping = VmArea::guarded(room, 1)?.map(area::READ | area::WRITE)?;
    let (bottom, len) = (mapping.address(), mapping.len());
    // SAFETY: the highest bytes of a stack that nobody uses yet.
    let (pointer, top) = unsafe { local.lay_out(bottom + len) };
    let start = try_box(Start {
        body,
        stack: bottom,
        len,
    });
    let start = Box::into_raw(start.map_err(|_| Error::OutOfMemory)?);
    let top = (top & !15).wrapping_sub(8);
    let thread = call::thread_create(
        start::own(),
        first as extern "C" fn(*mut Start) -> ! as usize as u64,
        top,
        start as u64,
        cpu,
        thread::SUSPEND,
    );
    let prepared = |thread: &Thread| {
        if local.size() != 0 {
            let mut registers = thread.read_registers()?;
            registers.fs_base = pointer;
            thread.write_registers(&registers)?;
        }
        prepare(thread)?;
        thread.resume()
    };
    let thread = thread.map(Thread::from_raw).and_then(|thread| {
        let prepared = prepared(&thread);
        if prepared.is_err() {
            // It has not run, and never will.
            thread.kill()?;
        }
        prepared.map(|()| thread)
    });
    match thread {
        Ok(thread) => {
            // The thread unmaps it.
            mapping.leak();
            Ok(thread)
        }
        Err(error) => {
            // SAFETY: made above; no thread has run that could have taken it.
            drop(unsafe { Box::from_raw(start) });
            Err(error)
        }
    }
}

extern "C" fn first(start: *mut Start) -> ! {
    // SAFETY: `begin` has made it for this thread alone.
    let start = unsafe { Box::from_raw(start) };
    let Start { body, stack, len } = *start;
    body();
    leave(start::own().0, stack, len)
}

/// Unmaps the stack that it runs on, and ends the thread: without a stack.
#[unsafe(naked)]
extern "C" fn leave(own: u64, stack: u64, len: u64) -> ! {
    naked_asm!(
        "mov eax, {unmap}",
        "syscall",
        "mov eax, {exit}",
        "syscall",
        "ud2",
        unmap = const Sysno::ProcessUnmap as u64,
        exit = const Sysno::ThreadExit as u64,
    )
}
