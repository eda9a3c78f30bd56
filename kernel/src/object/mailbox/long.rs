//! What of a message is not in registers: words beyond the eighth, and handles.
//!
//! Words go from the sender's buffer, in user memory, to the kernel's copy of it ([`load`]), from there to the copy of the
//! receiver's, while one of the two runs and the other cannot go on, and then to the receiver's buffer, by the receiver ([`store`]). So
//! user memory is touched by its own threads only, and while nobody waits for them.
//!
//! Handles stay in the table of the caller until a server has received the call. The server's thread then takes them all or none, with
//! the call claimed, so that the caller does not go on meanwhile; and so it brings those of the answer to the caller's table.

use alloc::boxed::Box;
use core::cell::{Cell, UnsafeCell};

use abi::message::{HANDLES_MAX, REGISTER_WORDS, Tag, WORDS_MAX};
use abi::{Error, Handle, Rights};
use kobj::TOGETHER_MAX;
use ksync::{Once, try_box};

use super::reply::copy_message;
use crate::arch::current::trap::TrapFrame;
use crate::arch::current::usercopy;
use crate::object::HandleTable;
use crate::process::Process;
use crate::sched;
use crate::sched::thread::Thread;

/// Words of a message that do not fit into registers.
const REST: usize = WORDS_MAX - REGISTER_WORDS;
const WORD: usize = size_of::<u64>();

/// The words of a thread's messages that do not fit into registers.
pub(super) struct Long {
    /// Where the thread's buffer lies; 0: it has none.
    address: Cell<u64>,
    /// The kernel's copy. As the frame it is the thread's own while it runs, and another's between `Call::claim` and the end of
    /// that (invariant 13).
    words: Once<Box<UnsafeCell<[u64; REST]>>>,
}

impl Long {
    /// No buffer.
    pub(super) const fn new() -> Self {
        Self {
            address: Cell::new(0),
            words: Once::new(),
        }
    }

    /// The kernel's copy, if the thread has a buffer.
    fn words(&self) -> Option<*mut [u64; REST]> {
        if self.address.get() == 0 {
            return None;
        }
        self.words.get().map(|words| words.get())
    }
}

/// The running thread has its buffer at this address, or none at 0.
///
/// # Errors
/// `InvalidArgument` for an address that is no multiple of 8, or too near to the end of user space; `OutOfMemory`.
pub fn set_buffer(address: u64) -> Result<(), Error> {
    let is_within = address <= usercopy::USER_END - (WORDS_MAX * WORD) as u64;
    if !address.is_multiple_of(WORD as u64) || !is_within {
        return Err(Error::InvalidArgument);
    }
    let long = &sched::current_ref().ipc.long;
    if address != 0 && long.words.get().is_none() {
        let words = try_box(UnsafeCell::new([0; REST])).map_err(|_| Error::OutOfMemory)?;
        long.words.call_once(|| words);
    }
    long.address.set(address);
    Ok(())
}

/// Where the words of a message are that do not fit into registers: how many bytes, and the address in the thread's buffer.
fn rest(thread: &Thread, tag: Tag) -> Option<(usize, u64)> {
    let count = tag.words().saturating_sub(REGISTER_WORDS);
    let begin = (REGISTER_WORDS * WORD) as u64;
    (count != 0).then(|| (count * WORD, thread.ipc.long.address.get() + begin))
}

/// Does something with the kernel's copy of the running thread's words, as bytes: the first ones of them.
///
/// # Errors
/// `BadAddress` when it has no buffer.
fn with_own_words<R>(
    thread: &Thread,
    len: usize,
    act: impl FnOnce(&mut [u8]) -> R,
) -> Result<R, Error> {
    let words = thread.ipc.long.words().ok_or(Error::BadAddress)?;
    // SAFETY: the running thread's own, with which nobody else deals now (invariant 13); any bytes are words.
    let bytes = unsafe { core::slice::from_raw_parts_mut(words.cast::<u8>(), REST * WORD) };
    bytes.get_mut(..len).map(act).ok_or(Error::BadAddress)
}

