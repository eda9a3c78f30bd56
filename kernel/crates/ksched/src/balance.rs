//! Which processor a thread goes to, and from which one an idle processor takes work.

use crate::cpuset::{Cpu, CpuSet};

/// How busy a processor is, at the moment of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Load {
    /// Whether it takes threads at all.
    pub online: bool,
    /// Threads that run or could run, the idle thread not counted.
    pub runnable: u32,
}

impl Load {
    /// A processor that takes no threads.
    pub const OFFLINE: Self = Self {
        online: false,
        runnable: 0,
    };

    /// A processor with this many runnable threads.
    pub const fn online(runnable: u32) -> Self {
        Self {
            online: true,
            runnable,
        }
    }
}

/// The processor for a thread that becomes runnable; `loads` has one element for each processor, by
/// number. The last one it ran on, while that is idle: its caches are warm. Otherwise the least busy
/// one, and among equals the last one, then the next one after it, so that threads made by one
/// thread spread. `None` when the affinity allows no processor that is online.
pub fn place(affinity: &CpuSet, last: Option<Cpu>, loads: &[Load]) -> Option<Cpu> {
    let usable = |cpu: &Cpu| loads.get(cpu.index()).is_some_and(|load| load.online);
    let runnable = |cpu: &Cpu| {
        loads
            .get(cpu.index())
            .map_or(u32::MAX, |load| load.runnable)
    };
    let origin = last.map_or(0, Cpu::index);
    let distance = |cpu: &Cpu| cpu.index().wrapping_sub(origin) % crate::MAX_CPUS;
    affinity
        .iter()
        .filter(usable)
        .min_by_key(|cpu| (runnable(cpu), distance(cpu)))
}

/// The processor that an idle one should take a thread from: the busiest with at least two runnable
/// threads, and among equals the next one after the thief, so that thieves spread. The caller then
/// asks that one's [`crate::RunQueue::steal`].
pub fn steal_from(thief: Cpu, loads: &[Load]) -> Option<Cpu> {
    let distance = |cpu: &Cpu| cpu.index().wrapping_sub(thief.index()) % crate::MAX_CPUS;
    loads
        .iter()
        .enumerate()
        .filter(|(_, load)| load.online && load.runnable >= 2)
        .filter_map(|(index, load)| Some((Cpu::new(index)?, load.runnable)))
        .filter(|(cpu, _)| *cpu != thief)
        .max_by_key(|(cpu, runnable)| (*runnable, core::cmp::Reverse(distance(cpu))))
        .map(|(cpu, _)| cpu)
}
