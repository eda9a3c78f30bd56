//! The scheduler's hands: it switches stacks, address spaces and timers as `ksched` decides.
//!
//! Each CPU has a run queue behind a lock that is held only to decide. A thread that blocks or ends is settled by the
//! context that runs *after* the switch ([`finish_switch`]): only then is its stack really unused (invariant 6). A
//! thread that was preempted waits in its queue already before, and is not moved to another CPU until then.
//!
//! The kernel itself is not preempted: switches happen where a thread blocks, yields or exits, and on the way back to
//! user mode.

pub mod alarm;
mod control;
mod cpu;
mod current;
pub mod direct;
mod place;
pub mod registers;
pub mod thread;
pub mod usage;

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub use control::{
    follow_priority, make_leave, reprioritise, resume, set_affinity, set_priority, suspend,
};
use cpu::Fate;
pub use cpu::{CpuQueue, Ready, Woken};
#[cfg(feature = "fault-injection")]
pub use current::is_for_program;
pub use current::{
    counted, current_id, current_must_end, current_name, current_process, current_ref,
    current_thread, id_on, module_on, name_on,
};
use ksync::Arc;
use ktrace::Group;
use x86_64::instructions::interrupts;

use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::{IrqGuard, IrqOff, apic, shootdown, switch, time};
use crate::mm::stack::KernelStack;
use crate::trace::{self, Cause};
use thread::{Affinity, Attention, OutOfMemory, Thread};

/// Threads that exist, besides the idle ones.
static THREADS: AtomicUsize = AtomicUsize::new(0);
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Whether this CPU's threads are scheduled yet.
pub fn is_running() -> bool {
    RUNNING.load(Ordering::Acquire)
}

/// How many threads there are, besides the idle ones.
pub fn thread_count() -> usize {
    THREADS.load(Ordering::Acquire)
}

/// Bytes of the heap that the run queues keep, for as many threads as there ever were.
pub fn room_bytes() -> usize {
    percpu::all().map(|area| area.queue.room_bytes()).sum()
}

/// Makes the idle thread of a CPU that is about to start, on the stack that it starts on.
///
/// # Errors
/// When memory is short.
pub fn prepare_cpu(area: &'static PerCpu, stack: KernelStack) -> Result<(), OutOfMemory> {
    let idle = Thread::adopt("idle", Affinity::Pinned(area.index), Some(stack))?;
    area.queue.set_idle(idle);
    Ok(())
}

/// Turns the running context of this CPU into its idle thread, which [`prepare_cpu`] made.
pub fn adopt_idle(area: &'static PerCpu) {
    area.current.set(area.queue.idle());
    area.queue.set_online();
}

/// Makes the boot CPU's context its idle thread, and starts scheduling.
///
/// # Errors
/// When memory is short.
pub fn init_boot() -> Result<(), OutOfMemory> {
    let area = percpu::current();
    let idle = Thread::adopt("idle", Affinity::Pinned(area.index), None)?;
    area.queue.set_idle(idle);
    adopt_idle(area);
    RUNNING.store(true, Ordering::Release);
    Ok(())
}

/// Number and name of the thread that a CPU runs when it has nothing to do.
pub fn idle_on(area: &PerCpu) -> Option<(u64, &'static str)> {
    // SAFETY: null, or the idle thread, which lives for ever.
    let idle = unsafe { area.queue.idle().as_ref() }?;
    Some((idle.id, idle.name()))
}

/// What a CPU does when nothing is runnable.
pub fn idle_loop() -> ! {
    loop {
        interrupts::disable();
        let area = percpu::current();
        if area.queue.has_work() {
            schedule(Fate::Requeue);
            continue;
        }
        place::enter_idle(area.index);
        if area.queue.has_work() || place::steal(area) {
            place::leave_idle(area.index);
            continue;
        }
        // The interrupt shadow of STI lets no interrupt in before HLT, so that none is slept through.
        interrupts::enable_and_hlt();
        place::leave_idle(area.index);
    }
}

