//! The part of a CPU's area that belongs to the scheduler: run queue, alarms, idle thread, and the thread just left.

use core::cell::Cell;
use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use ksched::{Balance, Config, CpuSet, Decision, Entered, Excess, Given, Node, RunQueue, Task};
use ksync::Arc;
use ktrace::Left;

use super::alarm::Alarms;
use super::thread::Thread;
use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::{IrqLock, IrqOff, time};
use crate::locks;

/// A thread in a run queue, or on its way there. A plain pointer: a thread that was started lives until it has ended and another
/// one runs, by a reference that the scheduler holds ([`super::add`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready(NonNull<Thread>);

// SAFETY: the pointer is one to a `Sync` type.
unsafe impl Send for Ready {}

impl Ready {
    /// Takes over a counted reference, which lasts until [`Self::release`].
    pub(super) fn new(thread: Arc<Thread>) -> Self {
        // SAFETY: it is a pointer to a thread.
        Self(unsafe { NonNull::new_unchecked(Arc::into_raw(thread).cast_mut()) })
    }

    /// A thread, as those who wake it see it.
    ///
    /// # Safety
    /// It was started, and does not end as long as this is used (invariant 14).
    pub unsafe fn of(thread: &Thread) -> Self {
        Self(NonNull::from(thread))
    }

    #[inline]
    pub fn thread(&self) -> &Thread {
        // SAFETY: the scheduler's reference keeps the thread alive until it has ended, and it has not (`of`).
        unsafe { self.0.as_ref() }
    }

    /// Takes the thread out of its block, or makes its next block return at once.
    #[inline]
    pub fn wake(self) -> Option<Woken> {
        self.thread().wake.wake().then_some(Woken(self))
    }

    /// As [`Self::wake`] for a thread that is parked ([`super::direct`]); nothing for any other.
    #[inline(always)]
    pub fn wake_parked(self) -> Option<Woken> {
        self.thread().wake.wake_parked().then_some(Woken(self))
    }

    /// Gives the thread something that it waits for, and takes it out of its block, or makes its next block return at once.
    #[inline]
    pub fn give(self, given: &ksync::Given, what: NonZeroU64) -> Option<Woken> {
        given.give(&self.thread().wake, what).then_some(Woken(self))
    }

    /// Drops the scheduler's reference.
    pub(super) fn release(self) {
        // SAFETY: the reference was taken over by `new` and is given up here once, when the thread has ended.
        drop(unsafe { Arc::from_raw(self.0.as_ptr().cast_const()) });
    }
}

/// A thread that was taken out of its block, and is in no queue: who has this sees to it that it runs.
#[must_use]
pub struct Woken(Ready);

impl Woken {
    /// Takes over a thread that is in no queue: one that is new, or that was just left although it can run.
    pub(super) fn new(ready: Ready) -> Self {
        Self(ready)
    }

    #[inline]
    pub(super) fn ready(&self) -> Ready {
        self.0
    }

    /// The thread, which does not go on before it is made to run.
    #[inline]
    pub fn thread(&self) -> &Thread {
        self.0.thread()
    }
}

impl Task for Ready {
    fn node(&self) -> &Node<Self> {
        &self.thread().node
    }
}

/// What is to become of the thread that is switched away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays runnable and goes on with its quantum later.
    Requeue,
    /// It stays runnable behind the others of its priority.
    Yield,
    /// It stays runnable, but not on this processor.
    Migrate,
    /// It waits to be woken.
    Block,
    /// It is over.
    Exit,
}

impl Fate {
    /// What the trace says of it.
    pub(super) const fn left(self) -> Left {
        match self {
            Self::Requeue | Self::Yield | Self::Migrate => Left::Runnable,
            Self::Block => Left::Blocked,
            Self::Exit => Left::Ended,
        }
    }
}

/// The run queue of one CPU and what belongs to it. `Cell`s are its owner's (invariant 5).
pub struct CpuQueue {
    ready: IrqLock<RunQueue<Ready>, locks::RunQueue>,
    /// Threads that run or wait here, readable without the lock.
    load: AtomicUsize,
    /// How often this CPU has switched. Written by itself.
    pub(super) switches: AtomicU64,
    pub(super) alarms: IrqLock<Alarms, locks::Alarms>,
    idle: Cell<*const Thread>,
    left: Cell<Option<(Ready, Fate)>>,
    online: AtomicBool,
    /// When this CPU's timer fires next, in ticks of the time-stamp counter; it may be earlier than needed, never later.
    armed: Cell<u64>,
    /// When threads are given to other CPUs.
    balance: Cell<Balance>,
    /// When a thread was last given to this CPU.
    took_ns: AtomicU64,
}

/// What a CPU must know of a thread that was put into its queue.
#[derive(Clone, Copy)]
#[must_use]
pub(super) struct News(Entered);

