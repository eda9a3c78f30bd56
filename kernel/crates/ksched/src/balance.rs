//! Which processor a thread goes to, and from which one an idle processor takes work.
//!
//! All look at the processors that take threads at all, in any order, each with how many threads run or could run there, the
//! idle thread not counted. The numbers are those of a moment ago: what is decided by them is good, not right.

use crate::cpuset::Cpu;

/// A processor with the number of its runnable threads.
pub type Load = (Cpu, usize);

fn distance(from: Cpu, to: Cpu) -> usize {
    to.index().wrapping_sub(from.index()) % crate::MAX_CPUS
}

/// The processor for a thread that becomes runnable, among those it may run on: the least busy
/// one, and among equals the last one it ran on, then the next one after it, so that threads made by one
/// thread spread. `None` when there is none.
pub fn place(last: Option<Cpu>, loads: impl Iterator<Item = Load>) -> Option<Cpu> {
    let origin = last.unwrap_or(Cpu::BOOT);
    loads
        .min_by_key(|&(cpu, runnable)| (runnable, distance(origin, cpu)))
        .map(|(cpu, _)| cpu)
}

/// The processor that an idle one should take a thread from: the busiest with at least two runnable
/// threads, and among equals the next one after the thief, so that thieves spread. The caller then
/// asks that one's [`crate::RunQueue::steal`].
pub fn steal_from(thief: Cpu, loads: impl Iterator<Item = Load>) -> Option<Cpu> {
    loads
        .filter(|&(cpu, runnable)| runnable >= 2 && cpu != thief)
        .max_by_key(|&(cpu, runnable)| (runnable, core::cmp::Reverse(distance(thief, cpu))))
        .map(|(cpu, _)| cpu)
}

/// The processor that a busy one should give a thread to: the least busy, if it has at least two threads
/// less. After that neither would give one back.
pub fn push_to(giver: Cpu, runnable: usize, loads: impl Iterator<Item = Load>) -> Option<Cpu> {
    let others = loads.filter(|&(cpu, _)| cpu != giver);
    let (cpu, least) = others.min_by_key(|&(cpu, runnable)| (runnable, distance(giver, cpu)))?;
    (least.saturating_add(2) <= runnable).then_some(cpu)
}
