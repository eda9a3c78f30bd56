//! On which CPU a thread runs: placement when it wakes, stealing by CPUs that have nothing to do, and balance.

use core::sync::atomic::{AtomicU64, Ordering};

use ksched::{Cpu, Given, Load, MAX_CPUS};
use ktrace::Group;

use super::cpu::Ready;
use super::thread::Thread;
use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::time;
use crate::trace;

const WORDS: usize = MAX_CPUS / 64;

/// CPUs that sleep, or are about to.
static IDLE: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

fn bit(index: u32) -> (&'static AtomicU64, u64) {
    // Indices are below `MAX_CPUS`: the remainder changes nothing.
    (&IDLE[index as usize / 64 % WORDS], 1 << (index % 64))
}

/// Notes that a CPU has nothing to do. It looks for work once more after this: who made some before may not have seen the note.
pub(super) fn enter_idle(index: u32) {
    let (word, bit) = bit(index);
    word.fetch_or(bit, Ordering::SeqCst);
}

/// Notes that a CPU has something to do.
#[inline]
pub(super) fn leave_idle(index: u32) {
    let (word, bit) = bit(index);
    if word.load(Ordering::Relaxed) & bit != 0 {
        word.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// A CPU that sleeps, has been given nothing meanwhile, and may run the thread.
fn idle_for(thread: &Thread) -> Option<&'static PerCpu> {
    for (word, base) in IDLE.iter().zip((0..).step_by(64)) {
        let mut bits = word.load(Ordering::SeqCst);
        while bits != 0 {
            let index = base + bits.trailing_zeros();
            bits &= bits - 1;
            if let Some(area) = percpu::get(index as usize)
                && area.queue.load() == 0
                && thread.allows(index)
            {
                return Some(area);
            }
        }
        if percpu::count() <= base as usize + 64 {
            break;
        }
    }
    None
}

/// The CPUs that take threads, and how busy they are.
fn loads() -> impl Iterator<Item = Load> {
    percpu::all()
        .filter(|area| area.queue.is_online())
        .filter_map(|area| Some((Cpu::new(area.index as usize)?, area.queue.load())))
}

fn area_of(cpu: Cpu) -> Option<&'static PerCpu> {
    percpu::get(cpu.index())
}

/// The CPU for a thread that becomes runnable: the last one it ran on while that has nothing else to do, as its caches are warm;
/// one that sleeps; the last one all the same. A new thread goes to the least busy.
/// `own` is the CPU that asks.
#[inline]
pub(super) fn choose(thread: &Thread, own: &'static PerCpu) -> &'static PerCpu {
    // There is none to choose between.
    if percpu::count() == 1 {
        return own;
    }
    choose_among(thread, own)
}

fn choose_among(thread: &Thread, own: &'static PerCpu) -> &'static PerCpu {
    let last = percpu::get(thread.whereabouts.cpu() as usize)
        .filter(|area| area.queue.is_online() && thread.allows(area.index));
    if let Some(area) = last
        && area.queue.load() == 0
    {
        return area;
    }
    if let Some(area) = idle_for(thread).or(last) {
        return area;
    }
    let creator = Cpu::new(own.index as usize);
    let allowed = loads().filter(|&(cpu, _)| thread.allows(cpu.index() as u32));
    ksched::place(creator, allowed)
        .and_then(area_of)
        .unwrap_or(own)
}

/// Takes a thread over from the busiest CPU, for this one, which has nothing to do; whether there was one.
pub(super) fn steal(thief: &PerCpu) -> bool {
    let Some(cpu) = Cpu::new(thief.index as usize) else {
        return false;
    };
    let Some(victim) = ksched::steal_from(cpu, loads()).and_then(area_of) else {
        return false;
    };
    let Some(ready) = victim.queue.steal(|ready| is_movable(ready, thief.index)) else {
        return false;
    };
    move_to(ready, victim, thief);
    // This CPU looks at its queue next.
    let _ = thief.queue.take_over(ready);
    true
}

/// Says where a thread goes that was taken out of the queue of another CPU.
fn move_to(ready: Ready, from: &PerCpu, to: &PerCpu) {
    if trace::is_on(Group::Migrate) {
        trace::migrate(ready.thread(), from.index, to.index);
    }
    ready.thread().whereabouts.put_on(to.index);
}

/// A thread that was preempted waits already while its CPU still stands on its stack (invariant 6): nobody else may run it then.
fn is_movable(ready: Ready, to: u32) -> bool {
    let thread = ready.thread();
    !thread.is_on_cpu() && thread.allows(to)
}

/// At a tick of a CPU: gives a thread to one that has less to do, if it is time for that. That one is told if need be.
#[cold]
pub(super) fn balance(giver: &PerCpu) -> Option<&'static PerCpu> {
    let (own, runnable) = (Cpu::new(giver.index as usize)?, giver.queue.load());
    let now = time::now_ns();
    let excess = giver.queue.excess(runnable, now)?;
    let takers = ksched::takers(own, runnable, excess, loads());
    if takers.is_empty() {
        return None;
    }
    let given = giver.queue.give(&takers, now, |ready| {
        let allowed = loads().filter(|&(cpu, _)| is_movable(ready, cpu.index() as u32));
        let allowed = allowed.filter_map(|load| Some((load, area_of(load.0)?.queue.took_ns())));
        ksched::give_to(own, runnable, excess, allowed).and_then(area_of)
    });
    let Given::Thread((ready, taker)) = given else {
        return None;
    };
    move_to(ready, giver, taker);
    taker.queue.note_taking(now);
    taker.queue.take_over(ready).map(|_| taker)
}

/// After a thread was put in a queue: if it waits there behind others, a CPU that has gone to sleep meanwhile, to be told to steal it.
/// That one looked for work after it had noted that it sleeps, and the thread was in the queue before we look for the note: one of
/// us sees the other.
#[inline]
pub(super) fn sleeper_for(ready: Ready, on: &PerCpu) -> Option<&'static PerCpu> {
    if percpu::count() == 1 || on.queue.load() < 2 {
        return None;
    }
    sleeper(ready)
}

#[cold]
#[inline(never)]
fn sleeper(ready: Ready) -> Option<&'static PerCpu> {
    idle_for(ready.thread())
}
