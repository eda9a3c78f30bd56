//! Programs that take all memory they can get, touch all of it and end, again and again: the machine is as before.

use sys::abi::Rights;
use sys::abi::process::{self, Action};
use sys::{call, log_line};

use crate::area::PAGE;
use crate::child::{Child, Code, words};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// Much more than any machine has.
const BIG: u64 = 1 << 40;
const PLACE: u64 = 1 << 33;
/// Bytes that a hog leaves to the program that runs it: it shares the limit.
const HEADROOM: u64 = 1 << 20;

/// Runs so many hogs one after the other; status 0 when all were stopped and all memory is back.
pub fn run(env: &Env<'_>, rounds: u64) -> u64 {
    // The first ones also make what the kernel keeps for good.
    for _ in 0..2 {
        if hog(env).is_err() {
            return 1;
        }
    }
    let before = env.held_at_rest();
    let start = call::clock_read();
    for round in 0..rounds {
        if hog(env).is_err() {
            log_line!(env.context, "hog {round}: FAILED");
            return 1;
        }
    }
    if env.check_back(&before).is_err() {
        log_line!(env.context, "hog: FAILED after {rounds} rounds");
        return 1;
    }
    let ms = (call::clock_read() - start) / 1_000_000;
    log_line!(
        env.context,
        "hog: {rounds} rounds, {before}, before and after, {ms} ms"
    );
    0
}

/// Runs one that may use all that this program may, but for a little that this program needs to go on.
fn hog(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let own = call::process_info(env.own).must(env, "info")?;
    let limit = (own.limit - own.memory).saturating_sub(HEADROOM);
    call::process_set_limit(child.handle(), limit).must(env, "limit")?;
    let handle = call::handle_duplicate(child.handle(), Rights::MAP.union(Rights::TRANSFER))
        .must(env, "duplicate")?;
    let handle = call::handle_give(child.handle(), handle).must(env, "give")?;
    let argument = words(env, &child, &[handle.0, PLACE, BIG]).must(env, "words")?;
    let report = child.fault(Code::Hog, argument).must(env, "fault")?;
    same!(env, report.reason, process::OVER_LIMIT, "why it stopped");
    let used = call::process_info(child.handle()).must(env, "info")?.memory;
    // All of it but for the tables that the next page may need, and nearly all of that is its pages.
    check!(
        env,
        used + 4 * PAGE >= limit,
        "stopped at {used} of {limit} bytes"
    );
    let touched = report.address - PLACE;
    check!(
        env,
        touched > limit - limit / 64,
        "touched {touched} of {limit} bytes"
    );
    call::exception_resume(child.handle(), report.thread, Action::End).must(env, "end")?;
    child.end().must(env, "end")?;
    Ok(())
}