/// The eighth word of a message whose register has something else: from the running thread's buffer.
///
/// # Errors
/// `BadAddress`.
pub fn eighth_word() -> Result<u64, Error> {
    let address = sched::current_ref().ipc.long.address.get();
    if address == 0 {
        return Err(Error::BadAddress);
    }
    let mut word = [0; WORD];
    let place = address + ((REGISTER_WORDS - 1) * WORD) as u64;
    usercopy::read(place, &mut word).map_err(|_| Error::BadAddress)?;
    Ok(u64::from_le_bytes(word))
}

/// Prepares the message in the running thread's registers to be sent: fetches its words from the thread's buffer, and looks
/// whether its handles can be sent. They may be closed afterwards; who takes them finds out.
///
/// # Errors
/// `BadAddress` when the buffer cannot be read; `BadHandle`, `AccessDenied`.
#[inline(always)]
pub fn load(sender: &Process, tag: Tag) -> Result<(), Error> {
    load_answer(tag)?;
    // SAFETY: the running thread's own frame.
    unsafe { can_be_sent(tag, sched::current_ref().frame(), sender) }
}

/// As [`load`], of an answer: its handles are moved before the caller goes on, and whether they can be is found out then, or by
/// [`check_unsent`].
///
/// # Errors
/// `BadAddress` when the buffer cannot be read.
#[inline(always)]
pub fn load_answer(tag: Tag) -> Result<(), Error> {
    if tag.words() <= REGISTER_WORDS {
        return Ok(());
    }
    load_words(tag)
}

/// Looks at the handles of an answer that went to nobody: what is wrong with them is an error all the same.
///
/// # Errors
/// `BadHandle`, `AccessDenied`.
#[cold]
#[inline(never)]
pub(super) fn check_unsent(thread: &Thread) -> Result<(), Error> {
    let Some(process) = &thread.process else {
        return Ok(());
    };
    let frame = thread.frame();
    // SAFETY: the running thread's own frame.
    unsafe { can_be_sent(Tag((*frame).rsi), frame, process) }
}

#[cold]
#[inline(never)]
fn load_words(tag: Tag) -> Result<(), Error> {
    let thread = sched::current_ref();
    let Some((len, address)) = rest(thread, tag) else {
        return Ok(());
    };
    let read = with_own_words(thread, len, |words| usercopy::read(address, words))?;
    read.map_err(|_| Error::BadAddress)
}

/// Looks whether the handles of a message can be sent.
///
/// # Errors
/// `BadHandle`, `AccessDenied`.
///
/// # Safety
/// As [`Handles::of`].
#[inline(always)]
unsafe fn can_be_sent(tag: Tag, frame: *const TrapFrame, sender: &Process) -> Result<(), Error> {
    match tag.handles() {
        0 => Ok(()),
        // SAFETY: as the caller of this says.
        1 => (sender.handles()).check(Handle(unsafe { (*frame).rdx }), Rights::TRANSFER),
        _ => {
            // SAFETY: as above.
            let handles = unsafe { Handles::of(tag, frame) };
            let mut handles = handles.as_slice().iter();
            handles.try_for_each(|handle| sender.handles().check(*handle, Rights::TRANSFER))
        }
    }
}

