//! What tests share: the handles of the program, checks, and the count of what is free.

use sys::abi::statistics::Statistics;
use sys::abi::{Error, Handle};
use sys::{Context, call, println};

/// The program's handles.
pub struct Env<'a> {
    pub context: &'a Context,
    /// This process.
    pub own: Handle,
    /// The machine.
    pub system: Handle,
}

/// A test that has failed; what was wrong is printed already.
#[derive(Debug)]
pub struct Failed;

/// What a test returns.
pub type Outcome = Result<(), Failed>;

/// A test and its name.
pub type Test = (&'static str, fn(&Env<'_>) -> Outcome);

impl<'a> Env<'a> {
    pub fn new(context: &'a Context) -> Option<Self> {
        Some(Self {
            context,
            own: context.own()?,
            system: context.system()?,
        })
    }

    pub fn statistics(&self) -> Statistics {
        call::system_statistics(self.system).unwrap_or_default()
    }

    /// Frames that are free, or parked in the kernel's own stores.
    pub fn free(&self) -> u64 {
        let now = self.statistics();
        now.free + now.heap + now.stacks + now.other
    }

    /// Waits until as many frames are free as before: what a program held comes back a moment after its end was told.
    pub fn has_back(&self, before: u64) -> bool {
        const PATIENCE_NS: u64 = 5_000_000_000;
        let end = call::clock_read() + PATIENCE_NS;
        while self.free() != before {
            if call::clock_read() > end {
                return false;
            }
            call::thread_yield();
        }
        true
    }
}

/// Touches the stack as deep as any test will, so that its pages do not count as lost when they come.
#[inline(never)]
pub fn touch_stack() {
    let mut deep = [0u8; 48 * 1024];
    core::hint::black_box(&mut deep);
}

/// Ends a test unless a condition holds.
#[macro_export]
macro_rules! check {
    ($env:expr, $condition:expr, $($what:tt)+) => {
        if !$condition {
            sys::println!($env.context, "  {}:{}: {}", file!(), line!(), format_args!($($what)+));
            return Err($crate::harness::Failed);
        }
    };
}

/// Ends a test unless two values are equal.
#[macro_export]
macro_rules! same {
    ($env:expr, $found:expr, $wanted:expr, $($what:tt)+) => {{
        let (found, wanted) = ($found, $wanted);
        $crate::check!($env, found == wanted, "{}: {found:x?}, not {wanted:x?}", format_args!($($what)+));
    }};
}

/// Turns an error of a system call into a failed test.
pub trait Must<T> {
    fn must(self, env: &Env<'_>, what: &str) -> Result<T, Failed>;
}

impl<T> Must<T> for Result<T, Error> {
    fn must(self, env: &Env<'_>, what: &str) -> Result<T, Failed> {
        self.map_err(|error| {
            println!(env.context, "  {what}: {error}");
            Failed
        })
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
