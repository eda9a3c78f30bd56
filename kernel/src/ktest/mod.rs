//! Tests that need the real machine, run by the `ktest` option.
//!
//! Each test is a function that returns what it found, in words, or what is wrong. They run one after the other on the
//! first thread, while nothing else runs: what a test starts must have ended, and all that it took must be back, when
//! it returns. The last line that is logged is `N passed, N failed`.

mod clock;
mod events;
mod firmware;
mod frames;
mod memory;
pub mod nmi;
mod pages;
mod pressure;
mod process;
mod shootdown;
mod smp;
mod threads;
mod tools;
mod usercopy;

use alloc::string::String;

use crate::arch::current::time;

/// What a test found, or what is wrong.
type Outcome = Result<String, String>;
/// A test and its name.
type Test = (&'static str, fn() -> Outcome);

/// Ends a test with a reason unless a condition holds.
macro_rules! check {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err(alloc::format!($($reason)+));
        }
    };
}
use check;

/// The tests, in order. The first ones take what later ones need for good: stacks, places in run queues, the list of devices.
const TESTS: &[Test] = &[
    ("threads/stacks-return", threads::stacks_return),
    ("firmware/panic-is-contained", firmware::panic_is_contained),
    ("smp/all-online", smp::all_online),
    ("smp/same-control-registers", smp::same_control_registers),
    ("pages/rights", pages::rights),
    ("memory/frames-conserved", memory::frames_conserved),
    ("frames/all-can-be-reached", frames::all_can_be_reached),
    ("frames/purposes-add-up", frames::purposes_add_up),
    ("frames/cost", frames::cost),
    ("memory/heap-conserved", memory::heap_conserved),
    (
        "memory/heap-grows-and-shrinks",
        memory::heap_grows_and_shrinks,
    ),
    ("shootdown/mutual", shootdown::mutual),
    ("shootdown/no-stale-page", shootdown::no_stale_page),
    ("usercopy/bad-addresses", usercopy::bad_addresses),
    ("usercopy/last-byte", usercopy::last_byte),
    ("usercopy/fixed-area", usercopy::fixed_area),
    ("pressure/frames-run-out", pressure::frames_run_out),
    ("pressure/account-is-full", pressure::account_is_full),
    ("clock/monotonic", clock::monotonic),
    ("clock/timer", clock::timer),
    ("threads/ping-pong", threads::ping_pong),
    ("threads/wake-storm", threads::wake_storm),
    ("events/signalled-once", events::signalled_once),
    ("process/exit-status", process::exit_status),
    ("process/faults", process::faults),
    ("process/system-calls", process::system_calls),
    ("process/vector-registers", process::vector_registers),
    ("process/seen-is-told", process::seen_is_told),
    ("process/nothing-is-lost", process::nothing_is_lost),
    ("nmi/user-and-kernel", nmi::user_and_kernel),
    ("firmware/s5", firmware::s5),
];

/// Runs all tests; returns the number that failed.
pub fn run() -> u64 {
    let (mut passed, mut failed) = (0u64, 0u64);
    for (name, test) in TESTS {
        log::debug!("{name}");
        tools::wait_for_stragglers();
        let start = time::now_ns();
        let outcome = test();
        let ms = (time::now_ns() - start) / 1_000_000;
        match outcome {
            Ok(found) => {
                passed += 1;
                log::info!("{name}: ok, {found} ({ms} ms)");
            }
            Err(reason) => {
                failed += 1;
                log::error!("{name}: FAILED, {reason} ({ms} ms)");
            }
        }
    }
    log::info!("{passed} passed, {failed} failed");
    failed
}
