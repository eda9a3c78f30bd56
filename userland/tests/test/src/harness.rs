//! What tests share: the handles of the program, checks, and the count of what is free.

use sys::abi::statistics::Statistics;
use sys::abi::{Error, Handle, Rights};
pub use sys::held::Held;
pub use sys::random::Random;
use sys::{Context, call, log_line};

/// The program's handles.
pub struct Env<'a> {
    pub context: &'a Context,
    /// This process.
    pub own: Handle,
    /// The machine.
    pub system: Handle,
    /// The kernel has started this program, and nothing else runs.
    pub is_alone: bool,
    /// This test is run once for each allocation that it causes: what it does again and again it need not do often.
    pub is_cold: bool,
}

/// A test that has failed; what was wrong is printed already.
#[derive(Debug)]
pub struct Failed;

/// What other processes may take or give back while a test runs: frames, and bytes of the kernel's heap.
const OTHERS: (u64, u64) = (512, 128 * 1024);

/// Tests of what drivers and the console have when the system runs.
const OF_THE_MACHINE: [&str; 8] = [
    "log-serial",
    "ports-of-the-kernel",
    "interrupt-fires-again-and-again",
    "interrupt-level-waits",
    "interrupt-edges-are-counted",
    "interrupt-bound-anew",
    "interrupt-one-at-a-time",
    "interrupt-closed-while-it-fires",
];

/// More handles than any test has at once.
const HANDLES: usize = 128;

/// What a test returns.
pub type Outcome = Result<(), Failed>;

/// A test and its name.
pub type Test = (&'static str, fn(&Env<'_>) -> Outcome);

impl<'a> Env<'a> {
    pub fn new(context: &'a Context) -> Option<Self> {
        Some(Self {
            context,
            own: context.own(),
            system: context.system()?,
            is_alone: call::process_usage(context.own()).is_ok_and(|usage| usage.parent == 0),
            is_cold: false,
        })
    }

    pub fn statistics(&self) -> Statistics {
        call::system_statistics(self.system).unwrap_or_default()
    }

    /// What the kernel holds now.
    pub fn held(&self) -> Held {
        Held::now(self.system)
    }

    /// What the kernel holds at rest.
    pub fn held_at_rest(&self) -> Held {
        Held::at_rest(self.system)
    }

    /// Whether the kernel holds no more than before, as far as that can be told.
    fn is_back(&self, before: &Held, now: &Held) -> bool {
        if self.is_alone {
            // More frames than before would be frames that were given back twice.
            return now.frames == before.frames && now.heap <= before.heap;
        }
        now.frames + OTHERS.0 >= before.frames && now.heap <= before.heap + OTHERS.1
    }

    /// Waits until the kernel holds no more than before.
    pub fn check_back(&self, before: &Held) -> Outcome {
        const PATIENCE_NS: u64 = 20_000_000_000;
        let end = call::clock_read() + PATIENCE_NS;
        let mut last = self.held();
        loop {
            call::thread_yield();
            let now = self.held();
            // Twice the same: while processors take and give back, their sum may be wrong for a moment.
            if now == last && self.is_back(before, &now) {
                return Ok(());
            }
            if call::clock_read() > end {
                log_line!(self.context, "  leak: before {before}; after {now}");
                return Err(Failed);
            }
            last = now;
        }
    }

    /// Has as many handles at once as any test will, so that the room for them does not count as lost when it comes; nor what is
    /// kept of the program's own handles as soon as others are derived from them.
    pub fn touch_handles(&self) {
        let given = [
            Some(self.own),
            Some(self.system),
            self.context.memory(),
            self.context.ports(),
            self.context.lines(),
        ];
        let mut handles = [None; HANDLES];
        for (handle, given) in handles.iter_mut().zip(given.into_iter().flatten()) {
            *handle = call::handle_duplicate(given, Rights::NONE).ok();
        }
        for handle in handles.iter_mut().filter_map(Option::take) {
            let _ = call::handle_close(handle);
        }
        for handle in &mut handles {
            *handle = call::handle_duplicate(self.own, Rights::NONE).ok();
        }
        for handle in handles.into_iter().flatten() {
            let _ = call::handle_close(handle);
        }
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
            sys::log_line!($env.context, "  {}:{}: {}", file!(), line!(), format_args!($($what)+));
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
            log_line!(env.context, "  {what}: {error}");
            Failed
        })
    }
}

/// Prints the names of the tests of a suite.
pub fn list_suite(env: &Env<'_>, suite: &str, tests: &[Test]) {
    for (name, _) in tests {
        log_line!(env.context, "{suite} {name}");
    }
}

/// Runs one test, with nothing before it, and without a count of memory: for `@inject`, which runs it again and again, and counts itself.
pub fn run_cold(env: Env<'_>, tests: &[Test], name: &str) -> u64 {
    let env = Env {
        is_cold: true,
        ..env
    };
    let test = tests.iter().find(|(own, _)| *own == name);
    test.map_or(1, |(_, test)| u64::from(test(&env).is_err()))
}

/// Runs all tests of a suite, or the one with a name. All memory must be back after each.
pub fn run_suite(env: &Env<'_>, suite: &str, tests: &[Test], name: Option<&str>) -> u64 {
    let (mut passed, mut failed, mut left_out) = (0u64, 0u64, 0u64);
    let start = env.held_at_rest();
    for (own, test) in tests
        .iter()
        .filter(|(own, _)| name.is_none_or(|name| name == *own))
    {
        if !env.is_alone && OF_THE_MACHINE.contains(own) {
            log_line!(
                env.context,
                "{suite} {own}: left out, as the system has what it needs"
            );
            left_out += 1;
            continue;
        }
        let before = env.held();
        // What a test leaves behind that has failed, threads that run on among it, is not waited for.
        if test(env).is_ok() && env.check_back(&before).is_ok() {
            passed += 1;
            log_line!(env.context, "{suite} {own}: ok");
        } else {
            failed += 1;
            log_line!(env.context, "{suite} {own}: FAILED");
        }
    }
    if passed + failed + left_out == 0 {
        log_line!(env.context, "there is no such test; 'test list' names them");
        return 2;
    }
    if failed != 0 {
        log_line!(env.context, "leak check: left out, as tests have failed");
    } else if env.check_back(&start).is_ok() {
        log_line!(env.context, "leak check: {start}, before and after");
        passed += 1;
    } else {
        log_line!(env.context, "leak check: FAILED");
        failed += 1;
    }
    log_line!(env.context, "{suite}: {passed} passed, {failed} failed");
    u64::from(failed != 0)
}
