//! What the kernel holds, so that a leak shows.

use core::fmt;

use abi::process::Usage;
use abi::{Handle, NAME_MAX, PAGE_SIZE};

use crate::{Context, call, log_line, start};

/// How long what was held may take to come back, in nanoseconds, on a busy host.
const SETTLE_NS: u64 = 20_000_000_000;
/// What stays the same for so long is at rest.
const REST_NS: u64 = 20_000_000;
/// How long to wait between two looks.
const PAUSE_NS: u64 = 2_000_000;
/// The most bytes of the kernel's heap that a page of a process takes: two nodes in the tree of its area.
pub const HEAP_OF_A_PAGE: u64 = 4096;

/// What the kernel holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Frames that are free, or parked in the kernel's own stores.
    pub frames: u64,
    /// Bytes of the kernel's heap that are in use.
    pub heap: u64,
    /// Pages of the processes that were there before this one, and that have made none themselves (whose pages would count for both): a
    /// service that takes more has a use for it.
    pub others: u64,
}

impl Held {
    /// Now, by a handle of the machine.
    pub fn now(system: Handle) -> Self {
        let now = call::system_statistics(system).unwrap_or_default();
        Self {
            frames: now.free + now.heap + now.stacks + now.other,
            heap: now.heap_used,
            others: pages_of_others(system),
        }
    }

    /// When it is the same for a while. (What a program held comes back a moment after its end was told.)
    pub fn at_rest(system: Handle) -> Self {
        let mut last = Self::now(system);
        let mut since = call::clock_read();
        while call::clock_read() - since < REST_NS {
            call::thread_yield();
            let now = Self::now(system);
            if now != last {
                (last, since) = (now, call::clock_read());
            }
        }
        last
    }

    /// When it is no more than before, or after some time.
    pub fn settled(system: Handle, before: &Self) -> Self {
        let until = call::clock_read() + SETTLE_NS;
        loop {
            let now = Self::now(system);
            if !now.is_more_than(before) || call::clock_read() > until {
                return now;
            }
            let _ = call::thread_sleep(call::clock_read() + PAUSE_NS);
        }
    }

    /// Whether something was lost since an earlier moment, other than to processes that have it now.
    pub fn is_more_than(&self, before: &Self) -> bool {
        let grown = self.others.saturating_sub(before.others);
        let heap = before
            .heap
            .saturating_add(grown.saturating_mul(HEAP_OF_A_PAGE));
        self.frames.saturating_add(self.others) < before.frames.saturating_add(before.others)
            || self.heap > heap
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            frames,
            heap,
            others,
        } = self;
        write!(f, "{frames} frames free, {heap} bytes of heap in use")?;
        match others {
            0 => Ok(()),
            _ => write!(f, ", {others} pages of others"),
        }
    }
}

/// All processes.
fn processes(system: Handle) -> impl Iterator<Item = Usage> + Clone {
    let mut from = 0;
    core::iter::from_fn(move || {
        let usage = call::process_next(system, from).ok()?;
        from = usage.number + 1;
        Some(usage)
    })
}

/// See [`Held::others`].
fn pages_of_others(system: Handle) -> u64 {
    let Ok(own) = call::process_usage(start::own()) else {
        return 0;
    };
    let all = processes(system);
    let has_made_none = |maker: u64| all.clone().all(|usage| usage.parent != maker);
    all.clone()
        .take_while(|usage| usage.number < own.number)
        .filter(|usage| has_made_none(usage.number))
        .map(|usage| usage.memory / PAGE_SIZE)
        .sum()
}

/// Looks after each round of a long test whether it has left anything behind.
#[derive(Debug)]
pub struct LeakCheck {
    system: Handle,
    before: Option<Held>,
    lost: u64,
}

impl LeakCheck {
    /// To be told of each round. In the first one the kernel makes what it keeps for good.
    pub const fn new(system: Handle) -> Self {
        Self {
            system,
            before: None,
            lost: 0,
        }
    }

    /// After a round, when all that it has made was ended and closed. What was lost is printed.
    pub fn after_round(&mut self, context: &Context, round: u64) {
        let Some(before) = self.before else {
            self.before = Some(Held::at_rest(self.system));
            return;
        };
        let after = Held::settled(self.system, &before);
        if after.is_more_than(&before) {
            log_line!(context, "round {round}: before {before}; after {after}");
            self.print_processes(context);
            self.lost += 1;
        }
        self.before = Some(after);
    }

    /// Whether nothing was lost. A list of the kernel's may grow for good; a leak grows again.
    pub fn is_whole(&self) -> bool {
        self.lost <= 1
    }

    /// Those that are left, with threads: whoever asks is one of them.
    fn print_processes(&self, context: &Context) {
        for process in processes(self.system) {
            let Usage {
                number,
                parent,
                threads,
                memory,
                ..
            } = process;
            let name: [u8; NAME_MAX] = process.name();
            let len = name.iter().position(|&byte| byte == 0).unwrap_or(NAME_MAX);
            let name = core::str::from_utf8(&name[..len]).unwrap_or("?");
            log_line!(
                context,
                "process {number} of {parent}, {name}: {threads} threads, {memory} bytes"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAP_OF_A_PAGE, Held};

    const BEFORE: Held = Held {
        frames: 1000,
        heap: 50_000,
        others: 200,
    };

    #[test]
    fn what_others_took_is_not_lost() {
        assert!(!BEFORE.is_more_than(&BEFORE));
        // As the logger did when it came to a new part of its heap.
        let grown = Held {
            frames: 962,
            heap: 51_544,
            others: 238,
        };
        assert!(!grown.is_more_than(&BEFORE));
        assert!(!BEFORE.is_more_than(&grown));
        let lost = Held {
            frames: 961,
            ..grown
        };
        assert!(lost.is_more_than(&BEFORE));
    }

    #[test]
    fn what_nobody_has_is_lost() {
        for (frames, heap, others) in [(999, 0, 0), (0, 1, 0), (0, HEAP_OF_A_PAGE + 1, 1)] {
            let after = Held {
                frames: if frames == 0 { 1000 - others } else { frames },
                heap: BEFORE.heap + heap,
                others: BEFORE.others + others,
            };
            assert!(after.is_more_than(&BEFORE), "{after:?}");
        }
    }
}