/// Starts a new thread, on the CPU that suits it best.
pub fn add(thread: Arc<Thread>) {
    THREADS.fetch_add(1, Ordering::AcqRel);
    make_run(Woken::new(Ready::new(thread)), Cause::New);
}

/// As [`add`], of a thread of a process that was suspended before anybody else knew of it ([`suspend`]): it runs when it is resumed,
/// or is to end.
pub fn add_suspended(thread: Arc<Thread>) {
    THREADS.fetch_add(1, Ordering::AcqRel);
    let ready = Ready::new(thread);
    // It may have been found and resumed or ended already. If not, it runs when it is woken.
    if !ready.thread().wake.settle() {
        run(Woken::new(ready));
    }
}

/// As [`wake`], for a thread that waits in some list.
#[inline]
pub fn wake_ready(ready: Ready) {
    if let Some(woken) = ready.wake() {
        run(woken);
    }
}

/// Wakes a thread that blocks, or makes its next block return at once.
#[inline]
pub fn wake(thread: &Thread) {
    if thread.wake.wake() {
        // SAFETY: it was blocked, so it was started and has not ended; and it does not, before it is made to run here.
        run(Woken::new(unsafe { Ready::of(thread) }));
    }
}

/// Makes a thread run, on the CPU that suits it best.
#[inline]
pub fn run(woken: Woken) {
    make_run(woken, Cause::Woken);
}

/// As [`run`], for where interrupts are off and time matters.
#[inline(always)]
pub fn run_within(woken: Woken, off: IrqOff<'_>) {
    if percpu::count() != 1 || trace::is_either_on(Group::Wake, Group::Migrate) {
        return run(woken);
    }
    let own = percpu::current();
    woken.thread().whereabouts.put_on(own.index);
    let news = own.queue.enqueue_within(woken.ready(), off);
    if own.queue.follow(news) {
        own.need_resched.set(true);
    }
}

/// As [`run`]; `cause` is what the trace says.
fn make_run(woken: Woken, cause: Cause) {
    let irq = IrqGuard::new();
    let own = percpu::current();
    let ready = woken.ready();
    let area = place::choose(ready.thread(), own);
    if trace::is_either_on(Group::Wake, Group::Migrate) {
        let from = ready.thread().processor();
        trace::runnable(ready.thread(), cause, from, area.index);
    }
    ready.thread().whereabouts.put_on(area.index);
    let news = area.queue.enqueue_within(ready, irq.off());
    if core::ptr::eq(area, own) {
        if own.queue.follow(news) {
            own.need_resched.set(true);
        }
    } else if news.is_any() {
        poke(area);
    }
    if let Some(sleeper) = place::sleeper_for(ready, area) {
        poke(sleeper);
    }
}

/// Makes a CPU look at its run queue.
fn poke(area: &PerCpu) {
    if area.index == percpu::current().index {
        on_reschedule();
    } else {
        if trace::is_on(Group::Ipi) {
            trace::ipi(apic::VECTOR_RESCHEDULE, area.index);
        }
        apic::send(
            area.apic_id.load(Ordering::Relaxed),
            apic::VECTOR_RESCHEDULE,
        );
    }
}

/// The running thread gives way to others of its priority.
pub fn yield_now() {
    let irq = IrqGuard::new();
    schedule_as(Fate::Yield, irq.off());
}

/// Blocks the running thread until it is woken. May return early: callers check what they wait for.
pub fn block() {
    block_within(IrqGuard::new().off());
}

/// As [`block`], for where interrupts are off and time matters.
#[inline(always)]
pub fn block_within(off: IrqOff<'_>) {
    if !current_ref().wake.consume() {
        schedule_as(Fate::Block, off);
    }
}

/// The running thread ends when it would go back to user mode.
pub fn leave_current() {
    // It runs, in the kernel: nobody needs to be interrupted.
    current_ref().add_attention(Attention::END);
}

