//! The short way of a call: the processor goes from thread to thread, and straight back to user mode, without a kernel context of
//! either.
//!
//! A thread that *parks* waits in a system call with nothing on its kernel stack but the frame of its user registers. What it waits for
//! is noted in the thread ([`crate::object::mailbox::Ipc`]), so that whoever brings it about can write the result to the frame
//! and go on there in user mode. If that is not to be ([`Woken`] in a queue, a thread that is to end or to suspend, a message that is
//! not all in registers), a context is made for the thread when it gets a processor, which goes on where the call would have
//! ([`crate::syscall::go_on`]).
//!
//! A parked thread has [`PARKED`] for a saved stack pointer. A thread that is left is settled on the stack of the other one, as with
//! any switch (invariant 6).

use core::sync::atomic::Ordering;

use x86_64::instructions::interrupts;

use super::cpu::{Fate, Ready, Woken};
use super::thread::Thread;
use super::{activate, make_run, usage};
use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::{IrqOff, apic, switch, syscall};
use crate::trace::{self, Cause};

/// [`Thread::saved_stack`] of a thread that is parked.
const PARKED: u64 = 0;

/// Where a thread goes on that is to be switched to.
///
/// # Safety
/// It does not run, and the caller switches to it (invariant 6).
#[inline(always)]
pub(super) unsafe fn stack_of(thread: &Thread) -> u64 {
    match thread.saved_stack.get() {
        // SAFETY: nothing lies on the stack but the frame.
        PARKED => unsafe { switch::prepare(thread.frame() as u64, syscall::unpark) },
        saved => saved,
    }
}

/// Whether the running thread can park now and hand the processor to another one. While the trace is on it cannot: the usual way tells
/// of everything.
#[inline(always)]
pub fn can_hand_off(to: &Woken) -> bool {
    let area = percpu::current();
    // SAFETY: the running thread lives while it runs.
    let from = unsafe { &*area.current.get() };
    !trace::is_any_on() && from.wake.is_quiet() && to.thread().allows(area.index)
}

/// The running thread parks, and another one has the processor, which was blocked and which the caller has taken out of that by
/// [`Ready::wake`]. If that one is parked, too, and has nothing to look after, `finish` completes its call in its frame, or says that it
/// cannot: then it goes on in the kernel.
///
/// # Safety
/// In a system call, interrupts off, after [`can_hand_off`]. Nothing that lies on the stack is to be dropped, and what the running
/// thread waits for is noted, so that [`crate::syscall::go_on`] goes on with it.
#[inline(always)]
pub unsafe fn hand_off(woken: Woken, finish: impl FnOnce(&Thread) -> bool) -> ! {
    let area = percpu::current();
    // SAFETY: the running thread lives while it runs.
    let from = unsafe { &*area.current.get() };
    let to = woken.ready();
    let next = give(area, from, to);
    let (to, stack) = (to.thread(), to.thread().saved_stack.get());
    if stack == PARKED {
        let is_over = next == Next::User && finish(to);
        let next = if is_over { Next::User } else { Next::Kernel };
        // SAFETY: it was given the processor, and so on (caller).
        unsafe { leave(area, from, to, next) }
    }
    area.queue.leave(from, Fate::Block);
    activate(area, from, to);
    // SAFETY: as above; it has a context there.
    unsafe { switch::go_on(stack) }
}

/// The running thread as it may park, and the processor.
#[derive(Clone, Copy)]
pub struct Parking {
    area: &'static PerCpu,
    thread: &'static Thread,
}

impl Parking {
    /// The running thread, if it can park now, as far as that depends on it and on the trace.
    #[inline(always)]
    pub fn new() -> Option<Self> {
        let area = percpu::current();
        // SAFETY: the running thread lives while it runs.
        let thread = unsafe { &*area.current.get() };
        if cfg!(feature = "frame-debug") {
            assert!(
                !interrupts::are_enabled(),
                "system calls begin with interrupts off"
            );
        }
        // A wake-up that has come already is found when the thread is settled.
        (!trace::is_any_on()).then_some(Self { area, thread })
    }

    /// The running thread.
    #[inline(always)]
    pub fn thread(self) -> &'static Thread {
        self.thread
    }

    /// Whether a thread may run here.
    #[inline(always)]
    pub fn suits(self, to: &Thread) -> bool {
        to.allows(self.area.index)
    }

    /// The running thread parks, and a thread that [suits](Self::suits) and was parked ([`Ready::wake_parked`]) has the processor. `finish` completes its call
    /// if it goes straight back to user mode, and leaves that to the thread if it has something to look after before.
    ///
    /// # Safety
    /// As [`hand_off`].
    #[inline(always)]
    pub unsafe fn hand_off(self, woken: Woken, finish: impl FnOnce(&Thread, Next)) -> ! {
        let Self { area, thread: from } = self;
        let to = woken.ready();
        let next = give(area, from, to);
        finish(to.thread(), next);
        // SAFETY: as the caller says.
        unsafe { leave(area, from, to.thread(), next) }
    }
}

/// Where a parked thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    User,
    Kernel,
}

/// Makes a thread the one that this processor runs, in the stead of the running one, which parks.
#[inline(always)]
fn give(area: &'static PerCpu, from: &Thread, ready: Ready) -> Next {
    let to = ready.thread();
    if cfg!(feature = "frame-debug") {
        assert!(area.held.is_empty(), "a thread parks with a lock held");
    }
    to.whereabouts.put_on(area.index);
    if area.queue.hand_off(ready, IrqOff::known()) {
        area.need_resched.set(true);
    }
    from.saved_stack.set(PARKED);
    to.set_on_cpu(true);
    usage::count_switch(area, to);
    // What it is asked from now on comes with an interrupt, as it was put on this processor before (`ksync::Whereabouts`).
    if area.need_resched.get() | !to.attention().is_empty() {
        Next::Kernel
    } else {
        Next::User
    }
}

/// Leaves the running thread, which parks, for one that is parked and was given the processor.
///
/// # Safety
/// As [`hand_off`].
#[inline(always)]
unsafe fn leave(area: &'static PerCpu, from: &Thread, to: &Thread, next: Next) -> ! {
    activate(area, from, to);
    // SAFETY: `to` is the current thread now, with all that belongs to it; nobody else runs on its stack, as it was taken out of its
    // block by us (invariant 6). It is parked, and so is this thread (caller).
    unsafe {
        match next {
            Next::User => syscall::go_on_in_user(to.frame(), from),
            Next::Kernel => syscall::go_on_in_kernel(to.frame(), from),
        }
    }
}

/// Settles a parked thread that was left, on the stack of the one that was switched to. Interrupts are off.
pub extern "C" fn settle(left: &Thread) {
    left.set_on_cpu(false);
    if !left.wake.settle_parked() {
        settle_late(left);
    }
}

/// A thread that parked was woken before it was settled. It may be more urgent than the running one, which is on its way to user mode and
/// looks at nothing any more: an interrupt comes as soon as it is there.
#[cold]
#[inline(never)]
fn settle_late(left: &Thread) {
    // SAFETY: it was not blocked, and so has not ended.
    make_run(Woken::new(unsafe { Ready::of(left) }), Cause::Late);
    let area = percpu::current();
    if area.need_resched.get() {
        apic::send(
            area.apic_id.load(Ordering::Relaxed),
            apic::VECTOR_RESCHEDULE,
        );
    }
}

/// What comes after a usual switch, for a context that was made for a parked thread.
pub extern "C" fn finish_switch() {
    super::finish_switch();
}