impl News {
    /// Whether it must be told anything at all.
    #[inline(always)]
    pub(super) fn is_any(self) -> bool {
        self.0.decision == Decision::Switch || self.0.tick.is_some()
    }
}

/// How many threads are looked at for one that goes to another CPU, with interrupts off.
const MOST: usize = 64;

/// No timer is armed.
const UNARMED: u64 = u64::MAX;

/// Calls a function with the queue that a thread was last put in, with its lock held, and the CPU that it belongs to. The thread is in
/// that queue or in none: who moves it takes it out of one queue, says where it goes, and puts it into the other. None for a
/// thread that was not started.
pub(super) fn with_queue_of<R>(
    thread: &Thread,
    act: impl FnOnce(&mut RunQueue<Ready>, &'static PerCpu) -> R,
) -> Option<R> {
    loop {
        let index = thread.whereabouts.cpu();
        let area = percpu::get(index as usize)?;
        let mut queue = area.queue.ready.lock();
        if thread.whereabouts.cpu() == index {
            let result = act(&mut queue, area);
            area.queue.load.store(queue.runnable(), Ordering::SeqCst);
            return Some(result);
        }
        drop(queue);
        core::hint::spin_loop();
    }
}

impl CpuQueue {
    /// An empty queue of a CPU that is not online.
    pub const fn new() -> Self {
        Self {
            ready: IrqLock::new(RunQueue::new(Config::DEFAULT)),
            load: AtomicUsize::new(0),
            switches: AtomicU64::new(0),
            alarms: IrqLock::new(Alarms::new()),
            idle: Cell::new(core::ptr::null()),
            left: Cell::new(None),
            online: AtomicBool::new(false),
            armed: Cell::new(UNARMED),
            balance: Cell::new(Balance::new()),
            took_ns: AtomicU64::new(0),
        }
    }

    /// Whether the CPU takes threads.
    pub fn is_online(&self) -> bool {
        self.online.load(Ordering::Acquire)
    }

    /// The CPU takes threads from now on. The clock has been calibrated.
    pub(super) fn set_online(&self) {
        let config = Config::DEFAULT.by(time::ticks_of);
        self.ready.lock().set_config(config);
        self.online.store(true, Ordering::Release);
    }

    pub(super) fn idle(&self) -> *const Thread {
        self.idle.get()
    }

    /// Gives the CPU its idle thread, for ever.
    pub(super) fn set_idle(&self, thread: Arc<Thread>) {
        self.idle.set(Arc::into_raw(thread));
    }

    /// Bytes of the heap that the room takes.
    pub(super) fn room_bytes(&self) -> usize {
        self.alarms.lock().room_bytes()
    }

    /// Puts a thread in; what the CPU must be told.
    #[inline(always)]
    pub(super) fn enqueue_within(&self, ready: Ready, off: IrqOff<'_>) -> News {
        let mut queue = self.ready.lock_within(off);
        // Read with the lock held: whoever changes it looks into the queue afterwards.
        let priority = ready.thread().priority();
        let entered = queue.enter(ready, priority, time::tsc());
        self.load.store(entered.runnable, Ordering::SeqCst);
        News(entered)
    }

    /// Follows news of this CPU's own queue; whether another thread should run. For other CPUs an interrupt does so.
    #[inline(always)]
    pub(super) fn follow(&self, news: News) -> bool {
        self.arm(news.0.tick);
        news.0.decision == Decision::Switch
    }

    /// How many threads run or wait here, or did a moment ago.
    #[inline]
    pub fn load(&self) -> usize {
        // In one order with the notes of CPUs that go to sleep (`place`).
        self.load.load(Ordering::SeqCst)
    }

    /// The time, for how long threads have run here up to then, both in nanoseconds, and how many run or wait.
    pub(super) fn busy(&self) -> (u64, u64, usize) {
        let mut queue = self.ready.lock();
        let now = time::tsc();
        let busy = queue.busy(now);
        let idle = time::ns_of(time::ticks_until(now).saturating_sub(busy));
        let busy = time::ns_of(busy);
        // The sum of both as they are rounded: nobody sees it busy for longer than has passed.
        (busy.wrapping_add(idle), busy, queue.runnable())
    }

    /// Whether something is runnable.
    pub(super) fn has_work(&self) -> bool {
        self.load() != 0
    }

    /// Whether nothing is runnable here but the running thread. To be asked by that thread.
    pub fn is_alone(&self) -> bool {
        self.load() <= 1
    }

    /// Counts time; whether another thread should run.
    pub(super) fn tick(&self) -> bool {
        let mut queue = self.ready.lock();
        let decision = queue.tick(time::tsc());
        let next = queue.next_tick();
        drop(queue);
        if decision == Decision::Switch {
            // The switch sets the timer. A time that has come would interrupt the processor for ever before it gets there.
            return true;
        }
        self.arm(next);
        false
    }

    /// The thread to run next; the timer is set for what comes after it.
    #[inline(always)]
    pub(super) fn next(&self, fate: Fate, off: IrqOff<'_>) -> *const Thread {
        let now = time::tsc();
        let mut queue = self.ready.lock_within(off);
        let next = match fate {
            Fate::Requeue => queue.pick(now),
            Fate::Yield => queue.yield_current(now),
            Fate::Block | Fate::Migrate | Fate::Exit => queue.block(now),
        };
        if queue.is_waited_for() {
            self.load.store(queue.runnable(), Ordering::Relaxed);
            let tick = queue.next_tick();
            drop(queue);
            self.arm(tick);
        } else {
            self.load
                .store(usize::from(next.is_some()), Ordering::Relaxed);
            drop(queue);
        }
        next.map_or(self.idle.get(), |ready| ready.0.as_ptr().cast_const())
    }

    /// The running thread gives the CPU to another one, which is in no queue; whether a third one outranks it.
    #[inline(always)]
    pub(super) fn hand_off(&self, ready: Ready, off: IrqOff<'_>) -> bool {
        let now = time::tsc();
        let mut queue = self.ready.lock_within(off);
        let decision = queue.hand_off(ready, ready.thread().priority(), now);
        decision == Decision::Switch
    }

    /// Takes out a thread that waits here and that `allowed` accepts.
    pub(super) fn steal(&self, allowed: impl FnMut(Ready) -> bool) -> Option<Ready> {
        let mut queue = self.ready.lock();
        let (ready, _) = queue.steal(MOST, allowed)?;
        self.load.store(queue.runnable(), Ordering::Relaxed);
        Some(ready)
    }

    /// At a tick: for which excess of threads this CPU is to give one away now, if for any.
    pub(super) fn excess(&self, runnable: usize, now_ns: u64) -> Option<Excess> {
        let mut balance = self.balance.get();
        let excess = balance.tick(runnable, self.took_ns(), now_ns);
        self.balance.set(balance);
        excess
    }

    /// Takes out a thread that is to go to one of these CPUs, with the one that `taker` chooses. To be asked by this CPU.
    pub(super) fn give<R>(
        &self,
        takers: &CpuSet,
        now_ns: u64,
        taker: impl FnOnce(Ready) -> Option<R>,
    ) -> Given<(Ready, R)> {
        let mut queue = self.ready.lock();
        let given = queue.give(MOST, |ready| ready.thread().allows_any(takers), taker);
        self.load.store(queue.runnable(), Ordering::Relaxed);
        drop(queue);
        let mut balance = self.balance.get();
        balance.note(&given, now_ns);
        self.balance.set(balance);
        given
    }

    /// Puts a thread in that was taken out of the queue of another CPU; as [`Self::enqueue_within`].
    #[cold]
    pub(super) fn take_over(&self, ready: Ready) -> Option<News> {
        let mut queue = self.ready.lock();
        let priority = ready.thread().priority();
        let entered = queue.take_over(ready, priority, time::tsc());
        self.load.store(entered.runnable, Ordering::SeqCst);
        let news = News(entered);
        news.is_any().then_some(news)
    }

    /// When a thread was last given to this CPU.
    pub(super) fn took_ns(&self) -> u64 {
        self.took_ns.load(Ordering::Relaxed)
    }

    pub(super) fn note_taking(&self, now_ns: u64) {
        self.took_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Sees to it that this CPU's timer fires at this time on the monotonic clock, in nanoseconds, or before.
    pub(super) fn arm_for(&self, at_ns: Option<u64>) {
        self.arm(at_ns.map(time::tsc_at));
    }

    /// As [`Self::arm_for`], at this time by the time-stamp counter.
    #[inline(always)]
    fn arm(&self, at: Option<u64>) {
        if let Some(at) = at
            && at < self.armed.get()
        {
            self.arm_earlier(at);
        }
    }

    #[cold]
    fn arm_earlier(&self, at: u64) {
        self.armed.set(at);
        time::arm_timer(at);
    }

    /// The timer has fired: it is not armed any more.
    pub(super) fn note_fired(&self) {
        self.armed.set(UNARMED);
    }

    /// Notes which thread is being left.
    #[inline]
    pub(super) fn leave(&self, thread: *const Thread, fate: Fate) {
        // The idle thread is in no queue, and its reference stays.
        let is_idle = core::ptr::eq(thread, self.idle.get());
        self.left.set(if is_idle {
            None
        } else {
            NonNull::new(thread.cast_mut()).map(|thread| (Ready(thread), fate))
        });
    }

    /// The thread that was left by the last switch.
    #[inline]
    pub(super) fn take_left(&self) -> Option<(Ready, Fate)> {
        self.left.take()
    }
}
