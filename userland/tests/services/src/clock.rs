//! The date: plausible, going on, and kept when it is set.

use alloc::vec::Vec;

use ipc::Failure;
use protocols::Fault;
use protocols::clock::{Answer, Clock, NAME, Request};
use sys::object::Mailbox;
use sys::time::{MILLISECOND, SECOND};

use crate::check;
use crate::harness::{Env, Not, Outcome, Test, ask, rejects_garbage};

/// The tests.
pub const TESTS: &[Test] = &[
    ("plausible", plausible),
    ("goes on", goes_on),
    ("set", set),
    ("refused", refused),
];

/// 2025, in seconds.
const Y2025: u64 = 1_735_689_600;
/// 2100.
const Y2100: u64 = 4_102_444_800;

fn now(clock: &Mailbox) -> Result<(u64, u64), Not> {
    match ask::<Clock>(clock, &Request::Now, Vec::new())? {
        (Answer::Time { wall, monotonic }, _) => Ok((wall, monotonic)),
        (Answer::Done, _) => Err(Not::Failed("no time".into())),
    }
}

fn plausible(env: &Env) -> Outcome {
    let clock = env.service(NAME)?;
    let before = sys::time::now();
    let (wall, monotonic) = now(&clock)?;
    let after = sys::time::now();
    let range = Y2025 * SECOND..Y2100 * SECOND;
    check!(
        range.contains(&wall),
        "it is {} s since 1970",
        wall / SECOND
    );
    check!(
        (before..=after).contains(&monotonic),
        "{monotonic} is not from {before} to {after}"
    );
    Ok(())
}

fn goes_on(env: &Env) -> Outcome {
    let clock = env.service(NAME)?;
    // Within the first second it may be set to the begin of a second of the chip.
    sys::time::sleep(1200 * MILLISECOND);
    let (first, before) = now(&clock)?;
    for _ in 0..10 {
        sys::time::sleep(100 * MILLISECOND);
        let (wall, monotonic) = now(&clock)?;
        let (by_wall, by_monotonic) = (wall - first, monotonic - before);
        check!(
            by_wall.abs_diff(by_monotonic) < 30 * MILLISECOND,
            "{by_wall} ns on one clock, {by_monotonic} on the other"
        );
    }
    Ok(())
}

fn set(env: &Env) -> Outcome {
    let clock = env.service(NAME)?;
    let (wall, monotonic) = now(&clock)?;
    // A leap day, a moment before midnight.
    let other = 1_709_251_199;
    let begin = sys::time::now();
    ask::<Clock>(&clock, &Request::Set { seconds: other }, Vec::new())?;
    sys::time::sleep(1500 * MILLISECOND);
    let (then, at) = now(&clock)?;
    let took = at - begin;
    let begin = sys::time::now();
    let seconds = (wall + (begin - monotonic)) / SECOND;
    ask::<Clock>(&clock, &Request::Set { seconds }, Vec::new())?;
    let range = (other + 1) * SECOND..(other + 2) * SECOND + took;
    check!(
        range.contains(&then),
        "set to {other} s, it said {then} ns after {took} ns"
    );
    let (back, at) = now(&clock)?;
    let took = at - begin;
    check!(
        back.abs_diff(seconds * SECOND) < 2 * SECOND + took,
        "set back to {seconds} s, it says {back} ns after {took} ns"
    );
    Ok(())
}

fn refused(env: &Env) -> Outcome {
    let clock = env.service(NAME)?;
    rejects_garbage::<Clock>(&clock)?;
    let seconds = u64::MAX;
    let error = ask::<Clock>(&clock, &Request::Set { seconds }, Vec::new()).err();
    check!(
        error == Some(Failure::Fault(Fault::InvalidArgument)),
        "the end of time: {error:?}"
    );
    Ok(())
}
