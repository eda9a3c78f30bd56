//! The scheduler's hands: it switches stacks, address spaces and timers as `ksched` decides.
//!
//! Each CPU has a run queue behind a lock that is held only to decide. A thread that blocks or ends is settled by the
//! context that runs *after* the switch ([`finish_switch`]): only then is its stack really unused (invariant 6). A
//! thread that stays runnable stays in the queue of its CPU, which alone picks from it.
//!
//! The kernel itself is not preempted: switches happen where a thread blocks, yields or exits, and on the way back to
//! user mode.

mod cpu;
pub mod thread;

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub use cpu::CpuQueue;
use cpu::{Fate, Ready};
use ksched::Priority;
use ksync::Arc;
use x86_64::instructions::interrupts;

use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::{apic, shootdown, switch, time};
use crate::mm::stack::KernelStack;
use crate::process::Process;
use crate::trace::{self, Phase};
use thread::{Affinity, OutOfMemory, Start, Thread};

/// Threads that exist: every run queue keeps a place for each.
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

/// Makes the idle thread of a CPU that is about to start, on the stack that it starts on.
///
/// # Errors
/// When memory is short.
pub fn prepare_cpu(area: &'static PerCpu, stack: KernelStack) -> Result<(), OutOfMemory> {
    let idle = Thread::adopt("idle", Affinity::Pinned(area.index), Some(stack))?;
    area.queue.set_idle(idle)
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
    area.queue
        .set_idle(Thread::adopt("idle", Affinity::Pinned(area.index), None)?)?;
    adopt_idle(area);
    RUNNING.store(true, Ordering::Release);
    Ok(())
}

/// What a CPU does when nothing is runnable.
pub fn idle_loop() -> ! {
    loop {
        interrupts::disable();
        if percpu::current().queue.has_work() {
            schedule(Fate::Requeue);
        } else {
            // The interrupt shadow of STI lets no interrupt in before HLT, so that none is slept through.
            interrupts::enable_and_hlt();
        }
    }
}

/// Adds a new thread to the CPU that suits it best.
///
/// # Errors
/// When memory is short; the thread is dropped then.
pub fn add(thread: Arc<Thread>) -> Result<(), OutOfMemory> {
    let total = THREADS.fetch_add(1, Ordering::AcqRel) + 1;
    for area in percpu::all() {
        if area.queue.reserve(total).is_err() {
            THREADS.fetch_sub(1, Ordering::AcqRel);
            return Err(OutOfMemory);
        }
    }
    make_ready(Ready::new(thread));
    Ok(())
}

/// Wakes a thread that blocks, or makes its next block return at once.
pub fn wake(thread: &Arc<Thread>) {
    if thread.note_wake() {
        make_ready(Ready::new(thread.clone()));
    }
}

fn make_ready(ready: Ready) {
    interrupts::without_interrupts(|| {
        let area = cpu::choose(ready.thread().affinity);
        ready.thread().cpu.store(area.index, Ordering::SeqCst);
        if area.queue.enqueue(ready, Priority::NORMAL) {
            poke(area);
        }
    });
}

/// Makes a CPU look at its run queue.
fn poke(area: &PerCpu) {
    if area.index == percpu::current().index {
        on_reschedule();
    } else {
        apic::send(
            area.apic_id.load(Ordering::Relaxed),
            apic::VECTOR_RESCHEDULE,
        );
    }
}

/// Makes a thread end instead of going back to user mode: it is woken if it blocks, and interrupted if it runs.
pub fn make_leave(thread: &Arc<Thread>) {
    thread.set_must_end();
    wake(thread);
    // The order of this load and the store above, and that of the store in `make_ready` and the load in
    // `before_user_return`, are one: either we see where the thread went, or it sees that it must end.
    if let Some(area) = percpu::get(thread.cpu.load(Ordering::SeqCst) as usize) {
        interrupts::without_interrupts(|| {
            if area.index != percpu::current().index {
                poke(area);
            }
        });
    }
}

/// The running thread gives way to others of its priority.
pub fn yield_now() {
    interrupts::without_interrupts(|| schedule(Fate::Yield));
}

/// Blocks the running thread until it is woken. May return early: callers check what they wait for.
pub fn block() {
    interrupts::without_interrupts(|| {
        if !current_ref().consume_wake() {
            schedule(Fate::Block);
        }
    });
}

/// The running thread ends when it would go back to user mode.
pub fn leave_current() {
    current_ref().set_must_end();
}

/// Ends the running thread. Nothing that the caller holds is dropped.
pub fn exit_current() -> ! {
    let thread = current_ref();
    if let Some(process) = &thread.process {
        // The last thread gives back what the process held, which takes time.
        interrupts::enable();
        process.thread_leaves(thread);
    }
    interrupts::disable();
    schedule(Fate::Exit);
    unreachable!("a thread that has ended was scheduled again")
}

/// Called on the way back to user mode, interrupts off.
#[inline]
pub fn before_user_return() {
    if percpu::current().need_resched.get() {
        schedule(Fate::Requeue);
    }
    if current_must_end() {
        exit_current();
    }
}