/// Ends the running thread. Nothing that the caller holds is dropped.
pub fn exit_current() -> ! {
    let thread = current_ref();
    // Whoever waits for an answer of this thread gets none.
    drop(thread.end_service());
    thread.note_end();
    if let Some(process) = &thread.process {
        // The last thread gives back what the process held, which takes time.
        interrupts::enable();
        process.thread_leaves(thread);
    }
    interrupts::disable();
    schedule(Fate::Exit);
    unreachable!("a thread that has ended was scheduled again")
}

/// Called on the way back to user mode, interrupts off. The entry code of system calls does the same (`arch::syscall`).
#[inline]
pub fn before_user_return() {
    let area = percpu::current();
    // SAFETY: the running thread lives while it runs.
    let thread = unsafe { &*area.current.get() };
    if area.need_resched.get() || !thread.attention().is_empty() {
        look_after();
    }
}

/// Does what the running thread has to look after, until there is nothing more. Interrupts are off.
#[cold]
pub extern "C" fn look_after() {
    let area = percpu::current();
    // Mostly it is only that another thread has its turn. (What a debugger has changed, it has while it looked after more.)
    if area.need_resched.get() && current_ref().attention().is_empty() {
        schedule_as(Fate::Requeue, IrqOff::known());
        // It may be another processor that runs it now.
        if !percpu::current().need_resched.get() && current_ref().attention().is_empty() {
            return;
        }
    }
    look_after_all();
}

#[inline(never)]
fn look_after_all() {
    loop {
        let thread = current_ref();
        let attention = thread.attention();
        if attention.contains(Attention::END) {
            exit_current();
        } else if attention.contains(Attention::MOVE) {
            thread.remove_attention(Attention::MOVE);
            if !thread.allows(percpu::current().index) {
                schedule(Fate::Migrate);
            }
        } else if attention.contains(Attention::SUSPEND) {
            // Whoever resumes it clears the bit first, and then wakes.
            thread.user.set_at_border(true);
            block();
            thread.user.set_at_border(false);
        } else if percpu::current().need_resched.get() {
            schedule(Fate::Requeue);
        } else if thread.user.take_changed() {
            // A return by SYSRET would lose RCX and R11.
            // SAFETY: the thread and all that belongs to it is loaded; interrupts are off; the callers of this function hold nothing, as
            // they return to user mode next. What a debugger writes to a frame was checked.
            unsafe { switch::enter_user(thread.frame()) }
        } else {
            return;
        }
    }
}

/// The timer of this CPU has fired.
pub fn on_timer() {
    let area = percpu::current();
    area.queue.note_fired();
    area.queue.expire_alarms();
    on_reschedule();
    if percpu::count() > 1
        && let Some(taker) = place::balance(area)
    {
        poke(taker);
    }
}

/// Another CPU, or the timer, asks this one to look at its run queue.
pub fn on_reschedule() {
    let area = percpu::current();
    if area.queue.tick() {
        area.need_resched.set(true);
    }
}

/// Picks the next thread and switches to it. Interrupts are off.
fn schedule(fate: Fate) {
    schedule_as(fate, IrqGuard::new().off());
}

/// As [`schedule`], without a call, for where time matters.
#[inline(always)]
fn schedule_as(fate: Fate, off: IrqOff<'_>) {
    let area = percpu::current();
    area.need_resched.set(false);
    let previous = area.current.get();
    let next = area.queue.next(fate, off);
    if core::ptr::eq(previous, next) {
        return;
    }
    // SAFETY: `current` and the queue hold counted references; both threads live until they are settled.
    let (from, to) = unsafe { (&*previous, &*next) };
    switch_to(area, from, to, fate, false);
}

/// The running thread blocks, and another one, which was blocked and which the caller has taken out of that by
/// [`Ready::wake`], has the CPU at once. May return early, as [`block`].
pub fn hand_off(woken: Woken) {
    interrupts::without_interrupts(|| {
        let area = percpu::current();
        let from = current_ref();
        let ready = woken.ready();
        let to = ready.thread();
        if from.wake.consume() {
            trace::handed_over(from, to);
            return run(woken);
        }
        if !to.allows(area.index) {
            trace::handed_over(from, to);
            run(woken);
            return schedule(Fate::Block);
        }
        to.whereabouts.put_on(area.index);
        if area.queue.hand_off(ready, IrqOff::known()) {
            area.need_resched.set(true);
        }
        switch_to(area, from, to, Fate::Block, true);
    });
}