/// Moves the handles of a message from one process to another, all or none, delivers the rest of the message by `deliver`, and then
/// writes the handles there to the registers of the receiver: 0 for such as were revoked on the way.
///
/// # Errors
/// `BadHandle`, `AccessDenied`; `NotTaken` when the receiver has no room for them.
///
/// # Safety
/// As [`Handles::of`], for both frames. The two may be one.
#[inline(always)]
unsafe fn bring(
    tag: Tag,
    (from, sender): (*const TrapFrame, &Process),
    (to, receiver): (*mut TrapFrame, &Process),
    deliver: impl FnOnce(),
) -> Result<(), Error> {
    match tag.handles() {
        0 => {
            deliver();
            Ok(())
        }
        1 => {
            let (sender, receiver) = (sender.handles(), receiver.handles());
            // SAFETY: as the caller of this says.
            let handle = Handle(unsafe { (*from).rdx });
            let there = HandleTable::carry(sender, handle, Rights::TRANSFER, receiver);
            let there = there.map_err(not_taken)?;
            deliver();
            // SAFETY: as above.
            unsafe { (*to).rdx = there.0 };
            Ok(())
        }
        _ => {
            // SAFETY: as above.
            let moved = unsafe { Handles::of(tag, from) }.moved(sender, receiver)?;
            deliver();
            // SAFETY: as above.
            unsafe { moved.write(to) };
            Ok(())
        }
    }
}

/// Brings the words of the answer in the running thread's registers to its buffer.
///
/// # Errors
/// `BadAddress` when that cannot be written; the handles of the answer are closed then.
#[cold]
#[inline(never)]
pub fn store(receiver: &Process) -> Result<(), Error> {
    let thread = sched::current_ref();
    // SAFETY: the running thread's own frame.
    let tag = Tag(unsafe { (*thread.frame()).rsi });
    let Err(error) = store_words(thread, tag) else {
        return Ok(());
    };
    // SAFETY: as above.
    let handles = unsafe { Handles::of(tag, thread.frame()) };
    for handle in handles.as_slice() {
        // It may have been revoked already.
        let _ = receiver.remove_handle(*handle);
    }
    Err(error)
}

fn store_words(thread: &Thread, tag: Tag) -> Result<(), Error> {
    let Some((len, address)) = rest(thread, tag) else {
        return Ok(());
    };
    let written = with_own_words(thread, len, |words| usercopy::write(address, words))?;
    written.map_err(|_| Error::BadAddress)
}

/// Takes what the running thread has not received yet of the call that it serves: words and handles. `false` when there was no room
/// for it: the caller has been told.
#[cold]
#[inline(never)]
pub fn accept(receiver: &Process) -> bool {
    let server = sched::current_ref();
    // SAFETY: the running thread's own frame.
    let tag = Tag(unsafe { (*server.frame()).rsi });
    let Some(right) = server.ipc.reply.take() else {
        return false;
    };
    let call = &right.caller.ipc.call;
    let words = || {
        if rest(server, tag).is_none() {
            return Ok(());
        }
        if !call.claim(right.serial) {
            return Err(Error::PeerClosed);
        }
        // SAFETY: the call is claimed; the other one runs.
        let copied = unsafe { copy_rest(tag, &right.caller, server) };
        call.release(right.serial);
        copied?;
        store_words(server, tag).map_err(|_| Error::NotTaken)
    };
    let handles = || {
        if tag.handles() == 0 {
            return Ok(());
        }
        if !call.claim(right.serial) {
            return Err(Error::PeerClosed);
        }
        // Threads of the kernel send nothing.
        let sender = right.caller.process.as_ref().ok_or(Error::PeerClosed);
        let frame = server.frame();
        // SAFETY: the running thread's own frame, to which the message was delivered.
        let brought = sender
            .and_then(|sender| unsafe { bring(tag, (frame, sender), (frame, receiver), || ()) });
        call.release(right.serial);
        brought
    };
    match words().and_then(|()| handles()) {
        Ok(()) => {
            server.ipc.reply.set(Some(right));
            true
        }
        Err(error) => {
            let before = server.priority();
            server.ipc.reply.set(Some(right));
            if let Some(right) = server.end_service() {
                right.reject(error);
            }
            sched::follow_priority(server, before);
            false
        }
    }
}

