//! Samples of the time-stamp counter, and what is made of them.

use sys::abi::{Error, Handle};
use sys::{Context, call, log_line};

/// The program's handles.
pub struct Env<'a> {
    pub context: &'a Context,
    /// This process.
    pub own: Handle,
    /// How many processors there are.
    pub cpus: u64,
}

impl<'a> Env<'a> {
    pub fn new(context: &'a Context) -> Option<Self> {
        let statistics = call::system_statistics(context.system()?).ok()?;
        Some(Self {
            context,
            own: context.own(),
            cpus: statistics.processors,
        })
    }
}

/// A measurement.
pub struct Figure {
    pub name: &'static str,
    /// For `bench list`.
    pub what: &'static str,
    pub run: fn(&Env<'_>, &mut Samples) -> Result<(), Error>,
}

/// The most samples of a figure.
const MOST: usize = 512;

/// What taking the time twice may cost more than at best without an interrupt; an interrupt takes more.
const SLACK: u64 = 32;

/// The samples of a figure.
pub struct Samples {
    ticks: [u64; MOST],
    count: usize,
    /// What taking the time twice costs by itself.
    overhead: u64,
}

impl Samples {
    pub fn new() -> Self {
        Self {
            ticks: [0; MOST],
            count: 0,
            overhead: (0..16).map(|_| span(|| {}).0).min().unwrap_or(0),
        }
    }

    /// Measures one execution. What is more than [`MOST`] is not kept.
    pub fn take<R>(&mut self, act: impl FnOnce() -> R) -> R {
        self.take_each(1, act)
    }

    /// Measures one execution of what does the same `count` times, and keeps what each cost.
    pub fn take_each<R>(&mut self, count: u64, act: impl FnOnce() -> R) -> R {
        let (ticks, result) = span(act);
        self.keep(count, ticks);
        result
    }

    /// Reads the time until the thread is interrupted by something that changes a number, and keeps what the interruption cost.
    pub fn wait_for_change(&mut self, number: impl Fn() -> u64) {
        loop {
            let before = number();
            let (ticks, ()) = span(|| {});
            // A change between the two readings, but not while the time was taken, does not count.
            if ticks > self.overhead + SLACK && number() != before {
                return self.keep(1, ticks);
            }
        }
    }

    /// Reads the time until the thread is interrupted, and keeps what the interruption cost.
    pub fn wait_for_interrupt(&mut self) {
        // Each reading is the end of one span and the begin of the next: no interrupt comes between two of them.
        let mut last = now();
        loop {
            let time = now();
            let ticks = time.wrapping_sub(last);
            if ticks > self.overhead + SLACK {
                return self.keep(1, ticks);
            }
            last = time;
        }
    }

    /// Keeps a sample, of which each of `count` parts is meant.
    pub fn keep(&mut self, count: u64, ticks: u64) {
        if let Some(place) = self.ticks.get_mut(self.count) {
            let all = ticks.saturating_sub(self.overhead);
            *place = all.checked_div(count).unwrap_or(all);
            self.count += 1;
        }
    }

    /// Prints the line of a figure: its name, the least, the median and the 99th percentile.
    pub fn print(&mut self, env: &Env<'_>, name: &str) {
        let ticks = self.ticks.get_mut(..self.count).unwrap_or_default();
        ticks.sort_unstable();
        let at = |percent: usize| ticks.get(ticks.len() * percent / 100);
        if let (Some(least), Some(median), Some(late)) = (at(0), at(50), at(99)) {
            log_line!(env.context, "{name} {least} {median} {late}");
        }
    }
}

/// How many ticks an execution takes, with [`Samples::overhead`].
#[inline(always)]
fn span<R>(act: impl FnOnce() -> R) -> (u64, R) {
    let start = now();
    let result = act();
    (now().wrapping_sub(start), result)
}

/// The time-stamp counter, read after all that the program did before.
#[inline(always)]
pub fn now() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter that user mode may read; as it is not said to leave memory alone, no access is moved across it.
    unsafe {
        core::arch::asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}