/// Goes on with a thread that the run queue has made its current one, or that was handed the CPU. Interrupts are off.
#[inline(always)]
fn switch_to(area: &'static PerCpu, from: &Thread, to: &Thread, fate: Fate, is_handed_over: bool) {
    if cfg!(feature = "frame-debug") {
        assert!(area.held.is_empty(), "a thread is left with a lock held");
    }
    area.queue.leave(from, fate);
    if trace::is_on(Group::Switch) {
        trace::switch(from, to, fate.left(), is_handed_over);
    }
    to.set_on_cpu(true);
    usage::count_switch(area, to);
    activate(area, from, to);
    // SAFETY: interrupts are off; `to` was taken from this CPU's queue, so nobody else runs on its stack (invariant 6).
    unsafe { switch::switch_stacks(from.saved_stack.as_ptr(), direct::stack_of(to)) };
    finish_switch();
}

/// Loads what belongs to a thread besides its stack.
#[inline(always)]
fn activate(area: &'static PerCpu, from: &Thread, to: &Thread) {
    area.current.set(to);
    let top = to.stack_top();
    area.kernel_stack.set(top);
    // SAFETY: the tables are this CPU's own and only used here, with interrupts off (invariant 5).
    unsafe { (*area.tables.get()).set_kernel_stack(top) };
    match (&from.fpu, &to.fpu) {
        (Some(from), Some(to)) => from.exchange(to),
        (Some(from), None) => from.save(),
        (None, Some(to)) => to.restore(),
        (None, None) => {}
    }
    // A program can set its bases to 0 by loading selectors, and to nothing else: where all are 0, they stay so.
    if to.user.has_bases() | area.has_bases.get() {
        load_bases(area, to);
    }
    if let Some(process) = &to.process {
        // SAFETY: interrupts are off; a process's space lives as long as its threads, and is retired before it goes.
        if unsafe { shootdown::activate(area, process.space().tlb()) } {
            process.ports.follow(area);
        }
    }
}

#[cold]
fn load_bases(area: &PerCpu, to: &Thread) {
    area.has_bases.set(to.user.has_bases());
    let (fs, gs) = to.user.bases();
    // SAFETY: this is the kernel, interrupts off; whoever set the bases has checked them.
    unsafe { switch::load_bases(fs, gs) };
}

/// Settles the thread that was switched away from. Runs in the context that was switched to, interrupts off.
#[inline(always)]
fn finish_switch() {
    let Some((ready, fate)) = percpu::current().queue.take_left() else {
        return;
    };
    ready.thread().set_on_cpu(false);
    if fate == Fate::Block {
        if !ready.thread().wake.settle() {
            make_run(Woken::new(ready), Cause::Late);
        }
    } else if !matches!(fate, Fate::Requeue | Fate::Yield) {
        settle_otherwise(ready, fate);
    }
}

/// Settles a thread that is not to go on where it was.
#[cold]
fn settle_otherwise(ready: Ready, fate: Fate) {
    match fate {
        Fate::Requeue | Fate::Yield | Fate::Block => {}
        Fate::Migrate => make_run(Woken::new(ready), Cause::Moved),
        Fate::Exit => {
            ready.release();
            // Only now, so that a thread that is not counted any more has given everything back.
            THREADS.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// First function of every new thread, entered by the switch to it.
extern "C" fn first_run() -> ! {
    finish_switch();
    let thread = current_ref();
    if let Some(body) = thread.take_body() {
        interrupts::enable();
        body();
    } else if thread.process.is_some() {
        thread.user.set_at_border(false);
        before_user_return();
        time::note_user_entry();
        // SAFETY: this switch has loaded the process's space and kernel stack with the thread; interrupts are off; nothing lies on the
        // stack that is to be dropped; the frame is that of `Thread::new`, or what a debugger has made of it, with a user address.
        unsafe { switch::enter_user(thread.frame()) }
    }
    exit_current()
}
