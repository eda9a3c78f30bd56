//! Memory is short: large pages give back what they hold without use.

use sys::abi::{Rights, area};
use sys::{call, log_line};

use crate::area::{Area, PAGE, RW, load, store};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

const LARGE: u64 = 512 * PAGE;
/// Large pages of which the child uses one page each.
const LARGES: u64 = 4;
/// Where it maps them.
const PLACE: u64 = 1 << 33;
/// Where it maps small pages: no large page fits.
const OTHER: u64 = (1 << 34) + PAGE;
/// Small pages that it touches, then how many it commits.
const TOUCHED: u64 = 900;
const COMMITTED: u64 = 300;
/// What its limit leaves when it has the large pages. Large ones are only given while half of one is left.
const LEFT: u64 = 256 + 32;
/// Where the child has its words.
const WORDS: u64 = CODE + 16 * PAGE;

/// A child needs more small pages than its limit leaves beside its large pages. What it uses of these stays, and the rest makes
/// room.
pub fn large_pages_split(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let handle = call::handle_duplicate(child.handle(), Rights::MAP.union(Rights::TRANSFER))
        .must(env, "duplicate")?;
    let handle = call::handle_give(child.handle(), handle).must(env, "give")?;
    let words = Area::open(1).must(env, "create")?;
    let view = words.map(env.own, 0, 1, RW).must(env, "map")?;
    let values = [
        handle.0,
        PLACE,
        LARGES * LARGE,
        OTHER,
        (TOUCHED + COMMITTED) * PAGE,
        TOUCHED * PAGE,
    ];
    for (index, value) in values.into_iter().enumerate() {
        store(view.at(0, index as u64), value);
    }
    words
        .map_at(child.handle(), WORDS, 0, 1, RW)
        .must(env, "map there")?
        .keep();
    let used = call::process_info(child.handle()).must(env, "info")?.memory;
    let limit = used + LARGES * LARGE + LEFT * PAGE;
    call::process_set_limit(child.handle(), limit).must(env, "limit")?;
    let end = child.run(Code::Squeeze, WORDS).must(env, "run")?;
    same!(env, end, End::Status(0), "how it ended");
    let info = |first: u64| {
        let word = |index: u64| load(view.at(0, first + index));
        area::Info {
            kind: word(0),
            size: word(1),
            committed: word(2),
            mappings: word(3),
            shared: word(4),
            large: word(5),
        }
    };
    let (before, after) = (info(8), info(16));
    let now = env.statistics();
    if before.large < LARGES * LARGE && now.free <= now.total / 4 {
        log_line!(
            env.context,
            "  skipped: {} of {} frames are free, so that there are no large pages",
            now.free,
            now.total
        );
        return Ok(());
    }
    same!(env, before.large, LARGES * LARGE, "bytes in large pages");
    same!(env, before.committed, LARGES * LARGE, "committed bytes");
    let split = (LARGES * LARGE - after.large) / LARGE;
    // Neither too few nor more than were needed.
    same!(
        env,
        split,
        (TOUCHED + COMMITTED - LEFT).div_ceil(511),
        "large pages that were split"
    );
    same!(
        env,
        after.committed,
        LARGES * LARGE - split * 511 * PAGE,
        "committed bytes afterwards"
    );
    let info = call::process_info(child.handle()).must(env, "info")?;
    check!(env, info.memory <= limit, "{info:?}");
    Ok(())
}