/// The timer of this CPU has fired.
pub fn on_timer() {
    on_reschedule();
}

/// Another CPU, or the timer, asks this one to look at its run queue.
pub fn on_reschedule() {
    let area = percpu::current();
    if area.queue.tick() {
        area.need_resched.set(true);
    }
    area.queue.set_timer();
}

/// Picks the next thread and switches to it. Interrupts are off.
fn schedule(fate: Fate) {
    let area = percpu::current();
    area.need_resched.set(false);
    let previous = area.current.get();
    let next = area.queue.next(fate);
    area.queue.set_timer();
    if core::ptr::eq(previous, next) {
        return;
    }
    // SAFETY: `current` and the queue hold counted references; both threads live until they are settled.
    let (from, to) = unsafe { (&*previous, &*next) };
    area.queue.leave(previous, fate);
    if trace::is_on() {
        trace::record(Phase::End, from.name());
        trace::record(Phase::Begin, to.name());
    }
    activate(area, from, to);
    // SAFETY: interrupts are off; `to` was taken from this CPU's queue, so nobody else runs on its stack (invariant 6).
    unsafe { switch::switch_stacks(from.saved_stack.as_ptr(), to.saved_stack.get()) };
    finish_switch();
}

/// Loads what belongs to a thread besides its stack.
fn activate(area: &'static PerCpu, from: &Thread, to: &Thread) {
    area.current.set(to);
    let top = to.stack_top();
    area.kernel_stack.set(top);
    // SAFETY: the tables are this CPU's own and only used here, with interrupts off (invariant 5).
    unsafe { (*area.tables.get()).set_kernel_stack(top) };
    if let Some(state) = &from.fpu {
        state.save();
    }
    if let Some(state) = &to.fpu {
        state.restore();
    }
    // SAFETY: interrupts are off; a process's space lives as long as its threads, and is retired before it goes.
    unsafe { shootdown::activate(to.process.as_ref().map(|process| process.space().tlb())) };
}

/// Settles the thread that was switched away from. Runs in the context that was switched to, interrupts off.
fn finish_switch() {
    let Some((ready, fate)) = percpu::current().queue.take_left() else {
        return;
    };
    match fate {
        Fate::Requeue | Fate::Yield => ready.forget(),
        Fate::Exit => {
            ready.release();
            // Only now, so that a thread that is not counted any more has given everything back.
            THREADS.fetch_sub(1, Ordering::AcqRel);
        }
        Fate::Block => {
            if ready.thread().settle_block() {
                // The reference that the queue held is gone; whoever wakes it brings a new one.
                ready.release();
            } else {
                make_ready(ready);
            }
        }
    }
}

/// First function of every new thread, entered by the switch to it.
extern "C" fn first_run() -> ! {
    finish_switch();
    match current_ref().take_start() {
        Some(Start::Kernel(body)) => {
            interrupts::enable();
            body();
        }
        Some(Start::User {
            entry,
            stack,
            argument,
        }) if !current_must_end() => {
            time::note_user_entry();
            // SAFETY: this switch has loaded the process's space and kernel stack with the thread; interrupts are off; the
            // entry is an address of its image, in user space.
            unsafe { switch::enter_user(entry, stack, argument) }
        }
        Some(Start::User { .. }) | None => {}
    }
    exit_current()
}

fn current_ref() -> &'static Thread {
    // SAFETY: the running thread lives while it runs, and the reference is only used by it.
    unsafe { &*percpu::current().current.get() }
}

/// The running thread.
pub fn current_thread() -> Arc<Thread> {
    Ready::borrow(current_ref())
}

/// Calls a function with the process of the running thread, if it has one.
#[inline(always)]
pub fn with_current_process<R>(act: impl FnOnce(&Arc<Process>) -> R) -> Option<R> {
    current_ref().process.as_ref().map(act)
}

/// The number of the running thread.
pub fn current_id() -> u64 {
    current_ref().id
}

/// Whether the running thread belongs to a program, or is the thread with this number.
#[cfg(feature = "fault-injection")]
pub fn is_for_program(id: u64) -> bool {
    percpu::is_ready()
        && thread_on(percpu::current())
            .is_some_and(|thread| thread.process.is_some() || thread.id == id)
}

/// Whether the running thread must end instead of going back to user mode.
#[inline]
pub fn current_must_end() -> bool {
    current_ref().must_end()
}

fn thread_on(area: &PerCpu) -> Option<&Thread> {
    // SAFETY: null or the thread that the CPU runs; asked for by that CPU itself, or by a panic that has stopped it.
    unsafe { area.current.get().as_ref() }
}

/// The name of the thread that a CPU runs: for the panic report.
pub fn name_on(area: &PerCpu) -> &str {
    thread_on(area).map_or("start", Thread::name)
}

/// The program that a CPU runs: for the panic report.
pub fn module_on(area: &PerCpu) -> &str {
    thread_on(area)
        .and_then(|thread| thread.process.as_ref())
        .map_or("?", |process| process.name())
}

/// The name of the running thread: for the panic report.
pub fn current_name() -> &'static str {
    if percpu::is_ready() {
        name_on(percpu::current())
    } else {
        "start"
    }
}