/// Brings an answer that is not only in registers to the caller: words, handles, and registers.
///
/// # Errors
/// `BadHandle`, `AccessDenied`; `NotTaken` when the caller has no room. Nothing has changed then.
///
/// # Safety
/// The frame is that of the running thread, and the caller's call is claimed.
#[cold]
#[inline(never)]
pub(super) unsafe fn answer(
    tag: Tag,
    frame: *const TrapFrame,
    caller: &Thread,
) -> Result<(), Error> {
    // SAFETY: as the caller of this says.
    unsafe { copy_rest(tag, sched::current_ref(), caller) }?;
    let (Some(from), Some(to)) = (sched::current_process(), &caller.process) else {
        return Err(Error::NotTaken);
    };
    let there = caller.frame();
    // SAFETY: as above.
    let deliver = || unsafe { copy_message(frame, there) };
    // SAFETY: as above.
    unsafe { bring(tag, (frame, from), (there, to), deliver) }
}

/// Copies words beyond the registers from the kernel's copy of one thread's to that of another's.
///
/// # Errors
/// `NotTaken` when one of them has no buffer.
///
/// # Safety
/// One of the two runs, and serves the other one's call, which is claimed (invariant 13).
unsafe fn copy_rest(tag: Tag, from: &Thread, to: &Thread) -> Result<(), Error> {
    let count = tag.words().saturating_sub(REGISTER_WORDS).min(REST);
    if count == 0 {
        return Ok(());
    }
    let (from, to) = (from.ipc.long.words(), to.ipc.long.words());
    let (from, to) = from.zip(to).ok_or(Error::NotTaken)?;
    // SAFETY: both are there as long as their threads, nobody else touches them (caller), and they are different ones, as no
    // thread serves itself: it waits while it calls. No more words than both have.
    unsafe {
        to.cast::<u64>()
            .copy_from_nonoverlapping(from.cast::<u64>(), count)
    };
    Ok(())
}

/// The handles of a message.
struct Handles {
    handles: [Handle; HANDLES_MAX],
    count: usize,
}

impl Handles {
    /// Those in the registers of a frame.
    ///
    /// # Safety
    /// The frame is the running thread's, or may be touched (invariant 13).
    unsafe fn of(tag: Tag, frame: *const TrapFrame) -> Self {
        // SAFETY: the frame is there (caller).
        let TrapFrame {
            rdx,
            r10,
            r8,
            r9,
            r12,
            r13,
            r14,
            r15,
            ..
        } = unsafe { frame.read() };
        Self {
            handles: [rdx, r10, r8, r9, r12, r13, r14, r15].map(Handle),
            count: tag.handles().min(HANDLES_MAX),
        }
    }

    fn as_slice(&self) -> &[Handle] {
        self.handles.get(0..self.count).unwrap_or_default()
    }

    /// Writes them to the registers of a frame.
    ///
    /// # Safety
    /// As [`Self::of`].
    unsafe fn write(&self, frame: *mut TrapFrame) {
        // SAFETY: the frame is there, and nobody else touches it (caller).
        let frame = unsafe { &mut *frame };
        let registers = [
            &mut frame.rdx,
            &mut frame.r10,
            &mut frame.r8,
            &mut frame.r9,
            &mut frame.r12,
            &mut frame.r13,
            &mut frame.r14,
            &mut frame.r15,
        ];
        for (register, handle) in registers.into_iter().zip(self.as_slice()) {
            *register = handle.0;
        }
    }

    /// Moves them from one process to another, all or none; returns those there, 0 for such as were revoked on the way.
    ///
    /// # Errors
    /// `BadHandle`, `AccessDenied`; `NotTaken` when the receiver has no room for them.
    fn moved(mut self, from: &Process, to: &Process) -> Result<Self, Error> {
        const { assert!(HANDLES_MAX <= TOGETHER_MAX) };
        let handles = self.handles.get_mut(0..self.count).unwrap_or_default();
        HandleTable::carry_together(from.handles(), handles, Rights::TRANSFER, to.handles())
            .map_err(not_taken)?;
        Ok(self)
    }
}

/// What is not the sender's fault is the receiver's.
fn not_taken(error: Error) -> Error {
    match error {
        Error::BadHandle | Error::AccessDenied => error,
        _ => Error::NotTaken,
    }
}
