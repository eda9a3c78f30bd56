//! Programs that take all memory they can get, touch all of it and end, again and again: the machine is as before.

use sys::abi::process::{self, Action};
use sys::{call, println};

use crate::area::{Area, PAGE, RW};
use crate::child::{Child, Code, words};
use crate::harness::{Env, Failed, Must, Outcome};

/// Much more than any machine has.
const BIG: u64 = 1 << 40;
const PLACE: u64 = 1 << 33;

/// Runs so many hogs one after the other; status 0 when all were stopped and all memory is back.
pub fn run(env: &Env<'_>, rounds: u64) -> u64 {
    // The first ones also make what the kernel keeps for good.
    for _ in 0..2 {
        if hog(env).is_err() {
            return 1;
        }
    }
    let before = env.free();
    let start = call::clock_read();
    for round in 0..rounds {
        if hog(env).is_err() {
            println!(env.context, "hog {round}: FAILED");
            return 1;
        }
    }
    if !env.has_back(before) {
        println!(
            env.context,
            "hog: FAILED, {before} frames free before, {} after {rounds} rounds",
            env.free()
        );
        return 1;
    }
    let ms = (call::clock_read() - start) / 1_000_000;
    println!(
        env.context,
        "hog: {rounds} rounds, {before} frames free before and after, {ms} ms"
    );
    0
}

/// Allocates by commit until that is refused, then lets a child touch what is left until it is stopped.
fn hog(env: &Env<'_>) -> Outcome {
    let area = Area::open(BIG / PAGE).must(env, "create")?;
    // In ever smaller steps, up to the last page.
    let mut committed = 0;
    let mut step = 1 << 30;
    while step >= 64 * PAGE {
        match call::vm_area_commit(area.handle(), committed, step) {
            Ok(()) => committed += step,
            Err(_) => step /= 4,
        }
    }
    let child = Child::new(env).must(env, "child")?;
    area.map_at(child.handle(), PLACE, 0, BIG / PAGE, RW)
        .must(env, "map")?
        .keep();
    let argument = words(env, &child, &[PLACE, PLACE + BIG]).must(env, "words")?;
    let report = child.fault(Code::Touch, argument).must(env, "fault")?;
    let is_refused = [process::OVER_LIMIT, process::OUT_OF_MEMORY].contains(&report.reason);
    if !is_refused || report.address < PLACE {
        println!(
            env.context,
            "  stopped at {:#x}, reason {}", report.address, report.reason
        );
        return Err(Failed);
    }
    call::exception_resume(child.handle(), report.thread, Action::End).must(env, "end")?;
    child.end().must(env, "end")?;
    Ok(())
}
