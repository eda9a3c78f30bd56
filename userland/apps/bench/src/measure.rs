//! Samples of the time-stamp counter, and what is made of them.

use sys::abi::{Error, Handle};
use sys::{Context, call, println};

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
            own: context.own()?,
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
        let (ticks, result) = span(act);
        if let Some(place) = self.ticks.get_mut(self.count) {
            *place = ticks.saturating_sub(self.overhead);
            self.count += 1;
        }
        result
    }

    /// Prints the line of a figure: its name, the least and the median.
    pub fn print(&mut self, env: &Env<'_>, name: &str) {
        let ticks = self.ticks.get_mut(..self.count).unwrap_or_default();
        ticks.sort_unstable();
        if let (Some(least), Some(median)) = (ticks.first(), ticks.get(ticks.len() / 2)) {
            println!(env.context, "{name} {least} {median}");
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
fn now() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter that user mode may read; as it is not said to leave memory alone, no access is moved across it.
    unsafe {
        core::arch::asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}
