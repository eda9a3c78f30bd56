//! What the tests share: threads on every CPU, waiting with a limit, and accounts of what is in use.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use x86_64::instructions::interrupts;

use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::{IrqLock, time};
use crate::mm::Held;
use crate::sched;
use crate::sched::thread::{Affinity, Thread};

/// How long a test may wait for something that must happen: much more than a loaded emulator needs.
pub const PATIENCE_NS: u64 = 60_000_000_000;
/// How long what a thread held may take to come back after its end.
const SETTLE_NS: u64 = 10_000_000_000;
/// How long a wait sleeps before it looks again.
const LOOK_NS: u64 = 1_000_000;

/// The CPUs that run.
pub fn online() -> impl Iterator<Item = &'static PerCpu> {
    percpu::all().filter(|cpu| cpu.queue.is_online())
}

/// Lets others run, and sleeps while there are none, until a condition holds; false when it takes longer than
/// [`PATIENCE_NS`].
pub fn wait_until(condition: impl Fn() -> bool) -> bool {
    wait_for(PATIENCE_NS, condition)
}

fn wait_for(limit_ns: u64, condition: impl Fn() -> bool) -> bool {
    let end = time::now_ns() + limit_ns;
    loop {
        if condition() {
            return true;
        }
        if time::now_ns() > end {
            return false;
        }
        sched::yield_now();
        interrupts::disable();
        let area = percpu::current();
        if area.need_resched.get() || !area.queue.is_alone() {
            interrupts::enable();
        } else {
            time::arm_timer_at(time::now_ns() + LOOK_NS);
            interrupts::enable_and_hlt();
        }
    }
}

/// Waits until this thread is the only one: one that a test has heard the last of may still be on its way out.
pub fn wait_for_stragglers() {
    wait_for(SETTLE_NS, || sched::thread_count() == 1);
}

/// Starts a kernel thread on a CPU.
pub fn start_on(cpu: u32, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), String> {
    Thread::new(name, Affinity::Pinned(cpu), None, Box::new(body))
        .map(sched::add)
        .map_err(|_| format!("no memory for a thread on cpu{cpu}"))
}

/// Runs a function on every CPU at the same time, and returns what they found, in the order of the CPUs.
pub fn on_each_cpu<R: Send + 'static>(
    work: impl Fn(u32) -> R + Send + Sync + 'static,
) -> Result<Vec<(u32, R)>, String> {
    struct Shared<F, R> {
        work: F,
        ready: AtomicUsize,
        left: AtomicUsize,
        found: IrqLock<Vec<(u32, R)>>,
    }
    let cpus: Vec<u32> = online().map(|cpu| cpu.index).collect();
    let count = cpus.len();
    let shared = Arc::new(Shared {
        work,
        ready: AtomicUsize::new(0),
        left: AtomicUsize::new(count),
        found: IrqLock::new(Vec::with_capacity(count)),
    });
    for &cpu in &cpus {
        let shared = shared.clone();
        start_on(cpu, "ktest", move || {
            // All begin together, so that they really compete.
            shared.ready.fetch_add(1, Ordering::AcqRel);
            while shared.ready.load(Ordering::Acquire) < count {
                sched::yield_now();
                core::hint::spin_loop();
            }
            let found = (shared.work)(cpu);
            shared.found.lock().push((cpu, found));
            shared.left.fetch_sub(1, Ordering::AcqRel);
        })?;
    }
    if !wait_until(|| shared.left.load(Ordering::Acquire) == 0) {
        return Err(format!(
            "{} threads did not end",
            shared.left.load(Ordering::Acquire)
        ));
    }
    let mut found = core::mem::take(&mut *shared.found.lock());
    found.sort_by_key(|(cpu, _)| *cpu);
    Ok(found)
}

/// As [`on_each_cpu`], for work that can fail: the first reason counts.
pub fn check_each_cpu<R: Send + 'static>(
    work: impl Fn(u32) -> Result<R, String> + Send + Sync + 'static,
) -> Result<Vec<R>, String> {
    on_each_cpu(work)?
        .into_iter()
        .map(|(cpu, found)| found.map_err(|reason| format!("cpu{cpu}: {reason}")))
        .collect()
}

/// What is in use at one moment, with the threads that there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Account {
    held: Held,
    threads: usize,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} threads", self.held, self.threads)
    }
}

impl Account {
    /// Counts.
    pub fn now() -> Self {
        Self {
            held: Held::now(),
            threads: sched::thread_count(),
        }
    }

    /// Waits until everything is as it was: the last thread to end gives its stack back a little after it was heard of.
    pub fn check_same(&self) -> Result<(), String> {
        if wait_for(SETTLE_NS, || Self::now() == *self) {
            Ok(())
        } else {
            Err(format!("before: {self}; after: {}", Self::now()))
        }
    }
}

/// A small generator of numbers (xorshift64*), so that a failure can be repeated.
pub struct Random(u64);

impl Random {
    /// A sequence of its own for every seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % limit
    }
}
