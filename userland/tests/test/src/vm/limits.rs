//! Limits: nobody takes all memory.

use sys::abi::{Error, process};
use sys::call;

use crate::area::{Area, PAGE, RW};
use crate::child::{Child, Code, words};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

const BIG: u64 = 1 << 40;
const PLACE: u64 = 1 << 33;

/// A commit that goes over the limit is an error, and takes nothing.
pub fn commit(env: &Env<'_>) -> Outcome {
    let info = call::process_info(env.own).must(env, "info")?;
    check!(
        env,
        info.limit > info.memory && info.memory > 0,
        "limit {} memory {}",
        info.limit,
        info.memory
    );
    let area = Area::open(BIG / PAGE).must(env, "create")?;
    let before = env.held();
    let limit = info.limit & !(PAGE - 1);
    let result = call::vm_area_commit(area.handle(), 0, limit + PAGE);
    check!(
        env,
        matches!(result, Err(Error::OverLimit | Error::OutOfMemory)),
        "commit of the limit and a page: {result:?}"
    );
    same!(env, area.info().committed, 0, "committed");
    env.check_back(&before)?;
    let now = call::process_info(env.own).must(env, "info")?.memory;
    same!(env, now, info.memory, "memory in use");
    Ok(())
}

/// A process that touches more than it may is ended, or its handler is told why.
pub fn at_a_fault(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    // The pages of this area count for whoever made it: for us. So it is our limit that the child reaches, if not memory itself.
    let area = Area::open(BIG / PAGE).must(env, "create")?;
    area.map_at(child.handle(), PLACE, 0, BIG / PAGE, RW)
        .must(env, "map there")?
        .keep();
    let argument = words(env, &child, &[PLACE, PLACE + BIG]).must(env, "words")?;
    let report = child
        .fault_and_end(Code::Touch, argument)
        .must(env, "fault")?;
    check!(
        env,
        [process::OVER_LIMIT, process::OUT_OF_MEMORY].contains(&report.reason),
        "reason {}",
        report.reason
    );
    check!(env, report.address > PLACE, "address {:#x}", report.address);
    // Until the area has gone we cannot have a single page more ourselves.
    drop((child, area));
    // The own limit of a child: page tables count as well.
    let child = Child::new(env).must(env, "child")?;
    let used = call::process_info(child.handle()).must(env, "info")?.memory;
    call::process_set_limit(child.handle(), used + 20 * PAGE).must(env, "limit")?;
    let small = Area::open(1).must(env, "create")?;
    for index in 0..16u64 {
        // Each in a part of the space of its own: three page tables for each page.
        small
            .map_at(child.handle(), (index + 1) << 39, 0, 1, RW)
            .must(env, "map there")?
            .keep();
    }
    let argument = words(env, &child, &[1 << 39, 17 << 39]).must(env, "words")?;
    let report = child
        .fault_and_end(Code::Touch, argument)
        .must(env, "fault")?;
    check!(
        env,
        [process::OVER_LIMIT, process::NOT_MAPPED].contains(&report.reason),
        "reason {}",
        report.reason
    );
    same!(
        env,
        call::process_set_limit(child.handle(), u64::MAX),
        Err(Error::InvalidArgument),
        "a limit above our own"
    );
    Ok(())
}

/// What a child uses counts for the process that made it.
pub fn covers_children(env: &Env<'_>) -> Outcome {
    let before = call::process_info(env.own).must(env, "info")?.memory;
    let child = Child::new(env).must(env, "child")?;
    let own = call::process_info(child.handle()).must(env, "info")?.memory;
    let after = call::process_info(env.own).must(env, "info")?.memory;
    check!(
        env,
        own > 0 && after >= before + own,
        "own {before}, with the child {after}, of which {own} are the child's"
    );
    drop(child);
    let back = call::process_info(env.own).must(env, "info")?.memory;
    same!(env, back, before, "memory after the child has gone");
    Ok(())
}
