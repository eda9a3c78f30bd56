//! Which processor a thread goes to, and from which one an idle processor takes work.
//!
//! All look at the processors that take threads at all, in any order, each with how many threads run or could run there, the
//! idle thread not counted. The numbers are those of a moment ago: what is decided by them is good, not right.

use crate::cpuset::{Cpu, CpuSet};

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

/// The processors that a busy one could give a thread to.
pub fn takers(
    giver: Cpu,
    runnable: usize,
    excess: Excess,
    loads: impl Iterator<Item = Load>,
) -> CpuSet {
    let has_less = |least: usize| least.saturating_add(excess.threads()) <= runnable;
    let others = loads.filter(|&(cpu, least)| cpu != giver && has_less(least));
    others.map(|(cpu, _)| cpu).collect()
}

/// The processor that a busy one should give a thread to: the least busy, if it has at least `excess` threads less, and among equals
/// the one that was given one the longest ago. Each load comes with the time of that.
pub fn give_to(
    giver: Cpu,
    runnable: usize,
    excess: Excess,
    loads: impl Iterator<Item = (Load, u64)>,
) -> Option<Cpu> {
    let others = loads.filter(|&((cpu, _), _)| cpu != giver);
    let ((cpu, least), _) = others
        .min_by_key(|&((cpu, runnable), took_ns)| (runnable, took_ns, distance(giver, cpu)))?;
    (least.saturating_add(excess.threads()) <= runnable).then_some(cpu)
}

/// How often a processor with more than one runnable thread compares its load with that of others.
pub const BALANCE_NS: u64 = 50_000_000;
/// How long, for each of its runnable threads, a processor has one more than another before it passes one on.
pub const ROTATE_NS: u64 = 50_000_000;

/// How many threads more than another a processor has to have to give it one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Two: after that neither would give one back.
    Two,
    /// One. It cannot be evened out, and so goes round, that everybody has a part of it.
    One,
}

impl Excess {
    const fn threads(self) -> usize {
        match self {
            Self::Two => 2,
            Self::One => 1,
        }
    }
}

/// When a processor gives threads away. It decides at ticks, which a processor has while a thread waits there.
///
/// An excess of two is evened out at once. An excess of one goes round: after [`ROTATE_NS`] for each thread the processor gives the thread that has
/// been there for longest to the processor that was given one the longest ago ([`give_to`]). So each thread is in turn among more
/// and among fewer, and so is each processor.
#[derive(Clone, Copy, Debug)]
pub struct Balance {
    /// When it compares next.
    next_ns: u64,
    /// Since when there was more than one runnable thread at each tick.
    crowded_ns: Option<u64>,
}

impl Balance {
    /// Of a processor that has nothing to do.
    pub const fn new() -> Self {
        Self {
            next_ns: 0,
            crowded_ns: None,
        }
    }

    /// At a tick: whether the loads are to be compared now, and for which excess a thread goes. `took_ns` says when the processor
    /// was last given a thread.
    pub fn tick(&mut self, runnable: usize, took_ns: u64, now_ns: u64) -> Option<Excess> {
        if runnable < 2 {
            self.crowded_ns = None;
            return None;
        }
        let since_ns = took_ns.max(*self.crowded_ns.get_or_insert(now_ns));
        if now_ns < self.next_ns {
            return None;
        }
        self.next_ns = now_ns.saturating_add(BALANCE_NS);
        let patience_ns = ROTATE_NS.saturating_mul(runnable as u64);
        let has_lasted = now_ns.saturating_sub(since_ns) >= patience_ns;
        Some(if has_lasted { Excess::One } else { Excess::Two })
    }

    /// What came of an excess of one: the next time is counted from now, or the next tick tries again.
    pub fn note<T>(&mut self, given: &Given<T>, now_ns: u64) {
        match given {
            Given::Thread(_) => self.crowded_ns = Some(now_ns),
            Given::NotYet => self.next_ns = now_ns,
            Given::None => {}
        }
    }
}

impl Default for Balance {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`crate::RunQueue::give`] has given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Given<T> {
    /// This.
    Thread(T),
    /// Nothing yet: it is the turn of the current thread, which is to wait first.
    NotYet,
    /// Nothing.
    None,
}
